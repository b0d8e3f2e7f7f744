"""Pooling: scan each window in order and keep the first maximum, or add up and divide."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.testing.oracles.windows import column_cells, meetings, places
from minigrad.testing.tolerance import Expected
from minigrad.window import Window

Shape = tuple[int, ...]


def argmax_pool(x: Any, window: Window) -> tuple[Any, Any]:
    """(N, C, H, W) -> values and flat cells (N, C, OH, OW): the first maximum wins, the first NaN wins over all."""
    n, c, h, w = x.shape
    (oh, ow), met = places(window, h, w), meetings(window, h, w)
    values = np.zeros((n * c, oh * ow), np.int64 if x.dtype.kind == "i" else np.float64)
    cells = np.zeros((n * c, oh * ow), np.int64)
    for plane, numbers in enumerate(x.reshape(n * c, h * w).tolist() if n * c else []):
        best: dict[int, int] = {}
        for _, place, cell in met:
            if place not in best or _beats(numbers[cell], numbers[best[place]]):
                best[place] = cell
        for place, cell in best.items():
            values[plane, place], cells[plane, place] = numbers[cell], cell
    return values.reshape(n, c, oh, ow), cells.reshape(n, c, oh, ow)


def _beats(new: float, old: float) -> bool:
    return new > old or (math.isnan(new) and not math.isnan(old))


def max_pool2d(x: Any, window: Window) -> tuple[Expected, Expected]:
    """(N, C, H, W) -> y, indices (N, C, OH, OW), both exact"""
    y, indices = argmax_pool(x, window)
    return Expected(y), Expected(indices)


def max_pool2d_grad(gy: Any, indices: Any, x_shape: Shape) -> Expected:
    """gy, indices (N, C, OH, OW) -> x_shape = (N, C, H, W)"""
    n, c, h, w = x_shape
    gx, magnitude, count = (np.zeros((n, c, h * w)) for _ in range(3))
    for i in range(n):
        for k in range(c):
            for value, cell in zip(gy[i, k].reshape(-1).tolist(), indices[i, k].reshape(-1).tolist(), strict=True):
                gx[i, k, cell] += value
                magnitude[i, k, cell] += abs(value)
                count[i, k, cell] += 1
    # a cell that one window chose holds that very gradient
    return Expected(gx.reshape(x_shape), np.where(count > 1, count * magnitude, 0).reshape(x_shape))


def max_pool2d_gather(x: Any, indices: Any) -> Expected:
    """x (N, C, H, W), indices (N, C, OH, OW) -> (N, C, OH, OW), exact"""
    n, c, oh, ow = indices.shape
    out = np.zeros((n, c, oh, ow))
    for i in range(n):
        for k in range(c):
            numbers = x[i, k].reshape(-1).tolist()
            out[i, k] = np.array([numbers[cell] for cell in indices[i, k].reshape(-1).tolist()]).reshape(oh, ow)
    return Expected(out)


def pool_divisors(window: Window, height: int, width: int, count_include_pad: bool, divisor: int | None) -> Any:
    """What each average divides by, counted cell by cell: (OH*OW,)"""
    oh, ow = places(window, height, width)
    if divisor is not None:
        return np.full(oh * ow, float(divisor))
    (ph, pw) = window.padding if count_include_pad else (0, 0)
    counts = []
    for r in range(oh):
        for s in range(ow):
            i, j = r * window.stride[0] - window.padding[0], s * window.stride[1] - window.padding[1]
            rows = [a for a in range(window.kernel[0]) if -ph <= i + a < height + ph]
            columns = [e for e in range(window.kernel[1]) if -pw <= j + e < width + pw]
            counts.append(float(len(rows) * len(columns)))
    return np.array(counts)


def avg_pool2d(x: Any, window: Window, count_include_pad: bool = True, divisor: int | None = None) -> Expected:
    """(N, C, H, W) -> (N, C, OH, OW)"""
    n, c, h, w = x.shape
    (oh, ow), met = places(window, h, w), meetings(window, h, w)
    total, magnitude = np.zeros((n * c, oh * ow)), np.zeros((n * c, oh * ow))
    for plane, numbers in enumerate(x.reshape(n * c, h * w).tolist() if n * c else []):
        for _, place, cell in met:
            total[plane, place] += numbers[cell]
            magnitude[plane, place] += abs(numbers[cell])
    divisors = pool_divisors(window, h, w, count_include_pad, divisor)
    shape = (n, c, oh, ow)
    return Expected((total / divisors).reshape(shape), (window.taps + 2) * (magnitude / divisors).reshape(shape))


def avg_pool2d_grad(
    gy: Any, x_shape: Shape, window: Window, count_include_pad: bool = True, divisor: int | None = None
) -> Expected:
    """gy (N, C, OH, OW) -> x_shape = (N, C, H, W)"""
    n, c, h, w = x_shape
    oh, ow = places(window, h, w)
    shares = gy.astype(np.float64).reshape(n * c, oh * ow) / pool_divisors(window, h, w, count_include_pad, divisor)
    columns, cells = column_cells((n * c, 1, h, w), window)
    spread = np.repeat(shares[:, None], window.taps, 1).reshape(-1)[columns]
    size = n * c * h * w
    gx = np.bincount(cells, weights=spread, minlength=size).reshape(x_shape).astype(np.float64)
    magnitude = np.bincount(cells, weights=np.abs(spread), minlength=size).reshape(x_shape)
    return Expected(gx, (window.taps + 2) * magnitude)
