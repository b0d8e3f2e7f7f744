"""Writing into a copy: index_put, scatter_reduce and their like, each a tensor with some elements replaced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, div, mul
from minigrad.ops.base import Array, Grads, Nary, Tensor, backend_of, cast, normal_axis, wrap
from minigrad.ops.index import Put, _along, _check_scatter, _index_array, gather, parse, scatter, scatter_add
from minigrad.ops.inplace import setitem
from minigrad.ops.logic import eq, floor, logical_and, where
from minigrad.ops.shape import expand, reshape
from minigrad.ops.views import strided_places


def written(input: Tensor, index: Any, value: Tensor) -> Tensor:
    """A copy of a tensor with input[index] = value."""
    y = input.clone()
    setitem(y, index, value)
    return y


def at_places(input: Tensor, places: Array, value: Tensor) -> Tensor:
    """A copy of a tensor with values written at places of the flat tensor."""
    flat = written(reshape(input, -1), wrap(places.reshape(-1)), reshape(value, -1))
    return reshape(flat, input.array.shape)


def _same_dtype(op: str, input: Tensor, source: Tensor) -> None:
    if input.array.dtype != source.array.dtype:
        raise DtypeError(
            f"{op}(): self and source expected to have the same dtype, but got (self) {input.dtype} and (source) {source.dtype}"
        )


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with one slice along a dimension replaced."""
    axis = normal_axis("select_scatter", dim, input.array.ndim)
    return _part_written("select_scatter", input, (*(slice(None),) * axis, int(index)), src)


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy with the part input[..., start:end:step, ...] replaced."""
    axis = normal_axis("slice_scatter", dim, input.array.ndim)
    return _part_written("slice_scatter", input, (*(slice(None),) * axis, slice(start, end, step)), src)


def _part_written(op: str, input: Tensor, place: Any, src: Tensor) -> Tensor:
    """A copy with a part replaced by a tensor of exactly the part's shape."""
    part = input.array[place].shape
    if part != src.array.shape:
        raise ShapeError(
            f"{op}(): expected src to have a size equal to the slice of self. src size = {list(src.array.shape)}, "
            f"slice size = {list(part)}"
        )
    return written(input, place, src)


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy with a diagonal replaced."""
    x = input.array
    places = backend_of(x).xp.arange(x.size).reshape(x.shape).diagonal(offset, dim1, dim2)
    if places.shape != src.array.shape:
        raise ShapeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.array.shape)}, "
            f"slice size = {list(places.shape)}"
        )
    return at_places(input, places, src)


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A copy with the elements that as_strided would read replaced."""
    return at_places(input, strided_places(input, size, stride, storage_offset), src)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy with the slices that `index` names replaced by those of `source`."""
    _same_dtype("index_copy", input, source)
    axis = normal_axis("index_copy", dim, input.array.ndim)
    places = wrap(_index_array("index_copy", index).reshape(-1))
    slot = [places.array.size if i == axis else n for i, n in enumerate(input.array.shape)]
    if input.array.ndim and list(source.array.shape) != slot:
        raise ShapeError(
            f"index_copy(): Source/destination tensor must have same slice shapes. Expected {slot}, but argument 'source' has "
            f"{list(source.array.shape)}"
        )
    if not input.array.ndim:
        if source.array.ndim > 1:
            raise ShapeError(f"index_copy(): argument 'source' of size {list(source.array.shape)} beside a number")
        return reshape(written(reshape(input, 1), places, reshape(source, 1)), ())
    return written(input, (*(slice(None),) * axis, places), source)


def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with input[indices] = values, or += values, counting repeated places, with `accumulate`."""
    _same_dtype("index_put", input, values)
    index = tuple(slice(None) if i is None else i for i in indices)
    if not accumulate:
        return written(input, index, values)
    _, advanced = parse(input, index)
    if advanced is None:
        return add(input, values)
    shape = input.array[advanced].shape
    return add(input, Put(advanced, input.array.shape).apply(expand(values, shape)))


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with elements of the flat tensor replaced, or added to with `accumulate`."""
    _same_dtype("put_", input, source)
    places = wrap(_index_array("put", index).reshape(-1))
    flat = index_put(reshape(input, -1), (places,), reshape(source, -1), accumulate)
    return reshape(flat, input.array.shape)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the elements where the mask is true replaced by the first elements of source, in order.

    Raises:
        ShapeError: if source has too few.
    """
    if mask.array.dtype.kind != "b":
        raise DtypeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    _same_dtype("masked_scatter", input, source)
    shape = np.broadcast_shapes(input.array.shape, mask.array.shape)
    xp = backend_of(input.array).xp
    places = xp.flatnonzero(xp.broadcast_to(mask.array, shape))
    if places.size > source.array.size:
        raise ShapeError(f"Number of elements of source < number of ones in mask: {source.array.size} < {places.size}")
    return at_places(expand(input, shape), places, reshape(source, -1)[: places.size])


# ---------------------------------------------------------------------- reductions at places


class ScatterExtreme(Nary):
    """The largest or smallest of a cell and all that is sent to it; ties share the gradient evenly."""

    __slots__ = ("axis", "include_self", "index", "largest")

    def __init__(self, largest: bool, axis: int, index: Array, include_self: bool) -> None:
        self.largest, self.axis, self.index, self.include_self = largest, axis, index, include_self

    def forward(self, x: Array, src: Array) -> Array:
        xp, y = backend_of(x).xp, x.copy()
        places = _along(y, self.index, self.axis)
        if not self.include_self:
            y[places] = _neutral(x.dtype, "amax" if self.largest else "amin")
        (xp.maximum if self.largest else xp.minimum).at(y, places, src[tuple(slice(n) for n in self.index.shape)])
        self.saved = y
        return y

    def backward(self, gy: Tensor) -> Grads:
        x, src = self.inputs
        index, axis, kind = wrap(self.index), self.axis, gy.array.dtype
        y = wrap(self.saved)
        own = cast(eq(x, y), kind)
        sent = cast(eq(src, gather(y, axis, index)), kind)
        share = div(gy, scatter_add(own, axis, index, sent))
        gx = mul(own, share)
        if not self.include_self:
            gx = scatter(gx, axis, index, 0.0)
        return self.needs[0] and gx, self.needs[1] and mul(sent, gather(share, axis, index))


class ScatterProd(Nary):
    """The product of a cell and all that is sent to it."""

    __slots__ = ("axis", "include_self", "index")

    def __init__(self, axis: int, index: Array, include_self: bool) -> None:
        self.axis, self.index, self.include_self = axis, index, include_self

    def forward(self, x: Array, src: Array) -> Array:
        y = x.copy()
        places = _along(y, self.index, self.axis)
        if not self.include_self:
            y[places] = 1
        backend_of(x).xp.multiply.at(y, places, src[tuple(slice(n) for n in self.index.shape)])
        return y

    def backward(self, gy: Tensor) -> Grads:
        """Zeros stand for 1 while the others' product is taken, so that nothing is divided by 0."""
        x, src = self.inputs
        index, axis = wrap(self.index), self.axis

        def again(a: Tensor, b: Tensor) -> Tensor:
            return ScatterProd(axis, self.index, self.include_self).apply(a, b)

        gx = g_src = None
        if self.needs[0]:
            safe = where(eq(x, 0), 1.0, x)
            gx = div(mul(gy, again(safe, src)), safe)
            if not self.include_self:
                gx = scatter(gx, axis, index, 0.0)
        if self.needs[1]:
            zero = eq(src, 0)
            zeros = scatter_add(mul(x.detach(), 0.0), axis, index, cast(zero, src.array.dtype))
            lonely = logical_and(zero, eq(gather(zeros, axis, index), 1))
            without = gather(mul(gy, again(x, where(lonely, 1.0, src))), axis, index)
            whole = div(gather(mul(gy, again(x, src)), axis, index), where(zero, 1.0, src))
            g_src = where(lonely, without, whole)
        return gx, g_src


def _neutral(kind: Any, reduce: str) -> Any:
    """The number that changes no reduction."""
    if reduce in ("sum", "mean", "prod"):
        return 1 if reduce == "prod" else 0
    if kind.kind in "fV":
        return -math.inf if reduce == "amax" else math.inf
    limits = dtypes.iinfo(dtypes.of_numpy(kind)) if kind.kind != "b" else None
    if limits is None:
        return reduce == "amin"
    return limits.min if reduce == "amax" else limits.max


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """input with src reduced into it at index along a dimension: "sum", "prod", "mean", "amax" or "amin".

    Without include_self the cells that something is sent to start empty.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ShapeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    places, axis = _index_array("scatter_reduce", index), normal_axis("scatter_reduce", dim, input.array.ndim)
    if not input.array.ndim:
        lifted = scatter_reduce(
            reshape(input, 1), 0, reshape(index, -1), reshape(src, -1), reduce, include_self=include_self
        )
        return reshape(lifted, ())
    _check_scatter("scatter_reduce", input, places, axis, src)
    if not places.size:
        return input.clone()
    src = src[tuple(slice(n) for n in places.shape)]
    if reduce in ("amax", "amin"):
        return ScatterExtreme(reduce == "amax", axis, places, include_self).apply(input, src)
    if reduce == "prod":
        return ScatterProd(axis, places, include_self).apply(input, src)
    base = input if include_self else scatter(input, axis, index, 0)
    total = scatter_add(base, axis, index, src)
    if reduce == "sum":
        return total
    ones = input.new_ones(input.array.shape)
    count = scatter_add(
        ones if include_self else scatter(ones, axis, index, 0), axis, index, input.new_ones(places.shape)
    )
    count = where(eq(count, 0), 1, count)
    return div(total, count) if total.array.dtype.kind in "fV" else cast(floor(div(total, count)), total.array.dtype)


def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """input with slices of source reduced into it where index says: "prod", "mean", "amax" or "amin"."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise ShapeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    axis = normal_axis("index_reduce", dim, input.array.ndim)
    if input.array.ndim:
        slot = [index.array.size if i == axis else n for i, n in enumerate(input.array.shape)]
        if list(source.array.shape) != slot:
            raise ShapeError(
                f"index_reduce(): source tensor shape must match self tensor shape, excluding the specified dimension, which must "
                f"have the number of indices. Expected {slot}, but argument 'source' has {list(source.array.shape)}"
            )
    if not input.array.ndim:
        if source.array.ndim > 1 or source.array.size != index.array.size:
            raise ShapeError(
                f"index_reduce(): argument 'source' of size {list(source.array.shape)} beside a number and {index.array.size} indices"
            )
        return scatter_reduce(input, 0, index, reshape(source, -1), reduce, include_self=include_self)
    places = reshape(index, [-1 if i == axis else 1 for i in range(input.array.ndim)])
    return scatter_reduce(input, axis, expand(places, source.array.shape), source, reduce, include_self=include_self)
