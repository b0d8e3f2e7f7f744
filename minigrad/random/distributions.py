"""Random arrays as PyTorch's CPU build draws them: the same numbers for the same seed.

Every function returns a new C-contiguous array, takes the shared stream unless given a generator, and
moves it as far as PyTorch would. An empty result draws nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.errors import DtypeError
from minigrad.random import normal as _normal
from minigrad.random.generator import Generator, default_generator

Array = npt.NDArray[Any]
Shape = int | Sequence[int]
DtypeLike = Any

_CHUNK = 1 << 15  # words at a time: the temporaries stay in the caches
_DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}  # of a significand, the hidden one included
_LONG_RANGE = 2**28  # from here on one word would favour the small numbers noticeably
_RANDPERM_LONG = (2**32 - 1) // 20
_INT64 = np.iinfo(np.int64)


# ---------------------------------------------------------------------- common to all


def _size(shape: Shape) -> tuple[tuple[int, ...], int]:
    dims = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    return dims, math.prod(dims)


def _float_dtype(op: str, dtype: DtypeLike) -> np.dtype[Any]:
    dtype = np.dtype(dtype)
    if dtype.name not in _DIGITS:
        raise DtypeError(f"{op}(): the numbers are real: dtype must be a floating point type, but got {dtype.name}")
    return dtype


def _largest(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).max) if dtype.name != "bfloat16" else float.fromhex("0x1.fep127")


def _unit(count: int, generator: Generator) -> Array:
    """Doubles in [0, 1): 53 of the 64 bits of a long word."""
    return (generator.long_words(count) & np.uint64(2**53 - 1)) * 2.0**-53


def _narrow(values: Array, dtype: np.dtype[Any]) -> Array:
    """Doubles as another type; the 16-bit ones are reached by way of float32, and so rounded twice."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (values.astype(np.float32) if dtype.itemsize == 2 else values).astype(dtype)


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
    dtype, largest = _float_dtype("uniform_", dtype), _largest(np.dtype(dtype))
    low, high = float(low), float(high)
    if not low <= high:
        raise ValueError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise ValueError(f"uniform_(): {name} is out of bounds for {dtype.name}: {bound}")
    if high - low > largest:
        raise ValueError(f"uniform_ expects to-from to fit into {dtype.name}, but found to={high} and from={low}")
    generator = generator or default_generator
    shape, count = _size(shape)
    out = np.empty(count, dtype)
    unit_range = (low, high) == (0.0, 1.0)
    with generator.lock:
        for start in range(0, count, _CHUNK):
            part = out[start : start + _CHUNK]
            if dtype.itemsize == 8:
                x = _unit(len(part), generator)
                part[...] = x if unit_range else _normal.fma64(x, high - low, low)
                continue
            x = (generator.words(len(part)) & np.uint32(2**24 - 1)).astype(np.float32)
            x *= np.float32(2.0**-24)
            if not unit_range:
                first = np.float32(low)
                x = _normal.fma32(x, np.float32(high) - first, first)
            part[...] = x
    if dtype.itemsize < 8 or not unit_range:  # rounding may have reached the upper bound, which is excluded
        out[out == np.asarray(high).astype(dtype)] = low
    return out.reshape(shape)


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
    dtype = _float_dtype("normal_", dtype)
    mean, std = float(mean), float(std)
    if not std >= 0:
        raise ValueError(f"normal expects std >= 0.0, but found std {std}")
    generator = generator or default_generator
    shape, count = _size(shape)
    out = np.empty(count, dtype)
    with generator.lock:
        if count >= _normal.BLOCK and contiguous:
            _normal.fill_blocks(out, mean, std, generator)
        else:
            out[...] = _narrow(_normal.serial(count, mean, std, generator), dtype)
    return out.reshape(shape)


def log_normal(
    shape: Shape,
    mean: float = 1.0,
    std: float = 2.0,
    dtype: DtypeLike = np.float32,
    generator: Generator | None = None,
) -> Array:
    """exp of normally distributed numbers. ValueError unless std > 0."""
    dtype = _float_dtype("log_normal_", dtype)
    if not std > 0:
        raise ValueError(f"log_normal_ expects std > 0.0, but found std={std}")
    generator = generator or default_generator
    shape, count = _size(shape)
    with generator.lock:
        values = _normal.serial(count, float(mean), float(std), generator)
    return _narrow(_normal.libm(_exp, values), dtype).reshape(shape)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def exponential(
    shape: Shape, lambd: float = 1.0, dtype: DtypeLike = np.float32, generator: Generator | None = None
) -> Array:
    """Exponentially distributed numbers of rate `lambd`. ValueError unless lambd > 0."""
    dtype = _float_dtype("exponential_", dtype)
    if not lambd > 0:
        raise ValueError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    generator = generator or default_generator
    shape, count = _size(shape)
    factor = -1.0 / float(lambd)
    return _narrow(factor * _normal.libm(math.log1p, -_unit(count, generator)), dtype).reshape(shape)


def cauchy(
    shape: Shape,
    median: float = 0.0,
    sigma: float = 1.0,
    dtype: DtypeLike = np.float32,
    generator: Generator | None = None,
) -> Array:
    """Numbers of the Cauchy distribution. ValueError unless sigma > 0."""
    dtype = _float_dtype("cauchy_", dtype)
    if not sigma > 0:
        raise ValueError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    generator = generator or default_generator
    shape, count = _size(shape)
    tangent = _normal.libm(math.tan, math.pi * (_unit(count, generator) - 0.5))
    return _narrow(_normal.fma64(tangent, float(sigma), float(median)), dtype).reshape(shape)


def geometric(shape: Shape, p: float, dtype: DtypeLike = np.float32, generator: Generator | None = None) -> Array:
    """Numbers of trials up to the first success of probability p. ValueError unless 0 < p < 1."""
    if not 0 < p < 1:
        raise ValueError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    generator = generator or default_generator
    shape, count = _size(shape)
    trials = np.ceil(_normal.libm(_log, _unit(count, generator)) / math.log1p(-p))
    return _narrow(trials, np.dtype(dtype)).reshape(shape)


def _log(x: float) -> float:
    return math.log(x) if x else -math.inf


# ---------------------------------------------------------------------- yes or no


def bernoulli(shape: Shape, p: float, dtype: DtypeLike = np.float32, generator: Generator | None = None) -> Array:
    """Ones with probability p, zeros otherwise: dropout's mask. A long word for each.

    Raises:
        ValueError: p is outside [0, 1].
    """
    if not 0 <= p <= 1:
        raise ValueError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    generator = generator or default_generator
    shape, count = _size(shape)
    out = np.empty(count, np.dtype(dtype))
    # low 53 bits * 2**-53 < p, said in integers: high * 2**32 + low < limit
    limit_high, limit_low = divmod(math.ceil(float(p) * 2**53), 2**32)
    with generator.lock:
        for start in range(0, count, _CHUNK):
            part = out[start : start + _CHUNK]
            pairs = generator.words(2 * len(part)).reshape(-1, 2)
            high = pairs[:, 0] & np.uint32(2**21 - 1)
            yes = high < np.uint32(limit_high)
            (close,) = np.nonzero(high == np.uint32(limit_high))
            yes[close] = pairs[close, 1] < np.uint32(limit_low)
            part[...] = yes
    return out.reshape(shape)


def bernoulli_array(p: Array, dtype: DtypeLike | None = None, generator: Generator | None = None) -> Array:
    """Ones with the probabilities that stand in an array: float64 takes a long word each, others a word.

    Raises:
        DtypeError: the probabilities are not real numbers.
        ValueError: one of them is outside [0, 1].
    """
    source = _float_dtype("bernoulli", p.dtype)
    wide = np.ascontiguousarray(p, np.float64 if source.itemsize == 8 else np.float32).ravel()
    if not ((wide >= 0) & (wide <= 1)).all():
        raise ValueError("bernoulli(): Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    generator = generator or default_generator
    if source.itemsize == 8:
        yes = _unit(len(wide), generator) < wide
    else:
        bits = generator.words(len(wide)) & np.uint32(2**24 - 1)
        yes = bits.astype(np.float32) * np.float32(2.0**-24) < wide
    return yes.reshape(p.shape).astype(source if dtype is None else np.dtype(dtype))


# ---------------------------------------------------------------------- integers


def randint(
    shape: Shape, low: int, high: int, dtype: DtypeLike = np.int64, generator: Generator | None = None
) -> Array:
    """Whole numbers of [low, high), in any dtype. A word for each; a long word from a width of 2**28 on.

    Raises:
        ValueError: low >= high, or a bound does not fit into the dtype.
    """
    dtype, low, high = np.dtype(dtype), int(low), int(high)
    if low >= high:
        raise ValueError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    if dtype.name in _DIGITS:
        low, high = _first_after(low, dtype), _last_before(high, dtype)
        if low >= high:
            raise ValueError(
                f"random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
                f"but got from={low} >= to={high}"
            )
    _check_bounds(low, high - 1, dtype)
    return _from_range(shape, low, high - low, dtype, generator)


def random(
    shape: Shape, low: int | None = None, dtype: DtypeLike = np.int64, generator: Generator | None = None
) -> Array:
    """Whole numbers from `low` to the largest that the dtype holds exactly (`Tensor.random_` with no upper bound).

    Without `low` they start at 0. `low = -2**63` means all 64 bits of an int64.
    """
    dtype = np.dtype(dtype)
    digits = _DIGITS.get(dtype.name)
    if low is None:
        top = 2**digits if digits else 1 if dtype == np.bool_ else int(np.iinfo(dtype).max)
        long = dtype.itemsize == 8 and dtype.kind in "if"
        return _modulo(shape, 0, top + 1, long, dtype, generator)
    low = int(low)
    if low == _INT64.min:
        if math.prod(_size(shape)[0]) and dtype.name not in ("int64", "float64", "float32", "bfloat16"):
            raise ValueError("random_full_64_bits_range handles only int64, double, float and bfloat16")
        return _modulo(shape, 0, 2**64, True, dtype, generator)
    if digits:
        top = 2**digits
        low = _first_after(low, dtype)
        if low >= top:
            raise ValueError(f"random_(): 'from' must be below {top} in {dtype.name}, but got from={low}")
    else:
        top = 1 if dtype == np.bool_ else min(int(np.iinfo(dtype).max), int(_INT64.max))
    _check_bounds(low, top, dtype)
    return _from_range(shape, low, top - low + 1, dtype, generator)


def _from_range(shape: Shape, low: int, width: int, dtype: np.dtype[Any], generator: Generator | None) -> Array:
    return _modulo(shape, low, width, width >= _LONG_RANGE, dtype, generator)


def _modulo(
    shape: Shape, low: int, width: int, long: bool, dtype: np.dtype[Any], generator: Generator | None
) -> Array:
    """low + word % width, word by word, then cast as C casts."""
    generator = generator or default_generator
    shape, count = _size(shape)
    out = np.empty(count, dtype)
    with generator.lock:
        for start in range(0, count, _CHUNK):
            part = out[start : start + _CHUNK]
            if long:
                value = generator.long_words(len(part))
                if width < 2**64:
                    value %= np.uint64(width)
            else:
                value = (generator.words(len(part)) % np.uint32(width)).astype(np.uint64)
            value += np.uint64(low % 2**64)  # wraps around, as two's complement does
            part[...] = value.view(np.int64)
    return out.reshape(shape)


def _check_bounds(low: int, last: int, dtype: np.dtype[Any]) -> None:
    digits = _DIGITS.get(dtype.name)
    if digits:
        smallest, largest = -_largest(dtype), _largest(dtype)
    elif dtype == np.bool_:
        smallest, largest = 0, 1
    else:
        info = np.iinfo(dtype)
        smallest, largest = info.min, min(info.max, _INT64.max)
    for name, bound in (("from", low), ("to - 1", last)):
        if not smallest <= bound <= largest:
            raise ValueError(f"random_(): {name} is out of bounds for {dtype.name}: {bound}")
        if digits and abs(bound) > 2**digits:
            warnings.warn(
                f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations {dtype.name} "
                "can support discrete uniform distribution only within this range.",
                UserWarning,
                stacklevel=4,
            )


def _round(value: int, dtype: np.dtype[Any]) -> int:
    with np.errstate(over="ignore"):
        near = float(np.asarray(value, np.float64 if dtype.itemsize == 8 else np.float32).astype(dtype))
    return int(near) if math.isfinite(near) else value  # what is out of range is refused by the bounds' check


def _first_after(low: int, dtype: np.dtype[Any]) -> int:
    """`low`, or the next number that the dtype holds where low + 1 would be rounded below it."""
    rounded = _round(low + 1, dtype)
    return low if rounded >= low else rounded + _gap(low + 1, dtype)


def _last_before(high: int, dtype: np.dtype[Any]) -> int:
    """`high`, or the last number that the dtype holds where high - 1 would be rounded up to it."""
    rounded = _round(high - 1, dtype)
    return high if rounded < high else rounded - _gap(high - 1, dtype)


def _gap(value: int, dtype: np.dtype[Any]) -> int:
    return 1 << (abs(value).bit_length() - _DIGITS[dtype.name])


# ---------------------------------------------------------------------- permutations, choices


def randperm(n: int, dtype: DtypeLike = np.int64, generator: Generator | None = None) -> Array:
    """The numbers 0 .. n-1 in random order: Fisher and Yates' shuffle from the front, a word per swap.

    Raises:
        DtypeError: dtype is bool.
        ValueError: n is negative or does not fit into the dtype.
    """
    n, dtype = int(n), np.dtype(dtype)
    if n < 0:
        raise ValueError(f"randperm(): n must be non-negative, got {n}")
    digits = _DIGITS.get(dtype.name)
    if dtype == np.bool_:
        raise DtypeError("randperm(): not implemented for bool")
    if n > (2**digits + 1 if digits else int(np.iinfo(dtype).max)):
        raise ValueError(f"randperm(): n={n} is too large for result tensor type {dtype.name}")
    generator = generator or default_generator
    order = list(range(n))
    if n > 1:
        left = np.arange(n, 1, -1)  # how many cells each swap may choose from
        if n < _RANDPERM_LONG:
            chosen = generator.words(n - 1) % left.astype(np.uint32)
        else:
            chosen = generator.long_words(n - 1) % left.astype(np.uint64)
        chosen = chosen.astype(np.int64) + np.arange(n - 1)
        for i, j in enumerate(chosen.tolist()):
            order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64).astype(dtype)


def multinomial(
    weights: Array, num_samples: int, replacement: bool = False, generator: Generator | None = None
) -> Array:
    """Choose column numbers with probabilities in proportion to the weights.

    (C,) -> (num_samples,) or (N, C) -> (N, num_samples), int64. With replacement: by bisecting the running
    sums. Without, or for one sample: the largest of weight / exponential, which is the same law in one pass.

    Raises:
        DtypeError: the weights are not real numbers.
        ValueError: a negative or infinite weight, a row that sums to zero, no sample asked for, or more
            samples without replacement than there are columns.
    """
    dtype = _float_dtype("multinomial", weights.dtype)
    if weights.ndim not in (1, 2):
        raise ValueError(f"multinomial(): prob_dist must be 1 or 2 dim, but got {weights.ndim}")
    columns = weights.shape[-1]
    if num_samples <= 0:
        raise ValueError(f"multinomial(): cannot sample n_sample <= 0 samples, but got {num_samples}")
    if not replacement and num_samples > columns:
        raise ValueError(
            f"multinomial(): cannot sample n_sample > prob_dist.size(-1) samples without replacement: "
            f"{num_samples} > {columns}"
        )
    rows = np.ascontiguousarray(weights).reshape(-1, columns)
    wide = rows.astype(np.float64 if dtype.itemsize == 8 else np.float32)
    if not ((wide >= 0) & (wide < np.inf)).all():
        raise ValueError("multinomial(): probability tensor contains either `inf`, `nan` or element < 0")
    if (wide.sum(1) <= 0).any():
        raise ValueError("multinomial(): invalid multinomial distribution (sum of probabilities <= 0)")
    generator = generator or default_generator
    if replacement and num_samples > 1:
        chosen = np.empty((len(rows), num_samples), np.int64)
        for row, out in zip(wide, chosen, strict=True):
            sums = np.cumsum(row)
            sums /= sums[-1]
            sums[-1] = 1
            out[...] = np.searchsorted(sums.astype(np.float64), _unit(num_samples, generator))
    else:
        clocks = exponential(rows.shape, 1.0, dtype, generator)
        with np.errstate(divide="ignore", invalid="ignore"):
            score = (rows / clocks).astype(np.float64)
        if num_samples == 1:
            chosen = score.argmax(1)[:, None]
        else:
            chosen = np.argsort(-score, 1, kind="stable")[:, :num_samples]
    return chosen.reshape(*weights.shape[:-1], num_samples)
