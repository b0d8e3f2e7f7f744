"""Activations, number by number through the math module."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.testing.tolerance import Expected

# An exponential in float32 may be 4 ulp off in fast vector libraries; the sums and quotients around it add one each.
ROUNDINGS = 10


def _each(f: Callable[..., float], *arrays: Any) -> Any:
    """f on every number of arrays of one shape."""
    flat = [f(*numbers) for numbers in zip(*(a.reshape(-1).tolist() for a in arrays), strict=True)]
    return np.array(flat, np.float64).reshape(arrays[0].shape)


def relu(x: Any) -> Expected:
    """max(x, 0), exact; NaN stays NaN"""
    return Expected(_each(lambda v: v if v > 0 or math.isnan(v) else 0.0, x))


def relu_grad(gy: Any, y: Any) -> Expected:
    """gy, but 0 where y <= 0: exact"""
    return Expected(_each(lambda g, v: 0.0 if v <= 0 else g, gy, y))


def _sigmoid(v: float) -> float:
    if v >= 0:
        return 1 / (1 + math.exp(-v))
    e = math.exp(v) if v == v else v
    return e / (1 + e)


def sigmoid(x: Any) -> Expected:
    """1 / (1 + exp(-x))"""
    y = _each(_sigmoid, x)
    return Expected(y, ROUNDINGS * y)


def sigmoid_grad(gy: Any, y: Any) -> Expected:
    """gy * y * (1 - y)"""
    return Expected(
        _each(lambda g, v: g * v * (1 - v), gy, y), 4 * _each(lambda g, v: abs(g * v) * (1 + abs(v)), gy, y)
    )


def tanh(x: Any) -> Expected:
    """The hyperbolic tangent"""
    y = _each(math.tanh, x)
    return Expected(y, ROUNDINGS * np.abs(y))


def tanh_grad(gy: Any, y: Any) -> Expected:
    """gy * (1 - y*y)"""
    return Expected(_each(lambda g, v: g * (1 - v * v), gy, y), 4 * _each(lambda g, v: abs(g) * (1 + v * v), gy, y))
