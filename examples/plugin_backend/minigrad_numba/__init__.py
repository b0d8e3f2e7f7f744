"""A minigrad backend whose convolutions and pools are compiled by Numba.

Arrays are NumPy's, so everything that is not said here is inherited from the base class, which says it
with `xp`. The words here only bring their arguments into the form that the kernels expect.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array, Backend, Shape
from minigrad.window import Window
from minigrad_numba import kernels


def _ready(array: Array) -> Array:
    """C-contiguous and writable: Numba compiles anew for every other kind of array."""
    return np.require(array, requirements=("C", "W"))


def _numbers(window: Window) -> tuple[int, ...]:
    """Kernel, stride, padding and dilation as eight integers."""
    return (*window.kernel, *window.stride, *window.padding, *window.dilation)


class NumbaBackend(Backend):
    """NumPy arrays on the CPU, loops compiled by Numba."""

    name = "numba"
    device = "cpu"
    xp = np

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        """(N, C, H, W) -> (N, C*KH*KW, OH*OW)"""
        n, c, h, w = x.shape
        cols = np.full((n, c, window.taps, *window.out_size(h, w)), fill, x.dtype)
        kernels.im2col(_ready(x), cols, _numbers(window))
        return cols.reshape(n, c * window.taps, cols.shape[3] * cols.shape[4])

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        """(N, C*KH*KW, OH*OW) -> x_shape = (N, C, H, W)"""
        n, c, h, w = x_shape
        x = np.zeros(x_shape, cols.dtype)
        kernels.col2im(_ready(cols).reshape(n, c, window.taps, *window.out_size(h, w)), x, _numbers(window))
        return x

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        """x (N, C, H, W), w (F, C/groups, KH, KW), b (F,) or None -> (N, F, OH, OW)"""
        y = np.zeros((len(x), len(w), *window.out_size(*x.shape[2:])), x.dtype)
        if b is not None:
            y += b[:, None, None]
        kernels.conv2d(_ready(x), _ready(w), y, _numbers(window), groups)
        return y

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        """gy (N, F, OH, OW), w (F, C/groups, KH, KW) -> x_shape = (N, C, H, W)"""
        gx = np.zeros(x_shape, gy.dtype)
        kernels.conv2d_input_grad(_ready(gy), _ready(w), gx, _numbers(window), groups)
        return gx

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        """gy (N, F, OH, OW), x (N, C, H, W) -> w_shape = (F, C/groups, KH, KW)"""
        gw = np.zeros(w_shape, gy.dtype)
        kernels.conv2d_weight_grad(_ready(gy), _ready(x), gw, _numbers(window), groups)
        return gw

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        """(N, C, H, W) -> y and indices (N, C, OH, OW)"""
        shape = (*x.shape[:2], *window.out_size(*x.shape[2:]))
        y, indices = np.empty(shape, x.dtype), np.empty(shape, np.int64)
        lowest = x.dtype.type(-np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)
        kernels.max_pool2d(_ready(x), y, indices, lowest, _numbers(window))
        return y, indices

    def max_pool2d_grad(self, gy: Array, indices: Array, x_shape: Shape) -> Array:
        """gy, indices (N, C, OH, OW) -> x_shape = (N, C, H, W)"""
        gx: Any = np.zeros(x_shape, gy.dtype)
        kernels.max_pool2d_grad(_ready(gy), _ready(indices), gx)
        return gx
