"""Arithmetic of two tensors, broadcast."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.base import Array, Binary, Grads, Tensor, Unary, Variable, backend_of, cast
from minigrad.ops.logic import eq, gt, kind_of, logical_and, lt, trunc, where


class Add(Binary):
    """a + b"""

    __slots__ = ()
    keeps = False

    def forward(self, a: Array, b: Array) -> Array:
        return a + b

    def backward(self, gy: Tensor) -> Grads:
        return gy, gy


class Sub(Binary):
    """a - b"""

    __slots__ = ()
    keeps = False

    def forward(self, a: Array, b: Array) -> Array:
        return a - b

    def backward(self, gy: Tensor) -> Grads:
        return gy, self.needs[1] and neg(gy)


class Mul(Binary):
    """a * b"""

    __slots__ = ()
    a_only_for_b = b_only_for_a = True

    def forward(self, a: Array, b: Array) -> Array:
        return a * b

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        needs = self.needs
        return needs[0] and mul(gy, b), needs[1] and mul(gy, a)


class Div(Binary):
    """a / b; integers give floating results."""

    __slots__ = ()
    divides = True
    a_only_for_b = True

    def forward(self, a: Array, b: Array) -> Array:
        if b.__class__ in (int, float, bool) and not b:
            b = a.dtype.type(b)  # Python's own division by zero is an exception, IEEE's is not
        return a / b

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        ga = div(gy, b)
        return self.needs[0] and ga, self.needs[1] and neg(div(mul(ga, a), b))


class Maximum(Binary):
    """The larger of both, NaN if either is; a tie shares the gradient."""

    __slots__ = ()

    def forward(self, a: Array, b: Array) -> Array:
        return backend_of(a).xp.maximum(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        half = where(eq(a, b), mul(gy, 0.5), 0.0)
        return (
            self.needs[0] and add(where(gt(a, b), gy, 0.0), half),
            self.needs[1] and add(where(lt(a, b), gy, 0.0), half),
        )


class Minimum(Binary):
    """The smaller of both, NaN if either is; a tie shares the gradient."""

    __slots__ = ()

    def forward(self, a: Array, b: Array) -> Array:
        return backend_of(a).xp.minimum(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        half = where(eq(a, b), mul(gy, 0.5), 0.0)
        return (
            self.needs[0] and add(where(lt(a, b), gy, 0.0), half),
            self.needs[1] and add(where(gt(a, b), gy, 0.0), half),
        )


class FloorDivide(Binary):
    """a // b, rounded down; no gradient flows."""

    __slots__ = ()
    compares = True

    def forward(self, a: Array, b: Array) -> Array:
        _check_divisor("floor_divide", a, b)
        return a // b


class DivFloor(FloorDivide):
    """floor(a / b): as a // b, with a gradient that is 0."""

    __slots__ = ()
    compares = False

    def backward(self, gy: Tensor) -> Grads:
        flat = gy.new_zeros(gy.array.shape)
        return flat, flat


class Remainder(Binary):
    """a - b * floor(a / b): the sign is b's."""

    __slots__ = ()
    a_only_for_b = True

    def forward(self, a: Array, b: Array) -> Array:
        _check_divisor("remainder", a, b)
        y = a % b
        if y.dtype.kind != "f":
            return y
        xp = backend_of(y).xp
        return xp.copysign(y, xp.where(y == 0, a, y))  # a zero has the sign of a, as C's fmod leaves it

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        return gy, self.needs[1] and mul(gy, neg(floor_divide(a, b)))


class Fmod(Binary):
    """a - b * trunc(a / b): the sign is a's."""

    __slots__ = ()
    a_only_for_b = True

    def forward(self, a: Array, b: Array) -> Array:
        _check_divisor("fmod", a, b)
        return backend_of(a).xp.fmod(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        return gy, self.needs[1] and mul(gy, neg(trunc(div(a, b))))


def _check_divisor(op: str, a: Array, b: Array) -> None:
    """Whole numbers cannot be divided by zero, nor truth values by anything."""
    kind = kind_of(a, b)
    if kind == "b":
        raise DtypeError(f'{op}(): "{op}" not implemented for two bool tensors')
    if kind in "iu" and ((b == 0) if b.__class__ is int else bool((b == 0).any())):
        raise RuntimeError("ZeroDivisionError: integer division or modulo by zero")


class Atan2(Binary):
    """The angle of the point (b, a)."""

    __slots__ = ()
    divides = True

    def forward(self, a: Array, b: Array) -> Array:
        return backend_of(a).xp.arctan2(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        scaled = div(gy, add(mul(a, a), mul(b, b)))
        return self.needs[0] and mul(scaled, b), self.needs[1] and neg(mul(scaled, a))


class Neg(Unary):
    """-a"""

    __slots__ = ()
    keeps = False

    def forward(self, a: Array) -> Array:
        if a.dtype.kind == "b":
            raise DtypeError(
                "neg(): Negation, the `-` operator, on a bool tensor is not supported. "
                "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
            )
        return -a

    def backward(self, gy: Tensor) -> Grads:
        return neg(gy)


def add(input: Tensor | complex, other: Tensor | complex, *, alpha: Any = 1) -> Tensor:
    """input + alpha * other"""
    return Add().apply(input, other if alpha == 1 else _scaled("add", input, other, alpha))


def _scaled(op: str, input: Tensor, other: Tensor, alpha: Any) -> Tensor:
    """alpha * other, in the type of the result."""
    wanted = dtypes.result_numpy(tuple(v.array if isinstance(v, Variable) else v for v in (input, other)))
    if wanted.kind in "iub" and not isinstance(alpha, int):
        raise DtypeError(f"{op}(): For integral input tensors, argument alpha must not be a floating point number.")
    if wanted.kind == "b":
        return logical_and(other, bool(alpha))
    return mul(cast(other, wanted), alpha) if isinstance(other, Variable) else other * alpha


def sub(input: Tensor | complex, other: Tensor | complex, *, alpha: Any = 1) -> Tensor:
    """input - alpha * other"""
    for v in (input, other):
        if v.__class__ is bool or (isinstance(v, Variable) and v.array.dtype.kind == "b"):
            raise DtypeError(
                "sub(): Subtraction, the `-` operator, with a bool tensor is not supported. "
                "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
            )
    return Sub().apply(input, other if alpha == 1 else _scaled("sub", input, other, alpha))


def mul(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input * other"""
    return Mul().apply(input, other)


def div(input: Tensor | complex, other: Tensor | complex, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; rounding_mode "floor" or "trunc" rounds the quotient."""
    if rounding_mode is None:
        return Div().apply(input, other)
    if rounding_mode == "floor":
        return DivFloor().apply(input, other)
    if rounding_mode != "trunc":
        raise ShapeError(
            f"div(): expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    whole = dtypes.result_numpy(tuple(v.array if isinstance(v, Variable) else v for v in (input, other)))
    if whole.kind == "b":
        raise DtypeError('div(): "div_trunc" not implemented for two bool tensors')
    if whole.kind in "iu":  # exact beyond the digits of a floating quotient
        return floor_divide(Sub().apply(input, fmod(input, other)), other)
    return trunc(Div().apply(input, other))


def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger element of both."""
    return Maximum().apply(input, other)


def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller element of both."""
    return Minimum().apply(input, other)


def floor_divide(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input // other, rounded down."""
    return FloorDivide().apply(input, other)


def remainder(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input % other, with the sign of other."""
    return Remainder().apply(input, other)


def fmod(input: Tensor, other: Tensor | complex) -> Tensor:
    """C's fmod, with the sign of input."""
    return Fmod().apply(input, other)


def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle between the x axis and (other, input), in radians."""
    return Atan2().apply(input, other)


def neg(input: Tensor) -> Tensor:
    """-input"""
    return Neg().apply(input)
