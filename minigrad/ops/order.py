"""Order: sorting, ranks, quantiles, running extremes, unique values and searching.

Where an order picks elements, the indices are found on plain arrays and the values are gathered by them: so gradients go
where the values came from, again and again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import div, mul, sub
from minigrad.ops.base import Array, Tensor, Variable, backend_of, cast, normal_axis, wrap
from minigrad.ops.extreme import amax, amin
from minigrad.ops.index import GatherAlong
from minigrad.ops.logic import eq, where
from minigrad.ops.pointwise import isnan, lerp
from minigrad.ops.reduce import sum
from minigrad.ops.shape import movedim, reshape, squeeze
from minigrad.ops.titles import shown
from minigrad.return_types import KINDS


def _places(x: Array, axis: int, descending: bool) -> Array:
    """The indices that sort along an axis, equals in their order; NaN counts as the largest."""
    xp = backend_of(x).xp
    x = x.astype(np.float32) if x.dtype.kind == "V" else x  # NumPy cannot order bfloat16's NaNs
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    back = xp.argsort(xp.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - xp.flip(back, axis)


def _picked(op: str, input: Tensor, places: Array, axis: int, squeezed: bool = False) -> Any:
    """What an op found along an axis: the elements at these places, and the places."""
    values, indices = GatherAlong(places, axis).apply(input), wrap(places)
    if squeezed:
        values, indices = squeeze(values, axis), squeeze(indices, axis)
    return KINDS[op](shown(values, f"{op.capitalize()}Backward{int(op.endswith('median'))}"), indices)


def _axis_of(op: str, input: Tensor, dim: Any) -> int:
    """A dimension with at least one element, of a tensor with at least one dimension."""
    axis = normal_axis(op, dim, input.array.ndim)
    if input.array.ndim and not input.array.shape[axis]:
        raise IndexError(f"{op}(): Expected reduction dim {axis} to have non-zero size.")
    return axis


def _alone(op: str, input: Tensor) -> Any:
    """The only element of a tensor without dimensions, and its index."""
    return KINDS[op](input.clone(), input.new_zeros((), dtype=dtypes.int64))


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The elements in order along a dimension, and where each came from."""
    axis = normal_axis("sort", dim, input.array.ndim)
    if not input.array.ndim:
        return _alone("sort", input)
    return _picked("sort", input, _places(input.array, axis, descending), axis)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along a dimension."""
    return sort(input.detach(), dim, descending).indices


def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension."""
    return sort(input, 0).values


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) elements along a dimension, best first, and where they stand.

    Raises:
        ShapeError: if there are fewer than k.
    """
    axis = normal_axis("topk", dim, input.array.ndim)
    if not 0 <= k <= (input.array.shape[axis] if input.array.ndim else 1):
        raise ShapeError("selected index k out of range")
    if not input.array.ndim:
        return _alone("topk", input)
    places = _places(input.array, axis, largest)[(*(slice(None),) * axis, slice(k))]
    return _picked("topk", input, places, axis)


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along a dimension (k counts from 1), and where it stands."""
    axis = _axis_of("kthvalue", input, dim)
    if not 1 <= k <= (input.array.shape[axis] if input.array.ndim else 1):
        raise ShapeError("kthvalue(): selected number k out of range for dimension " + str(axis))
    if not input.array.ndim:
        return _alone("kthvalue", input)
    return _ranked("kthvalue", input, np.full((), k - 1), axis, keepdim)


def _ranked(op: str, input: Tensor, rank: Array, axis: int, keepdim: bool) -> Any:
    """The element of a rank (one for all lines, or one per line) along an axis."""
    xp = backend_of(input.array).xp
    order = _places(input.array, axis, False)
    shape = tuple(1 if i == axis else n for i, n in enumerate(input.array.shape))
    places = xp.take_along_axis(order, xp.broadcast_to(xp.asarray(rank), shape), axis)
    return _picked(op, input, places, axis, not keepdim)


def _median(op: str, input: Tensor, dim: Any, keepdim: bool, skip: bool) -> Any:
    x = input.array
    if dim is None:
        if not x.size:
            return wrap(backend_of(x).xp.asarray(math.nan, dtype=x.dtype))
        y = _median(op, reshape(input, -1).detach(), 0, False, skip).values
        # All elements that equal the median share its gradient.
        won = isnan(input) if bool(isnan(y)) else eq(input, y)
        shares = cast(won, x.dtype)
        return sum(where(won, div(input, sum(shares)), 0.0)) if x.dtype.kind not in "iub" else y
    axis = _axis_of(op, input, dim)
    if not x.ndim:
        return _alone(op, input)
    bad = (x != x).sum(axis, keepdims=True)
    xp, size = backend_of(x).xp, x.shape[axis]
    if skip:
        rank = xp.maximum(size - bad - 1, 0) // 2
    else:  # with a NaN, the first of them, which sorts behind all numbers
        rank = xp.where(bad > 0, size - bad, (size - 1) // 2)
    return _ranked(op, input, rank, axis, keepdim)


def median(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The middle element, the lower one of two, of all or along a dimension with its index; NaN if there is one."""
    return _median("median", input, dim, keepdim, False)


def nanmedian(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The middle of those elements that are not NaN."""
    return _median("nanmedian", input, dim, keepdim, True)


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along a dimension, the smallest of several, and where it stands last."""
    axis = _axis_of("mode", input, dim)
    if not input.array.ndim:
        return _alone("mode", input)
    xp = backend_of(input.array).xp
    x = xp.moveaxis(input.array, axis, -1)
    order = _places(x, x.ndim - 1, False)
    ordered = xp.take_along_axis(x, order, -1)
    steps = xp.arange(x.shape[-1])
    changed = xp.concatenate([xp.ones_like(ordered[..., :1], bool), ordered[..., 1:] != ordered[..., :-1]], -1)
    start = xp.maximum.accumulate(xp.where(changed, steps, 0), -1)
    best = (steps - start).argmax(-1)[..., None]  # the first end of a longest run of equals
    places = xp.moveaxis(xp.take_along_axis(order, best, -1), -1, axis)
    return _picked("mode", input, places, axis, not keepdim)


def _running(largest: bool, op: str, input: Tensor, dim: int) -> Any:
    """Running extremes: the latest of equals wins, a NaN stays."""
    axis = normal_axis(op, dim, input.array.ndim)
    if not input.array.ndim:
        return _alone(op, input)
    xp = backend_of(input.array).xp
    x = xp.moveaxis(input.array, axis, 0)
    places = xp.zeros(x.shape, np.int64)
    for i in range(1, len(x)):
        best = xp.take_along_axis(x, places[i - 1][None], 0)[0]
        wins = (x[i] >= best if largest else x[i] <= best) & (best == best) | (x[i] != x[i])
        places[i] = xp.where(wins, i, places[i - 1])
    return _picked(op, input, xp.ascontiguousarray(xp.moveaxis(places, 0, axis)), axis)


def cummax(input: Tensor, dim: int) -> Any:
    """The largest element so far along a dimension, and where it stands."""
    return _running(True, "cummax", input, dim)


def cummin(input: Tensor, dim: int) -> Any:
    """The smallest element so far along a dimension, and where it stands."""
    return _running(False, "cummin", input, dim)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element; ties share the gradient evenly."""
    axes = () if dim is None else dim
    return KINDS["aminmax"](amin(input, axes, keepdim), amax(input, axes, keepdim))


def _quantile(op: str, input: Tensor, q: Any, dim: Any, keepdim: bool, interpolation: str, skip: bool) -> Tensor:
    x = input.array
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ShapeError(
            f"{op}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        raise DtypeError(f"{op}() input tensor must be either float or double dtype")
    if not x.size:
        raise ShapeError(f"{op}() input tensor must be non-empty")
    levels = q.array if isinstance(q, Variable) else backend_of(x).xp.asarray(q, dtype=x.dtype)
    if levels.ndim > 1:
        raise ShapeError(f"{op}() q must be a scalar or 1D tensor")
    if levels.dtype != x.dtype:
        raise DtypeError(f"{op}() q tensor must be same dtype as the input tensor")
    if levels.size and not (levels.min() >= 0 and levels.max() <= 1):
        raise ShapeError(f"{op}() q must be in the range [0, 1]")
    axis = None if dim is None else normal_axis(op, dim, x.ndim)
    lines = reshape(input, -1) if axis is None else movedim(input, axis, -1) if x.ndim else reshape(input, 1)
    flat_q = reshape(q if isinstance(q, Variable) else wrap(levels), -1)
    y = _at_levels(sort(lines, -1).values, lines.array, flat_q, interpolation, skip)  # (..., Q)
    y = movedim(y, -1, 0)  # (Q, ...)
    if keepdim:
        shape = (1,) * x.ndim if axis is None else tuple(1 if i == axis else n for i, n in enumerate(x.shape))
        y = reshape(y, (levels.size, *shape))
    return y if levels.ndim else squeeze(y, 0)


def _at_levels(ordered: Tensor, x: Array, q: Tensor, interpolation: str, skip: bool) -> Tensor:
    """Values at relative ranks of sorted lines: (..., N), (Q,) -> (..., Q)"""
    xp = backend_of(x).xp
    bad = (x != x).sum(-1, keepdims=True)
    last = (xp.maximum(x.shape[-1] - bad - 1, 0) if skip else xp.full_like(bad, x.shape[-1] - 1)).astype(x.dtype)
    exact = mul(q, wrap(last))  # (..., Q)
    rank = exact.array
    if not skip:  # a line with a NaN gives NaN: its last element
        rank = xp.where(bad > 0, x.shape[-1] - 1.0, rank)
    if interpolation == "lower":
        rank = xp.floor(rank)
    elif interpolation == "higher":
        rank = xp.ceil(rank)
    elif interpolation == "nearest":
        rank = xp.rint(rank)
    rank = xp.broadcast_to(rank, (*x.shape[:-1], q.array.size)).astype(x.dtype)
    below = xp.floor(rank).astype(np.int64)
    low = GatherAlong(below, x.ndim - 1).apply(ordered)
    if interpolation in ("lower", "higher", "nearest"):
        return low
    high = GatherAlong(xp.ceil(rank).astype(np.int64), x.ndim - 1).apply(ordered)
    if interpolation == "midpoint":
        return lerp(low, high, 0.5)
    return lerp(low, high, sub(exact, wrap((below + (exact.array - rank)).astype(x.dtype))))


def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The values below which shares q of the elements lie: (..., N, ...) -> (Q, ..., ...), or without Q if q is a number."""
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """As quantile, of those elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements (or slices along a dimension) in order; with where each went, and how many there are."""
    x, xp = input.array, backend_of(input.array).xp
    axis = None if dim is None else normal_axis("unique", dim, x.ndim)
    values, inverse, counts = xp.unique(x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(x.shape if axis is None else -1)
    return _with_extras(values, inverse, counts, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements (or slices along a dimension) without those that equal the one before them."""
    x, xp = input.array, backend_of(input.array).xp
    axis = None if dim is None else normal_axis("unique_consecutive", dim, x.ndim)
    lines = x.reshape(-1) if axis is None else xp.moveaxis(x, axis, 0)
    differs = lines[1:] != lines[:-1]
    first = xp.concatenate([xp.ones(min(len(lines), 1), bool), differs.any(tuple(range(1, differs.ndim)))])
    starts = xp.flatnonzero(first)
    inverse = xp.cumsum(first) - 1
    counts = xp.diff(xp.concatenate([starts, xp.asarray([len(lines)])])) if len(lines) else starts
    values = lines[first] if axis is None else xp.moveaxis(lines[first], 0, axis)
    inverse = inverse.reshape(x.shape) if axis is None else inverse
    return _with_extras(values, inverse, counts, return_inverse, return_counts)


def _with_extras(values: Array, inverse: Array, counts: Array, with_inverse: bool, with_counts: bool) -> Any:
    kept = [wrap(values)]
    if with_inverse:
        kept.append(wrap(inverse.astype(np.int64)))
    if with_counts:
        kept.append(wrap(counts.astype(np.int64)))
    return tuple(kept) if len(kept) > 1 else kept[0]


def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | complex,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where values would have to go into sorted lines: (..., N), (..., M) -> (..., M); one line serves any input."""
    if side is not None and side not in ("left", "right"):
        raise ShapeError(f"searchsorted(): side can only be 'left' or 'right' but got {side}")
    lines, xp = sorted_sequence.array, backend_of(sorted_sequence.array).xp
    if sorter is not None:
        lines = xp.take_along_axis(lines, sorter.array, -1)
    values = input.array if isinstance(input, Variable) else xp.asarray(input)
    way = "right" if right or side == "right" else "left"
    if lines.ndim == 1:
        found = xp.searchsorted(lines, values, side=way)
    else:
        if lines.shape[:-1] != values.shape[:-1]:
            raise ShapeError(
                "searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor "
                f"and input value tensor must match, but we got boundaries tensor {list(lines.shape)} and input value "
                f"tensor {list(values.shape)}"
            )
        found = xp.empty(values.shape, np.int64)
        for i in np.ndindex(lines.shape[:-1]):
            found[i] = xp.searchsorted(lines[i], values[i], side=way)
    return wrap(xp.asarray(found).astype(np.int32 if out_int32 else np.int64))


def bucketize(input: Tensor | complex, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the interval between sorted boundaries in which every element lies."""
    if boundaries.array.ndim != 1:
        raise ShapeError(f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries.array.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(
    elements: Tensor | complex, test_elements: Tensor | complex, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is one of the test elements."""
    like: Any = elements if isinstance(elements, Variable) else test_elements
    xp = backend_of(like.array).xp
    a, b = (xp.asarray(v.array if isinstance(v, Variable) else v) for v in (elements, test_elements))
    return wrap(xp.asarray(xp.isin(a, b, assume_unique=assume_unique, invert=invert)))


__all__ = [
    "aminmax", "argsort", "bucketize", "cummax", "cummin", "isin", "kthvalue", "median", "mode", "msort", "nanmedian",
    "nanquantile", "quantile", "searchsorted", "sort", "topk", "unique", "unique_consecutive",
]  # fmt: skip
