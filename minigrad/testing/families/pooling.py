"""Maximum and average pooling, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing import oracles
from minigrad.testing.cases import Family, Numbers, Operands, pool_fits, settle_pool, window_fields
from minigrad.testing.families.windows import LARGE_BATCH, image, window_of
from minigrad.testing.laws import EVERY, LINEAR, SPECIAL, SPLIT
from minigrad.testing.structure import BLIND, TOTAL, TRANSLATION, adjoint, differences, through
from minigrad.testing.values import spread
from minigrad.testing.words import Word


def _build(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    window = window_of(numbers)
    x = image(numbers, dtype, rng, numbers["c"])
    _, indices = oracles.pooling.argmax_pool(x, window)
    gy = spread(indices.shape, dtype, rng)
    common = {"x": x, "window": window, "gy": gy, "indices": indices, "x_shape": x.shape}
    return common | {"count_include_pad": not numbers.get("exclude", 0), "divisor": numbers.get("divisor", 0) or None}


def _fields(dilated: bool) -> dict[str, Any]:
    return {
        "n": (1, 1, 2, 3, 0),
        "c": (1, 2, 3, 1, 2, 3, 0),
        **window_fields(padding=(0, 0, 1, 2), dilated=dilated),
        "ceil": (0, 1),
    }


_WIDE = {"n": (1, 2, 3, 0, 7), "c": (1, 2, 3, 5, 8, 17, 0), "columns": (*range(20), 33, 70)}
_LARGE = (
    {"n": LARGE_BATCH, "large": 1},
    {"n": 3, "c": 6, "kh": 2, "kw": 2, "sh": 2, "sw": 2, "h": 24, "w": 24, "large": 1},
)

MAXIMUM = Family(
    "max_pool",
    _fields(dilated=True),
    _build,
    wide=_WIDE,
    settle=settle_pool,
    fits=pool_fits,
    edges=(
        {"n": 2, "c": 2, "kh": 3, "kw": 2, "sh": 2, "sw": 1, "ph": 1, "pw": 1, "h": 6, "w": 5, "ceil": 1},
        {"n": 2, "c": 2, "kh": 2, "kw": 3, "sh": 1, "sw": 2, "ph": 1, "pw": 0, "dh": 2, "dw": 1, "h": 5, "w": 8},
        *_LARGE,
    ),
    specials=(1, 2, 3, 4, 5, 6, 7),
)
AVERAGE = Family(
    "avg_pool",
    {**_fields(dilated=False), "exclude": (0, 1), "divisor": (0, 0, 1, 5)},
    _build,
    wide=_WIDE,
    settle=settle_pool,
    fits=pool_fits,
    edges=(
        {"n": 2, "c": 2, "kh": 3, "kw": 2, "sh": 2, "sw": 1, "ph": 1, "pw": 1, "h": 6, "w": 5, "ceil": 1},
        {"n": 2, "c": 2, "kh": 2, "kw": 3, "sh": 2, "sw": 2, "ph": 1, "pw": 1, "h": 6, "w": 6, "ceil": 1, "exclude": 1},
        *_LARGE,
    ),
    specials=(2, 3),
)
BOTH_AXES = {0: (("x",), "join"), 1: (("x",), "join")}

MAX_POOL = Word(
    "max_pool2d",
    MAXIMUM,
    ("x", "window"),
    oracles.max_pool2d,
    (*EVERY, SPECIAL, SPLIT, TRANSLATION, BLIND),
    split=BOTH_AXES,
    dtypes=("float32", "float64", "int64"),
)
GATHER = Word(
    "max_pool2d_gather",
    MAXIMUM,
    ("x", "indices"),
    oracles.max_pool2d_gather,
    (*EVERY, SPECIAL, SPLIT, LINEAR),
    split={0: (("x", "indices"), "join"), 1: (("x", "indices"), "join")},
    linear=("x",),
)
MAX_POOL_GRAD = Word(
    "max_pool2d_grad",
    MAXIMUM,
    ("gy", "indices", "x_shape"),
    oracles.max_pool2d_grad,
    (
        *EVERY,
        SPLIT,
        LINEAR,
        TOTAL,
        adjoint(GATHER, "x"),
        differences(
            through(MAX_POOL, "x"),
            "x",
            lambda operands: {"indices": oracles.max_pool2d(operands["x"], operands["window"])[1].value},
        ),
    ),
    split={0: (("x_shape", "gy", "indices"), "join"), 1: (("x_shape", "gy", "indices"), "join")},
    linear=("gy",),
    rest=("x", "window"),
)
AVG_POOL = Word(
    "avg_pool2d",
    AVERAGE,
    ("x", "window", "count_include_pad", "divisor"),
    oracles.avg_pool2d,
    (*EVERY, SPECIAL, SPLIT, LINEAR, TRANSLATION),
    split=BOTH_AXES,
    linear=("x",),
)
AVG_POOL_GRAD = Word(
    "avg_pool2d_grad",
    AVERAGE,
    ("gy", "x_shape", "window", "count_include_pad", "divisor"),
    oracles.avg_pool2d_grad,
    (*EVERY, SPLIT, LINEAR, TOTAL, adjoint(AVG_POOL, "x")),
    split={0: (("x_shape", "gy"), "join"), 1: (("x_shape", "gy"), "join")},
    linear=("gy",),
    rest=("x",),
)
WORDS = (MAX_POOL, GATHER, MAX_POOL_GRAD, AVG_POOL, AVG_POOL_GRAD)
