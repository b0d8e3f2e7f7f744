"""Sums, means and variances along dimensions, and whether any or all elements are true."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError
from minigrad.ops.arithmetic import div, mul, sub
from minigrad.ops.base import (
    Array,
    Grads,
    Tensor,
    Unary,
    backend_of,
    cast,
    normal_axes,
    wrap,
)  # fmt: skip
from minigrad.ops.elementwise import Sqrt
from minigrad.ops.logic import eq, ne, where
from minigrad.ops.shape import expand, reshape
from minigrad.ops.titles import shown

Axes = tuple[int, ...]


class Sum(Unary):
    """The sum along axes."""

    __slots__ = ("axes", "before", "keepdim")
    keeps = False

    def __init__(self, axes: Axes, keepdim: bool) -> None:
        self.axes, self.keepdim = axes, keepdim

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        if x.dtype.kind != "f":
            if x.dtype.kind == "V":  # bfloat16: add up in float32 and round once
                return x.astype("float32").sum(self.axes, keepdims=self.keepdim).astype(x.dtype)
            return x.sum(self.axes, x.dtype, keepdims=self.keepdim)  # NumPy would widen integers
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


def keep_dims(y: Tensor, axes: Axes, before: Axes, kept: bool) -> Tensor:
    """A reduction's result with its axes back in place, of size 1."""
    if kept or not before:
        return y
    return reshape(y, tuple([1 if i in axes else n for i, n in enumerate(before)]))


def counted(input: Tensor, dtype: Any, op: str) -> Tensor:
    """What a sum adds up: integers and bools as int64, else as asked."""
    if dtype is not None:
        return cast(input, dtypes.as_numpy(dtype, op))
    return cast(input, dtypes.int64.numpy) if input.array.dtype.kind in "iub" else input


def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum along dimensions, or of all elements. Integers are summed as int64."""
    input = counted(input, dtype, "sum")
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
    return shown(div(squares, float(max_number(count(input, axes) - correction, 0))), "VarBackward0")


def max_number(a: float, b: float) -> float:
    """The larger of two plain numbers (`max` is an operation here)."""
    return a if a > b else b


class Deviation(Sqrt):
    """The square root of a variance; where there is none, the slope is 0, not infinite."""

    __slots__ = ()

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return where(eq(y, 0), 0.0, div(gy, mul(y, 2)))


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The square root of the variance."""
    return shown(Deviation().apply(var(input, dim, unbiased, keepdim, correction=correction)), "StdBackward0")


def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The variance and the mean."""
    y = var(input, dim, unbiased, keepdim, correction=correction)
    return y, mean(input, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean."""
    y = std(input, dim, unbiased, keepdim, correction=correction)
    return y, mean(input, None if isinstance(dim, bool) else dim, keepdim)


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
    return sum(ne(input, 0), dim)
