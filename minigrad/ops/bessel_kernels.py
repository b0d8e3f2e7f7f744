"""Bessel functions of arrays: series near 0, asymptotic expansions far out (Abramowitz and Stegun, chapter 9)."""

from __future__ import annotations

import math

from minigrad.ops.base import Array, backend_of

_EULER = 0.5772156649015328606


def modified_i(order: int, x: Array, scaled: bool) -> Array:
    """I0 or I1; times exp(-|x|) if `scaled`. Series 9.6.10 up to 20, expansion 9.7.1 beyond."""
    xp, size = backend_of(x).xp, abs(x)
    near = xp.minimum(size, 20.0)
    quarter = near * near / 4
    term = near * 0 + 1 if order == 0 else near / 2
    series = term
    for k in range(1, 60):
        term = term * quarter / (k * (k + order))
        series = series + term
    far = xp.maximum(size, 20.0)
    tail = _expansion(far, 4 * order * order, -1.0) / xp.sqrt(2 * math.pi * far)
    if scaled:
        y = xp.where(size <= 20, series * xp.exp(-near), xp.where(size == math.inf, 0.0, tail))
    else:
        y = xp.where(
            size <= 20, series, xp.exp(far - 0.5 * xp.log(2 * math.pi * far)) * tail * xp.sqrt(2 * math.pi * far)
        )
    return xp.where(x < 0, -y, y) if order else y


def _expansion(x: Array, mu: int, sign: float) -> Array:
    """1 + sign*(mu-1)/(8x) + (mu-1)(mu-9)/(2!(8x)**2) + ...: what all the asymptotic expansions are made of."""
    total = term = x * 0 + 1
    for k in range(1, 16):
        term = term * sign * (mu - (2 * k - 1) ** 2) / (k * 8 * x)
        total = total + term
    return total


def modified_k(order: int, x: Array, scaled: bool) -> Array:
    """K0 or K1; times exp(x) if `scaled`. Series 9.6.11 up to 1, the trapezoidal rule on an integral beyond.

    K_n(x) * exp(x) = integral over t >= 0 of exp(-x * (cosh t - 1)) * cosh(n t)   (9.6.24)
    """
    xp = backend_of(x).xp
    near = xp.where((x > 0) & (x <= 1), x, 1.0)
    far = xp.maximum(xp.where(x == math.inf, 1.0, x), 1.0)
    step = 1 / 16  # the rule converges geometrically; at t = 5.5 the integrand is below 1e-50
    total = far * 0 + 0.5
    for i in range(1, 88):
        t = i * step
        total = total + xp.exp(-far * (math.cosh(t) - 1)) * math.cosh(order * t)
    beyond = total * step
    series = _modified_k_series(order, near)
    y = xp.where(x <= 1, series * xp.exp(near), beyond) if scaled else xp.where(x <= 1, series, beyond * xp.exp(-far))
    y = xp.where(x == math.inf, 0.0, y)
    return xp.where(x == 0, math.inf, xp.where(x < 0, math.nan, xp.where(x != x, x, y)))


def _modified_k_series(order: int, x: Array) -> Array:
    xp = backend_of(x).xp
    quarter, log_half = x * x / 4, xp.log(x / 2)
    term = x * 0 + 1 if order == 0 else x / 2
    psi = -_EULER if order == 0 else 0.5 - _EULER  # (psi(k+1) + psi(k+n+1)) / 2
    y = term * 0 if order == 0 else 1 / x
    sign = -1 if order == 0 else 1
    for k in range(20):
        y = y + sign * term * (log_half - psi)
        psi += 1 / (k + 1) if order == 0 else 0.5 / (k + 1) + 0.5 / (k + 2)
        term = term * quarter / ((k + 1) * (k + 1 + order))
    return y


def first_kind(order: int, x: Array) -> Array:
    """J0 or J1: Bessel's integral (9.1.21) by the trapezoidal rule up to 25, Hankel's expansion (9.2.5) beyond.

    J_n(x) = 1/pi * integral over 0..pi of cos(n t - x sin t); the rule is exact to 2 * J_{2N-n}(x).
    """
    xp, size = backend_of(x).xp, abs(x)
    near = xp.minimum(size, 25.0)
    count = 40
    total = near * 0
    for i in range(count):
        t = math.pi * (i + 0.5) / count
        total = total + xp.cos(order * t - near * math.sin(t))
    y = xp.where(size <= 25, total / count, _hankel(order, xp.maximum(size, 25.0), xp.cos))
    return xp.where(x < 0, -y, y) if order else y


def second_kind(order: int, x: Array) -> Array:
    """Y0 or Y1: Neumann's series (9.1.88, 9.1.89) up to 25, Hankel's expansion (9.2.6) beyond; nan for x < 0."""
    xp = backend_of(x).xp
    near = xp.minimum(xp.maximum(x, 1e-30), 25.0)
    columns = _column(near)
    log_half = xp.log(near / 2) + _EULER
    if order == 0:
        y = 2 * log_half * columns[0]
        for k in range(1, 30):
            y = y - 4 * (-1) ** k * columns[2 * k] / k
    else:
        y = -2 / near * columns[0] + 2 * (log_half - 1) * columns[1]
        for k in range(1, 30):
            y = y - 2 * (-1) ** k * (2 * k + 1) * columns[2 * k + 1] / (k * (k + 1))
    y = xp.where(x <= 25, y / math.pi, _hankel(order, xp.maximum(x, 25.0), xp.sin))
    tiny = xp.where((x > 0) & (x < 1e-30), x, 1.0)  # only the leading terms are left there
    leading = 2 / math.pi * (xp.log(tiny / 2) + _EULER) if order == 0 else -2 / math.pi / tiny
    y = xp.where(x < 1e-30, leading, y)
    return xp.where(x == 0, -math.inf, xp.where(x < 0, math.nan, xp.where(x != x, x, y)))


def _column(x: Array) -> list[Array]:
    """J_0 .. J_60: Miller's recurrence downwards (9.12), normalised by 1 = J_0 + 2 J_2 + 2 J_4 + ..."""
    xp = backend_of(x).xp
    top = 90
    above, here = x * 0, x * 0 + 1e-300
    found: dict[int, Array] = {}
    total = x * 0
    for n in range(top, 0, -1):
        above, here = here, 2 * n / x * here - above
        big = abs(here) > 1e200
        shrink = xp.where(big, 1e-250, 1.0)
        above, here, total = above * shrink, here * shrink, total * shrink
        for m in found:
            found[m] = found[m] * shrink
        if n - 1 <= 60:
            found[n - 1] = here
        if (n - 1) % 2 == 0:
            total = total + (here if n == 1 else 2 * here)
    return [found[n] / total for n in range(61)]


def _hankel(order: int, x: Array, wave: object) -> Array:
    """sqrt(2 / (pi x)) * (P cos(phase) -+ Q sin(phase)): 9.2.5 for cos, 9.2.6 for sin."""
    xp = backend_of(x).xp
    mu, term = 4 * order * order, x * 0 + 1
    p, q = term, x * 0
    for k in range(1, 24):
        term = term * (mu - (2 * k - 1) ** 2) / (k * 8 * x)
        sign = (-1) ** (k // 2)
        if k % 2:
            q = q + sign * term
        else:
            p = p + sign * term
    phase = x - (order / 2 + 0.25) * math.pi
    cosine, sine = xp.cos(phase), xp.sin(phase)
    mixed = p * cosine - q * sine if wave is xp.cos else p * sine + q * cosine
    return xp.sqrt(2 / (math.pi * x)) * mixed
