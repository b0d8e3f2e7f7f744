"""Pools gone wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minigrad.backend import Array, Shape
from minigrad.testing.mutants.base import Mutant
from minigrad.window import Window


def _padded(x: Array, window: Window, fill: float) -> Array:
    (ph, pw) = window.padding
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=np.asarray(fill, x.dtype).item())


class PadsWithZero(Mutant):
    """Padding is 0 instead of minus infinity: it wins over negative images."""

    operation = "max_pool2d"

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        y, indices = super().max_pool2d(x, window)
        if window.padding != (0, 0):
            edge = super().max_pool2d(np.ones_like(x), window)[0]
            counted = self.im2col(np.ones_like(x), replace(window), 0)
            outside = counted.reshape(*x.shape[:2], window.taps, *edge.shape[2:]).min(2) == 0
            y = np.where(outside & (y < 0), np.zeros_like(y), y)
        return y, indices


class LastMaximumWins(Mutant):
    """`>=` for `>`: of equal values the last one gets the gradient."""

    operation = "max_pool2d"

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        y, indices = super().max_pool2d(x, window)
        (n, c, h, w), spots = x.shape, y.shape[2] * y.shape[3]
        if x.dtype.kind != "f" or not x.size:
            return y, indices
        cells = np.arange(h * w, dtype=np.float64).reshape(1, 1, h, w)
        seen = self.im2col(cells, window, -1)[0].astype(np.int64)  # (KH*KW, OH*OW), -1 outside
        cols = self.im2col(x.reshape(n * c, 1, h, w), window)
        equal = (cols == y.reshape(n * c, 1, spots)) & (seen >= 0)
        last = window.taps - 1 - equal[:, ::-1].argmax(1)
        late = np.where(equal.any(1), seen[last, np.arange(spots)], indices.reshape(n * c, spots))
        return y, late.reshape(y.shape)


class NaNLoses(Mutant):
    """A comparison with NaN is false, so NaN never wins, unless it comes first."""

    operation = "max_pool2d"

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        y, indices = super().max_pool2d(np.nan_to_num(x, nan=-np.inf) if x.dtype.kind == "f" else x, window)
        return y, indices


class IndicesOfThePaddedPlane(Mutant):
    """Winners are counted in the padded image: the gradient lands beside them."""

    operation = "max_pool2d"

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        y, indices = super().max_pool2d(x, window)
        rows, columns = np.divmod(indices, x.shape[3])
        (ph, pw), width = window.padding, x.shape[3] + 2 * window.padding[1]
        return y, (rows + ph) * width + columns + pw


class MinusOneForMinusInfinity(Mutant):
    """The search starts at -inf with index -1, and a window of -inf alone never beats it."""

    operation = "max_pool2d"

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        y, indices = super().max_pool2d(x, window)
        return y, np.where(np.isneginf(y), -1, indices) if x.dtype.kind == "f" else indices


class BlindWindowNamesNoCell(Mutant):
    """A dilated window whose taps all miss a small image names cell -1, and its gradient lands outside of the image."""

    operation = "max_pool2d"

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        y, indices = super().max_pool2d(x, window)
        return y, indices - 1 if window.can_miss(*x.shape[2:]) else indices


class CeilWindowIncomplete(Mutant):
    """The window that hangs over the edge reads 0 where the image has ended."""

    operation = "max_pool2d"

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        y, indices = super().max_pool2d(x, window)
        floor = replace(window, ceil_mode=False).out_size(*x.shape[2:])
        y[:, :, floor[0] :] = np.maximum(y[:, :, floor[0] :], 0)
        y[:, :, :, floor[1] :] = np.maximum(y[:, :, :, floor[1] :], 0)
        return y, indices


class NarrowIndices(Mutant):
    """Indices come back as int32."""

    operation = "max_pool2d"

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        y, indices = super().max_pool2d(x, window)
        return y, indices.astype(np.int32)


class WinnersOverwrite(Mutant):
    """A cell that wins in two overlapping windows gets one gradient instead of their sum."""

    operation = "max_pool2d_grad"

    def max_pool2d_grad(self, gy: Array, indices: Array, x_shape: Shape) -> Array:
        n, c, h, w = x_shape
        gx = np.zeros((n, c, h * w), gy.dtype)
        np.put_along_axis(
            gx, indices.reshape(n, c, gy.shape[2] * gy.shape[3]), gy.reshape(n, c, gy.shape[2] * gy.shape[3]), 2
        )
        return gx.reshape(x_shape)


class GatherFromTheFirstPlane(Mutant):
    """The second derivative reads every channel's winners from channel 0."""

    operation = "max_pool2d_gather"

    def max_pool2d_gather(self, x: Array, indices: Array) -> Array:
        return super().max_pool2d_gather(
            np.ascontiguousarray(np.broadcast_to(x[:, :1], x.shape)) if x.size else x, indices
        )


class PaddingNeverCounted(Mutant):
    """`count_include_pad` is ignored: padding never counts."""

    operation = "avg_pool2d"

    def avg_pool2d(self, x: Array, window: Window, count_include_pad: bool = True, divisor: int | None = None) -> Array:
        return super().avg_pool2d(x, window, False, divisor)


class OverhangCounted(Mutant):
    """With ceil_mode the cells beyond the padding are counted in the divisor."""

    operation = "avg_pool2d"

    def avg_pool2d(self, x: Array, window: Window, count_include_pad: bool = True, divisor: int | None = None) -> Array:
        return super().avg_pool2d(x, window, count_include_pad, divisor or (window.taps if count_include_pad else None))


class RunningSums(Mutant):
    """Averages from running sums: one NaN or infinity spoils every window after it."""

    operation = "avg_pool2d"

    def avg_pool2d(self, x: Array, window: Window, count_include_pad: bool = True, divisor: int | None = None) -> Array:
        y = super().avg_pool2d(x, window, count_include_pad, divisor)
        bad = np.logical_or.accumulate(~np.isfinite(y), axis=3)
        return np.where(bad, np.asarray(np.nan, y.dtype), y)


class DivisorIgnoredInGradient(Mutant):
    """The gradient divides by the window's size although a divisor was given."""

    operation = "avg_pool2d_grad"

    def avg_pool2d_grad(
        self, gy: Array, x_shape: Shape, window: Window, count_include_pad: bool = True, divisor: int | None = None
    ) -> Array:
        return super().avg_pool2d_grad(gy, x_shape, window, count_include_pad, None)
