"""Optimiser steps, which write their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing import oracles
from minigrad.testing.cases import Family, Numbers, Operands
from minigrad.testing.laws import EVERY
from minigrad.testing.values import spread
from minigrad.testing.words import Word


def _shapes(numbers: Numbers) -> list[tuple[int, ...]]:
    """Every parameter one longer than the last."""
    return [(numbers["size"] + i, 2)[: numbers["rank"]] for i in range(numbers["count"])]


def _build_sgd(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    shapes = _shapes(numbers)
    momentum = (0.0, 0.9)[numbers["momentum"]]
    return {
        "params": [spread(shape, dtype, rng) for shape in shapes],
        "grads": [spread(shape, dtype, rng) for shape in shapes],
        "buffers": [spread(shape, dtype, rng) for shape in shapes] if momentum else None,
        "lr": 0.1,
        "momentum": momentum,
        "dampening": (0.0, 0.25)[numbers["dampening"]],
        "weight_decay": (0.0, 0.05)[numbers["decay"]],
        "nesterov": bool(numbers["nesterov"]),
        "maximize": bool(numbers["maximize"]),
        "first": bool(numbers["first"]),
    }


def _settle_sgd(numbers: Numbers) -> Numbers:
    """Nesterov's form needs momentum without dampening; the others mean nothing without momentum."""
    if not numbers["momentum"]:
        return numbers | {"nesterov": 0, "dampening": 0, "first": 0}
    return numbers | ({"dampening": 0} if numbers["nesterov"] else {})


def _fits_sgd(numbers: Numbers) -> bool:
    return _settle_sgd(numbers) == numbers


_SWITCH = (0, 1)
_PARAMS = {"count": (1, 2, 3), "size": (1, 2, 3, 5, 17), "rank": (1, 2)}
SGD = Family(
    "sgd",
    {**_PARAMS, **dict.fromkeys(("momentum", "decay", "nesterov", "maximize", "dampening", "first"), _SWITCH)},
    _build_sgd,
    settle=_settle_sgd,
    fits=_fits_sgd,
    edges=(
        {"count": 2, "size": 9, "momentum": 1, "dampening": 1, "decay": 1},
        {"count": 2, "size": 3, "momentum": 1, "nesterov": 1, "decay": 1, "maximize": 1},
        {"count": 2, "size": 3, "momentum": 1, "dampening": 1, "first": 1},
        {"size": 1501, "momentum": 1, "decay": 1, "large": 1},
    ),
)


def _build_adam(numbers: Numbers, dtype: Any, rng: np.random.Generator) -> Operands:
    shapes = _shapes(numbers)
    params, grads, means, roots, tops = ([spread(shape, dtype, rng) for shape in shapes] for _ in range(5))
    return {
        "params": params,
        "grads": grads,
        "means": means,
        "squares": [a * a for a in roots],
        "largest": [a * a for a in tops] if numbers["amsgrad"] else None,
        "step": numbers["step"],
        "lr": 0.1,
        "beta1": 0.8,
        "beta2": 0.9,
        "eps": (1e-8, 0.1)[numbers["eps"]],
        "weight_decay": (0.0, 0.05)[numbers["decay"]],
        "decoupled": bool(numbers["decoupled"]),
        "maximize": bool(numbers["maximize"]),
    }


ADAM = Family(
    "adam",
    {
        **_PARAMS,
        "step": (1, 2, 5),
        **dict.fromkeys(("amsgrad", "eps", "decay", "decoupled", "maximize"), _SWITCH),
    },
    _build_adam,
    edges=(
        {"count": 2, "size": 9, "decay": 1, "step": 3},
        {"count": 2, "size": 3, "decay": 1, "decoupled": 1, "amsgrad": 1, "step": 2},
        {"size": 1501, "decay": 1, "amsgrad": 1, "step": 3, "large": 1},
    ),
)

SGD_STEP = Word(
    "sgd_step",
    SGD,
    ("params", "grads", "buffers"),
    oracles.sgd_step,
    EVERY,
    keywords=("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize", "first"),
    writes=("params", "buffers"),
)
ADAM_STEP = Word(
    "adam_step",
    ADAM,
    ("params", "grads", "means", "squares", "largest"),
    oracles.adam_step,
    EVERY,
    keywords=("step", "lr", "beta1", "beta2", "eps", "weight_decay", "decoupled", "maximize"),
    writes=("params", "means", "squares", "largest"),
)
WORDS = (SGD_STEP, ADAM_STEP)
