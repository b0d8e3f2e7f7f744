"""Matrix products, entry by entry."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.testing.oracles.elementwise import relu_grad
from minigrad.testing.tolerance import Expected


def matmul(a: Any, b: Any) -> Expected:
    """(..., M, K) @ (..., K, N) -> (..., M, N), leading axes broadcast"""
    (m, k), n = a.shape[-2:], b.shape[-1]
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    count = math.prod(lead)
    a = np.broadcast_to(a, (*lead, m, k)).reshape(count, m, k).astype(np.float64)
    b = np.broadcast_to(b, (*lead, k, n)).reshape(count, k, n).astype(np.float64)
    value, magnitude = np.zeros((len(a), m, n)), np.zeros((len(a), m, n))
    for batch in range(len(a)):
        for i in range(m):
            for j in range(n):
                products = [p * q for p, q in zip(a[batch, i].tolist(), b[batch, :, j].tolist(), strict=True)]
                value[batch, i, j] = sum(products)
                magnitude[batch, i, j] = sum(map(abs, products))
    shape = (*lead, m, n)
    return Expected(value.reshape(shape), (k + 2) * magnitude.reshape(shape))


def linear(x: Any, w: Any, b: Any) -> Expected:
    """x (M, I), w (O, I), b (O,) or None -> (M, O)"""
    y = matmul(x, w.T)
    if b is None:
        return y
    bias = b.astype(np.float64)
    return Expected(y.value + bias, y.scale + 2 * (np.abs(y.value) + np.abs(bias)))


def linear_grads(gy: Any, x: Any, w: Any, y: Any, needs: Any) -> tuple[Expected | None, ...]:
    """Gradients of linear in x, w and bias, those that are needed; with its output y, of linear_relu"""
    if y is not None:
        gy = relu_grad(gy, y).value
    gb = gy.astype(np.float64).sum(0)
    size = np.abs(gy).astype(np.float64).sum(0)
    grads = (matmul(gy, w), matmul(gy.T, x), Expected(gb, (len(gy) + 2) * size))
    return tuple(g if need else None for g, need in zip(grads, needs, strict=True))


def linear_relu(x: Any, w: Any, b: Any) -> Expected:
    """max(linear, 0)"""
    y = linear(x, w, b)
    return Expected(np.maximum(y.value, 0), y.scale)
