"""What every drawing function needs: shapes, checks, and doubles from bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.errors import DtypeError, ShapeError
from minigrad.random.generator import Generator

Array = npt.NDArray[Any]
Shape = int | Sequence[int]
DtypeLike = Any

CHUNK = 1 << 15  # words at a time: the temporaries stay in the caches
DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}  # of a significand, the hidden one included


def size(shape: Shape) -> tuple[tuple[int, ...], int]:
    """The shape as a tuple, and how many cells it has. ShapeError for a negative length."""
    dims = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    if min(dims, default=0) < 0:
        raise ShapeError(f"Trying to create tensor with negative dimension {min(dims)}: {list(dims)}")
    return dims, math.prod(dims)


def float_dtype(op: str, dtype: DtypeLike) -> np.dtype[Any]:
    """The dtype, or DtypeError if it has no fractions."""
    result: np.dtype[Any] = np.dtype(dtype)
    if result.name not in DIGITS:
        raise DtypeError(f"{op}(): the numbers are real: dtype must be a floating point type, but got {result.name}")
    return result


def largest_of(dtype: np.dtype[Any]) -> float:
    """The largest finite number of a floating point type."""
    return float(np.finfo(dtype).max) if dtype.name != "bfloat16" else float.fromhex("0x1.fep127")


def unit(count: int, generator: Generator) -> Array:
    """Doubles in [0, 1): 53 of the 64 bits of a long word."""
    return (generator.long_words(count) & np.uint64(2**53 - 1)) * 2.0**-53


def narrow(values: Array, dtype: np.dtype[Any]) -> Array:
    """Doubles as another type; the 16-bit ones are reached by way of float32, and so rounded twice."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (values.astype(np.float32) if dtype.itemsize == 2 else values).astype(dtype)
