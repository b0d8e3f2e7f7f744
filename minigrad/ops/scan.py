"""Products, and running sums and products, along one dimension."""

from __future__ import annotations

from typing import Any

from minigrad.ops.arithmetic import mul
from minigrad.ops.base import Array, Grads, Tensor, Unary, backend_of, normal_axis, wrap
from minigrad.ops.join import stack
from minigrad.ops.logic import eq, where
from minigrad.ops.reduce import counted, sum
from minigrad.ops.shape import flip, narrow, pad, reshape, unsqueeze
from minigrad.ops.titles import shown


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


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product along a dimension, or of all elements."""
    input = counted(input, dtype, "prod")
    if dim is None:
        return shown(Prod(0).apply(reshape(input, -1)), "ProdBackward0")
    axis = normal_axis("prod", dim, input.array.ndim)
    if not input.array.ndim:
        return input.clone()
    y = Prod(axis).apply(input)
    return unsqueeze(y, axis) if keepdim else y


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running sums along a dimension."""
    input = counted(input, dtype, "cumsum")
    axis = normal_axis("cumsum", dim, input.array.ndim)
    return Cumsum(axis).apply(input) if input.array.ndim else input.clone()


def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running products along a dimension."""
    input = counted(input, dtype, "cumprod")
    axis = normal_axis("cumprod", dim, input.array.ndim)
    return Cumprod(axis).apply(input) if input.array.ndim else input.clone()
