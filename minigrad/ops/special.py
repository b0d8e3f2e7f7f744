"""Special functions: the error function's, the gamma function's and Bessel's families."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import bessel_kernels, special_kernels
from minigrad.ops.arithmetic import add, div, mul, neg, sub
from minigrad.ops.base import Array, Binary, Grads, Tensor, Variable, backend_of, wrap
from minigrad.ops.elementwise import Math, exp, log
from minigrad.ops.logic import eq, sign, where
from minigrad.ops.pointwise import floating, sinc


def widened(x: Array) -> Array:
    """Half-precision numbers as float32: the kernels' constants need that much."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 else x


class Special(Math):
    """A function of real numbers whose kernel is a composition of array operations."""

    __slots__ = ()

    def kernel(self, x: Array) -> Array:
        """The function of an array with at least one dimension, float32 or wider."""
        raise NotImplementedError

    def compute(self, xp: Any, x: Array) -> Array:
        return self.kernel(widened(x).reshape(x.shape or 1)).astype(x.dtype, copy=False).reshape(x.shape)


def _pairwise(kernel: Any, a: Array, b: Array) -> Array:
    """A kernel of two arrays, or of an array and a number."""
    like = a if hasattr(a, "dtype") else b
    xp = backend_of(like).xp
    a, b = xp.broadcast_arrays(*[xp.asarray(v, dtype=like.dtype) for v in (a, b)])
    shape = a.shape
    y = kernel(*[widened(v.reshape(shape or 1)) for v in (a, b)])
    return y.astype(like.dtype, copy=False).reshape(shape)


class Erf(Special):
    """2/sqrt(pi) * integral of exp(-t*t) from 0 to x"""

    __slots__ = ()
    kernel = staticmethod(special_kernels.erf)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, mul(exp(neg(mul(x, x))), 2 / math.sqrt(math.pi)))


class Erfc(Special):
    """1 - erf(x)"""

    __slots__ = ()
    kernel = staticmethod(special_kernels.erfc)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, mul(exp(neg(mul(x, x))), -2 / math.sqrt(math.pi)))


class Erfcx(Special):
    """exp(x*x) * erfc(x)"""

    __slots__ = ()
    kernel = staticmethod(special_kernels.erfcx)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, sub(mul(mul(x, 2), erfcx(x)), 2 / math.sqrt(math.pi)))


class Erfinv(Special):
    """The inverse of erf."""

    __slots__ = ()
    keeps = False
    keeps_output = True
    kernel = staticmethod(special_kernels.erfinv)

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return mul(gy, mul(exp(mul(y, y)), math.sqrt(math.pi) / 2))


class Ndtri(Special):
    """The inverse of ndtr."""

    __slots__ = ()
    keeps = False
    keeps_output = True
    kernel = staticmethod(special_kernels.ndtri)

    def backward(self, gy: Tensor) -> Grads:
        y = self.output()
        return mul(gy, mul(exp(mul(mul(y, y), 0.5)), math.sqrt(2 * math.pi)))


class LogNdtr(Special):
    """log(ndtr(x))"""

    __slots__ = ()
    kernel = staticmethod(special_kernels.log_ndtr)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, div(math.sqrt(2 / math.pi), erfcx(mul(x, -math.sqrt(0.5)))))


class Entr(Special):
    """-x * log(x); 0 at 0, -inf below"""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        positive = xp.where(x > 0, x, 1)
        return xp.where(x > 0, -x * xp.log(positive), xp.where(x == 0, 0, xp.where(x < 0, -xp.inf, x))).astype(x.dtype)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, neg(add(log(x), 1)))


class Lgamma(Special):
    """log|gamma(x)|"""

    __slots__ = ()
    kernel = staticmethod(special_kernels.lgamma)

    def backward(self, gy: Tensor) -> Grads:
        return mul(gy, digamma(self.inputs[0]))


class Polygamma(Special):
    """The (n+1)-th derivative of lgamma."""

    __slots__ = ("n",)

    def __init__(self, n: int) -> None:
        self.n = n

    def kernel(self, x: Array) -> Array:
        return special_kernels.polygamma(self.n, x)

    def backward(self, gy: Tensor) -> Grads:
        return mul(gy, Polygamma(self.n + 1).apply(self.inputs[0]))


class Zeta(Binary):
    """Hurwitz's zeta function; differentiable in its second argument."""

    __slots__ = ()
    divides = True

    def forward(self, a: Array, b: Array) -> Array:
        return _pairwise(special_kernels.zeta, a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        if self.needs[0]:
            raise NotImplementedError("the derivative for 'zeta' with respect to its first argument is not implemented")
        return None, mul(gy, mul(neg(a) if isinstance(a, Variable) else -a, zeta(add(a, 1), b)))


class Igamma(Binary):
    """The regularised incomplete gamma function, lower or upper; differentiable in its second argument."""

    __slots__ = ("upper",)
    divides = True

    def __init__(self, upper: bool) -> None:
        self.upper = upper

    def forward(self, a: Array, b: Array) -> Array:
        return _pairwise(special_kernels.igammac if self.upper else special_kernels.igamma, a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, x = self.inputs
        if self.needs[0]:
            raise NotImplementedError("the derivative for 'igamma: input' is not implemented")
        density = exp(sub(sub(mul(sub(a, 1), log(x)), x), lgamma(a)))
        return None, mul(gy, neg(density) if self.upper else density)


class ModifiedI(Special):
    """I0 or I1, or these times exp(-|x|)."""

    __slots__ = ("degree", "scaled")

    def __init__(self, degree: int, scaled: bool) -> None:
        self.degree, self.scaled = degree, scaled

    def kernel(self, x: Array) -> Array:
        return bessel_kernels.modified_i(self.degree, x, self.scaled)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        other = ModifiedI(1 - self.degree, self.scaled).apply(x)
        slope = other
        if self.degree:  # I1' = I0 - I1 / x, and 1/2 at 0
            zero = eq(x, 0)
            quotient = div(ModifiedI(1, self.scaled).apply(x), where(zero, 1.0, x))
            slope = sub(other, where(zero, 0.5, quotient))
        if self.scaled:
            slope = sub(slope, mul(sign(x), ModifiedI(self.degree, True).apply(x)))
        return mul(gy, slope)


class Bessel(Special):
    """A Bessel function without a derivative here."""

    __slots__ = ("degree", "kind", "scaled")

    def __init__(self, kind: str, degree: int, scaled: bool = False) -> None:
        self.kind, self.degree, self.scaled = kind, degree, scaled

    def kernel(self, x: Array) -> Array:
        if self.kind == "k":
            return bessel_kernels.modified_k(self.degree, x, self.scaled)
        return (bessel_kernels.first_kind if self.kind == "j" else bessel_kernels.second_kind)(self.degree, x)

    def backward(self, gy: Tensor) -> Grads:
        raise NotImplementedError(f"the derivative for 'bessel_{self.kind}{self.degree}' is not implemented")


def erf(input: Tensor) -> Tensor:
    """The error function: 2/sqrt(pi) * integral of exp(-t*t) from 0 to x."""
    return Erf().apply(input)


def erfc(input: Tensor) -> Tensor:
    """1 - erf(x), exact where that is tiny."""
    return Erfc().apply(input)


def erfcx(input: Tensor) -> Tensor:
    """exp(x*x) * erfc(x)"""
    return Erfcx().apply(input)


def erfinv(input: Tensor) -> Tensor:
    """The inverse of erf on [-1, 1]."""
    return Erfinv().apply(input)


def ndtr(input: Tensor) -> Tensor:
    """The probability of a normal variable to fall below x."""
    return mul(erfc(mul(floating(input), -math.sqrt(0.5))), 0.5)


def ndtri(input: Tensor) -> Tensor:
    """The inverse of ndtr on [0, 1]."""
    return Ndtri().apply(input)


def log_ndtr(input: Tensor) -> Tensor:
    """log(ndtr(x)), exact in the left tail."""
    return LogNdtr().apply(input)


def entr(input: Tensor) -> Tensor:
    """-x * log(x): 0 at 0, -inf for negative numbers."""
    return Entr().apply(input)


def lgamma(input: Tensor) -> Tensor:
    """log|gamma(x)|"""
    return Lgamma().apply(input)


def digamma(input: Tensor) -> Tensor:
    """The derivative of lgamma."""
    return Polygamma(0).apply(input)


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma.

    Raises:
        ShapeError: if n is negative.
    """
    if n < 0:
        raise ShapeError("polygamma(n, x) does not support negative n.")
    return Polygamma(int(n)).apply(input)


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the p-dimensional gamma function: sum over j < p of lgamma(x - j/2), and p(p-1)/4 * log(pi).

    Raises:
        ShapeError: if p is not positive.
    """
    if p < 1:
        raise ShapeError("p has to be greater than or equal to 1")
    x = floating(input)
    total = lgamma(x)
    for j in range(1, p):
        total = add(total, lgamma(sub(x, j / 2)))
    return add(total, p * (p - 1) / 4 * math.log(math.pi))


def zeta(input: Tensor | float, other: Tensor | float) -> Tensor:
    """Hurwitz's zeta: the sum of (other + k) ** -input over k = 0, 1, ..."""
    return Zeta().apply(input, other)


def igamma(input: Tensor, other: Tensor) -> Tensor:
    """The regularised lower incomplete gamma function P(input, other)."""
    return Igamma(False).apply(input, other)


def igammac(input: Tensor, other: Tensor) -> Tensor:
    """The regularised upper incomplete gamma function Q(input, other)."""
    return Igamma(True).apply(input, other)


def i0(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind, order 0."""
    return ModifiedI(0, False).apply(input)


def i0e(input: Tensor) -> Tensor:
    """i0(x) * exp(-|x|)"""
    return ModifiedI(0, True).apply(input)


def i1(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind, order 1."""
    return ModifiedI(1, False).apply(input)


def i1e(input: Tensor) -> Tensor:
    """i1(x) * exp(-|x|)"""
    return ModifiedI(1, True).apply(input)


def modified_bessel_i0(input: Tensor) -> Tensor:
    """i0(x), without a derivative in PyTorch; with one here."""
    return i0(input)


def modified_bessel_i1(input: Tensor) -> Tensor:
    """i1(x), without a derivative in PyTorch; with one here."""
    return i1(input)


def modified_bessel_k0(input: Tensor) -> Tensor:
    """The modified Bessel function of the second kind, order 0."""
    return Bessel("k", 0).apply(input)


def modified_bessel_k1(input: Tensor) -> Tensor:
    """The modified Bessel function of the second kind, order 1."""
    return Bessel("k", 1).apply(input)


def scaled_modified_bessel_k0(x: Tensor) -> Tensor:
    """modified_bessel_k0(x) * exp(x)"""
    return Bessel("k", 0, True).apply(x)


def scaled_modified_bessel_k1(x: Tensor) -> Tensor:
    """modified_bessel_k1(x) * exp(x)"""
    return Bessel("k", 1, True).apply(x)


def bessel_j0(input: Tensor) -> Tensor:
    """The Bessel function of the first kind, order 0."""
    return Bessel("j", 0).apply(input)


def bessel_j1(input: Tensor) -> Tensor:
    """The Bessel function of the first kind, order 1."""
    return Bessel("j", 1).apply(input)


def bessel_y0(input: Tensor) -> Tensor:
    """The Bessel function of the second kind, order 0."""
    return Bessel("y", 0).apply(input)


def bessel_y1(input: Tensor) -> Tensor:
    """The Bessel function of the second kind, order 1."""
    return Bessel("y", 1).apply(input)


def spherical_bessel_j0(x: Tensor) -> Tensor:
    """sin(x) / x, and 1 at 0."""
    return sinc(div(floating(x), math.pi))


def polynomial(name: str) -> Any:
    """A family of orthogonal polynomials by its three-term recurrence, as a function (input, n).

    Source: Abramowitz and Stegun, 22.7. Degrees below 0 give 0.
    """
    first, step = _RECURRENCES[name.removeprefix("shifted_")]
    shifted = name.startswith("shifted_")

    def function(input: Tensor | float, n: Tensor | float) -> Tensor:
        like = input if isinstance(input, Variable) else n
        if not isinstance(like, Variable):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        xp = backend_of(like.array).xp
        kind = dtypes.result_numpy(tuple(v.array if isinstance(v, Variable) else v for v in (input, n)))
        kind = dtypes.default_numpy() if kind.kind in "iub" else kind
        if kind.kind != "f":
            raise DtypeError(f'"{name}" not implemented for {dtypes.of(like.array)}')
        x, degree = (v.array if isinstance(v, Variable) else v for v in (input, n))
        x, degree = xp.broadcast_arrays(xp.asarray(x, dtype=kind), xp.trunc(xp.asarray(degree, dtype=kind)))
        x = 2 * x - 1 if shifted else x
        before, here = x * 0 + 1, first(x)
        y = xp.where(degree == 0, before, xp.where(degree == 1, here, 0.0))
        for k in range(1, int(degree.max()) if degree.size else 0):
            before, here = here, step(k, x, here, before)
            y = xp.where(degree == k + 1, here, y)
        return wrap(y.astype(kind, copy=False))

    function.__name__ = name
    function.__doc__ = f"The {name.replace('_', ' ')} of degree n, without a derivative."
    return function


_chebyshev = lambda k, x, here, before: 2 * x * here - before
_RECURRENCES: dict[str, Any] = {
    "chebyshev_polynomial_t": (lambda x: x, _chebyshev),
    "chebyshev_polynomial_u": (lambda x: 2 * x, _chebyshev),
    "chebyshev_polynomial_v": (lambda x: 2 * x - 1, _chebyshev),
    "chebyshev_polynomial_w": (lambda x: 2 * x + 1, _chebyshev),
    "hermite_polynomial_h": (lambda x: 2 * x, lambda k, x, here, before: 2 * (x * here - k * before)),
    "hermite_polynomial_he": (lambda x: x, lambda k, x, here, before: x * here - k * before),
    "laguerre_polynomial_l": (lambda x: 1 - x, lambda k, x, h, b: ((2 * k + 1 - x) * h - k * b) / (k + 1)),
    "legendre_polynomial_p": (lambda x: x, lambda k, x, h, b: ((2 * k + 1) * x * h - k * b) / (k + 1)),
}


def erfinv_array(x: Array) -> Array:
    """erfinv of a plain array, computed in double precision and rounded to the array's type."""
    return special_kernels.erfinv(x.astype(np.float64).reshape(x.shape or 1)).astype(x.dtype).reshape(x.shape)
