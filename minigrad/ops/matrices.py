"""Matrices and grids: products beyond matmul, diagonals, triangles and combinations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.device import backend_for
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import mul, sub
from minigrad.ops.base import Tensor, backend_of, broadcast_error, cast, normal_axis, wrap
from minigrad.ops.einsum import tensordot
from minigrad.ops.index import index_select
from minigrad.ops.join import cat, stack
from minigrad.ops.logic import where
from minigrad.ops.matmul import DiagonalEmbed, bmm, dot, matmul, mv, outer, scaled
from minigrad.ops.matmul import diagonal as diagonal_of
from minigrad.ops.power import pow
from minigrad.ops.reduce import sum
from minigrad.ops.shape import expand, narrow, pad, reshape


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec)"""
    return scaled("addmv", beta, input, alpha, mv(mat, vec))


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2)"""
    return scaled("addr", beta, input, alpha, outer(vec1, vec2))


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * the sum of all products of two stacks: (B, M, K), (B, K, N) -> (M, N)"""
    return scaled("addbmm", beta, input, alpha, sum(bmm(batch1, batch2), 0, dtype=dtypes.of(batch1.array)))


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """(K,) . (K,) -> ()"""
    return dot(input, other)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products over the last dimensions: (..., K), (...', K) -> (..., ...')"""
    if not input.array.ndim or not other.array.ndim:
        return mul(input, other)
    if input.array.shape[-1] != other.array.shape[-1]:
        raise ShapeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.array.shape)} and {list(other.array.shape)}"
        )
    return tensordot(input, other, ([input.array.ndim - 1], [other.array.ndim - 1]))


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker's product: every element times the whole other tensor."""
    rank = max(input.array.ndim, other.array.ndim)
    a = (1,) * (rank - input.array.ndim) + input.array.shape
    b = (1,) * (rank - other.array.ndim) + other.array.shape
    left = reshape(input, [n for size in a for n in (size, 1)])
    right = reshape(other, [n for size in b for n in (1, size)])
    return reshape(mul(left, right), [m * n for m, n in zip(a, b, strict=True)])


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of vectors of length 3 along a dimension (the first of that length, if none is given)."""
    if dim is None:
        fitting = [i for i, n in enumerate(input.array.shape) if n == 3]
        if not fitting:
            raise ShapeError("no dimension of size 3 in input")
        dim = fitting[0] - (0 if input.array.ndim == other.array.ndim else input.array.ndim)
    if input.array.ndim != other.array.ndim:
        raise ShapeError(
            "linalg.cross: inputs must have the same number of dimensions, but got "
            f"{list(input.array.shape)} and {list(other.array.shape)}"
        )
    if input.array.dtype != other.array.dtype:
        raise DtypeError(f"cross(): expected one dtype, but got {dtypes.of(input.array)} and {dtypes.of(other.array)}")
    try:
        shape = np.broadcast_shapes(input.array.shape, other.array.shape)
    except ValueError as error:
        raise broadcast_error(input.array, other.array) from error
    axis = normal_axis("cross", dim, len(shape))
    if input.array.shape[dim] != 3 or other.array.shape[dim] != 3:
        raise ShapeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.array.shape[dim]} and {other.array.shape[dim]}"
        )
    a, b = expand(input, shape), expand(other, shape)
    ax, ay, az = (narrow(a, axis, i, 1) for i in range(3))
    bx, by, bz = (narrow(b, axis, i, 1) for i in range(3))
    return cat([sub(mul(ay, bz), mul(az, by)), sub(mul(az, bx), mul(ax, bz)), sub(mul(ax, by), mul(ay, bx))], axis)


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if input.array.ndim != 2:
        raise ShapeError("trace: expected a matrix, but got tensor with dim " + str(input.array.ndim))
    return sum(diagonal_of(input))


def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of several matrices."""
    y = matrices[0]
    for m in matrices[1:]:
        y = matmul(y, m)
    return y


# ---------------------------------------------------------------------- diagonals and triangles


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Vectors (the last dimension) as diagonals of matrices that lie in two new dimensions."""
    n, rank = input.array.shape[-1] + abs(offset), input.array.ndim + 1
    a, b = normal_axis("diag_embed", dim1, rank), normal_axis("diag_embed", dim2, rank)
    if a == b:
        raise ShapeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    shape = list(input.array.shape[:-1])
    for axis in sorted((a, b)):
        shape.insert(axis, n)
    return DiagonalEmbed(offset, a, b, tuple(shape)).apply(input)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A vector as a diagonal matrix, or a matrix's diagonal."""
    if input.array.ndim not in (1, 2):
        raise ShapeError(f"diag(): Supports 1D or 2D tensors. Got {input.array.ndim}D")
    return diag_embed(input, diagonal) if input.array.ndim == 1 else diagonal_of(input, diagonal)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """All elements on the diagonal of a matrix."""
    return diag_embed(reshape(input, -1), offset)


def _triangle(op: str, input: Tensor, diagonal: int, lower: bool) -> Tensor:
    x = input.array
    if x.ndim < 2:
        raise ShapeError(f"{op}: input tensor must have at least 2 dimensions")
    xp = backend_of(x).xp
    mask = xp.tri(x.shape[-2], x.shape[-1], diagonal if lower else diagonal - 1, bool)
    return where(wrap(mask if lower else ~mask), input, False)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangles of matrices, up to and with a diagonal; 0 above."""
    return _triangle("tril", input, int(diagonal), True)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangles of matrices, from a diagonal on; 0 below."""
    return _triangle("triu", input, int(diagonal), False)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Rows and columns of a matrix's lower triangle: (2, count)"""
    return _indices(np.tril_indices(row, offset, col), dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Rows and columns of a matrix's upper triangle: (2, count)"""
    return _indices(np.triu_indices(row, offset, col), dtype, device)


def _indices(found: Any, dtype: Any, device: Any) -> Tensor:
    kind = np.int64 if dtype is None else dtypes.as_numpy(dtype, "tril_indices")
    return wrap(backend_for(device).from_numpy(np.stack(found).astype(kind)))


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Powers of every element: (K,) -> (K, N), the highest first unless `increasing`."""
    if x.array.ndim != 1:
        raise ShapeError("x must be a one-dimensional tensor.")
    n = x.array.size if N is None else N
    if n < 0:
        raise ShapeError("N must be non-negative.")
    powers = [pow(x, i) for i in (range(n) if increasing else reversed(range(n)))]
    return stack(powers, 1) if powers else x.new_zeros((x.array.size, 0))


# ---------------------------------------------------------------------- grids and combinations


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of one large matrix, 0 elsewhere."""
    blocks = [reshape(t, (1, -1)) if t.array.ndim < 2 else t for t in tensors]
    if any(b.array.ndim > 2 for b in blocks):
        raise ShapeError("Input tensors must have 2 or fewer dimensions.")
    kind = dtypes.result_numpy(tuple(b.array for b in blocks))
    width, start, rows = builtin_sum(b.array.shape[1] for b in blocks), 0, []
    for b in blocks:
        b = cast(b, kind)
        n = b.array.shape[1]
        rows.append(b.new_zeros((0, width)) if not b.array.shape[0] else _padded(b, start, width - start - n))
        start += n
    return cat(rows, 0)


def _padded(block: Tensor, before: int, after: int) -> Tensor:
    return pad(block, (before, after))


def builtin_sum(numbers: Any) -> int:
    """Python's sum (`sum` is an operation here)."""
    total = 0
    for n in numbers:
        total += n
    return total


def meshgrid(*tensors: Tensor, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinates of a grid: vectors of lengths M, N, ... -> as many tensors (M, N, ...); "xy" exchanges the first two."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    if not tensors:
        raise ShapeError("meshgrid expects a non-empty TensorList")
    for t in tensors:
        if t.array.ndim > 1:
            raise ShapeError(f"meshgrid: Expected 0D or 1D tensor in the tensor list but got: {list(t.array.shape)}")
        if t.array.dtype != tensors[0].array.dtype:
            raise DtypeError("meshgrid expects all tensors to have the same dtype")
    if indexing not in (None, "ij", "xy"):
        raise ShapeError(f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    swapped = indexing == "xy" and len(tensors) > 1
    if swapped:
        tensors = (tensors[1], tensors[0], *tensors[2:])
    sizes = [t.array.size for t in tensors]
    grids = [expand(reshape(t, [-1 if i == k else 1 for i in range(len(sizes))]), sizes) for k, t in enumerate(tensors)]
    if swapped:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All ways to pick one element of each vector: lengths M, N, ... -> (M*N*..., count)"""
    for t in tensors:
        if t.array.ndim != 1:
            raise ShapeError("Expect a 1D vector, but got shape " + str(list(t.array.shape)))
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(g, -1) for g in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to pick r elements of a vector, in order: (N,) -> (count, r)"""
    if input.array.ndim != 1:
        raise ShapeError("Expect a 1D vector, but got shape " + str(list(input.array.shape)))
    if r < 0:
        raise ShapeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_zeros((0,))
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(pick(range(input.array.size), r)), dtype=np.int64).reshape(-1, r)
    xp = backend_of(input.array).xp
    return reshape(index_select(input, 0, wrap(xp.asarray(rows.reshape(-1)))), rows.shape)


__all__ = [
    "addbmm", "addmv", "addr", "block_diag", "cartesian_prod", "chain_matmul", "combinations", "cross", "diag",
    "diag_embed", "diagflat", "inner", "kron", "meshgrid", "trace", "tril", "tril_indices", "triu",
    "triu_indices", "vander", "vdot",
]  # fmt: skip
