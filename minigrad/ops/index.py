"""Indexing: x[...], gather, scatter and their like."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.base import Array, Grads, Nary, Tensor, Unary, Variable, backend_of, normal_axis, wrap
from minigrad.ops.logic import where
from minigrad.ops.shape import Slice, expand, pad, reshape

Shape = tuple[int, ...]


class Take(Unary):
    """Advanced indexing: elements picked by arrays of integers, one per leading place of `index`."""

    __slots__ = ("before", "index")
    keeps = False

    def __init__(self, index: tuple[Any, ...]) -> None:
        self.index = index

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        return x[self.index]

    def backward(self, gy: Tensor) -> Grads:
        return Put(self.index, self.before).apply(gy)


class Put(Unary):
    """Zeros, to which elements are added where an index picks: the adjoint of Take; repeated places are summed."""

    __slots__ = ("index", "shape")
    keeps = False

    def __init__(self, index: tuple[Any, ...], shape: Shape) -> None:
        self.index, self.shape = index, shape

    def forward(self, x: Array) -> Array:
        xp = backend_of(x).xp
        y = xp.zeros(self.shape, x.dtype)
        xp.add.at(y, self.index, x)
        return y

    def backward(self, gy: Tensor) -> Grads:
        return Take(self.index).apply(gy)


def getitem(input: Tensor, index: Any) -> Tensor:
    """input[index], with PyTorch's rules: numbers, slices, None and ... give views, tensors and lists copies.

    Raises:
        IndexError: if an index is outside its dimension, or there are too many.
    """
    basic, advanced = parse(input, index)
    y = Slice(basic).apply(input) if basic != (...,) or advanced is None else input
    return y if advanced is None else Take(advanced).apply(y)


def parse(input: Tensor, index: Any) -> tuple[tuple[Any, ...], tuple[Any, ...] | None]:
    """An index in two steps: a basic one, then arrays of integers for what is left (None if there are none)."""
    items = list(index) if isinstance(index, tuple) else [index]
    items = [_item(input, item) for item in items]
    x = input.array
    used = sum(
        item.ndim if isinstance(item, _Mask) else 0 if item is None or item is ... or isinstance(item, bool) else 1
        for item in items
    )
    if used > x.ndim:
        raise IndexError(f"too many indices for tensor of dimension {x.ndim}: got {used}")
    if not any(item is ... for item in items):
        items.append(...)
    basic: list[Any] = []
    advanced: list[Any] = []
    has_arrays = False
    axis = 0
    for item in items:
        if item is ...:
            skipped = x.ndim - used
            basic.extend([slice(None)] * skipped)
            advanced.extend([slice(None)] * skipped)
            axis += skipped
        elif item is None:
            basic.append(None)
            advanced.append(slice(None))
        elif isinstance(item, bool):
            basic.append(None)
            advanced.append(backend_of(x).xp.zeros(1 if item else 0, np.int64))
            has_arrays = True
        elif isinstance(item, int):
            if not -x.shape[axis] <= item < x.shape[axis]:
                raise IndexError(f"index {item} is out of bounds for dimension {axis} with size {x.shape[axis]}")
            basic.append(item)
            axis += 1
        elif isinstance(item, slice):
            basic.append(item)
            advanced.append(slice(None))
            axis += 1
        elif isinstance(item, _Mask):
            if item.shape != x.shape[axis : axis + item.ndim]:
                raise IndexError(
                    f"The shape of the mask {list(item.shape)} at index {axis} does not match the shape of the "
                    f"indexed tensor {list(x.shape)} at index {axis}"
                )
            basic.extend([slice(None)] * item.ndim)
            advanced.extend(item.places)
            has_arrays = True
            axis += item.ndim
        else:
            _check_bounds(item, axis, x.shape[axis])
            basic.append(slice(None))
            advanced.append(item)
            has_arrays = True
            axis += 1
    if not has_arrays:
        return (*basic, ...), None
    while advanced and isinstance(advanced[-1], slice):
        advanced.pop()
    plain = all(isinstance(item, slice) and item == slice(None) for item in basic)
    return ((...,) if plain else (*basic, ...)), tuple(advanced)


class _Mask:
    """A boolean index: as many dimensions as it has, and where it is true."""

    def __init__(self, array: Array) -> None:
        self.ndim, self.shape = array.ndim, array.shape
        self.places = backend_of(array).xp.nonzero(array)


def _item(input: Tensor, item: Any) -> Any:
    """One place of an index: None, ..., bool, int, slice, _Mask or an array of integers."""
    if item is None or item is ... or item.__class__ in (bool, int):
        return item
    if isinstance(item, slice):
        bounds = [v.__index__() if v is not None else None for v in (item.start, item.stop, item.step)]
        if bounds[2] is not None and bounds[2] < 1:
            raise ShapeError(f"step must be greater than zero, but got {bounds[2]}")
        return slice(*bounds)
    xp = backend_of(input.array).xp
    if isinstance(item, (list, tuple, range)):
        item = [v.array.item() if isinstance(v, Variable) else v for v in item]
        item = np.asarray(item, dtype=None if len(item) else np.int64)
        item = xp.asarray(item)
    elif isinstance(item, Variable):
        item = item.array
        if not item.ndim and item.dtype.kind in "iu":
            return int(item)
        item = xp.asarray(item) if not isinstance(item, backend_of(input.array).array_type) else item
    elif isinstance(item, np.ndarray):
        item = xp.asarray(item)
    elif hasattr(item, "__index__"):
        return item.__index__()
    else:
        raise TypeError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or bool Variables are valid indices "
            f"(got {type(item).__name__})"
        )
    if item.dtype.kind == "b":
        return bool(item) if not item.ndim else _Mask(item)
    if item.dtype.kind not in "iu":
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, but got {dtypes.of(item)}")
    if item.dtype == np.uint8:
        return _Mask(item.astype(bool))
    return item.astype(np.int64)


def _check_bounds(index: Array, axis: int, size: int) -> None:
    if index.size:
        low, high = int(index.min()), int(index.max())
        if low < -size or high >= size:
            bad = low if low < -size else high
            raise IndexError(f"index {bad} is out of bounds for dimension {axis} with size {size}")


class SetItem(Nary):
    """x with x[index] replaced. It only stands in the graph: the writing itself is done in place."""

    __slots__ = ("basic", "index", "target", "value_shape")
    keeps = False

    def __init__(self, basic: Any, index: Any, target: Shape, value_shape: Shape) -> None:
        self.basic, self.index, self.target, self.value_shape = basic, index, target, value_shape

    def backward(self, gy: Tensor) -> Grads:
        g_old = g_value = None
        if self.needs[0]:
            keep = backend_of(gy.array).xp.ones(gy.array.shape, bool)
            if self.index is None:
                keep[self.basic] = False
            else:
                keep[self.basic][self.index] = False
            g_old = where(wrap(keep), gy, 0.0)
        if self.needs[1]:
            g_value = Slice(self.basic).apply(gy)
            if self.index is not None:
                g_value = Take(self.index).apply(g_value)
            extra = len(self.value_shape) - g_value.array.ndim  # a value may have leading 1s
            g_value = g_value.sum_to_size(self.value_shape[max(extra, 0) :])
            if extra > 0:
                g_value = reshape(g_value, self.value_shape)
        return g_old, g_value


def put_along(values: Tensor, index: Tensor, axis: int, shape: Shape) -> Tensor:
    """Zeros of a shape, to which values are added at index along an axis: the adjoint of gather."""
    return PutAlong(index.array, axis, shape).apply(values)


def _along(x: Array, index: Array, axis: int) -> tuple[Any, ...]:
    """take_along_axis as an index, for shapes that agree only up to index's sizes."""
    xp = backend_of(x).xp
    places = [xp.arange(n).reshape([-1 if i == d else 1 for i in range(index.ndim)]) for d, n in enumerate(index.shape)]
    places[axis] = index
    return tuple(places)


class GatherAlong(Unary):
    """x at index along an axis."""

    __slots__ = ("axis", "before", "index")
    keeps = False

    def __init__(self, index: Array, axis: int) -> None:
        self.index, self.axis = index, axis

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        return x[_along(x, self.index, self.axis)]

    def backward(self, gy: Tensor) -> Grads:
        return PutAlong(self.index, self.axis, self.before).apply(gy)


class PutAlong(Unary):
    """The adjoint of GatherAlong; repeated places are summed."""

    __slots__ = ("axis", "index", "shape")
    keeps = False

    def __init__(self, index: Array, axis: int, shape: Shape) -> None:
        self.index, self.axis, self.shape = index, axis, shape

    def forward(self, x: Array) -> Array:
        xp = backend_of(x).xp
        y = xp.zeros(self.shape, x.dtype)
        xp.add.at(y, _along(y, self.index, self.axis), x[tuple(slice(n) for n in self.index.shape)])
        return y

    def backward(self, gy: Tensor) -> Grads:
        return GatherAlong(self.index, self.axis).apply(gy)


def _index_array(op: str, index: Any) -> Array:
    if not isinstance(index, Variable) or index.array.dtype.kind not in "iu":
        kind = dtypes.of(index.array) if isinstance(index, Variable) else type(index).__name__
        raise DtypeError(f"{op}(): Expected dtype int64 for index, but got {kind}")
    return index.array.astype(np.int64)


def _lifted(function: Any, input: Tensor, *args: Any, **options: Any) -> Tensor:
    """An operation along a dimension, of a tensor that has none: as if it were a vector of one element."""
    vectors = [reshape(v, -1) if isinstance(v, Variable) and not v.array.ndim else v for v in args]
    return reshape(function(reshape(input, 1), 0, *vectors, **options), ())


def _at_least_vectors(input: Tensor, index: Array, src: Any) -> tuple[Array, Any]:
    """Beside a vector, an index and a source without dimensions are vectors of one element."""
    if input.array.ndim == 1 and not index.ndim:
        index = index.reshape(1)
    if input.array.ndim == 1 and isinstance(src, Variable) and not src.array.ndim:
        src = reshape(src, 1)
    return index, src


def _check_along(op: str, x: Array, index: Array, axis: int) -> None:
    if index.ndim != x.ndim:
        raise ShapeError(
            f"{op}(): Index tensor must have the same number of dimensions as input tensor, but got {index.ndim} and {x.ndim}"
        )
    for d, (m, n) in enumerate(zip(index.shape, x.shape, strict=True)):
        if d != axis and m > n:
            raise ShapeError(
                f"{op}(): Size does not match at dimension {d} expected index {list(index.shape)} to be no larger than "
                f"self {list(x.shape)} apart from dimension {axis}"
            )
    size = x.shape[axis]
    text = f"{op}(): index {{}} is out of bounds for dimension {axis} with size {size}"
    if backend_of(index).report_outside(index, size, text):
        return
    if index.size and (int(index.min()) < 0 or int(index.max()) >= size):
        raise IndexError(text.format(int(index.min()) if int(index.min()) < 0 else int(index.max())))


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """y[i][j] = input[index[i][j]][j] for dim 0, and so on: index's shape, values along `dim`. Gradients are dense."""
    where_, axis = _index_array("gather", index), normal_axis("gather", dim, input.array.ndim)
    if not input.array.ndim:
        return reshape(gather(reshape(input, 1), 0, reshape(index, -1)), index.array.shape)
    if not where_.size:
        return input.new_zeros(where_.shape) if not input.tracked else reshape(input, -1)[:0].reshape(where_.shape)
    if input.array.ndim == 1 and not where_.ndim:
        return reshape(gather(input, 0, reshape(index, 1)), ())
    _check_along("gather", input.array, where_, axis)
    return GatherAlong(where_, axis).apply(input)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """As gather, with shapes broadcast against each other; of the flat tensor without `dim`."""
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    axis = normal_axis("take_along_dim", dim, input.array.ndim)
    places = indices.array
    if places.size and int(places.min()) < 0:
        indices = wrap(places + (places < 0) * input.array.shape[axis])
    shape = [max(m, n) for m, n in zip(input.array.shape, indices.array.shape, strict=True)]
    wide, index_shape = list(shape), list(shape)
    wide[axis], index_shape[axis] = input.array.shape[axis], indices.array.shape[axis]
    return gather(expand(input, wide), axis, expand(indices, index_shape))


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices along a dimension that a vector of integers names."""
    where_ = _index_array("index_select", index)
    if where_.ndim > 1:
        raise ShapeError(f"index_select(): Index is supposed to be a vector, but got dimension {where_.ndim}")
    axis = normal_axis("index_select", dim, input.array.ndim)
    if not input.array.ndim:
        _check_bounds(where_, 0, 1)
        return input.clone()
    where_ = where_.reshape(-1)
    size = input.array.shape[axis]
    if where_.size and (int(where_.min()) < 0 or int(where_.max()) >= size):
        raise IndexError(f"index_select(): index out of range in self: dimension {axis} has size {size}")
    return Take((*(slice(None),) * axis, where_)).apply(input)


def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements of the flat tensor."""
    where_ = _index_array("take", index)
    _check_bounds(where_, 0, input.array.size)
    return Take((where_,)).apply(reshape(input, -1))


class Scatter(Nary):
    """input with src written (or added) at index along an axis."""

    __slots__ = ("adds", "axis", "index")
    keeps = False

    def __init__(self, index: Array, axis: int, adds: bool) -> None:
        self.index, self.axis, self.adds = index, axis, adds

    def forward(self, x: Array, src: Array) -> Array:
        y, part = x.copy(), src[tuple(slice(n) for n in self.index.shape)]
        if self.adds:
            backend_of(x).xp.add.at(y, _along(y, self.index, self.axis), part)
        else:
            y[_along(y, self.index, self.axis)] = part
        self.saved = src.shape
        return y

    def backward(self, gy: Tensor) -> Grads:
        g_src = g_x = None
        if self.needs[1]:
            g_src = GatherAlong(self.index, self.axis).apply(gy)
            if g_src.array.shape != self.saved:
                missing = [(0, n - m) for m, n in zip(g_src.array.shape, self.saved, strict=True)]
                g_src = pad(g_src, [v for pair in reversed(missing) for v in pair])
        if self.needs[0] and self.adds:
            g_x = gy
        elif self.needs[0]:
            keep = backend_of(gy.array).xp.ones(gy.array.shape, bool)
            keep[_along(keep, self.index, self.axis)] = False
            g_x = where(wrap(keep), gy, 0.0)
        return g_x, g_src


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """input with src (or a number) written at index along a dimension: y[index[i][j]][j] = src[i][j] for dim 0."""
    src = value if src is None else src
    if src is None:
        raise TypeError("scatter(): argument 'src' (position 4) must be Tensor or Number, not NoneType")
    if not input.array.ndim:
        return _lifted(scatter, input, index, src, reduce=reduce)
    where_, axis = _index_array("scatter", index), normal_axis("scatter", dim, input.array.ndim)
    where_, src = _at_least_vectors(input, where_, src)
    if not isinstance(src, Variable):
        src = input.new_full(where_.shape, src)
    if reduce not in (None, "add", "multiply"):
        raise ShapeError(
            f"scatter(): reduce argument must be 'add', 'multiply' or None, but got {reduce!r}: use scatter_reduce"
        )
    _check_scatter("scatter", input, where_, axis, src)
    if reduce == "multiply":  # without a derivative, as PyTorch's: scatter_reduce has one
        y = wrap(input.array.copy())
        backend_of(y.array).xp.multiply.at(
            y.array, _along(y.array, where_, axis), src.array[tuple(map(slice, where_.shape))]
        )
        return y
    return Scatter(where_, axis, reduce == "add").apply(input, src)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """input with src added at index along a dimension; repeated places are summed."""
    if not input.array.ndim:
        return _lifted(scatter_add, input, index, src)
    where_, axis = _index_array("scatter_add", index), normal_axis("scatter_add", dim, input.array.ndim)
    where_, src = _at_least_vectors(input, where_, src)
    _check_scatter("scatter_add", input, where_, axis, src)
    return Scatter(where_, axis, True).apply(input, src)


def _check_scatter(op: str, input: Tensor, index: Array, axis: int, src: Tensor) -> None:
    if input.array.dtype != src.array.dtype:
        raise DtypeError(
            f"{op}(): Expected self.dtype to be equal to src.dtype, but got {dtypes.of(input.array)} and {dtypes.of(src.array)}"
        )
    _check_along(op, input.array, index, axis)
    if any(m > n for m, n in zip(index.shape, src.array.shape, strict=True)):
        raise ShapeError(f"{op}(): Expected index {list(index.shape)} to be no larger than src {list(src.array.shape)}")
