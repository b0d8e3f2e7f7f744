"""Random integers, permutations and choices, as PyTorch's CPU build draws them.

As in `distributions`: new C-contiguous arrays, the shared stream unless a generator is given.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minigrad.errors import DtypeError
from minigrad.random.common import CHUNK, DIGITS, Array, DtypeLike, Shape, float_dtype, largest_of, size, unit
from minigrad.random.distributions import exponential
from minigrad.random.generator import Generator, default_generator

_LONG_RANGE = 2**28  # from here on one word would favour the small numbers noticeably
_RANDPERM_LONG = (2**32 - 1) // 20
_INT64 = np.iinfo(np.int64)


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
    if dtype.name in DIGITS:
        low, high = _first_after(low, dtype), _last_before(high, dtype)
        if low >= high:
            raise ValueError(
                f"random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
                f"but got from={low} >= to={high}"
            )
    _check_bounds(low, high - 1, dtype)
    return _from_range(shape, low, high - low, dtype, generator)


def random_integers(
    shape: Shape, low: int | None = None, dtype: DtypeLike = np.int64, generator: Generator | None = None
) -> Array:
    """Whole numbers from `low` to the largest that the dtype holds exactly (`Tensor.random_` with no upper bound).

    Without `low` they start at 0. `low = -2**63` means all 64 bits of an int64.
    """
    dtype = np.dtype(dtype)
    digits = DIGITS.get(dtype.name)
    if low is None:
        top = 2**digits if digits else 1 if dtype == np.bool_ else int(np.iinfo(dtype).max)
        long = dtype.itemsize == 8 and dtype.kind in "if"
        return _modulo(shape, 0, top + 1, long, dtype, generator)
    low = int(low)
    if low == _INT64.min:
        if math.prod(size(shape)[0]) and dtype.name not in ("int64", "float64", "float32", "bfloat16"):
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


def _modulo(shape: Shape, low: int, width: int, long: bool, dtype: np.dtype[Any], generator: Generator | None) -> Array:
    """low + word % width, word by word, then cast as C casts."""
    generator = generator or default_generator
    dims, count = size(shape)
    out: Array = np.empty(count, dtype)
    with generator.lock:
        for start in range(0, count, CHUNK):
            part = out[start : start + CHUNK]
            if long:
                value = generator.long_words(len(part))
                if width < 2**64:
                    value %= np.uint64(width)
            else:
                value = (generator.words(len(part)) % np.uint32(width)).astype(np.uint64)
            value += np.uint64(low % 2**64)  # wraps around, as two's complement does
            part[...] = value.view(np.int64)
    return out.reshape(dims)


def _check_bounds(low: int, last: int, dtype: np.dtype[Any]) -> None:
    digits = DIGITS.get(dtype.name)
    if digits:
        smallest, largest = -largest_of(dtype), largest_of(dtype)
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
    return 1 << (abs(value).bit_length() - DIGITS[dtype.name])


# ---------------------------------------------------------------------- permutations, choices


def randperm(n: int, dtype: DtypeLike = np.int64, generator: Generator | None = None) -> Array:
    """The numbers 0 .. n-1 in random order: Fisher and Yates' shuffle from the front, a word per swap.

    Raises:
        DtypeError: dtype is bool.
        ValueError: n is negative, or n - 1 does not fit into the dtype.
    """
    n, dtype = int(n), np.dtype(dtype)
    if n < 0:
        raise ValueError(f"randperm(): n must be non-negative, got {n}")
    digits = DIGITS.get(dtype.name)
    if dtype == np.bool_:
        raise DtypeError("randperm(): not implemented for bool")
    if n > (2**digits if digits else int(np.iinfo(dtype).max)) + 1:
        raise ValueError(f"randperm(): n={n} is too large for result tensor type {dtype.name}")
    generator = generator or default_generator
    order = list(range(n))
    if n > 1:
        left = np.arange(n, 1, -1)  # how many cells each swap may choose from
        bits: Array = generator.words(n - 1) if n < _RANDPERM_LONG else generator.long_words(n - 1)
        chosen = (bits % left.astype(bits.dtype)).astype(np.int64) + np.arange(n - 1)
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
    dtype = float_dtype("multinomial", weights.dtype)
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
    wide: Array = rows.astype(np.float64 if dtype.itemsize == 8 else np.float32)
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
            out[...] = np.searchsorted(sums.astype(np.float64), unit(num_samples, generator))
    else:
        clocks = exponential(rows.shape, 1.0, dtype, generator)
        with np.errstate(divide="ignore", invalid="ignore"):
            score = (rows / clocks).astype(np.float64)
        if num_samples == 1:
            chosen = score.argmax(1)[:, None]
        else:
            chosen = np.argsort(-score, 1, kind="stable")[:, :num_samples]
    return chosen.reshape(*weights.shape[:-1], num_samples)
