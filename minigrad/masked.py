"""minigrad.masked: reductions and normalisations of those elements only that a mask says True to, as torch.masked.

What a mask leaves out counts as the reduction's neutral element: 0 in a sum, 1 in a product, -inf in a maximum.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError
from minigrad.ops import activation, order, pointwise, scan
from minigrad.ops import extreme as _extreme
from minigrad.ops import reduce as _reduce
from minigrad.ops.base import Tensor, backend_of, cast, normal_axes, wrap
from minigrad.ops.logic import where
from minigrad.ops.power import clamp
from minigrad.ops.shape import expand


def _full_mask(input: Tensor, mask: Tensor | None) -> Tensor:
    """The mask in the input's shape; without one, everything counts."""
    if mask is None:
        return wrap(backend_of(input.array).xp.ones(input.array.shape, bool))
    return expand(mask if mask.array.dtype.kind == "b" else mask != 0, input.array.shape)


def _prepared(input: Tensor, mask: Tensor | None, neutral: Any, dtype: Any) -> Tensor:
    """The input with the neutral element where the mask is False."""
    if dtype is not None:
        input = cast(input, dtypes.as_numpy(dtype, "masked"))
    if mask is None:
        return input
    if isinstance(neutral, float) and math.isinf(neutral):
        _no_bool("amax" if neutral < 0 else "amin", input)
    if input.array.dtype.kind in "iu" and isinstance(neutral, float) and math.isinf(neutral):
        limits = dtypes.iinfo(dtypes.of(input.array))
        neutral = limits.max if neutral > 0 else limits.min
    return where(_full_mask(input, mask), input, neutral)


def _no_bool(op: str, input: Tensor, dtype: Any = None) -> None:
    """Refuse truth values, which have no running sums and no smallest or largest element of their type."""
    if input.array.dtype.kind == "b" and dtype is None:
        raise DtypeError(f"masked.{op}(): \"{op}\" not implemented for 'bool', the dtype of argument 'input'")


def _no_integer(op: str, input: Tensor) -> None:
    """Refuse types in which the result has no place."""
    if input.array.dtype.kind in "iub":
        raise DtypeError(
            f"masked.{op}(): input dtype should be either floating point or complex, but argument 'input' is {input.dtype}"
        )


def sum(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The sum of what the mask shows."""
    return _reduce.sum(_prepared(input, mask, 0, dtype), dim, keepdim)


def prod(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The product of what the mask shows."""
    y = _prepared(input, mask, 1, dtype)
    for axis in sorted(normal_axes("prod", dim, y.array.ndim), reverse=True):
        y = scan.prod(y, axis, keepdim)
    return y if input.array.ndim else scan.prod(y)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Running sums of what the mask shows, in the input's own type."""
    _no_bool("cumsum", input, dtype)
    y = _prepared(input, mask, 0, dtype)
    return scan.cumsum(y, dim, dtype=y.dtype)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Running products of what the mask shows, in the input's own type."""
    _no_bool("cumprod", input, dtype)
    y = _prepared(input, mask, 1, dtype)
    return scan.cumprod(y, dim, dtype=y.dtype)


def amax(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The largest of what the mask shows."""
    return _extreme.amax(_prepared(input, mask, -math.inf, dtype), () if dim is None else dim, keepdim)


def amin(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The smallest of what the mask shows."""
    return _extreme.amin(_prepared(input, mask, math.inf, dtype), () if dim is None else dim, keepdim)


def argmax(
    input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """Where the largest of what the mask shows stands."""
    y = _prepared(input, mask, -math.inf, dtype)
    return cast(_extreme.argmax(y, dim, keepdim), y.array.dtype)  # PyTorch's has the input's type, too


def argmin(
    input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """Where the smallest of what the mask shows stands."""
    y = _prepared(input, mask, math.inf, dtype)
    return cast(_extreme.argmin(y, dim, keepdim), y.array.dtype)  # PyTorch's has the input's type, too


def mean(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The mean of what the mask shows."""
    if dtype is None:
        _no_integer("mean", input)
    if mask is None:
        return _reduce.mean(input, dim, keepdim, dtype=dtype)
    count = _reduce.sum(_full_mask(input, mask), dim, keepdim)
    total = sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask)
    return total / cast(count, total.array.dtype)


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """The middle of what the mask shows: the lower one of two."""
    if mask is None:
        return order.median(_prepared(input, None, 0, dtype), dim, keepdim).values
    y = input if dtype is None else cast(input, dtypes.as_numpy(dtype, "median"))
    wide = cast(y, dtypes.float64.numpy) if y.array.dtype.kind in "iub" else y
    return cast(order.nanmedian(_prepared(wide, mask, math.nan, None), dim, keepdim).values, y.array.dtype)


def norm(
    input: Tensor,
    ord: Any = 2.0,
    dim: Any = None,
    *,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The p-norm of what the mask shows."""
    _no_integer("norm", input)
    neutral = math.inf if ord == -math.inf else 0.0
    return _extreme.norm(_prepared(input, mask, neutral, dtype), ord, dim, keepdim)


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The variance of what the mask shows."""
    correction = correction if correction is not None else 0 if unbiased is False else 1
    if dtype is not None:
        input = cast(input, dtypes.as_numpy(dtype, "var"))
    shown = _full_mask(input, mask)
    count = cast(_reduce.sum(shown, dim, True), input.array.dtype)
    centre = sum(input, dim, keepdim=True, mask=mask) / count
    distance = where(shown, input - centre, 0.0)
    squares = _reduce.sum(distance * distance, dim, keepdim)
    if not keepdim:
        count = count.reshape(squares.array.shape)
    return squares / clamp(count - correction, min=0)


def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, **options: Any) -> Tensor:
    """The standard deviation of what the mask shows."""
    return var(input, dim, unbiased, **options) ** 0.5


def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """softmax over what the mask shows."""
    return activation.softmax(_prepared(input, mask, -math.inf, dtype), dim)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """log_softmax over what the mask shows."""
    return activation.log_softmax(_prepared(input, mask, -math.inf, dtype), dim)


def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """softmax of the negated elements that the mask shows."""
    return activation.softmax(-_prepared(input, mask, math.inf, dtype), dim)


def normalize(
    input: Tensor, ord: Any, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """What the mask shows, divided by its norm; 0 elsewhere."""
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _prepared(input, mask, 0, dtype) / clamp(size, min=eps)


def logsumexp(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Tensor:
    """log(sum(exp(x))) of what the mask shows."""
    axes = tuple(range(input.array.ndim)) if dim is None else dim
    y = _extreme.logsumexp(_prepared(input, mask, -math.inf, dtype), axes, keepdim)
    return cast(y, input.array.dtype) if dtype is None else y


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: Any = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """log(exp(a) + exp(b)) of what each mask shows."""
    if other.array.dtype.kind in "iub":
        _no_integer("logaddexp", input)
    kind = dtypes.result_numpy((input.array, other.array))
    input, other = cast(input, kind), cast(other, kind)
    a = _prepared(input, input_mask, -math.inf, dtype)
    return pointwise.logaddexp(a, _prepared(other, other_mask, -math.inf, dtype))
