"""The reference backend: plain NumPy. It defines what the words mean."""

from __future__ import annotations

import numpy as np

from minigrad.backend import Array, Backend, Shape
from minigrad.window import Window


class NumpyBackend(Backend):
    """NumPy arrays on the CPU."""

    name = "numpy"
    device = "cpu"
    xp = np

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        """(N, C, H, W) -> (N, C*KH*KW, OH*OW)"""
        (n, c, h, w), (kh, kw) = x.shape, window.kernel
        oh, ow = window.out_size(h, w)
        padded = pad(x, window, fill)
        cols = np.empty((n, c, kh, kw, oh, ow), x.dtype)
        for i, j, here in taps(window, oh, ow):
            cols[:, :, i, j] = padded[here]
        return cols.reshape(n, c * kh * kw, oh * ow)

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        """(N, C*KH*KW, OH*OW) -> x_shape = (N, C, H, W)"""
        (n, c, h, w), (kh, kw), (ph, pw) = x_shape, window.kernel, window.padding
        oh, ow = window.out_size(h, w)
        cols = cols.reshape(n, c, kh, kw, oh, ow)
        bottom, right = reach(window, h, w)
        padded = np.zeros((n, c, bottom, right), cols.dtype)
        for i, j, here in taps(window, oh, ow):
            padded[here] += cols[:, :, i, j]
        return np.ascontiguousarray(padded[:, :, ph : ph + h, pw : pw + w])


def taps(window: Window, oh: int, ow: int):  # type: ignore[no-untyped-def]
    """For every tap (i, j) of the window, the slice of the padded image that it sees: OH x OW cells."""
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
    for i in range(kh):
        rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
        for j in range(kw):
            yield i, j, (..., rows, slice(j * dw, j * dw + sw * (ow - 1) + 1, sw))


def reach(window: Window, h: int, w: int) -> tuple[int, int]:
    """Height and width of the padded image; with ceil_mode a last window may need cells beyond the padding."""
    sizes = []
    for axis, (size, places) in enumerate(zip((h, w), window.out_size(h, w), strict=True)):
        last = (places - 1) * window.stride[axis] + window.extent[axis]
        sizes.append(max(size + 2 * window.padding[axis], last))
    return sizes[0], sizes[1]


def pad(x: Array, window: Window, fill: float) -> Array:
    """Surround the image with `fill`: (N, C, H, W) -> (N, C, *reach)"""
    (n, c, h, w), (ph, pw) = x.shape, window.padding
    bottom, right = reach(window, h, w)
    if (bottom, right) == (h, w):
        return x
    padded = np.full((n, c, bottom, right), fill, x.dtype)
    padded[:, :, ph : ph + h, pw : pw + w] = x
    return padded
