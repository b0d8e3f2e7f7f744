"""Host arrays for tests: away from ties by construction and, apart, full of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Rng = np.random.Generator

SPECIAL = ("ties", "nan", "infinite", "minus infinity", "denormal", "huge", "signed zeros")
"""Kinds of special values, numbered from 1 in a case."""


def spread(shape: Shape, dtype: Any, rng: Rng) -> Any:
    """Values in (-2, 2) whose magnitudes are at least 1/size apart and at least 1/(2*size) away from 0.

    No maximum is a tie and no value stands on the kink of relu, so finite differences with a step far
    below 1/size are safe. Integers are a permutation of 0..size-1 around 0.
    """
    size, dtype = math.prod(shape), np.dtype(dtype)
    order = rng.permutation(size)
    if dtype.kind == "i":
        return (order - size // 2).astype(dtype).reshape(shape)
    magnitudes = (order + rng.uniform(0.25, 0.75, size)) * (2 / max(size, 1))
    return (magnitudes * rng.choice((-1.0, 1.0), size)).astype(dtype).reshape(shape)


def special(shape: Shape, dtype: Any, rng: Rng, kind: int) -> Any:
    """Values of one of the `SPECIAL` kinds, counted from 1, between ordinary ones: a few of them, or nearly all."""
    name, dtype = SPECIAL[kind - 1], np.dtype(dtype)
    if name == "ties":
        return rng.integers(-1, 2, shape).astype(dtype)
    values = spread(shape, dtype, rng)
    strange = rng.random(shape) < rng.choice((0.3, 0.9))
    if dtype.kind == "i":
        limits = np.iinfo(dtype)
        return np.where(strange, rng.choice((limits.min, limits.max), shape), values)
    return np.where(strange, _strange(name, shape, np.finfo(dtype), rng), values).astype(dtype)


def _strange(name: str, shape: Shape, info: Any, rng: Rng) -> Any:
    """One strange value per cell, finite ones as Python floats of `info`'s type."""
    if name == "nan":
        return np.full(shape, np.nan)
    if name == "infinite":
        return rng.choice((np.inf, -np.inf), shape)
    if name == "minus infinity":
        return np.full(shape, -np.inf)
    if name == "denormal":
        return rng.integers(1, 100, shape) * float(info.smallest_subnormal)
    if name == "huge":
        return rng.choice((float(info.max), float(info.min), 1e4, -1e4), shape)
    return rng.choice((0.0, -0.0), shape)
