"""im2col and col2im."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing import oracles
from minigrad.testing.cases import (
    Family,
    Numbers,
    Operands,
    pool_fits,
    settle_pool,
    settle_window,
    window_fields,
    window_fits,
)
from minigrad.testing.laws import EVERY, LINEAR, SPECIAL, SPLIT
from minigrad.testing.structure import adjoint
from minigrad.testing.values import special, spread
from minigrad.testing.words import Word
from minigrad.window import Window

LARGE_BATCH = 2**16 + 1  # the y and z extents of a CUDA grid end at 65535


def window_of(numbers: Numbers, prefix: str = "") -> Window:
    """The window that a case's numbers mean."""

    def both(what: str) -> tuple[int, int]:
        return numbers[f"{prefix}{what}h"], numbers[f"{prefix}{what}w"]

    return Window(both("k"), both("s"), both("p"), both("d"), bool(numbers.get("ceil", 0)))


def image(numbers: Numbers, dtype: Any, rng: np.random.Generator, channels: int) -> Any:
    """An image batch (N, C, H, W), special if the case says so."""
    shape = numbers["n"], channels, numbers["h"], numbers["w"]
    return special(shape, dtype, rng, numbers["special"]) if numbers["special"] else spread(shape, dtype, rng)


def _build(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    window, c = window_of(numbers), numbers["c"]
    x = image(numbers, dtype, rng, c)
    oh, ow = oracles.windows.places(window, numbers["h"], numbers["w"])
    fill: Any = (0, -np.inf, 1.5)[numbers["fill"]]
    if dtype.kind == "i":
        fill = (0, int(np.iinfo(dtype).min), 1)[numbers["fill"]]
    cols = spread((len(x), c * window.taps, oh * ow), dtype, rng)
    return {"x": x, "window": window, "fill": fill, "cols": cols, "x_shape": x.shape}


def _settle(numbers: Numbers) -> Numbers:
    """ceil_mode is a pool's, and a pool's padding is at most half of its window."""
    return settle_pool(numbers) if numbers["ceil"] else settle_window(numbers)


def _fits(numbers: Numbers) -> bool:
    return pool_fits(numbers) if numbers["ceil"] else window_fits(numbers)


FAMILY = Family(
    "windows",
    {
        "n": (1, 1, 2, 3, 0),
        "c": (1, 2, 3, 1, 2, 3, 0),
        **window_fields(padding=(0, 0, 1, 2)),
        "fill": (0, 0, 1, 2),
        "ceil": (0, 0, 1),
    },
    _build,
    wide={"n": (1, 2, 3, 0, 7), "c": (1, 2, 3, 5, 8, 17, 0), "columns": (*range(20), 33, 70)},
    settle=_settle,
    fits=_fits,
    edges=(
        {"kh": 2, "kw": 3, "sh": 2, "sw": 3, "ph": 1, "pw": 2, "dh": 2, "dw": 1, "h": 6, "w": 8, "n": 2, "c": 2},
        {"kh": 3, "kw": 2, "sh": 1, "sw": 2, "ph": 0, "pw": 1, "dh": 1, "dw": 3, "h": 7, "w": 9, "n": 2, "c": 3},
        {"n": LARGE_BATCH, "large": 1},
    ),
    specials=(1, 2, 3, 4, 5, 6, 7),
)

IM2COL = Word(
    "im2col",
    FAMILY,
    ("x", "window", "fill"),
    oracles.im2col,
    (*EVERY, SPECIAL, SPLIT),
    split={0: (("x",), "join"), 1: (("x",), "join")},
    neutral={"fill": 0},
    dtypes=("float32", "float64", "int64"),
)
COL2IM = Word(
    "col2im",
    FAMILY,
    ("cols", "x_shape", "window"),
    oracles.col2im,
    (*EVERY, SPLIT, LINEAR, adjoint(IM2COL, "x")),
    split={0: (("x_shape", "cols"), "join"), 1: (("x_shape", "cols"), "join")},
    linear=("cols",),
    rest=("x", "fill"),
)
WORDS = (IM2COL, COL2IM)
