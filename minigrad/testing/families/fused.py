"""Fused sequences: as if the words they are made of had been said one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Backend
from minigrad.testing import oracles
from minigrad.testing.cases import Family, Numbers, Operands, settle_window, window_fits
from minigrad.testing.families import convolution, matrices
from minigrad.testing.families.convolution import CALL
from minigrad.testing.families.windows import window_of
from minigrad.testing.laws import EVERY, SPLIT
from minigrad.testing.oracles.convolution import Undecided
from minigrad.testing.structure import NEEDS, WINNERS
from minigrad.testing.values import spread
from minigrad.testing.words import NotApplicable, Word, put
from minigrad.window import Window


def _pool(numbers: Numbers) -> Window:
    """Its numbers are the window's with q before them; no dilation."""
    return window_of(numbers | {"qdh": 1, "qdw": 1}, "q")


def _build(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    operands, pool = convolution.build(numbers, dtype, rng), _pool(numbers)
    operands["window"] = window = window_of(numbers | {"ceil": 0})
    size = oracles.windows.places(pool, *oracles.windows.places(window, *operands["x"].shape[2:]))
    gy = spread((len(operands["x"]), len(operands["w"]), *size), dtype, rng)
    return operands | {"gy": gy, "pool": pool, "needs": (True, True, True)}


def _settle(numbers: Numbers) -> Numbers:
    """Grow the image until the pool fits on the convolution's result."""
    numbers = settle_window(numbers)
    for axis in "hw":
        numbers[f"qp{axis}"] = min(numbers[f"qp{axis}"], numbers[f"qk{axis}"] // 2)
        numbers[axis] += (numbers[f"qk{axis}"] - 1) * numbers[f"s{axis}"]
    return numbers


def _fits(numbers: Numbers) -> bool:
    if not window_fits(numbers) or any(2 * numbers[f"qp{a}"] > numbers[f"qk{a}"] for a in "hw"):
        return False
    size = window_of(numbers | {"ceil": 0}).out_size(numbers["h"], numbers["w"])
    return all(cells + 2 * numbers[f"qp{a}"] >= numbers[f"qk{a}"] for a, cells in zip("hw", size, strict=True))


def _pool_fields() -> dict[str, Any]:
    fields: dict[str, Any] = {"ceil": (0, 0, 1)}
    for axis in "hw":
        fields |= {f"qk{axis}": (1, 2, 2, 3), f"qs{axis}": (1, 2, 2, 3), f"qp{axis}": (0, 0, 1)}
    return fields


_POOL2 = {"qkh": 2, "qkw": 2, "qsh": 2, "qsw": 2}
FAMILY = Family(
    "fused",
    {**convolution.FIELDS, **_pool_fields()},
    _build,
    wide=convolution.WIDE,
    settle=_settle,
    fits=_fits,
    edges=(
        {"n": 2, "c": 2, "f": 3, "kh": 3, "kw": 3, "h": 6, "w": 8, "bias": 1, **_POOL2},
        {"n": 2, "c": 1, "f": 2, "kh": 2, "kw": 2, "h": 5, "w": 6, "bias": 1, "qkh": 3, "qkw": 3, "qph": 1, "qpw": 1},
        {"n": 3, "f": 4, "kh": 5, "kw": 5, "h": 20, "w": 28, "bias": 1, **_POOL2, "large": 1},
    ),
)


def _saved(backend: Backend, operands: Operands) -> Operands:
    """y and winners, as the backend's own forward pass leaves them."""
    names = ("x", "w", "b", "window", "groups", "pool")
    y, winners = backend.conv2d_relu_max_pool2d(*(put(backend, operands[name]) for name in names))
    return {"y": y, "winners": winners}


def _gradients(*args: Any) -> Any:
    """The oracle; where no oracle can decide who wins, the law says nothing."""
    try:
        return oracles.conv2d_relu_max_pool2d_grad(*args)
    except Undecided as error:
        raise NotApplicable from error


WORDS = (
    Word(
        "linear_relu",
        matrices.FAMILY,
        ("x", "w", "bias"),
        oracles.linear_relu,
        (*EVERY, SPLIT),
        split={0: (("x",), "join")},
    ),
    Word(
        "linear_grads",
        matrices.FAMILY,
        ("gy", "x", "w", "y", "needs"),
        oracles.linear_grads,
        (*EVERY, NEEDS),
    ),
    Word(
        "conv2d_relu",
        convolution.FAMILY,
        ("x", "w", "b", *CALL),
        oracles.conv2d_relu,
        (*EVERY, SPLIT),
        split={0: (("x",), "join")},
    ),
    Word(
        "conv2d_relu_max_pool2d",
        FAMILY,
        ("x", "w", "b", *CALL, "pool"),
        oracles.conv2d_relu_max_pool2d,
        (*EVERY, SPLIT),
        split={0: (("x",), "join")},
    ),
    Word(
        "conv2d_relu_max_pool2d_value",
        FAMILY,
        ("x", "w", "b", *CALL, "pool"),
        lambda *args: oracles.conv2d_relu_max_pool2d(*args)[:1],
        (*EVERY, SPLIT),
        split={0: (("x",), "join")},
    ),
    Word(
        "conv2d_relu_max_pool2d_grad",
        FAMILY,
        ("gy", "y", "winners", "x", "w", *CALL, "pool", "needs"),
        _gradients,
        (*EVERY, NEEDS, WINNERS),
        asks=("gy", "x", "w", "b", *CALL, "pool", "needs"),
        prepare=_saved,
    ),
)
