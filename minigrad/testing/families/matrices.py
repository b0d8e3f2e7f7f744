"""Matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing import oracles
from minigrad.testing.cases import Family, Numbers, Operands
from minigrad.testing.laws import EVERY, LINEAR, SPLIT
from minigrad.testing.values import spread
from minigrad.testing.words import Word


def _settle(numbers: Numbers) -> Numbers:
    """Make leading axes broadcast: two sizes above 1 must be equal."""
    numbers = dict(numbers)
    for axis in "01":
        if numbers[f"a{axis}"] > 1 and numbers[f"b{axis}"] > 1:
            numbers[f"b{axis}"] = numbers[f"a{axis}"]
    return numbers


def _fits(numbers: Numbers) -> bool:
    return _settle(numbers) == numbers


def _build(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    m, k, n = (numbers[name] for name in "mkn")
    a = spread((*_lead(numbers, "a"), m, k), dtype, rng)
    b = spread((*_lead(numbers, "b"), k, n), dtype, rng)
    x, w = spread((m, k), dtype, rng), spread((n, k), dtype, rng)
    bias = spread((n,), dtype, rng) if numbers["bias"] else None
    gy, y = spread((m, n), dtype, rng), None
    if numbers["bias"]:  # its layer goes on with ReLU
        y = np.maximum(spread((m, n), dtype, rng), np.zeros((), dtype))
    return {"a": a, "b": b, "x": x, "w": w, "bias": bias, "gy": gy, "y": y, "needs": (True, True, True)}


def _lead(numbers: Numbers, name: str) -> tuple[int, ...]:
    sizes = (numbers[f"{name}0"], numbers[f"{name}1"])
    return sizes[2 - numbers[f"{name}rank"] :]


_SIZES = (1, 2, 3, 4, 5, 0, 8, 17)
FAMILY = Family(
    "matrices",
    {
        **dict.fromkeys("mkn", _SIZES),
        **dict.fromkeys(("arank", "brank"), (0, 0, 1, 2)),
        **dict.fromkeys(("a0", "a1", "b0", "b1"), (1, 2, 3)),
        "bias": (0, 1),
    },
    _build,
    wide=dict.fromkeys("mkn", (1, 2, 3, 4, 5, 0, 8, 17, 33, 64)),
    settle=_settle,
    fits=_fits,
    edges=(
        {"m": 2, "k": 3, "n": 4, "bias": 1},
        {"m": 3, "k": 3, "n": 3, "arank": 1, "brank": 2, "a1": 2, "b1": 2, "b0": 3, "bias": 1},
        {"m": 2, "k": 3, "n": 2, "arank": 1, "brank": 1, "a1": 3, "b1": 3},
        {"m": 2, "k": 2, "n": 3, "brank": 1, "b1": 2},
        {"m": 2, "k": 0, "n": 3, "bias": 1},
        {"m": 33, "k": 40, "n": 18, "bias": 1, "large": 1},
    ),
)

MATMUL = Word(
    "matmul",
    FAMILY,
    ("a", "b"),
    oracles.matmul,
    (*EVERY, LINEAR),
    linear=("a", "b"),
)
LINEAR_WORD = Word(
    "linear",
    FAMILY,
    ("x", "w", "bias"),
    oracles.linear,
    (*EVERY, SPLIT),
    split={0: (("x",), "join")},
)
WORDS = (MATMUL, LINEAR_WORD)
