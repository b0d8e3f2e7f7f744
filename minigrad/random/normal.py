"""Normal numbers by Box and Muller's method, in the three forms that PyTorch's CPU build uses.

Sixteen or more float32 values come from a vectorised kernel whose logarithm, sine and cosine are the
single-precision polynomials of the Cephes library, evaluated with fused multiply-add. Its roundings are
repeated here one by one, so the bits agree. Sixteen or more float64 values use the C library, in the same
blocks of 16. Fewer values than 16 come one by one, in double precision, the second of a pair being kept
for the next call.

Sources: Box and Muller, "A Note on the Generation of Random Normal Deviates" (1958); Moshier, Cephes
(1989), logf.c, sinf.c; Dekker, "A floating-point technique for extending the available precision" (1971).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.random.generator import Generator

Array = npt.NDArray[Any]
F32, F64 = np.float32, np.float64

BLOCK = 16  # eight uniforms for the radius, eight for the angle
_CHUNK = 512  # blocks at a time: the temporaries stay in the first caches

_LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_LN2_HIGH, _LN2_LOW = F32(0.693359375), F32(-2.12194440e-4)
_PI_4 = (F32(-0.78515625), F32(-2.4187564849853515625e-4), F32(-3.77489497744594108e-8))  # their sum is -pi/4
_SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)


# ---------------------------------------------------------------------- one rounding instead of two


def fma32(a: Array, b: Array | float | np.float32, c: Array | float | np.float32) -> Array:
    """a * b + c for float32 values, rounded once.

    The product is exact in float64. The sum is rounded there and once more on the way to float32, which
    differs from one rounding only where the first one lands exactly between two float32 values.
    """
    product = np.multiply(a, b, dtype=F64)
    total = product + c
    halfway = (total.view(np.int64) & 0x1FFFFFFF) == 0x10000000
    if halfway.any():
        p, s = product[halfway], total[halfway]
        other = np.broadcast_to(np.asarray(c, F64), total.shape)[halfway]
        lost = two_sum_error(p, other, s)
        # Lean to the side that the first rounding left, and the second goes the right way.
        total[halfway] = np.where(lost == 0, s, np.nextafter(s, np.copysign(np.inf, lost)))
    return total.astype(F32)


def fma64(a: Array, b: float, c: float) -> Array:
    """a * b + c for float64 values, rounded once (but for results within 2**-50 of a tie)."""
    product = a * b
    a_high, b_high = _upper_half(a), float(_upper_half(np.asarray(b, F64)))
    a_low, b_low = a - a_high, b - b_high
    product_error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    total = product + c
    result: Array = total + (two_sum_error(product, c, total) + product_error)
    return result


def two_sum_error(a: Array, b: Array | float, total: Array) -> Array:
    """What rounding took away from a + b, exactly (Knuth's two-sum)."""
    b_part = total - a
    return (a - (total - b_part)) + (b - b_part)


def _upper_half(a: Array) -> Array:
    """The leading 26 bits of float64 values (Veltkamp's split)."""
    scaled = a * 134217729.0
    return scaled - (scaled - a)


def libm(function: Callable[[float], float], values: Array) -> Array:
    """The C library's function of each value: NumPy's own vectorised ones differ in the last bit."""
    return np.fromiter(map(function, values.tolist()), F64, len(values))


# ---------------------------------------------------------------------- Cephes in float32


def _log(x: Array) -> Array:
    """ln x for x in (0, 1], float32."""
    bits = x.view(np.int32)
    exponent = ((bits >> 23) - 126).astype(F32)
    m = ((bits & 0x007FFFFF) | 0x3F000000).view(F32)  # x = m * 2**exponent, m in [1/2, 1)
    small = m < F32(0.707106781186547524)
    exponent -= small
    m = (m - F32(1)) + m * small  # m, or 2m where m is small, less one
    square = m * m
    y = np.full_like(m, _LOG[0])
    for coefficient in _LOG[1:]:
        y = fma32(y, m, F32(coefficient))
    y = fma32(y * m, square, exponent * _LN2_LOW)
    y = fma32(square, F32(-0.5), y)
    return fma32(exponent, _LN2_HIGH, m + y)


def _sincos(x: Array) -> tuple[Array, Array]:
    """sin x and cos x for x >= 0, float32."""
    octant = ((x * F32(1.27323954473516)).astype(np.int32) + 1) & ~1
    turns = octant.astype(F32)
    for part in _PI_4:
        x = fma32(turns, part, x)  # in [-pi/4, pi/4]
    square = x * x
    c = np.full_like(x, _COS[0])
    for coefficient in _COS[1:]:
        c = fma32(c, square, F32(coefficient))
    c = fma32(c * square, square, square * F32(-0.5)) + F32(1)
    s = np.full_like(x, _SIN[0])
    for coefficient in _SIN[1:]:
        s = fma32(s, square, F32(coefficient))
    s = fma32(s * square, x, x)
    swapped = (octant & 2) != 0
    sine, cosine = np.where(swapped, c, s), np.where(swapped, s, c)
    np.negative(sine, out=sine, where=(octant & 4) != 0)
    np.negative(cosine, out=cosine, where=((octant + 2) & 4) != 0)
    return sine, cosine


# ---------------------------------------------------------------------- blocks of 16


def _blocks32(uniforms: Array, mean: float, std: float) -> Array:
    """(B, 16) uniforms -> (B, 16) normals, float32."""
    u1, u2 = F32(1) - uniforms[:, :8], uniforms[:, 8:]
    radius = np.sqrt(F32(-2) * _log(u1))
    sine, cosine = _sincos(u2 * F32(2 * math.pi))
    normals = np.empty_like(uniforms)
    normals[:, :8], normals[:, 8:] = radius * cosine, radius * sine
    return normals if (mean, std) == (0, 1) else fma32(normals, F32(std), F32(mean))


def _blocks64(uniforms: Array, mean: float, std: float) -> Array:
    """(B, 16) uniforms -> (B, 16) normals, float64."""
    u1, u2 = 1 - uniforms[:, :8].ravel(), uniforms[:, 8:].ravel()
    radius = np.sqrt(-2 * libm(math.log, u1))
    angle = 2 * math.pi * u2
    normals = np.empty_like(uniforms)
    normals[:, :8] = (radius * libm(math.cos, angle)).reshape(-1, 8)
    normals[:, 8:] = (radius * libm(math.sin, angle)).reshape(-1, 8)
    return normals if (mean, std) == (0, 1) else fma64(normals, std, mean)


def fill_blocks(out: Array, mean: float, std: float, generator: Generator) -> None:
    """Fill a flat array of at least 16 values.

    A last partial block is not cut short: the last 16 values are drawn anew, over what stood there. The
    uniforms of the partial block are drawn all the same, except for the 16-bit types.
    """
    double = out.dtype == F64
    blocks = _blocks64 if double else _blocks32
    whole = len(out) // BLOCK * BLOCK

    def uniforms(count: int) -> Array:
        if double:
            return (generator.long_words(count) & np.uint64(2**53 - 1)) * 2.0**-53
        return (generator.words(count) & np.uint32(2**24 - 1)).astype(F32) * F32(2.0**-24)

    for start in range(0, whole, _CHUNK * BLOCK):
        stop = min(start + _CHUNK * BLOCK, whole)
        out[start:stop] = blocks(uniforms(stop - start).reshape(-1, BLOCK), mean, std).ravel()
    if whole < len(out):
        if out.dtype.itemsize > 2:
            uniforms(len(out) - whole)
        out[-BLOCK:] = blocks(uniforms(BLOCK).reshape(1, BLOCK), mean, std).ravel()


# ---------------------------------------------------------------------- one by one


def serial(count: int, mean: float, std: float, generator: Generator) -> Array:
    """`count` normals in double precision, in pairs; half a pair may be left over from or for another call."""
    values = np.empty(count, F64)
    if not count:
        return values
    have = 0
    if generator.next_normal is not None:
        values[0], have = generator.next_normal, 1
        generator.next_normal = None
    pairs = (count - have + 1) // 2
    if pairs:
        u = ((generator.long_words(2 * pairs) & np.uint64(2**53 - 1)) * 2.0**-53).reshape(pairs, 2)
        angle = 2 * math.pi * u[:, 0]
        radius = np.sqrt(-2 * libm(math.log1p, -u[:, 1]))
        both = np.stack([radius * libm(math.cos, angle), radius * libm(math.sin, angle)], 1).ravel()
        values[have:] = both[: count - have]
        if len(both) > count - have:
            generator.next_normal = float(both[-1])
    return values if (mean, std) == (0, 1) else fma64(values, std, mean)
