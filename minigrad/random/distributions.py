"""Random real numbers, and yes or no, as PyTorch's CPU build draws them: the same for the same seed.

Every function returns a new C-contiguous array, takes the shared stream unless given a generator, and
moves it as far as PyTorch would. An empty result draws nothing.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.random import normal as _normal
from minigrad.random.common import CHUNK, Array, DtypeLike, Shape, float_dtype, largest_of, narrow, size, unit
from minigrad.random.generator import Generator, default_generator

# ---------------------------------------------------------------------- real numbers


def uniform(
    shape: Shape,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DtypeLike = np.float32,
    generator: Generator | None = None,
) -> Array:
    """Real numbers spread evenly over [low, high); float32 takes a word for each, float64 a long word.

    Raises:
        DtypeError: dtype is not a floating point type.
        ValueError: low > high, or a bound or the width does not fit into the dtype.
    """
    dtype = float_dtype("uniform_", dtype)
    largest = largest_of(dtype)
    low, high = float(low), float(high)
    if not low <= high:
        raise ValueError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise ValueError(f"uniform_(): {name} is out of bounds for {dtype.name}: {bound}")
    if high - low > largest:
        raise ValueError(f"uniform_ expects to-from to fit into {dtype.name}, but found to={high} and from={low}")
    generator = generator or default_generator
    dims, count = size(shape)
    out: Array = np.empty(count, dtype)
    unit_range = (low, high) == (0.0, 1.0)
    with generator.lock:
        for start in range(0, count, CHUNK):
            part = out[start : start + CHUNK]
            if dtype.itemsize == 8:
                x = unit(len(part), generator)
                part[...] = x if unit_range else _normal.fma64(x, high - low, low)
                continue
            x = (generator.words(len(part)) & np.uint32(2**24 - 1)).astype(np.float32)
            x *= np.float32(2.0**-24)
            if not unit_range:
                first = np.float32(low)
                x = _normal.fma32(x, np.float32(high) - first, first)
            part[...] = x
    if dtype.itemsize == 2 or not unit_range:  # rounding may have reached the upper bound, which is excluded
        out[out == np.asarray(high).astype(dtype)] = low
    return out.reshape(dims)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: DtypeLike = np.float32,
    generator: Generator | None = None,
    contiguous: bool = True,
) -> Array:
    """Normally distributed numbers.

    Fewer than 16 are drawn one by one, more in blocks of 16; `contiguous=False` gives what PyTorch writes
    into a tensor with gaps, which is always drawn one by one.

    Raises:
        DtypeError: dtype is not a floating point type.
        ValueError: std < 0.
    """
    dtype = float_dtype("normal_", dtype)
    mean, std = float(mean), float(std)
    if not std >= 0:
        raise ValueError(f"normal expects std >= 0.0, but found std {std}")
    generator = generator or default_generator
    dims, count = size(shape)
    out: Array = np.empty(count, dtype)
    with generator.lock:
        if count >= _normal.BLOCK and contiguous:
            _normal.fill_blocks(out, mean, std, generator)
        else:
            out[...] = narrow(_normal.serial(count, mean, std, generator), dtype)
    return out.reshape(dims)


def log_normal(
    shape: Shape,
    mean: float = 1.0,
    std: float = 2.0,
    dtype: DtypeLike = np.float32,
    generator: Generator | None = None,
) -> Array:
    """exp of normally distributed numbers. ValueError unless std > 0."""
    dtype = float_dtype("log_normal_", dtype)
    if not std > 0:
        raise ValueError(f"log_normal_ expects std > 0.0, but found std={std}")
    generator = generator or default_generator
    dims, count = size(shape)
    with generator.lock:
        values = _normal.serial(count, float(mean), float(std), generator)
    return narrow(_normal.libm(_exp, values), dtype).reshape(dims)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def exponential(
    shape: Shape, lambd: float = 1.0, dtype: DtypeLike = np.float32, generator: Generator | None = None
) -> Array:
    """Exponentially distributed numbers of rate `lambd`. ValueError unless lambd > 0."""
    dtype = float_dtype("exponential_", dtype)
    if not lambd > 0:
        raise ValueError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    generator = generator or default_generator
    dims, count = size(shape)
    factor = -1.0 / float(lambd)
    return narrow(factor * _normal.libm(math.log1p, -unit(count, generator)), dtype).reshape(dims)


def cauchy(
    shape: Shape,
    median: float = 0.0,
    sigma: float = 1.0,
    dtype: DtypeLike = np.float32,
    generator: Generator | None = None,
) -> Array:
    """Numbers of the Cauchy distribution. ValueError unless sigma > 0."""
    dtype = float_dtype("cauchy_", dtype)
    if not sigma > 0:
        raise ValueError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    generator = generator or default_generator
    dims, count = size(shape)
    tangent = _normal.libm(math.tan, math.pi * (unit(count, generator) - 0.5))
    return narrow(_normal.fma64(tangent, float(sigma), float(median)), dtype).reshape(dims)


def geometric(shape: Shape, p: float, dtype: DtypeLike = np.float32, generator: Generator | None = None) -> Array:
    """Numbers of trials up to the first success of probability p. ValueError unless 0 < p < 1."""
    if not 0 < p < 1:
        raise ValueError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    generator = generator or default_generator
    dims, count = size(shape)
    trials = np.ceil(_normal.libm(_log, unit(count, generator)) / math.log1p(-p))
    return narrow(trials, np.dtype(dtype)).reshape(dims)


def _log(x: float) -> float:
    return math.log(x) if x else -math.inf


# ---------------------------------------------------------------------- yes or no


def bernoulli(shape: Shape, p: float, dtype: DtypeLike = np.float32, generator: Generator | None = None) -> Array:
    """Ones with probability p, zeros otherwise: dropout's mask. A long word for each.

    This is PyTorch's own stream. On Intel processors alone it takes such masks from MKL's generator instead, seeded
    by one word, and they are other masks there.

    Raises:
        ValueError: p is outside [0, 1].
    """
    if not 0 <= p <= 1:
        raise ValueError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    generator = generator or default_generator
    dims, count = size(shape)
    out: Array = np.empty(count, np.dtype(dtype))
    # low 53 bits * 2**-53 < p, said in integers: high * 2**32 + low < limit
    limit_high, limit_low = divmod(math.ceil(float(p) * 2**53), 2**32)
    with generator.lock:
        for start in range(0, count, CHUNK):
            part = out[start : start + CHUNK]
            pairs = generator.words(2 * len(part)).reshape(-1, 2)
            high = pairs[:, 0] & np.uint32(2**21 - 1)
            yes = high < np.uint32(limit_high)
            (close,) = np.nonzero(high == np.uint32(limit_high))
            yes[close] = pairs[close, 1] < np.uint32(limit_low)
            part[...] = yes
    return out.reshape(dims)


def bernoulli_array(p: Array, dtype: DtypeLike | None = None, generator: Generator | None = None) -> Array:
    """Ones with the probabilities that stand in an array: float64 takes a long word each, others a word.

    Raises:
        DtypeError: the probabilities are not real numbers.
        ValueError: one of them is outside [0, 1].
    """
    source = float_dtype("bernoulli", p.dtype)
    wide: Array = np.ascontiguousarray(p, np.float64 if source.itemsize == 8 else np.float32).ravel()
    if not ((wide >= 0) & (wide <= 1)).all():
        raise ValueError("bernoulli(): Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    generator = generator or default_generator
    if source.itemsize == 8:
        yes = unit(len(wide), generator) < wide
    else:
        bits = generator.words(len(wide)) & np.uint32(2**24 - 1)
        yes = bits.astype(np.float32) * np.float32(2.0**-24) < wide
    return yes.reshape(p.shape).astype(source if dtype is None else np.dtype(dtype))
