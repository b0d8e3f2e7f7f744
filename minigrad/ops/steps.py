"""Numbers at even distances, and places on grids, rounded as PyTorch's compiled code rounds them: once per multiply-and-add.

Where a program looks at which side of a pixel's edge a number falls, the last bit decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.ops.arithmetic import mul
from minigrad.ops.base import Array, Grads, Tensor, Unary
from minigrad.random.normal import fma32, fma64


def fused(a: Array, b: float, c: float) -> Array:
    """a * b + c, for float32 and float64 arrays of NumPy rounded once."""
    if not isinstance(a, np.ndarray) or a.dtype.kind != "f" or a.dtype.itemsize < 4:
        return a * a.dtype.type(b) + a.dtype.type(c)
    if a.dtype.itemsize == 4:
        return fma32(a, np.float32(b), np.float32(c))
    return fma64(a, float(b), float(c))


def even_steps(start: Any, end: Any, steps: int, kind: Any) -> Array:
    """`steps` numbers from start to end inclusive, of a NumPy type: the first half counted from the start, the rest from the end."""
    first, last = kind.type(start), kind.type(end)
    step = (last - first) / kind.type(max(steps - 1, 1))
    half = max(steps // 2, 1)
    index = np.arange(steps)
    upwards = fused(index[:half].astype(kind), step, first)
    return np.concatenate([upwards, fused((steps - 1 - index[half:]).astype(kind), -step, last)])


class FusedAffine(Unary):
    """x * scale + shift, rounded once."""

    __slots__ = ("scale", "shift")
    keeps = False

    def __init__(self, scale: float, shift: float) -> None:
        self.scale, self.shift = scale, shift

    def forward(self, x: Array) -> Array:
        return fused(x, self.scale, self.shift)

    def backward(self, gy: Tensor) -> Grads:
        return mul(gy, self.scale)
