"""Convolution, its gradients and the fused sequences, from one list of which numbers meet."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from minigrad.testing.oracles.pooling import argmax_pool
from minigrad.testing.oracles.windows import meetings, places
from minigrad.testing.tolerance import FAST, Expected, Opaque
from minigrad.window import Window

Shape = tuple[int, ...]


class Undecided(Exception):
    """Two candidates for a maximum are closer than rounding: no oracle can say who wins."""


@lru_cache(maxsize=256)
def terms(x_shape: Shape, w_shape: Shape, window: Window, groups: int) -> tuple[Any, Any, Any]:
    """Every product of the convolution, as flat numbers (cell of y, cell of x, cell of w)."""
    (n, c, h, w), (f, each, kh, kw) = x_shape, w_shape
    spots = int(np.prod(places(window, h, w)))
    ys, xs, ws = [], [], []
    for image in range(n):
        for out in range(f):
            first = out // (f // groups) * each  # the first channel of this filter's group
            for channel in range(each):
                plane = (image * c + first + channel) * h * w
                for tap, place, cell in meetings(window, h, w):
                    ys.append((image * f + out) * spots + place)
                    xs.append(plane + cell)
                    ws.append((out * each + channel) * kh * kw + tap)
    return np.array(ys, np.int64), np.array(xs, np.int64), np.array(ws, np.int64)


def _sum(into: Any, a: Any, b: Any, shape: Shape, fast: Any) -> Expected:
    """Add products where they belong; the scale is (length of the longest sum + 2) * sum of magnitudes."""
    size = int(np.prod(shape))
    products = a.astype(np.float64) * b.astype(np.float64)
    value = np.bincount(into, weights=products, minlength=size).reshape(shape).astype(np.float64)
    magnitude = np.bincount(into, weights=np.abs(products), minlength=size).reshape(shape)
    longest = int(np.bincount(into, minlength=1).max()) if into.size else 0
    return Expected(value, (longest + 2) * magnitude + fast)


def _may_be_fast(window: Window) -> bool:
    return window.stride == (1, 1) and window.dilation == (1, 1) and window.taps > 1


def _norms(a: Any, b: Any, contract: str) -> Any:
    """FAST times the product of norms, contracted over what the algorithm sums."""
    return FAST * np.einsum(contract, np.abs(a).astype(np.float64), np.abs(b).astype(np.float64))


def _blocks(w: Any, groups: int) -> Any:
    """Filters as if there were one group: (F, C/G, KH, KW) -> sums of magnitudes (F, C)."""
    f, each = w.shape[:2]
    full = np.zeros((f, each * groups))
    for out in range(f):
        first = out // (f // groups) * each
        full[out, first : first + each] = np.abs(w[out]).astype(np.float64).sum((1, 2))
    return full


def _peaks(x: Any) -> Any:
    """The largest magnitude of each plane: (N, C, H, W) -> (N, C)"""
    return np.abs(x).astype(np.float64).max((2, 3), initial=0)


def conv2d(x: Any, w: Any, b: Any, window: Window, groups: int = 1) -> Expected:
    """x (N, C, H, W), w (F, C/G, KH, KW), b (F,) or None -> (N, F, OH, OW)"""
    ys, xs, ws = terms(x.shape, w.shape, window, groups)
    shape = (len(x), len(w), *places(window, *x.shape[2:]))
    fast = _norms(_peaks(x), _blocks(w, groups), "nc,fc->nf")[..., None, None] if _may_be_fast(window) else 0.0
    y = _sum(ys, x.reshape(-1)[xs], w.reshape(-1)[ws], shape, fast)
    if b is None:
        return y
    bias = b.astype(np.float64)[:, None, None]
    return Expected(y.value + bias, y.scale + 2 * (np.abs(y.value) + np.abs(bias)))


def conv2d_input_grad(gy: Any, w: Any, x_shape: Shape, window: Window, groups: int = 1) -> Expected:
    """gy (N, F, OH, OW), w (F, C/G, KH, KW) -> x_shape = (N, C, H, W)"""
    ys, xs, ws = terms(tuple(x_shape), w.shape, window, groups)
    fast = _norms(_peaks(gy), _blocks(w, groups), "nf,fc->nc")[..., None, None] if _may_be_fast(window) else 0.0
    return _sum(xs, gy.reshape(-1)[ys], w.reshape(-1)[ws], tuple(x_shape), fast)


def conv2d_weight_grad(gy: Any, x: Any, w_shape: Shape, window: Window, groups: int = 1) -> Expected:
    """gy (N, F, OH, OW), x (N, C, H, W) -> w_shape = (F, C/G, KH, KW)"""
    ys, xs, ws = terms(x.shape, tuple(w_shape), window, groups)
    fast: Any = 0.0
    if _may_be_fast(window):
        sums = np.abs(x).astype(np.float64).sum((2, 3))
        norms = _norms(_peaks(gy), sums, "nf,nc->fc")  # as if there were one group
        f, each = w_shape[:2]
        own = [norms[out, out // (f // groups) * each :][:each] for out in range(f)]
        fast = np.array(own).reshape(f, each, 1, 1)
    return _sum(ws, gy.reshape(-1)[ys], x.reshape(-1)[xs], tuple(w_shape), fast)


def conv2d_bias_grad(gy: Any) -> Expected:
    """(N, F, OH, OW) -> (F,)"""
    wide = gy.astype(np.float64)
    count = wide.size // max(wide.shape[1], 1)
    return Expected(wide.sum((0, 2, 3)), (count + 2) * np.abs(wide).sum((0, 2, 3)))


def conv2d_relu(x: Any, w: Any, b: Any, window: Window, groups: int = 1) -> Expected:
    """max(conv2d, 0): no step of it enlarges an error."""
    y = conv2d(x, w, b, window, groups)
    return Expected(np.maximum(y.value, 0), y.scale)


def conv2d_relu_max_pool2d(
    x: Any, w: Any, b: Any, window: Window, groups: int, pool: Window
) -> tuple[Expected, Opaque]:
    """The largest relu under each pool window; as inexact as the least exact of its candidates."""
    y = conv2d_relu(x, w, b, window, groups)
    value, _ = argmax_pool(y.value, pool)
    scale, _ = argmax_pool(y.scale, pool)
    return Expected(value, scale), Opaque()


def conv2d_relu_max_pool2d_grad(
    gy: Any, x: Any, w: Any, b: Any, window: Window, groups: int, pool: Window, needs: tuple[bool, bool, bool]
) -> tuple[Expected | None, ...]:
    """Gradients in x, w and b, through the winners of the exact convolution.

    Raises:
        Undecided: where a window's two best differ by less than the rounding of `x.dtype` may be.
    """
    y = conv2d(x, w, b, window, groups)
    winners = decided_winners(y, pool, x.dtype)
    g, sizes = np.zeros(y.value.size), np.zeros(y.value.size)
    h, width = y.value.shape[2:]
    for place, cell in enumerate(winners.reshape(-1).tolist()):
        if cell >= 0:  # -1: relu gave 0, and nothing flows
            at = place // (winners.shape[2] * winners.shape[3]) * h * width + cell
            g[at] += gy.reshape(-1)[place]
            sizes[at] += abs(gy.reshape(-1)[place])
    g, sizes = g.reshape(y.value.shape), sizes.reshape(y.value.shape)

    def inexact(gradient: Expected, magnitude: Expected) -> Expected:
        """g is a sum of up to `taps` gradients that may cancel: their magnitudes, not g's own, bound its rounding."""
        return Expected(gradient.value, gradient.scale + (pool.taps + 2) * magnitude.value)

    rest = window, groups
    return (
        inexact(conv2d_input_grad(g, w, x.shape, *rest), conv2d_input_grad(sizes, np.abs(w), x.shape, *rest))
        if needs[0]
        else None,
        inexact(conv2d_weight_grad(g, x, w.shape, *rest), conv2d_weight_grad(sizes, np.abs(x), w.shape, *rest))
        if needs[1]
        else None,
        inexact(conv2d_bias_grad(g), conv2d_bias_grad(sizes)) if needs[2] else None,
    )


def decided_winners(y: Expected, pool: Window, dtype: Any) -> Any:
    """The flat cell that wins each pool window after relu, -1 where relu leaves 0."""
    doubt = 2 * float(np.finfo(dtype).eps) * float(np.max(y.scale, initial=0))
    best, cells = argmax_pool(y.value, pool)
    n, f, h, w = y.value.shape
    flat = y.value.reshape(n, f, h * w)
    second = np.full(best.shape, -np.inf)
    for place, members in _by_place(pool, (h, w)):
        r, s = divmod(place, best.shape[3])
        for cell in members:
            values = np.where(cells[:, :, r, s] == cell, -np.inf, flat[:, :, cell])
            second[:, :, r, s] = np.maximum(second[:, :, r, s], values)
    positive = best > 0
    if (np.abs(best) <= doubt).any() or (positive & (best - second <= doubt)).any():
        raise Undecided
    return np.where(positive, cells, -1)


def _by_place(pool: Window, size: tuple[int, int]) -> list[tuple[int, list[int]]]:
    """The cells under each place of the pool window."""
    found: dict[int, list[int]] = {}
    for _, place, cell in meetings(pool, *size):
        found.setdefault(place, []).append(cell)
    return list(found.items())
