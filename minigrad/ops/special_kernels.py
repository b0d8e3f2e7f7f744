"""Special functions of arrays, to nearly full double precision, with nothing but an array namespace.

All work in the array's own type, float16 and bfloat16 in float32. Sources, formula by formula: Cody, "Rational
Chebyshev approximations for the error function" (1969), whose coefficients stand below; Abramowitz and Stegun,
"Handbook of Mathematical Functions" (1964), by section; Press et al., "Numerical Recipes" (2007), 6.2 and 6.9.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.ops.base import Array, backend_of

# |x| <= 0.46875: erf(x) = x * A(x*x) / B(x*x)
_A = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_B = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
# up to 4: erfc(x) = exp(-x*x) * C(x) / D(x)
_C = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
    8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
)  # fmt: skip
_D = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip
# beyond: erfc(x) = exp(-x*x) / x * (1/sqrt(pi) - P(1/x**2) / Q(1/x**2) / x**2)
_P = (
    1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
    1.60837851487422766e-2, 6.58749161529837803e-4,
)  # fmt: skip
_Q = (
    1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
    2.33520497626869185e-3,
)  # fmt: skip


def horner(x: Array, coefficients: tuple[float, ...]) -> Array:
    """A polynomial, highest power first."""
    y = x * 0 + coefficients[0]
    for c in coefficients[1:]:
        y = y * x + c
    return y


def _tail(xp: Any, x: Array) -> Array:
    """exp(x*x) * erfc(x) for x > 0.46875."""
    middle = xp.minimum(xp.maximum(x, 0.46875), 4.0)
    near = horner(middle, _C) / horner(middle, _D)
    far = xp.maximum(x, 4.0)
    z = 1 / (far * far)
    beyond = (1 / math.sqrt(math.pi) - z * horner(z, _P) / horner(z, _Q)) / far
    return xp.where(x <= 4.0, near, beyond)


def _gauss(xp: Any, x: Array) -> Array:
    """exp(-x*x), with the square split in two so that its rounding does not grow."""
    head = xp.trunc(x * 16) / 16
    return xp.exp(-head * head) * xp.exp(-(x - head) * (x + head))


def _centre(xp: Any, x: Array) -> Array:
    """erf for |x| <= 0.46875."""
    z = xp.minimum(x * x, 0.46875**2)
    return x * horner(z, _A) / horner(z, _B)


def erf(x: Array) -> Array:
    """2/sqrt(pi) * integral of exp(-t*t) from 0 to x."""
    xp, size = backend_of(x).xp, abs(x)
    bounded = xp.minimum(size, 30.0)
    outer = xp.copysign(1 - _gauss(xp, bounded) * _tail(xp, bounded), x)
    return xp.where(size <= 0.46875, _centre(xp, x), xp.where(x != x, x, outer))


def erfc(x: Array) -> Array:
    """1 - erf(x), exact where that is tiny."""
    xp, size = backend_of(x).xp, abs(x)
    bounded = xp.minimum(size, 30.0)
    tail = _gauss(xp, bounded) * _tail(xp, bounded)
    outer = xp.where(x < 0, 2 - tail, tail)
    return xp.where(size <= 0.46875, 1 - _centre(xp, x), xp.where(x != x, x, outer))


def erfcx(x: Array) -> Array:
    """exp(x*x) * erfc(x), without overflow for x > 0."""
    xp, size = backend_of(x).xp, abs(x)
    tail = _tail(xp, size)
    growth = xp.exp(size * size)
    outer = xp.where(x < 0, 2 * growth - tail, tail)
    return xp.where(size <= 0.46875, growth * (1 - _centre(xp, x)), xp.where(x != x, x, outer))


def erfc_inverse(z: Array) -> Array:
    """The x with erfc(x) = z, for 0 <= z <= 1: Newton's steps on the logarithms from a first guess (Winitzki, 2008)."""
    xp = backend_of(z).xp
    safe = xp.minimum(xp.maximum(z, xp.finfo(z.dtype).tiny), 1.0)
    log_part = xp.log(safe * (2 - safe))
    half = 2 / (math.pi * 0.147) + log_part / 2
    x = xp.sqrt(xp.maximum(xp.sqrt(half * half - log_part / 0.147) - half, 0.0))
    log_z = xp.log(safe)
    for _ in range(5):  # on logarithms, so that the smallest probabilities are as exact as the others
        tail = erfcx(x)
        x = x + (xp.log(tail) - x * x - log_z) * tail * (math.sqrt(math.pi) / 2)
    return xp.where(z == 0, math.inf, xp.where((z < 0) | (z > 1) | (z != z), math.nan, x))


def erfinv(x: Array) -> Array:
    """The y with erf(y) = x, for -1 <= x <= 1."""
    xp, size = backend_of(x).xp, abs(x)
    y = erfc_inverse(xp.where(size > 1, math.nan, 1 - size))
    # near 0 the complement has lost digits: one Newton step on erf itself
    small = xp.where(size < 0.5, y, 0.0)
    y = xp.where(size < 0.5, small - (erf(small) - size) * (math.sqrt(math.pi) / 2) * xp.exp(small * small), y)
    return xp.copysign(y, x)


def ndtri(x: Array) -> Array:
    """The y below which a normal variable falls with probability x."""
    xp = backend_of(x).xp
    y = math.sqrt(2) * erfc_inverse(2 * xp.minimum(x, 1 - x))
    return xp.where(x < 0.5, -y, y)


def log_ndtr(x: Array) -> Array:
    """The logarithm of a normal variable's probability to fall below x, exact in the left tail."""
    xp = backend_of(x).xp
    t = x / math.sqrt(2)
    left = xp.minimum(t, -0.5)
    far = xp.log(erfcx(-left) / 2) - left * left
    return xp.where(t < -0.5, far, xp.log1p(-erfc(xp.maximum(t, -0.5)) / 2))


# ---------------------------------------------------------------------- the gamma function's family

_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_FAR = 10  # from here on the asymptotic series are exact


def lgamma(x: Array) -> Array:
    """log|gamma(x)|: Stirling's series (6.1.40) after recurrence, reflected (6.1.17) for x < 0.5."""
    xp = backend_of(x).xp
    mirrored = x < 0.5
    a = xp.where(mirrored, 1 - x, x)
    product = a * 0 + 1
    shifted = a
    for _ in range(_FAR):
        low = shifted < _FAR
        product = xp.where(low, product * shifted, product)
        shifted = xp.where(low, shifted + 1, shifted)
    inverse = 1 / shifted
    series = shifted * 0
    for k in range(len(_BERNOULLI) - 1, -1, -1):
        series = series * inverse * inverse + _BERNOULLI[k] / ((2 * k + 1) * (2 * k + 2))
    y = (shifted - 0.5) * xp.log(shifted) - shifted + 0.5 * math.log(2 * math.pi) + series * inverse - xp.log(product)
    sine = abs(xp.sin(math.pi * (x - xp.floor(x))))
    y = xp.where(mirrored, math.log(math.pi) - xp.log(sine) - y, y)
    return xp.where(abs(x) == math.inf, math.inf, xp.where((x <= 0) & (x == xp.floor(x)), math.inf, y))


def digamma(x: Array) -> Array:
    """d lgamma / dx: series (6.3.18) after recurrence, reflected (6.3.7) for x < 0; nan at the poles, -inf at 0."""
    xp = backend_of(x).xp
    mirrored = x < 0
    a = xp.where(mirrored, 1 - x, x)
    total = a * 0
    shifted = a
    for _ in range(_FAR):
        low = shifted < _FAR
        total = xp.where(low, total - 1 / shifted, total)
        shifted = xp.where(low, shifted + 1, shifted)
    inverse = 1 / (shifted * shifted)
    series = shifted * 0
    for k in range(len(_BERNOULLI) - 1, -1, -1):
        series = series * inverse + _BERNOULLI[k] / (2 * k + 2)
    y = total + xp.log(shifted) - 0.5 / shifted - series * inverse
    part = x - xp.trunc(x)
    y = xp.where(mirrored, y - math.pi / xp.tan(math.pi * part), y)
    y = xp.where(mirrored & (part == 0), math.nan, xp.where(x == math.inf, x, y))
    return xp.where(x == 0, -xp.copysign(math.inf, x), y)


def zeta(s: Array, q: Array) -> Array:
    """Hurwitz's zeta: the sum of (q + k)**-s over k = 0, 1, ...: a sum and Euler-Maclaurin's rest (23.1.30)."""
    xp = backend_of(q if hasattr(q, "dtype") else s).xp
    s, q = xp.broadcast_arrays(s * 1.0, q * 1.0)
    total = q * 0
    a = q
    lowest = float(xp.nanmin(xp.where(abs(q) == math.inf, _FAR, q))) if q.size else _FAR
    for _ in range(min(max(math.ceil(_FAR - lowest), 0), 4096)):
        low = a < _FAR
        total = xp.where(low, total + a**-s, total)
        a = xp.where(low, a + 1, a)
    power = a**-s
    total = total + power * a / (s - 1) + 0.5 * power
    factor = s * power / a
    for k, b in enumerate(_BERNOULLI, 1):
        total = total + b / math.factorial(2 * k) * factor
        factor = factor * (s + 2 * k - 1) * (s + 2 * k) / (a * a)
    whole = q == xp.floor(q)
    total = xp.where((q <= 0) & whole, math.inf, xp.where((q <= 0) & (s != xp.floor(s)), math.nan, total))
    return xp.where(s == 1, math.inf, xp.where((s < 1) | (s != s), math.nan, total))


def trigamma(x: Array) -> Array:
    """The second derivative of lgamma (6.4.10), reflected (6.4.7) for x < 0.5."""
    xp = backend_of(x).xp
    mirrored = x < 0.5
    y = zeta(x * 0 + 2, xp.where(mirrored, 1 - x, x))
    sine = xp.sin(math.pi * x)
    return xp.where(mirrored, (math.pi / sine) ** 2 - y, y)


def polygamma(n: int, x: Array) -> Array:
    """The (n+1)-th derivative of lgamma (6.4.10)."""
    if n == 0:
        return digamma(x)
    if n == 1:
        return trigamma(x)
    return (-1.0) ** (n + 1) * math.factorial(n) * zeta(x * 0 + (n + 1), x)


# ---------------------------------------------------------------------- incomplete gamma functions


def igamma(a: Array, x: Array) -> Array:
    """The regularised lower incomplete gamma function P(a, x): a series, or one minus a continued fraction."""
    return _incomplete(a, x)[0]


def igammac(a: Array, x: Array) -> Array:
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x)."""
    return _incomplete(a, x)[1]


def _incomplete(a: Array, x: Array) -> tuple[Array, Array]:
    """P and Q: the series (6.5.29) where x < a + 1, Lentz's continued fraction (6.5.31) elsewhere."""
    xp = backend_of(a).xp
    a, x = xp.broadcast_arrays(a * 1.0, x * 1.0)
    scale = xp.exp(a * xp.log(x) - x - lgamma(a))
    below = x < a + 1
    xs = xp.where(below, x, 0.0)
    term = 1 / a
    series = term
    for k in range(1, 400):
        term = term * xs / (a + k)
        series = series + term
        if not (abs(term) > abs(series) * 1e-17).any():
            break
    xf = xp.where(below, a + 2, x)
    b = xf + 1 - a
    c = b * 0 + 1e300
    d = 1 / b
    fraction = d
    for k in range(1, 400):
        weight = -k * (k - a)
        b = b + 2
        d = 1 / (weight * d + b)
        c = b + weight / c
        fraction = fraction * d * c
        if not (abs(d * c - 1) > 1e-16).any():
            break
    p = xp.where(below, scale * series, 1 - scale * fraction)
    q = xp.where(below, 1 - scale * series, scale * fraction)
    for edge, low, high in (
        (x == 0, 0.0, 1.0),
        (a == 0, 1.0, 0.0),
        (x == math.inf, 1.0, 0.0),
        ((x < 0) | (a < 0) | ((x == 0) & (a == 0)) | (x != x) | (a != a), math.nan, math.nan),
    ):
        p, q = xp.where(edge, low, p), xp.where(edge, high, q)
    return p, q
