"""Powers, distances from zero, and limits."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import mul, sub
from minigrad.ops.base import Array, Binary, Grads, Tensor, Unary, Variable, backend_of, cast
from minigrad.ops.elementwise import log
from minigrad.ops.logic import eq, ge, kind_of, le, logical_and, logical_or, ne, sign, where


class Abs(Unary):
    """The distance from 0; its slope at 0 is 0."""

    __slots__ = ()

    def forward(self, x: Array) -> Array:
        if x.dtype.kind == "b":
            raise DtypeError('abs(): "abs" not implemented for bool')
        return abs(x)

    def backward(self, gy: Tensor) -> Grads:
        return mul(gy, sign(self.inputs[0]))


class Pow(Binary):
    """a ** b"""

    __slots__ = ()

    def forward(self, a: Array, b: Array) -> Array:
        kind = kind_of(a, b)
        if kind == "b":
            if b.__class__ is not bool:
                raise DtypeError('pow(): "pow" not implemented for two bool tensors')
            return a | (not b)
        return a**b if kind != "i" or b.__class__ is int else _whole_power(backend_of(b).xp, a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        return self.needs[0] and self._base_grad(gy, a, b), self.needs[1] and self._exponent_grad(gy, a, b)

    @staticmethod
    def _base_grad(gy: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """b * a**(b-1), and 0 where b is 0 even if a is 0 too."""
        if not isinstance(b, Variable):
            return mul(gy, 0.0) if b == 0 else gy if b == 1 else mul(gy, mul(pow(a, b - 1), b))
        slope = mul(b, pow(a, sub(b, 1)))
        return mul(gy, where(eq(b, 0), 0.0, slope))

    @staticmethod
    def _exponent_grad(gy: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """a**b * log(a), and 0 where 0 is raised to a power that is not negative."""
        if not isinstance(a, Variable):
            a = cast(gy.new_tensor(a), gy.array.dtype)
        flat = logical_and(eq(a, 0), ge(b, 0))
        return mul(gy, where(flat, 0.0, mul(pow(a, b), log(a))))


def _whole_power(xp: Any, a: Array, b: Array) -> Array:
    """a ** b for integers; a negative power is 1 / a**-b rounded towards 0: 0 unless a is 1 or -1."""
    if not (b < 0).any():
        return a**b
    sign = xp.where(b % 2 == 0, 1, a)
    return xp.where(b < 0, xp.where(abs(a) == 1, sign, 0), a ** abs(b)).astype(b.dtype)


class Clamp(Unary):
    """Values below `low` become `low`, above `high` become `high`; the gradient stops outside. Bounds are numbers."""

    __slots__ = ("high", "low")

    def __init__(self, low: Any, high: Any) -> None:
        self.low, self.high = low, high

    def forward(self, x: Array) -> Array:
        xp = backend_of(x).xp
        try:
            y = x if self.low is None else xp.maximum(x, x.dtype.type(self.low))
            return y if self.high is None else xp.minimum(y, x.dtype.type(self.high))
        except OverflowError:
            raise ShapeError(
                f"clamp(): a bound of [{self.low}, {self.high}] cannot be converted to type {dtypes.of(x)} without overflow"
            ) from None

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        inside = None if self.low is None else ge(x, self.low)
        if self.high is not None:
            below = le(x, self.high)
            inside = below if inside is None else logical_and(inside, below)
        return where(inside, gy, 0.0)


def absolute(input: Tensor) -> Tensor:
    """The distance from 0."""
    return Abs().apply(input)


def clamp(input: Tensor, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor:
    """Limit every element to [min, max]; each bound may be a number, a tensor or None.

    Raises:
        ShapeError: if both are None, or a bound does not fit into an integer type. DtypeError: for bools.
    """
    if min is None and max is None:
        raise ShapeError("clamp(): At least one of 'min' or 'max' must not be None")
    bounds = [v.array if isinstance(v, Variable) else v for v in (min, max) if v is not None]
    if dtypes.result_numpy((input.array, *bounds)).kind == "b" and (len(bounds) == 2 or bounds[0].__class__ is bool):
        raise DtypeError('clamp(): "clamp" not implemented for bool')
    if isinstance(min, Variable) or isinstance(max, Variable):
        input = input if min is None else where(logical_or(ge(input, min), ne(input, input)), input, min)
        return input if max is None else where(logical_or(le(input, max), ne(input, input)), input, max)
    wanted = dtypes.result_numpy(tuple(v for v in (input.array, min, max) if v is not None))
    return Clamp(min, max).apply(cast(input, wanted))


def pow(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ** exponent

    Raises:
        ShapeError: for integers to a negative number.
    """
    if exponent.__class__ is int and exponent < 0 and isinstance(input, Variable) and input.array.dtype.kind in "iub":
        raise ShapeError("pow(): Integers to negative integer powers are not allowed.")
    return Pow().apply(input, exponent)
