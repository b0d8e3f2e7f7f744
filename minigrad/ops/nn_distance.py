"""Distances and angles between vectors, and vectors made unit length."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, div, maximum, mul, sub
from minigrad.ops.base import Tensor, backend_of, cast, wrap
from minigrad.ops.extreme import norm
from minigrad.ops.index import getitem
from minigrad.ops.matmul import matmul
from minigrad.ops.power import clamp
from minigrad.ops.reduce import sum
from minigrad.ops.shape import expand, permute, reshape
from minigrad.ops.views import broadcast_tensors


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Tensor:
    """Divide by the p-norm along a dimension, or by eps where that is larger."""
    return div(input, expand(clamp(norm(input, p, dim, True), min=eps), input.array.shape))


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension: (..., D) -> (...)"""
    return norm(add(sub(x1, x2), eps), p, -1, keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along a dimension, which lengths below eps count as eps."""
    kind = dtypes.result_numpy((x1.array, x2.array))
    x1, x2 = broadcast_tensors(cast(x1, kind), cast(x2, kind))
    size1, size2 = (_length(x, dim, eps) for x in (x1, x2))
    return sum(mul(div(x1, size1), div(x2, size2)), dim)


def _length(x: Tensor, dim: int, eps: float) -> Tensor:
    length = norm(x, 2, dim, True)
    return maximum(length, wrap(backend_of(x.array).xp.asarray(eps, dtype=x.array.dtype)))


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distance of every pair of rows: (N, D) -> (N * (N - 1) / 2,)"""
    if input.array.ndim != 2:
        raise ShapeError(f"pdist only supports 2D tensors, got: {input.array.ndim}D")
    xp, n = backend_of(input.array).xp, input.array.shape[0]
    first, second = (wrap(i) for i in xp.triu_indices(n, 1))
    return norm(sub(getitem(input, first), getitem(input, second)), p, -1)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Zeros, with a 1 at the class that each element names: (...) -> (..., C)

    Raises:
        DtypeError: if the classes are no integers; ShapeError, if one is outside [0, num_classes).
    """
    t = tensor.array
    if t.dtype.kind not in "iu" or t.dtype.itemsize != 8:
        raise DtypeError("one_hot is only applicable to index tensor.")
    if not t.size and num_classes <= 0:
        raise ShapeError("Can not infer total number of classes from empty tensor.")
    if t.size and int(t.min()) < 0:
        raise ShapeError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(t.max()) + 1
    elif t.size and num_classes <= int(t.max()):
        raise ShapeError("Class values must be smaller than num_classes.")
    xp = backend_of(t).xp
    return wrap((t[..., None] == xp.arange(num_classes)).astype(t.dtype))


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input1 @ weight[o] @ input2 for every output o: (..., I), (..., J), weight (O, I, J) -> (..., O)"""
    o, i, j = weight.array.shape
    lead = input1.array.shape[:-1]
    for name, v in (("input2", input2), ("weight", weight), ("bias", bias)):
        if v is not None and v.array.dtype != input1.array.dtype:
            raise DtypeError(
                f"bilinear(): All tensors must have the same dtype, but input1 is {dtypes.of(input1.array)} and {name} "
                f"{dtypes.of(v.array)}"
            )
    if bias is not None and bias.array.shape != (o,):
        raise ShapeError(
            f"bilinear(): bias size does not match weight size: got {list(bias.array.shape)} but expected [{o}]"
        )
    if input1.array.shape[-1] != i or input2.array.shape[-1] != j or input2.array.shape[:-1] != lead:
        raise ShapeError(
            f"bilinear(): sizes {list(input1.array.shape)} and {list(input2.array.shape)} do not match weight "
            f"{list(weight.array.shape)}"
        )
    x1, x2 = reshape(input1, (-1, i)), reshape(input2, (-1, 1, j))
    part = reshape(matmul(x1, reshape(permute(weight, (1, 0, 2)), (i, o * j))), (-1, o, j))  # (N, O, J)
    y = reshape(sum(mul(part, x2), 2, dtype=dtypes.of(weight.array)), (*lead, o))
    return y if bias is None else add(y, bias)
