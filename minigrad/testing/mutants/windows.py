"""im2col and col2im gone wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from minigrad.backend import Array, Shape
from minigrad.testing.mutants.base import Mutant
from minigrad.window import Pair, Window


def swapped(pair: Pair) -> Pair:
    """(vertical, horizontal) taken for (horizontal, vertical)."""
    return pair[1], pair[0]


class PaddingAxesSwapped(Mutant):
    """Padding is applied to the other axis; square padding hides it."""

    operation = "im2col"

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        if window.padding[0] == window.padding[1] or 0 in x.shape:
            return super().im2col(x, window, fill)
        (n, c, h, w), (top, left) = x.shape, swapped(window.padding)
        oh, ow = window.out_size(h, w)
        padded = np.full((n, c, h + 99, w + 99), fill, x.dtype)
        padded[:, :, top : top + h, left : left + w] = x
        cols = super().im2col(padded, replace(window, padding=(0, 0), ceil_mode=False), fill)
        wide = replace(window, padding=(0, 0), ceil_mode=False).out_size(h + 99, w + 99)
        return np.ascontiguousarray(cols.reshape(n, -1, *wide)[:, :, :oh, :ow]).reshape(n, -1, oh * ow)


class FillIgnored(Mutant):
    """Padded cells always hold 0, whatever the caller asked for: the max-pool above them goes wrong."""

    operation = "im2col"

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        return super().im2col(x, window, 0)


class KernelScannedByColumns(Mutant):
    """Taps of a window are listed column by column instead of row by row."""

    operation = "im2col"

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        cols = super().im2col(x, window, fill)
        (n, rows, spots), (kh, kw) = cols.shape, window.kernel
        taps = cols.reshape(n, x.shape[1], kh, kw, spots).swapaxes(2, 3)
        return np.ascontiguousarray(taps).reshape(n, rows, spots)


class ViewOfTheInput(Mutant):
    """A 1 x 1 window needs no copy, so im2col returns a view of the image: writing the result writes the input."""

    operation = "im2col"

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        if window == Window((1, 1)):
            return x.reshape(x.shape[0], x.shape[1], x.shape[2] * x.shape[3])
        return super().im2col(x, window, fill)


class BatchOver65535(Mutant):
    """The batch is one extent of a launch grid, which ends at 65535: later images are left at 0."""

    operation = "im2col"

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        cols = super().im2col(x, window, fill)
        cols[65535:] = 0
        return cols


class StridesOfTheBufferIgnored(Mutant):
    """The kernel takes the data pointer and assumes C order: a transposed image is read as it lies in memory."""

    operation = "im2col"

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        return super().im2col(x.ravel("K").reshape(x.shape), window, fill)


class LastColumnsOfAVector(Mutant):
    """Rows are copied four cells at a time, and the tail of a row that is longer than four is forgotten."""

    operation = "im2col"

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        cols = super().im2col(x, window, fill)
        width = window.out_size(*x.shape[2:])[1]
        if cols.size and width > 4 and width % 4:
            cols.reshape(*cols.shape[:2], -1, width)[..., width - width % 4 :] = 0
        return cols


class OverlapsOverwritten(Mutant):
    """Cells that several windows saw get the last one's gradient instead of the sum."""

    operation = "col2im"

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        index = np.arange(1, int(np.prod(x_shape)) + 1, dtype=np.float64).reshape(x_shape)
        seen = super().im2col(index, window, 0).astype(np.int64)
        image = np.zeros(int(np.prod(x_shape)) + 1, cols.dtype)
        image[seen.reshape(-1)] = cols.reshape(-1)
        return image[1:].reshape(x_shape).copy()


class UninitialisedRemainder(Mutant):
    """The image is allocated without being cleared: cells that no window saw keep what was in memory."""

    operation = "col2im"

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        image = super().col2im(cols, x_shape, window)
        seen = super().col2im(np.ones_like(cols), x_shape, window)
        image[seen == 0] = 12345
        return image


class StrideRemainderCropped(Mutant):
    """The image is given the size that the windows reach, not the size that it had: no stride remainder."""

    operation = "col2im"

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        places, size = window.out_size(*x_shape[2:]), list(x_shape)
        for axis in (0, 1):
            reached = (places[axis] - 1) * window.stride[axis] + window.extent[axis] - 2 * window.padding[axis]
            size[2 + axis] = max(1, min(x_shape[2 + axis], reached))
        return np.ascontiguousarray(super().col2im(cols, x_shape, window)[:, :, : size[2], : size[3]])


class DilationIgnored(Mutant):
    """The gradient of a dilated window is put where an undilated one would have looked."""

    operation = "col2im"

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        if window.dilation == (1, 1):
            return super().col2im(cols, x_shape, window)
        n, c, h, w = x_shape
        places, tight = window.out_size(h, w), replace(window, dilation=(1, 1), ceil_mode=False)
        wide = tight.out_size(h, w)
        full = np.zeros((n, c * window.taps, *wide), cols.dtype)
        full[:, :, : places[0], : places[1]] = cols.reshape(n, c * window.taps, *places)
        return super().col2im(full.reshape(n, c * window.taps, wide[0] * wide[1]), x_shape, tight)


class GradientsLeftOver(Mutant):
    """The accumulator of the last call is not cleared when the next one has the same shape."""

    operation = "col2im"

    def __init__(self) -> None:
        self._kept: dict[Any, Array] = {}

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        key = (tuple(x_shape), cols.dtype)
        before = self._kept.get(key, 0)
        image = super().col2im(cols, x_shape, window) + before
        self._kept[key] = image.copy()
        return image
