"""Softmax, its logarithm and the loss, one row of Python numbers at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.testing.oracles.elementwise import ROUNDINGS
from minigrad.testing.tolerance import Expected

Row = list[float]


def _along(f: Callable[..., Row], axis: int, *arrays: Any) -> Any:
    """f on every row along an axis; rows come back as rows."""
    moved = [np.moveaxis(a, axis, -1) for a in arrays]
    shape = moved[0].shape
    count = moved[0].size // shape[-1] if shape[-1] else 0
    rows = [f(*row) for row in zip(*(m.reshape(count, shape[-1]).tolist() for m in moved), strict=True)]
    return np.moveaxis(np.array(rows, np.float64).reshape(shape), -1, axis)


def _softmax_row(row: Row) -> Row:
    top = max(row)
    if any(math.isnan(v) for v in row) or math.isinf(top):
        return [math.nan] * len(row)  # all -inf, or +inf - inf
    e = [math.exp(v - top) for v in row]
    return [v / sum(e) for v in e]


def _log_softmax_row(row: Row) -> Row:
    top = max(row)
    if any(math.isnan(v) for v in row) or math.isinf(top):
        return [math.nan] * len(row)
    log_sum = math.log(sum(math.exp(v - top) for v in row))
    return [v - top - log_sum for v in row]


def _gaps(row: Row) -> Row:
    """How far below the largest: exp enlarges a relative rounding of x - max by |x - max|."""
    top = max(row)
    return [abs(v - top) if math.isfinite(v) and math.isfinite(top) else 0.0 for v in row]


def _log_scale(x: Any, axis: int) -> Any:
    """Roundings of v - max - log(sum): each of the three terms, and one per summand, as absolute errors."""
    size = x.shape[axis]
    return ROUNDINGS + size + 2 * _along(_gaps, axis, x)


def softmax(x: Any, axis: int) -> Expected:
    """exp(x) / sum(exp(x)) along an axis"""
    p = _along(_softmax_row, axis, x)
    return Expected(p, (2 * ROUNDINGS + x.shape[axis] + _along(_gaps, axis, x)) * p)


def softmax_grad(gy: Any, y: Any, axis: int) -> Expected:
    """y * (gy - sum(gy * y))"""

    def row(g: Row, p: Row) -> Row:
        mean = sum(a * b for a, b in zip(g, p, strict=True))
        return [b * (a - mean) for a, b in zip(g, p, strict=True)]

    def magnitude(g: Row, p: Row) -> Row:
        mean = sum(abs(a * b) for a, b in zip(g, p, strict=True))
        return [abs(b) * (abs(a) + mean) for a, b in zip(g, p, strict=True)]

    return Expected(_along(row, axis, gy, y), (y.shape[axis] + 4) * _along(magnitude, axis, gy, y))


def log_softmax(x: Any, axis: int) -> Expected:
    """x - log(sum(exp(x))) along an axis"""
    value = _along(_log_softmax_row, axis, x)
    return Expected(value, np.where(np.isfinite(value), _log_scale(x, axis), 0))


def log_softmax_grad(gy: Any, y: Any, axis: int) -> Expected:
    """gy - exp(y) * sum(gy)"""

    def row(g: Row, log_p: Row) -> Row:
        total = sum(g)
        return [a - math.exp(b) * total for a, b in zip(g, log_p, strict=True)]

    def magnitude(g: Row, log_p: Row) -> Row:
        total = sum(map(abs, g))
        return [abs(a) + math.exp(b) * (1 + abs(b)) * total for a, b in zip(g, log_p, strict=True)]

    return Expected(_along(row, axis, gy, y), (y.shape[axis] + ROUNDINGS) * _along(magnitude, axis, gy, y))


def cross_entropy(x: Any, target: Any) -> tuple[Expected, Expected]:
    """x (N, C), target (N,) -> losses (N,), probabilities (N, C)"""
    log_p = _along(_log_softmax_row, 1, x)
    scale = np.where(np.isfinite(log_p), _log_scale(x, 1), 0)
    rows = np.arange(len(target))
    with np.errstate(all="ignore"):
        p = np.exp(log_p)
    return Expected(-log_p[rows, target], scale[rows, target]), Expected(p, (scale + ROUNDINGS) * p)


def cross_entropy_grad(gy: Any, p: Any, target: Any) -> Expected:
    """(p - onehot(target)) * gy: gy (N,), p (N, C) -> (N, C)"""
    gx, magnitude = np.zeros(p.shape), np.zeros(p.shape)
    for i, right in enumerate(target.tolist()):
        for k in range(p.shape[1]):
            hit = 1.0 if k == right else 0.0
            gx[i, k] = (float(p[i, k]) - hit) * float(gy[i])
            magnitude[i, k] = (abs(float(p[i, k])) + hit) * abs(float(gy[i]))
    return Expected(gx, 4 * magnitude)
