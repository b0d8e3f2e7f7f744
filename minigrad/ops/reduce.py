"""Sums, means, extremes and other reductions along dimensions."""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, div, maximum, minimum, mul, sub
from minigrad.ops.base import (
    Array, Grads, Nary, Tensor, Unary, Variable, backend_of, cast, normal_axes, normal_axis, wrap,
)  # fmt: skip
from minigrad.ops.elementwise import exp, sqrt
from minigrad.ops.index import put_along
from minigrad.ops.logic import eq, sign, where
from minigrad.ops.shape import expand, flip, reshape, unsqueeze

Axes = tuple[int, ...]


class ValuesIndices(NamedTuple):
    """What max, min, sort and their like return along a dimension."""

    values: Any
    indices: Any


class Sum(Unary):
    """The sum along axes."""

    __slots__ = ("axes", "before", "keepdim")
    keeps = False

    def __init__(self, axes: Axes, keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        if len(self.axes) == x.ndim and not self.keepdim:
            return x.sum()
        return x.sum(self.axes, keepdims=self.keepdim)

    def backward(self, gy: Tensor) -> Grads:
        return expand(keep_dims(gy, self.axes, self.before, self.keepdim), self.before)


class Mean(Unary):
    """The mean along axes."""

    __slots__ = ("axes", "before", "keepdim")
    keeps = False

    def __init__(self, axes: Axes, keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        if not x.size:  # 0 / 0 without NumPy's warning about empty slices
            return x.sum(self.axes, keepdims=self.keepdim) / x.dtype.type(0)
        return x.mean(self.axes, keepdims=self.keepdim)

    def backward(self, gy: Tensor) -> Grads:
        return Spread(self.axes, self.before).apply(keep_dims(gy, self.axes, self.before, self.keepdim))


class Spread(Unary):
    """Every result of a mean, divided evenly among its elements: the adjoint of Mean."""

    __slots__ = ("axes", "before", "shape")
    keeps = False

    def __init__(self, axes: Axes, shape: Axes) -> None:
        self.axes, self.shape = axes, shape

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        y = backend_of(x).xp.empty(self.shape, x.dtype)
        y[...] = x / x.dtype.type(y.size // max_number(x.size, 1))
        return y

    def backward(self, gy: Tensor) -> Grads:
        return reshape(Mean(self.axes, True).apply(gy), self.before)


class Prod(Unary):
    """The product along one axis."""

    __slots__ = ("axis",)

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return x.prod(self.axis)

    def backward(self, gy: Tensor) -> Grads:
        """Every element's slope is the product of all others: products from both sides, so that zeros do no harm."""
        (x,), axis = self.inputs, self.axis
        size = x.array.shape[axis]
        if not size:
            return gy.new_zeros(x.array.shape)
        pads = [0, 0] * (x.array.ndim - axis - 1)
        ahead = cumprod(_shifted(x, axis, pads), axis)
        behind = flip(cumprod(_shifted(flip(x, axis), axis, pads), axis), axis)
        return mul(unsqueeze(gy, axis), mul(ahead, behind))


def _shifted(x: Tensor, axis: int, pads: list[int]) -> Tensor:
    """x one place further along an axis, with a 1 in front."""
    from minigrad.ops.shape import narrow, pad

    return pad(narrow(x, axis, 0, x.array.shape[axis] - 1), (*pads, 1, 0), 1)


class Cumsum(Unary):
    """Running sums along an axis."""

    __slots__ = ("axis",)
    keeps = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return x.cumsum(self.axis, dtype=x.dtype)

    def backward(self, gy: Tensor) -> Grads:
        return flip(Cumsum(self.axis).apply(flip(gy, self.axis)), self.axis)


class Cumprod(Unary):
    """Running products along an axis."""

    __slots__ = ("axis",)

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return x.cumprod(self.axis, dtype=x.dtype)

    def backward(self, gy: Tensor) -> Grads:
        """Exact with zeros too: d y_k / d x_i is the product of x_1..x_k without x_i."""
        (x,), axis = self.inputs, self.axis
        size = x.array.shape[axis]
        parts = []
        from minigrad.ops.join import stack
        from minigrad.ops.shape import narrow

        for i in range(size):
            one = where(eq(wrap(_steps(x.array, axis)), i), 1.0, x)
            products = narrow(Cumprod(axis).apply(one), axis, i, size - i)
            parts.append(sum(mul(narrow(gy, axis, i, size - i), products), axis))
        return stack(parts, axis) if parts else gy


def _steps(x: Array, axis: int) -> Array:
    """0, 1, 2, ... along an axis."""
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    return backend_of(x).xp.arange(x.shape[axis]).reshape(shape)


class Extreme(Nary):
    """The largest or smallest element along an axis and where it stands: the first one, NaN before all."""

    __slots__ = ("axis", "before", "keepdim", "largest")
    keeps = False

    def __init__(self, largest: bool, axis: int, keepdim: bool) -> None:
        self.largest, self.axis, self.keepdim = largest, axis, keepdim

    def forward(self, x: Array) -> tuple[Array, Array]:
        xp, axis = backend_of(x).xp, self.axis
        places = xp.expand_dims(x.argmax(axis) if self.largest else x.argmin(axis), axis)
        values = xp.take_along_axis(x, places, axis)
        self.before, self.saved = x.shape, places
        if not self.keepdim:
            values, places = values.squeeze(axis), places.squeeze(axis)
        return values, places

    def backward(self, gy: Tensor, _: Any) -> Grads:
        if not self.keepdim:
            gy = unsqueeze(gy, self.axis)
        return put_along(gy, wrap(self.saved), self.axis, self.before)


class ExtremeAll(Unary):
    """The largest or smallest elements along axes; ties share the gradient evenly."""

    __slots__ = ("axes", "keepdim", "largest")
    keeps_output = True

    def __init__(self, largest: bool, axes: Axes, keepdim: bool) -> None:
        self.largest, self.axes, self.keepdim = largest, axes, keepdim

    def forward(self, x: Array) -> Array:
        return (x.max if self.largest else x.min)(self.axes, keepdims=self.keepdim)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        y = keep_dims(self.output(), self.axes, x.array.shape, self.keepdim)
        gy = keep_dims(gy, self.axes, x.array.shape, self.keepdim)
        won = cast(eq(x, y), gy.array.dtype)
        return mul(won, div(gy, sum(won, self.axes, True)))


def keep_dims(y: Tensor, axes: Axes, before: Axes, kept: bool) -> Tensor:
    """A reduction's result with its axes back in place, of size 1."""
    if kept or not before:
        return y
    return reshape(y, tuple([1 if i in axes else n for i, n in enumerate(before)]))


def _counted(input: Tensor, dtype: Any, op: str) -> Tensor:
    """What a sum adds up: integers and bools as int64, else as asked."""
    if dtype is not None:
        return cast(input, dtypes.as_numpy(dtype, op))
    return cast(input, dtypes.int64.numpy) if input.array.dtype.kind in "iub" else input


def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum along dimensions, or of all elements. Integers are summed as int64."""
    input = _counted(input, dtype, "sum")
    return Sum(normal_axes("sum", dim, input.array.ndim), keepdim).apply(input)


def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean along dimensions, or of all elements.

    Raises:
        DtypeError: for integers, unless `dtype` names a floating type.
    """
    if dtype is not None:
        input = cast(input, dtypes.as_numpy(dtype, "mean"))
    if input.array.dtype.kind in "iub":
        raise DtypeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {dtypes.of(input.array)}"
        )
    axes = normal_axes("mean", dim, input.array.ndim)
    return Mean(axes, keepdim).apply(input)


def count(input: Tensor, axes: Axes) -> int:
    """How many elements go into each result of a reduction."""
    total = 1
    for i in axes:
        total *= input.array.shape[i]
    return total


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The variance along dimensions: squared distances from the mean, divided by count - correction (1)."""
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    if input.array.dtype.kind in "iub":
        raise DtypeError("var(): std and var only support floating point and complex dtypes")
    axes = normal_axes("var", dim, input.array.ndim)
    centred = sub(input, mean(input, axes, True) if input.array.ndim else input)
    squares = Sum(axes, keepdim).apply(mul(centred, centred))
    return div(squares, float(max_number(count(input, axes) - correction, 0)))


def max_number(a: float, b: float) -> float:
    """The larger of two plain numbers (`max` is an operation here)."""
    return a if a > b else b


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The square root of the variance."""
    return sqrt(var(input, dim, unbiased, keepdim, correction=correction))


def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Tensor, Tensor]:
    """The variance and the mean."""
    y = var(input, dim, unbiased, keepdim, correction=correction)
    return y, mean(input, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean."""
    y = std(input, dim, unbiased, keepdim, correction=correction)
    return y, mean(input, None if isinstance(dim, bool) else dim, keepdim)


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product along a dimension, or of all elements."""
    input = _counted(input, dtype, "prod")
    if dim is None:
        return Prod(0).apply(reshape(input, -1))
    axis = normal_axis("prod", dim, input.array.ndim)
    if not input.array.ndim:
        return input.clone()
    y = Prod(axis).apply(input)
    return unsqueeze(y, axis) if keepdim else y


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running sums along a dimension."""
    input = _counted(input, dtype, "cumsum")
    axis = normal_axis("cumsum", dim, input.array.ndim)
    return Cumsum(axis).apply(input) if input.array.ndim else input.clone()


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running products along a dimension."""
    input = _counted(input, dtype, "cumprod")
    axis = normal_axis("cumprod", dim, input.array.ndim)
    return Cumprod(axis).apply(input) if input.array.ndim else input.clone()


class LogSumExp(Unary):
    """log(sum(exp(x))) along axes, shifted by the maximum."""

    __slots__ = ("axes", "keepdim")
    keeps_output = True

    def __init__(self, axes: Axes, keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Array) -> Array:
        xp = backend_of(x).xp
        top = x.max(self.axes, keepdims=True, initial=-xp.inf)
        top = xp.where(xp.isfinite(top), top, top.dtype.type(0))  # inf - inf would be nan
        y = xp.log(xp.exp(x - top).sum(self.axes, keepdims=True)) + top
        return y if self.keepdim else y.squeeze(self.axes)

    def backward(self, gy: Tensor) -> Grads:
        """The softmax: exp(x - y)."""
        (x,) = self.inputs
        y = keep_dims(self.output(), self.axes, x.array.shape, self.keepdim)
        gy = keep_dims(gy, self.axes, x.array.shape, self.keepdim)
        return mul(gy, exp(sub(x, y)))


def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) along dimensions, without overflow."""
    if input.array.dtype.kind in "iub":
        input = cast(input, dtypes.default_numpy())
    return LogSumExp(normal_axes("logsumexp", dim, input.array.ndim), keepdim).apply(input)


def _extreme(op: str, largest: bool, input: Tensor, dim: Any, keepdim: bool) -> Any:
    """max and min: of all elements, of two tensors, or along a dimension with indices."""
    if isinstance(dim, Variable):
        return (maximum if largest else minimum)(input, dim)
    if dim is None:
        if not input.array.size:
            raise ShapeError(
                f"{op}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument."
            )
        return ExtremeAll(largest, tuple(range(input.array.ndim)), False).apply(input)
    axis = _dim_with_elements(op, input, dim)
    if not input.array.ndim:
        return ValuesIndices(input.clone(), input.new_zeros((), dtype=dtypes.int64))
    return ValuesIndices(*Extreme(largest, axis, keepdim).apply(input))


def _dim_with_elements(op: str, input: Tensor, dim: Any) -> int:
    axis = normal_axis(op, dim, input.array.ndim)
    if input.array.ndim and not input.array.shape[axis]:
        raise IndexError(f"{op}(): Expected reduction dim {axis} to have non-zero size.")
    return axis


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest of all elements; (values, indices) along a dimension; or the larger of two tensors."""
    return _extreme("max", True, input, dim, keepdim)


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest of all elements; (values, indices) along a dimension; or the smaller of two tensors."""
    return _extreme("min", False, input, dim, keepdim)


def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest elements along dimensions; ties share the gradient evenly."""
    axes = normal_axes("amax", dim, input.array.ndim)
    for axis in axes:
        _dim_with_elements("amax", input, axis)
    return ExtremeAll(True, axes, keepdim).apply(input)


def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest elements along dimensions; ties share the gradient evenly."""
    axes = normal_axes("amin", dim, input.array.ndim)
    for axis in axes:
        _dim_with_elements("amin", input, axis)
    return ExtremeAll(False, axes, keepdim).apply(input)


def _arg(op: str, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    x = input.array
    if x.dtype.kind == "b":
        raise DtypeError(f"{op}(): does not support bool input")
    if not x.size and dim is None:
        raise IndexError(f"{op}(): Expected reduction dim to be specified for input.numel() == 0.")
    axis = None if dim is None else _dim_with_elements(op, input, dim)
    found = getattr(x, op)(axis if x.ndim else None)
    found = backend_of(x).xp.asarray(found)
    if keepdim:
        found = (
            found.reshape((1,) * x.ndim)
            if axis is None
            else backend_of(x).xp.expand_dims(found, axis)
            if x.ndim
            else found
        )
    return wrap(found)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the (first) largest element stands, in the flat tensor or along a dimension."""
    return _arg("argmax", input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the (first) smallest element stands, in the flat tensor or along a dimension."""
    return _arg("argmin", input, dim, keepdim)


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm along dimensions: (sum |x|**p) ** (1/p); "fro" is 2, inf the largest, 0 counts what is not 0."""
    if dtype is not None:
        input = cast(input, dtypes.as_numpy(dtype, "norm"))
    if input.array.dtype.kind in "iub":
        raise DtypeError(f"norm(): Expected a floating point or complex tensor as input. Got {dtypes.of(input.array)}")
    axes = normal_axes("norm", dim, input.array.ndim)
    if p == "nuc" or isinstance(p, str) and p != "fro":
        raise ShapeError(f"norm(): p must be a number, 'fro' or inf, but got {p!r}")
    p = 2.0 if p == "fro" or p is None else float(p)
    if p == 2:
        return Norm2(axes, keepdim).apply(input)
    size = abs(input)
    if p == float("inf"):
        return ExtremeAll(True, axes, keepdim).apply(size)
    if p == float("-inf"):
        return ExtremeAll(False, axes, keepdim).apply(size)
    if p == 0:
        return Sum(axes, keepdim).apply(sign(size))
    if p == 1:
        return Sum(axes, keepdim).apply(size)
    return Sum(axes, keepdim).apply(size**p) ** (1 / p)


class Norm2(Unary):
    """The Euclidean norm; its slope at 0 is 0."""

    __slots__ = ("axes", "keepdim")
    keeps_output = True

    def __init__(self, axes: Axes, keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Array) -> Array:
        return backend_of(x).xp.sqrt((x * x).sum(self.axes, keepdims=self.keepdim))

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        y = keep_dims(self.output(), self.axes, x.array.shape, self.keepdim)
        gy = keep_dims(gy, self.axes, x.array.shape, self.keepdim)
        return mul(gy, where(eq(y, 0), 0.0, div(x, y)))


def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether any element is not 0."""
    return wrap(_truth(input, "any", dim, keepdim))


def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Whether every element is not 0."""
    return wrap(_truth(input, "all", dim, keepdim))


def _truth(input: Tensor, op: str, dim: Any, keepdim: bool) -> Array:
    x = input.array
    axes = normal_axes(op, dim, x.ndim)
    found = backend_of(x).xp.asarray(getattr(x.astype(bool), op)(axes, keepdims=keepdim))
    return found.astype(x.dtype) if x.dtype.name == "uint8" else found  # PyTorch's bytes were its bools once


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not 0."""
    return sum(input != 0, dim)
