"""Batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Backend
from minigrad.testing import oracles
from minigrad.testing.cases import Family, Numbers, Operands
from minigrad.testing.laws import EVERY, SPLIT, results
from minigrad.testing.structure import differences
from minigrad.testing.values import spread
from minigrad.testing.words import Word

EPS = 0.1  # large, so that a channel with one value has no slope of 1/sqrt(1e-5)
FAR = 1000.0  # a mean this far from 0 costs a one-pass variance in float32 all its digits


def _build(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    shape = tuple(numbers[name] for name in "nchw")
    x = spread(shape, dtype, rng) + np.asarray(FAR * numbers["far"], dtype)
    operands = {"x": x, "gy": spread(shape, dtype, rng)}
    operands |= {"w": spread((shape[1],), dtype, rng), "b": spread((shape[1],), dtype, rng)}
    return operands | _statistics(operands)


def _statistics(operands: Operands) -> Operands:
    x = operands["x"]
    mean, variance = oracles.batch_norm_stats(x)
    return {"mean": mean.value.astype(x.dtype), "inv_std": (1 / np.sqrt(variance.value + EPS)).astype(x.dtype)}


FAMILY = Family(
    "norm",
    {"n": (1, 2, 3), "c": (1, 2, 3, 0), "h": (1, 2, 3, 5), "w": (1, 2, 3, 9), "far": (0, 0, 1)},
    _build,
    wide={"n": (1, 2, 3, 8), "c": (1, 2, 3, 5, 0), "h": (1, 2, 3, 5, 9), "w": (1, 2, 3, 9, 17)},
    edges=(
        {"n": 3, "c": 2, "h": 2, "w": 2},
        {"n": 3, "c": 2, "h": 2, "w": 2, "far": 1},
        {"n": 16, "c": 3, "h": 14, "w": 14, "large": 1},
    ),
)

BATCH_NORM = Word(
    "batch_norm",
    FAMILY,
    ("x", "w", "b", "mean", "inv_std"),
    oracles.batch_norm,
    (*EVERY, SPLIT),
    split={0: (("x",), "join")},
)
STATS = Word("batch_norm_stats", FAMILY, ("x",), oracles.batch_norm_stats, EVERY)


def _normalised(backend: Backend, operands: Operands, x: Any) -> Any:
    """batch_norm with the batch's own statistics, which move with x."""
    tried = {**operands, "x": x}
    tried |= _statistics(tried)
    return results(backend, BATCH_NORM, tried, BATCH_NORM.expected(tried))[0]


GRAD = Word(
    "batch_norm_grad",
    FAMILY,
    ("gy", "x", "w", "mean", "inv_std"),
    oracles.batch_norm_grad,
    (*EVERY, differences(_normalised, "x", lambda _: {})),
    rest=("b",),
)
WORDS = (BATCH_NORM, STATS, GRAD)
