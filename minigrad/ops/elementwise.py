"""Functions of one tensor, element by element, and powers."""

from __future__ import annotations

import math
from typing import Any

from minigrad import dtypes
from minigrad.ops.arithmetic import add, div, mul, neg, sub
from minigrad.ops.base import Array, Grads, Tensor, Unary, backend_of


class Math(Unary):
    """A function of real numbers: integers are taken as floating numbers."""

    __slots__ = ()

    def forward(self, x: Array) -> Array:
        if x.dtype.kind in "iub":
            x = x.astype(dtypes.default_numpy())
        return self.compute(backend_of(x).xp, x)

    def compute(self, xp: Any, x: Array) -> Array:
        """The function, with an array namespace."""
        raise NotImplementedError


class Exp(Math):
    """e ** x"""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.exp(x)

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return mul(gy, y)


class Expm1(Math):
    """e ** x - 1, exact near 0"""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.expm1(x)

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return mul(gy, add(y, 1))


class Log(Math):
    """The natural logarithm."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.log(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return div(gy, x)


class Log2(Math):
    """The logarithm to base 2."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.log2(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return div(gy, mul(x, math.log(2)))


class Log10(Math):
    """The logarithm to base 10."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.log10(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return div(gy, mul(x, math.log(10)))


class Log1p(Math):
    """log(1 + x), exact near 0"""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.log1p(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return div(gy, add(x, 1))


class Sqrt(Math):
    """The square root."""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.sqrt(x)

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return div(gy, mul(y, 2))


class Rsqrt(Math):
    """1 / sqrt(x)"""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Any, x: Array) -> Array:
        return 1 / xp.sqrt(x)

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return mul(mul(gy, -0.5), mul(y, mul(y, y)))


class Reciprocal(Math):
    """1 / x"""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Any, x: Array) -> Array:
        return 1 / x

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return neg(mul(gy, mul(y, y)))


class Sin(Math):
    """The sine of an angle in radians."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.sin(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, cos(x))


class Cos(Math):
    """The cosine of an angle in radians."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.cos(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return neg(mul(gy, sin(x)))


class Tan(Math):
    """The tangent of an angle in radians."""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.tan(x)

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return mul(gy, add(mul(y, y), 1))


class Asin(Math):
    """The angle in radians whose sine is x."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.arcsin(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, rsqrt(sub(1, mul(x, x))))


class Acos(Math):
    """The angle in radians whose cosine is x."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.arccos(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return neg(mul(gy, rsqrt(sub(1, mul(x, x)))))


class Atan(Math):
    """The angle in radians whose tangent is x."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.arctan(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return div(gy, add(mul(x, x), 1))


class Sinh(Math):
    """The hyperbolic sine."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.sinh(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, cosh(x))


class Cosh(Math):
    """The hyperbolic cosine."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.cosh(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, sinh(x))


class Asinh(Math):
    """The inverse of sinh."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.arcsinh(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, rsqrt(add(mul(x, x), 1)))


class Acosh(Math):
    """The inverse of cosh."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.arccosh(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, rsqrt(sub(mul(x, x), 1)))


class Atanh(Math):
    """The inverse of tanh."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.arctanh(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return div(gy, sub(1, mul(x, x)))


def exp(input: Tensor) -> Tensor:
    """e ** x"""
    return Exp().apply(input)


def expm1(input: Tensor) -> Tensor:
    """e ** x - 1, exact near 0"""
    return Expm1().apply(input)


def log(input: Tensor) -> Tensor:
    """The natural logarithm."""
    return Log().apply(input)


def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2."""
    return Log2().apply(input)


def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10."""
    return Log10().apply(input)


def log1p(input: Tensor) -> Tensor:
    """log(1 + x), exact near 0"""
    return Log1p().apply(input)


def sqrt(input: Tensor) -> Tensor:
    """The square root."""
    return Sqrt().apply(input)


def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(x)"""
    return Rsqrt().apply(input)


def reciprocal(input: Tensor) -> Tensor:
    """1 / x"""
    return Reciprocal().apply(input)


def sin(input: Tensor) -> Tensor:
    """The sine of an angle in radians."""
    return Sin().apply(input)


def cos(input: Tensor) -> Tensor:
    """The cosine of an angle in radians."""
    return Cos().apply(input)


def tan(input: Tensor) -> Tensor:
    """The tangent of an angle in radians."""
    return Tan().apply(input)


def asin(input: Tensor) -> Tensor:
    """The angle in radians whose sine is x."""
    return Asin().apply(input)


def acos(input: Tensor) -> Tensor:
    """The angle in radians whose cosine is x."""
    return Acos().apply(input)


def atan(input: Tensor) -> Tensor:
    """The angle in radians whose tangent is x."""
    return Atan().apply(input)


def sinh(input: Tensor) -> Tensor:
    """The hyperbolic sine."""
    return Sinh().apply(input)


def cosh(input: Tensor) -> Tensor:
    """The hyperbolic cosine."""
    return Cosh().apply(input)


def asinh(input: Tensor) -> Tensor:
    """The inverse of sinh."""
    return Asinh().apply(input)


def acosh(input: Tensor) -> Tensor:
    """The inverse of cosh."""
    return Acosh().apply(input)


def atanh(input: Tensor) -> Tensor:
    """The inverse of tanh."""
    return Atanh().apply(input)
