"""relu, sigmoid, tanh and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing import oracles
from minigrad.testing.cases import Family, Numbers, Operands
from minigrad.testing.laws import EVERY, SPECIAL, SPLIT
from minigrad.testing.structure import differences, through
from minigrad.testing.values import special, spread
from minigrad.testing.words import Law, Oracle, Word


def _build(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    shape = tuple(numbers[f"size{i}"] for i in range(numbers["rank"]))
    kind = numbers["special"]
    x, gy = (special(shape, dtype, rng, kind) if kind else spread(shape, dtype, rng) for _ in range(2))
    return {"x": x, "gy": gy, **_outputs({"x": x})}


def _outputs(operands: Operands) -> Operands:
    """What each activation makes of x, as its gradient wants it."""
    x = operands["x"]
    with np.errstate(all="ignore"):
        made = {"relu_y": oracles.relu(x), "sigmoid_y": oracles.sigmoid(x), "tanh_y": oracles.tanh(x)}
        return {name: expected.value.astype(x.dtype) for name, expected in made.items()}


_SIZES = (1, 2, 3, 5, 2, 3, 9, 0)
FAMILY = Family(
    "activations",
    {"rank": (1, 2, 3, 4), "size0": (*_SIZES, 17), **{f"size{i}": _SIZES for i in (1, 2, 3)}},
    _build,
    wide={"size0": (*_SIZES, 17, 70), "size1": (*_SIZES, 17, 33)},
    edges=(
        {"rank": 1, "size0": 37},
        {"rank": 2, "size0": 3, "size1": 19},
        {"rank": 1, "size0": 3001, "large": 1},
    ),
    specials=(1, 2, 3, 5, 6, 7),
)


def _pair(name: str, forward: Oracle, backward: Oracle, extra: tuple[Law, ...] = ()) -> tuple[Word, Word]:
    """An activation and its gradient."""
    word = Word(name, FAMILY, ("x",), forward, (*EVERY, SPECIAL, SPLIT), split={0: (("x",), "join")})
    grad = Word(
        f"{name}_grad",
        FAMILY,
        ("gy", f"{name}_y"),
        backward,
        (*EVERY, *extra, SPLIT, differences(through(word, "x"), "x", _outputs)),
        split={0: (("gy", f"{name}_y"), "join")},
        rest=("x",),
    )
    return word, grad


WORDS = (
    *_pair("relu", oracles.relu, oracles.relu_grad, (SPECIAL,)),
    *_pair("sigmoid", oracles.sigmoid, oracles.sigmoid_grad),
    *_pair("tanh", oracles.tanh, oracles.tanh_grad),
)
