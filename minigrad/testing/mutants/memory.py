"""Right numbers, wrong arrays: memory, types and threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.testing.mutants.base import Mutant
from minigrad.window import Window


class StaticWorkspace(Mutant):
    """The result lives in a buffer that the next call of the same shape fills again."""

    operation = "conv2d"

    def __init__(self) -> None:
        self._buffers: dict[Any, Array] = {}

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        y = super().conv2d(x, w, b, window, groups)
        buffer = self._buffers.setdefault((y.shape, y.dtype), np.empty_like(y))
        buffer[...] = y
        return buffer


class FloatsWiden(Mutant):
    """A Python float becomes a float64 array, and the result with it."""

    operation = "sigmoid"

    def sigmoid(self, x: Array) -> Array:
        return super().sigmoid(x) * np.float64(1.0)


class ListInsteadOfArray(Mutant):
    """The result is a list of numbers instead of one of the backend's arrays."""

    operation = "tanh"

    def tanh(self, x: Array) -> Any:
        return super().tanh(x).tolist()


class TransposedResult(Mutant):
    """The result has the right shape but Fortran's order in memory; the next kernel reads it wrong."""

    operation = "matmul"

    def matmul(self, a: Array, b: Array) -> Array:
        return np.ascontiguousarray(super().matmul(a, b).swapaxes(-1, -2)).swapaxes(-1, -2)


class SharedScratch(Mutant):
    """Two threads share one scratch array without a lock: each sees the other's numbers."""

    operation = "softmax"

    def __init__(self) -> None:
        self._calling = threading.Semaphore(1)

    def softmax(self, x: Array, axis: int) -> Array:
        y = super().softmax(x, axis)
        alone = self._calling.acquire(blocking=False)
        threading.Event().wait(0.002)
        if alone:
            self._calling.release()
            return y
        return y * np.asarray(1.01, y.dtype)


class BroadcastResult(Mutant):
    """A gradient that is the same everywhere is returned as one cell with stride 0."""

    operation = "conv2d_bias_grad"

    def conv2d_bias_grad(self, gy: Array) -> Array:
        gb = super().conv2d_bias_grad(gy)
        if gb.size and (gb == gb[0]).all():
            gb = np.broadcast_to(gb[:1], gb.shape)
        return gb


class DenormalsFlushed(Mutant):
    """-ffast-math: numbers below the smallest normal one become 0, and a copy is no copy."""

    operation = "max_pool2d_gather"

    def max_pool2d_gather(self, x: Array, indices: Array) -> Array:
        y = super().max_pool2d_gather(x, indices)
        y[np.abs(y) < np.finfo(y.dtype).tiny] = 0
        return y
