"""Putting together, taking apart and looking at tensors in other ways: what shape.py and join.py have no room for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.errors import ShapeError
from minigrad.ops.base import (
    Array,
    Grads,
    Tensor,
    Unary,
    Variable,
    View,
    backend_of,
    broadcast_error,
    cast,
    normal_axis,
    wrap,
)
from minigrad.ops.index import Take, index_select
from minigrad.ops.join import cat, split, unbind
from minigrad.ops.matmul import diagonal
from minigrad.ops.shape import (
    Slice,
    expand,
    flip,
    narrow,
    permute,
    reshape,
    squeeze,
    t,
    transpose,
    unsqueeze,
)  # fmt: skip
from minigrad.ops.shape import pad as padded


class Unfold(View):
    """Windows along an axis, as a new last dimension."""

    __slots__ = ("before",)

    def forward(self, x: Array) -> Array:
        axis, size, step = self.args
        self.before = x.shape
        windows = np.lib.stride_tricks.sliding_window_view if isinstance(x, np.ndarray) else _windows
        return windows(x, size, axis)[(*(slice(None),) * axis, slice(None, None, step))]

    def backward(self, gy: Tensor) -> Grads:
        return Fold(self.args, self.before).apply(gy)


def _windows(x: Array, size: int, axis: int) -> Array:
    xp = backend_of(x).xp
    count = x.shape[axis] - size + 1
    places = xp.arange(count)[:, None] + xp.arange(size)
    return xp.moveaxis(xp.take(x, places, axis), axis + 1, -1)


class Fold(Unary):
    """Windows added back to where they came from: the adjoint of Unfold."""

    __slots__ = ("args", "shape")
    keeps = False

    def __init__(self, args: tuple[int, int, int], shape: tuple[int, ...]) -> None:
        self.args, self.shape = args, shape

    def forward(self, x: Array) -> Array:
        axis, size, step = self.args
        y = backend_of(x).xp.zeros(self.shape, x.dtype)
        count = x.shape[axis]
        for i in range(size):
            y[(*(slice(None),) * axis, slice(i, i + step * (count - 1) + 1, step))] += x[..., i]
        return y

    def backward(self, gy: Tensor) -> Grads:
        return Unfold(*self.args).apply(gy)


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of `size` elements, `step` apart, along a dimension; they become a new last dimension."""
    axis = normal_axis("unfold", dimension, input.array.ndim)
    length = input.array.shape[axis] if input.array.ndim else 1
    if size < 0 or step < 1 or size > length:
        raise ShapeError(
            f"maximum size for tensor at dimension {axis} is {length} but size is {size}"
            if size > length
            else f"unfold(): size must not be negative and step must be positive, but got size={size} and step={step}"
        )
    if not input.array.ndim:
        return reshape(input, (size,)) if size else input.new_zeros((0,))
    if not size:  # as many empty windows as would fit
        shape = list(input.array.shape)
        shape[axis] = length // step + 1
        return input.new_zeros((*shape, 0))
    return Unfold(axis, size, step).apply(input)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One slice along a dimension, without it."""
    if not input.array.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    axis = normal_axis("select", dim, input.array.ndim)
    size = input.array.shape[axis]
    index = int(index)
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.array.shape)} at dimension {axis}"
        )
    return Slice((*(slice(None),) * axis, index, ...)).apply(input)


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """Elements of the flat tensor at offset + i*stride0 + j*stride1 + ...: a copy here, of a contiguous tensor."""
    return reshape(
        Take((strided_places(input, size, stride, storage_offset).reshape(-1),)).apply(reshape(input, -1)), tuple(size)
    )


def strided_places(input: Tensor, size: Sequence[int], stride: Sequence[int], offset: int | None) -> Array:
    """The flat places that as_strided reads.

    Raises:
        ShapeError: if one lies outside the tensor.
    """
    xp = backend_of(input.array).xp
    if len(size) != len(stride):
        raise ShapeError("mismatch in length of strides and shape")
    places = xp.full((1,) * len(size), offset or 0, np.int64)
    for axis, (n, s) in enumerate(zip(size, stride, strict=True)):
        places = places + xp.arange(n).reshape([-1 if i == axis else 1 for i in range(len(size))]) * s
    if places.size and int(places.max()) >= input.array.size:
        raise ShapeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset or 0} are out of bounds for "
            f"storage of size {input.array.size}"
        )
    return places


def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Every slice along a dimension (every element, without one) several times in a row."""
    xp = backend_of(input.array).xp
    if repeats is None:  # repeat_interleave(counts): the number of each count, so many times
        return wrap(xp.repeat(xp.arange(input.array.size), input.array))
    if dim is None:
        input, dim = reshape(input, -1), 0
    axis = normal_axis("repeat_interleave", dim, input.array.ndim)
    if not input.array.ndim:
        input = reshape(input, 1)
    times = repeats.array if isinstance(repeats, Variable) else repeats
    n = input.array.shape[axis]
    if isinstance(repeats, Variable) and times.size not in (1, n):
        raise ShapeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = {times.size} and input.size({axis}) = {n}"
        )
    if isinstance(repeats, Variable) and times.size == 1:
        times = int(times.reshape(-1)[0])
    return index_select(input, axis, wrap(xp.repeat(xp.arange(n), times)))


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors expanded to their common shape."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    try:
        shape = np.broadcast_shapes(*[v.array.shape for v in tensors])
    except ValueError as error:
        raise broadcast_error(tensors[0].array, tensors[-1].array) from error
    return tuple(expand(v, shape) for v in tensors)


# ---------------------------------------------------------------------- apart


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of given sizes along a dimension."""
    return split(input, list(split_sizes), dim)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """So many parts, sizes differing by at most 1; or parts that begin at given places."""
    if not input.array.ndim:
        raise ShapeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    axis = normal_axis("tensor_split", dim, input.array.ndim)
    n = input.array.shape[axis]
    if isinstance(indices_or_sections, Variable):
        indices_or_sections = backend_of(indices_or_sections.array).to_numpy(indices_or_sections.array).tolist()
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1:
            raise ShapeError(f"number of sections must be larger than 0, got {indices_or_sections}")
        small, larger = divmod(n, indices_or_sections)
        sizes = [small + 1] * larger + [small] * (indices_or_sections - larger)
        bounds = [0, *np.cumsum(sizes).tolist()]
    else:
        places = [min(max(i + n if i < 0 else i, 0), n) for i in indices_or_sections]
        bounds = [0, *places, n]
    return tuple(narrow(input, axis, a, max(b - a, 0)) for a, b in pairwise(bounds))


def _split_along(op: str, input: Tensor, how: Any, axis: int, rank: int) -> tuple[Tensor, ...]:
    if input.array.ndim < rank:
        raise ShapeError(
            f"{op} requires a tensor with at least {rank} dimension{'s' if rank > 1 else ''}, but got a tensor with "
            f"{input.array.ndim} dimensions!"
        )
    if isinstance(how, int) and (how < 1 or input.array.shape[axis] % how):
        raise ShapeError(
            f"{op} attempted to split along dimension {axis}, but the size of the dimension {input.array.shape[axis]} is not "
            f"divisible by the split_size {how}!"
        )
    return tensor_split(input, how, axis)


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Parts side by side: along dimension 1 (0 of a vector)."""
    return _split_along("hsplit", input, indices_or_sections, 0 if input.array.ndim == 1 else 1, 1)


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Parts below each other: along dimension 0."""
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Parts behind each other: along dimension 2."""
    return _split_along("dsplit", input, indices_or_sections, 2, 3)


# ---------------------------------------------------------------------- together


def _each(function: Any, tensors: tuple[Any, ...]) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Variable):
        return function(tensors[0])
    if len(tensors) == 1:
        tensors = tuple(tensors[0])
    return tuple(function(v) for v in tensors)


def _at_least(v: Tensor, rank: int) -> Tensor:
    shape = v.array.shape
    if len(shape) >= rank:
        return v
    return reshape(
        v, {1: (1,), 2: (1, v.array.size), 3: (*shape, 1) if len(shape) == 2 else (1, v.array.size, 1)}[rank]
    )


def atleast_1d(*tensors: Tensor) -> Any:
    """Numbers as vectors; the rest as it is."""
    return _each(lambda v: _at_least(v, 1), tensors)


def atleast_2d(*tensors: Tensor) -> Any:
    """Numbers and vectors as matrices of one row; the rest as it is."""
    return _each(lambda v: _at_least(v, 2), tensors)


def atleast_3d(*tensors: Tensor) -> Any:
    """Numbers (1, 1, 1), vectors (1, N, 1), matrices (M, N, 1); the rest as it is."""
    return _each(lambda v: _at_least(v, 3), tensors)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side: along dimension 1 (0 for vectors)."""
    parts = atleast_1d(list(tensors))
    return cat(parts, 0 if parts[0].array.ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors below each other; vectors are rows."""
    return cat(atleast_2d(list(tensors)), 0)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors behind each other: along dimension 2."""
    return cat(atleast_3d(list(tensors)), 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side; vectors are columns."""
    return cat([reshape(v, (v.array.size, 1)) if v.array.ndim < 2 else v for v in tensors], 1)


# ---------------------------------------------------------------------- turned


def fliplr(input: Tensor) -> Tensor:
    """Columns in reverse order."""
    if input.array.ndim < 2:
        raise ShapeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Rows in reverse order."""
    if input.array.ndim < 1:
        raise ShapeError("Input must be >= 1-d.")
    return flip(input, 0)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A quarter turn, k times over, from the first of two dimensions to the second."""
    if len(dims) != 2:
        raise ShapeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    a, b = (normal_axis("rot90", d, input.array.ndim) for d in dims)
    if a == b:
        raise ShapeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    k %= 4
    if k == 1:
        return transpose(flip(input, b), a, b)
    if k == 2:
        return flip(input, a, b)
    return flip(transpose(input, a, b), b) if k == 3 else input.clone()


def ravel(input: Tensor) -> Tensor:
    """All elements as a vector."""
    return reshape(input, -1)


def argwhere(input: Tensor) -> Tensor:
    """Where the elements that are not 0 stand: (count, ndim)"""
    return input.nonzero()


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` rows of nonzero, filled up with a number."""
    found = input.nonzero().array[:size]
    xp = backend_of(found).xp
    y = xp.full((size, input.array.ndim), fill_value, np.int64)
    y[: len(found)] = found
    return wrap(y)


def bfloat16(input: Tensor, memory_format: Any = None) -> Tensor:
    """Cast to minigrad.bfloat16."""
    return cast(input, dtypes.bfloat16().numpy)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """Constant cells around: pad = (left, right, top, bottom, ...), the last dimension first."""
    return padded(input, pad, value)


def _copied(function: Any, name: str) -> Any:
    """A view operation's form that copies."""

    def copying(input: Tensor, *args: Any, **options: Any) -> Any:
        y = function(input, *args, **options)
        return tuple(v.clone() for v in y) if isinstance(y, tuple) else y.clone()

    copying.__name__ = copying.__qualname__ = name
    copying.__doc__ = f"{function.__doc__} A copy."
    return copying


alias_copy = _copied(lambda input: input, "alias_copy")
alias_copy.__doc__ = "A copy."
as_strided_copy = _copied(as_strided, "as_strided_copy")
diagonal_copy = _copied(diagonal, "diagonal_copy")
expand_copy = _copied(expand, "expand_copy")
narrow_copy = _copied(narrow, "narrow_copy")
permute_copy = _copied(permute, "permute_copy")
select_copy = _copied(select, "select_copy")
split_copy = _copied(split, "split_copy")
split_with_sizes_copy = _copied(split_with_sizes, "split_with_sizes_copy")
squeeze_copy = _copied(squeeze, "squeeze_copy")
t_copy = _copied(t, "t_copy")
transpose_copy = _copied(transpose, "transpose_copy")
unbind_copy = _copied(unbind, "unbind_copy")
unfold_copy = _copied(unfold, "unfold_copy")
unsqueeze_copy = _copied(unsqueeze, "unsqueeze_copy")
view_copy = _copied(reshape, "view_copy")
