"""Softmax, its logarithm and cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing import oracles
from minigrad.testing.cases import Family, Numbers, Operands
from minigrad.testing.laws import EVERY, SPECIAL, SPLIT
from minigrad.testing.structure import differences, through
from minigrad.testing.values import special, spread
from minigrad.testing.words import Oracle, Word


def _values(shape: tuple[int, ...], numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Any:
    kind = numbers["special"]
    return special(shape, dtype, rng, kind) if kind else 2 * spread(shape, dtype, rng)


def _build_rows(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    shape = tuple(numbers[f"size{i}"] for i in range(numbers["rank"]))
    x, axis = _values(shape, numbers, dtype, rng), numbers["axis"]
    return {"x": x, "gy": spread(shape, dtype, rng), "axis": axis, **_outputs({"x": x, "axis": axis})}


def _outputs(operands: Operands) -> Operands:
    x, axis = operands["x"], operands["axis"]
    with np.errstate(all="ignore"):
        made = {"softmax_y": oracles.softmax(x, axis), "log_softmax_y": oracles.log_softmax(x, axis)}
        return {name: expected.value.astype(x.dtype) for name, expected in made.items()}


def _settle(numbers: Numbers) -> Numbers:
    """The axis must be there and hold something."""
    axis = min(numbers["axis"], numbers["rank"] - 1)
    return numbers | {"axis": axis, f"size{axis}": max(1, numbers[f"size{axis}"])}


def _fits(numbers: Numbers) -> bool:
    return _settle(numbers) == numbers


_SIZES = (1, 2, 3, 5, 2, 3, 0)
ROWS = Family(
    "rows",
    {"rank": (1, 2, 2, 3), "axis": (0, 1, 2), "size0": (*_SIZES, 9), "size1": (*_SIZES, 17), "size2": _SIZES},
    _build_rows,
    wide={"size0": (*_SIZES, 33), "size1": (*_SIZES, 17, 70)},
    settle=_settle,
    fits=_fits,
    edges=(
        {"rank": 2, "size0": 3, "size1": 10, "axis": 1},
        {"rank": 3, "size0": 2, "size1": 3, "size2": 4, "axis": 1},
        {"rank": 2, "size0": 5, "size1": 1000, "axis": 1, "large": 1},
    ),
    specials=(1, 2, 3, 4, 6),
)


def _build_losses(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    shape = numbers["n"], numbers["classes"]
    x = _values(shape, numbers, dtype, rng)
    target = rng.integers(0, shape[1], shape[0])
    return {"x": x, "target": target, "gy": spread(shape[:1], dtype, rng), **_probabilities({"x": x})}


def _probabilities(operands: Operands) -> Operands:
    x = operands["x"]
    with np.errstate(all="ignore"):
        return {"p": oracles.softmax(x, 1).value.astype(x.dtype)}


LOSSES = Family(
    "losses",
    {"n": (1, 2, 3, 5, 0), "classes": (1, 2, 3, 5, 10)},
    _build_losses,
    wide={"n": (1, 2, 3, 0, 17), "classes": (1, 2, 3, 5, 10, 65)},
    edges=({"n": 3, "classes": 4}, {"n": 64, "classes": 100, "large": 1}),
    specials=(1, 2, 3, 6),
)


def _pair(name: str, forward: Oracle, backward: Oracle) -> tuple[Word, Word]:
    """A word along an axis and its gradient."""
    word = Word(name, ROWS, ("x", "axis"), forward, (*EVERY, SPECIAL))
    law = differences(through(word, "x"), "x", _outputs)
    grad = Word(f"{name}_grad", ROWS, ("gy", f"{name}_y", "axis"), backward, (*EVERY, law), rest=("x",))
    return word, grad


CROSS_ENTROPY = Word(
    "cross_entropy",
    LOSSES,
    ("x", "target"),
    oracles.cross_entropy,
    (*EVERY, SPECIAL, SPLIT),
    split={0: (("x", "target"), "join")},
)
CROSS_ENTROPY_GRAD = Word(
    "cross_entropy_grad",
    LOSSES,
    ("gy", "p", "target"),
    oracles.cross_entropy_grad,
    (*EVERY, SPLIT, differences(through(CROSS_ENTROPY, "x"), "x", _probabilities)),
    split={0: (("gy", "p", "target"), "join")},
    rest=("x",),
)
WORDS = (
    *_pair("softmax", oracles.softmax, oracles.softmax_grad),
    *_pair("log_softmax", oracles.log_softmax, oracles.log_softmax_grad),
    CROSS_ENTROPY,
    CROSS_ENTROPY_GRAD,
)
