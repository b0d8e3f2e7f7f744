"""The reference backend: plain NumPy. It defines what the words mean."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

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

    # What follows says the base class's words faster: fresh memory costs more than arithmetic, so images are
    # taken a few at a time, and the columns of those few fit into the cache and are written over by the next.

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        """x (N, C, H, W), w (F, C/groups, KH, KW), b (F,) or None -> (N, F, OH, OW)"""
        size = window.out_size(*x.shape[2:])
        y = np.empty((len(x), len(w), *size), x.dtype)
        rows = w.reshape(groups, len(w) // groups, -1)  # (G, F/G, C/G*KH*KW)
        for part in batches(x, window):
            cols = self.im2col(x[part], window).reshape(-1, groups, rows.shape[2], size[0] * size[1])
            out = y[part].reshape(len(cols), groups, -1, cols.shape[3])  # (n, G, F/G, OH*OW)
            np.matmul(rows, cols, out=out)
            if b is not None:
                out += b.reshape(groups, -1, 1)
        return y

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        """gy (N, F, OH, OW), w (F, C/groups, KH, KW) -> x_shape = (N, C, H, W)"""
        gx = np.empty(x_shape, gy.dtype)
        for part in batches(gx, window):
            here = gx[part]
            here[...] = super().conv2d_input_grad(gy[part], w, here.shape, window, groups)
        return gx

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        """gy (N, F, OH, OW), x (N, C, H, W) -> w_shape = (F, C/groups, KH, KW)"""
        gw = np.zeros(w_shape, x.dtype)
        for part in batches(x, window):
            gw += super().conv2d_weight_grad(gy[part], x[part], w_shape, window, groups)
        return gw

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        """(N, C, H, W) -> y, indices (N, C, OH, OW): a running maximum over the taps, no columns."""
        (h, w), (kh, kw) = x.shape[2:], window.kernel
        if x.dtype.kind != "f" or max(window.padding) or window.ceil_mode:
            return super().max_pool2d(x, window)
        oh, ow = window.out_size(h, w)
        views = [x[here] for _, _, here in taps(window, oh, ow)]
        y = views[0].copy()
        for value in views[1:]:
            np.maximum(y, value, out=y)  # NaN wins
        some_nan = bool(np.isnan(y).any())
        tap = np.zeros(y.shape, np.uint8 if kh * kw < 256 else np.int64)  # how many taps come before the winner
        missed = np.ones(y.shape, bool)
        for value in views[:-1]:
            missed &= value != y
            if some_nan:
                missed &= value == value
            tap += missed
        cells = np.array([i * window.dilation[0] * w + j * window.dilation[1] for i, j, _ in taps(window, oh, ow)])
        indices = cells[tap]
        indices += np.arange(oh)[:, None] * (window.stride[0] * w) + np.arange(ow) * window.stride[1]
        return y, indices

    def max_pool2d_grad(self, gy: Array, indices: Array, x_shape: Shape) -> Array:
        """gy, indices (N, C, OH, OW) -> x_shape = (N, C, H, W)"""
        n, c, h, w = x_shape
        places = indices + np.arange(0, n * c * h * w, max(h * w, 1)).reshape(n, c, 1, 1)
        summed = np.bincount(places.reshape(-1), gy.reshape(-1), n * c * h * w)  # in float64
        return summed.astype(gy.dtype, copy=False).reshape(x_shape)

    def relu(self, x: Array) -> Array:
        """max(x, 0)"""
        return np.maximum(x, _ZERO.get(x.dtype.char, 0))

    def relu_grad(self, gy: Array, y: Array) -> Array:
        """gy, but 0 where y <= 0: the bits of gy under a mask of all ones or all zeros, ten times faster than np.where."""
        if gy.size < _SMALL or gy.dtype.kind != "f" or gy.shape != y.shape or not gy.ndim:
            return super().relu_grad(gy, y)
        bits = f"i{gy.dtype.itemsize}"
        mask = (y <= _ZERO[gy.dtype.char]).astype(bits)
        mask -= 1
        mask &= gy.view(bits)
        return mask.view(gy.dtype)


_ZERO = {char: np.zeros((), char) for char in "efdbhilqBHILQ"}


def _keep_freed_memory() -> None:
    """Ask the C library to reuse large blocks instead of giving them back: fresh ones cost 0.7 ms per MB to touch."""
    try:
        mallopt = ctypes.CDLL(None).mallopt  # glibc's; other systems have none
    except (AttributeError, OSError, TypeError):
        return
    m_trim_threshold, m_mmap_threshold = -1, -3
    mallopt(m_mmap_threshold, 2**30)
    mallopt(m_trim_threshold, 2**31 - 1)


_keep_freed_memory()

_SMALL = 2048  # elements up to which one slow pass is quicker than four fast ones
_ROOM = 2**20  # bytes of columns that are worked on at a time: about what a core's second cache holds


def batches(x: Array, window: Window) -> Iterator[slice]:
    """The batch in slices of as many images as have their columns within _ROOM."""
    oh, ow = window.out_size(*x.shape[2:])
    each = x.shape[1] * window.taps * oh * ow * x.dtype.itemsize
    count = max(1, _ROOM // max(each, 1))
    return (slice(start, start + count) for start in range(0, len(x), count))


def taps(window: Window, oh: int, ow: int) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
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
