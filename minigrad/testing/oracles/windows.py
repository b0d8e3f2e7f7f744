"""Which cell of the image each tap of the window meets, and im2col and col2im by that list."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from minigrad.testing.tolerance import Expected
from minigrad.window import Window

Shape = tuple[int, ...]


@lru_cache(maxsize=4096)
def places(window: Window, height: int, width: int) -> tuple[int, int]:
    """(H, W) -> (OH, OW): count the places one by one until the window leaves the padded image."""
    counts = []
    for axis, size in enumerate((height, width)):
        (stride, pad), reach = (window.stride[axis], window.padding[axis]), _reach(window, axis)
        count, start = 0, -pad
        while start + reach <= size + pad or (window.ceil_mode and _hangs_over(start, reach, stride, size, pad)):
            count, start = count + 1, start + stride
        counts.append(count)
    return counts[0], counts[1]


def _reach(window: Window, axis: int) -> int:
    """From the first cell to the one behind the last."""
    return window.dilation[axis] * (window.kernel[axis] - 1) + 1


def _hangs_over(start: int, reach: int, stride: int, size: int, pad: int) -> bool:
    """With ceil_mode, one window more may reach over the end, if it starts before the right padding."""
    one_before_fitted = start - stride + reach < size + pad
    return one_before_fitted and start < size


@lru_cache(maxsize=512)
def meetings(window: Window, height: int, width: int) -> tuple[tuple[int, int, int], ...]:
    """All (tap, place, cell) that meet inside the image, each a flat number, in the window's scan order."""
    (oh, ow), (kh, kw) = places(window, height, width), window.kernel
    found = []
    for r in range(oh):
        for s in range(ow):
            for a in range(kh):
                for e in range(kw):
                    i = r * window.stride[0] + a * window.dilation[0] - window.padding[0]
                    j = s * window.stride[1] + e * window.dilation[1] - window.padding[1]
                    if 0 <= i < height and 0 <= j < width:
                        found.append((a * kw + e, r * ow + s, i * width + j))
    return tuple(found)


@lru_cache(maxsize=256)
def column_cells(shape: Shape, window: Window) -> tuple[Any, Any]:
    """Pairs of a column cell and the image cell it shows, as two arrays of flat numbers."""
    n, c, h, w = shape
    spots = int(np.prod(places(window, h, w)))
    columns, cells = [], []
    for image in range(n):
        for channel in range(c):
            plane = image * c + channel
            for tap, place, cell in meetings(window, h, w):
                columns.append((plane * window.taps + tap) * spots + place)
                cells.append(plane * h * w + cell)
    return np.array(columns, np.int64), np.array(cells, np.int64)


def im2col(x: Any, window: Window, fill: float = 0) -> Expected:
    """(N, C, H, W) -> (N, C*KH*KW, OH*OW), exact"""
    n, c, h, w = x.shape
    columns, cells = column_cells(x.shape, window)
    spots = int(np.prod(places(window, h, w)))
    cols = np.full(n * c * window.taps * spots, fill, np.int64 if x.dtype.kind == "i" else np.float64)
    cols[columns] = x.reshape(-1)[cells]
    return Expected(cols.reshape(n, c * window.taps, spots))


def col2im(cols: Any, x_shape: Shape, window: Window) -> Expected:
    """(N, C*KH*KW, OH*OW) -> x_shape = (N, C, H, W)"""
    columns, cells = column_cells(tuple(x_shape), window)
    values, size = cols.reshape(-1)[columns].astype(np.float64), int(np.prod(x_shape))
    image = np.bincount(cells, weights=values, minlength=size).reshape(x_shape).astype(np.float64)
    magnitude = np.bincount(cells, weights=np.abs(values), minlength=size).reshape(x_shape)
    return Expected(image, window.taps * magnitude)
