"""Largest and smallest elements, and what is measured by them: log-sum-exp and norms."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import div, maximum, minimum, mul, sub
from minigrad.ops.base import (
    Array,
    Grads,
    Nary,
    Tensor,
    Unary,
    Variable,
    backend_of,
    cast,
    normal_axes,
    normal_axis,
    wrap,
)  # fmt: skip
from minigrad.ops.elementwise import exp
from minigrad.ops.index import put_along
from minigrad.ops.logic import eq, sign, where
from minigrad.ops.power import absolute, pow
from minigrad.ops.reduce import Axes, Sum, keep_dims, sum
from minigrad.ops.shape import unsqueeze
from minigrad.ops.titles import shown
from minigrad.return_types import KINDS


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
        return KINDS[op](input.clone(), input.new_zeros((), dtype=dtypes.int64))
    return KINDS[op](*Extreme(largest, axis, keepdim).apply(input))


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
    return shown(ExtremeAll(True, axes, keepdim).apply(input), "AmaxBackward0")


def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest elements along dimensions; ties share the gradient evenly."""
    axes = normal_axes("amin", dim, input.array.ndim)
    for axis in axes:
        _dim_with_elements("amin", input, axis)
    return shown(ExtremeAll(False, axes, keepdim).apply(input), "AminBackward0")


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
    if isinstance(p, str) and p != "fro":
        raise ShapeError(f"norm(): p must be a number, 'fro', 'nuc' or inf, but got {p!r}")
    p = 2.0 if p == "fro" or p is None else float(p)
    if p == 2:
        return Norm2(axes, keepdim).apply(input)
    size = absolute(input)
    if p == float("inf"):
        return ExtremeAll(True, axes, keepdim).apply(size)
    if p == float("-inf"):
        return ExtremeAll(False, axes, keepdim).apply(size)
    if p == 0:
        return Sum(axes, keepdim).apply(sign(size))
    if p == 1:
        return Sum(axes, keepdim).apply(size)
    if p < 0:
        return pow(Sum(axes, keepdim).apply(pow(size, p)), 1 / p)
    # Where elements or whole sums are 0, 1 stands in for them: their slope is 0, not 0 * inf.
    zero = eq(size, 0)
    total = Sum(axes, keepdim).apply(where(zero, 0.0, pow(where(zero, 1.0, size), p)))
    nothing = eq(total, 0)
    return where(nothing, 0.0, pow(where(nothing, 1.0, total), 1 / p))


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
