"""Convolution and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing import oracles
from minigrad.testing.cases import Family, Numbers, Operands, settle_window, window_fields, window_fits
from minigrad.testing.families.windows import IM2COL, LARGE_BATCH, image, window_of
from minigrad.testing.laws import EVERY, LINEAR, SPLIT
from minigrad.testing.structure import GROUPS, TRANSLATION, adjoint, unfold
from minigrad.testing.values import spread
from minigrad.testing.words import Word


def build(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    """`c` and `f` count the channels and filters of each group."""
    window, groups = window_of(numbers), numbers["groups"]
    x = image(numbers, dtype, rng, groups * numbers["c"])
    w = spread((groups * numbers["f"], numbers["c"], *window.kernel), dtype, rng)
    b = spread((len(w),), dtype, rng) if numbers["bias"] else None
    gy = spread((len(x), len(w), *oracles.windows.places(window, *x.shape[2:])), dtype, rng)
    return {
        "x": x,
        "w": w,
        "b": b,
        "gy": gy,
        "window": window,
        "groups": groups,
        "x_shape": x.shape,
        "w_shape": w.shape,
    }


FIELDS = {
    "n": (1, 1, 2, 3, 0),
    "groups": (1, 1, 2, 3),
    "c": (1, 2, 3),
    "f": (1, 2, 3),
    **window_fields(padding=(0, 0, 1, 2)),
    "bias": (0, 1),
}
WIDE = {
    "n": (1, 2, 3, 0, 7),
    "groups": (1, 1, 2, 3, 8),
    "c": (1, 2, 3, 4, 5, 8),
    "f": (1, 2, 3, 4, 6, 9),
    "columns": (*range(20), 33),
}

_SQUARE = {"kh": 3, "kw": 3, "ph": 1, "pw": 1}
FAMILY = Family(
    "convolution",
    FIELDS,
    build,
    wide=WIDE,
    settle=settle_window,
    fits=window_fits,
    edges=(
        # a stride that leaves a remainder, groups, and numbers that differ along the axes
        {
            "n": 5,
            "groups": 2,
            "c": 2,
            "f": 2,
            "kh": 3,
            "kw": 2,
            "sh": 2,
            "sw": 3,
            "ph": 1,
            "pw": 0,
            "h": 8,
            "w": 7,
            "bias": 1,
        },
        {"n": 2, "c": 2, "f": 3, "kh": 2, "kw": 3, "dh": 3, "dw": 2, "ph": 1, "pw": 2, "h": 6, "w": 5, "bias": 1},
        {"n": 2, "groups": 4, "c": 1, "f": 1, **_SQUARE, "h": 4, "w": 9},  # depthwise
        {"n": 2, "f": 3, "ph": 2, "pw": 1, "h": 1, "w": 2, "bias": 1},  # more padding than kernel
        {"n": 0, "c": 2, "f": 3, **_SQUARE, "h": 3, "w": 3, "bias": 1},
        {"n": LARGE_BATCH, "large": 1},
        {"n": 1, "c": 32, "f": 32, **_SQUARE, "h": 6, "w": 6, "bias": 1, "large": 1},
        {"n": 3, "f": 4, "kh": 5, "kw": 5, "h": 20, "w": 28, "bias": 1, "large": 1},
    ),
)
CALL = ("window", "groups")

CONV2D = Word(
    "conv2d",
    FAMILY,
    ("x", "w", "b", *CALL),
    oracles.conv2d,
    (*EVERY, SPLIT, LINEAR, unfold(IM2COL), GROUPS, TRANSLATION),
    split={0: (("x",), "join")},
    linear=("x", "w"),
    neutral={"b": None},
)
INPUT_GRAD = Word(
    "conv2d_input_grad",
    FAMILY,
    ("gy", "w", "x_shape", *CALL),
    oracles.conv2d_input_grad,
    (*EVERY, SPLIT, LINEAR, GROUPS, adjoint(CONV2D, "x")),
    split={0: (("x_shape", "gy"), "join")},
    linear=("gy", "w"),
    rest=("x",),
)
WEIGHT_GRAD = Word(
    "conv2d_weight_grad",
    FAMILY,
    ("gy", "x", "w_shape", *CALL),
    oracles.conv2d_weight_grad,
    (*EVERY, SPLIT, LINEAR, GROUPS, adjoint(CONV2D, "w")),
    split={0: (("x", "gy"), "add")},
    linear=("gy", "x"),
    rest=("w",),
)
BIAS_GRAD = Word(
    "conv2d_bias_grad",
    FAMILY,
    ("gy",),
    oracles.conv2d_bias_grad,
    (*EVERY, SPLIT, LINEAR),
    split={0: (("gy",), "add")},
    linear=("gy",),
)
WORDS = (CONV2D, INPUT_GRAD, WEIGHT_GRAD, BIAS_GRAD)
