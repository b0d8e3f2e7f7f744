"""Batch normalisation, channel by channel in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing.tolerance import Expected


def _planes(x: Any) -> list[Any]:
    """All values of each channel: (N, C, H, W) -> C arrays."""
    return [x[:, k].astype(np.float64).reshape(-1) for k in range(x.shape[1])]


def batch_norm(x: Any, w: Any, b: Any, mean: Any, inv_std: Any) -> Expected:
    """(x - mean) * inv_std * w + b: x (N, C, H, W), the others (C,)

    The magnitudes allow for x*scale + (b - mean*scale), the form that one multiply-add per value takes.
    """
    y, scale = np.zeros(x.shape), np.zeros(x.shape)
    for k in range(x.shape[1]):
        m, s, gain, shift = (float(v[k]) for v in (mean, inv_std, w, b))
        values = x[:, k].astype(np.float64)
        y[:, k] = (values - m) * s * gain + shift
        scale[:, k] = 6 * ((np.abs(values) + abs(m)) * abs(s * gain) + abs(shift))
    return Expected(y, scale)


def batch_norm_stats(x: Any) -> tuple[Expected, Expected]:
    """(N, C, H, W) -> mean (C,), biased variance (C,)

    The variance may lose what Welford's method or two passes lose, a factor kappa = sqrt(1 + mean^2 / variance)
    (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983); E[x^2] - E[x]^2 loses kappa^2.
    """
    means, variances, mean_scale, variance_scale = [], [], [], []
    for values in _planes(x):
        n = len(values)
        mean = float(values.sum()) / n
        variance = float(((values - mean) ** 2).sum()) / n
        means.append(mean)
        variances.append(variance)
        mean_scale.append((n + 2) * float(np.abs(values).sum()) / n)
        variance_scale.append((n + 6) * (variance * (variance + mean * mean)) ** 0.5)
    eps = float(np.finfo(x.dtype).eps)
    offset = eps * np.array(mean_scale) ** 2  # a mean off by d adds d^2
    return Expected(np.array(means), np.array(mean_scale)), Expected(
        np.array(variances), np.array(variance_scale) + offset
    )


def batch_norm_grad(gy: Any, x: Any, w: Any, mean: Any, inv_std: Any) -> tuple[Expected, Expected, Expected]:
    """gx (N, C, H, W), gw (C,), gb (C,)"""
    count = x.size // max(x.shape[1], 1)
    gx, gx_scale = np.zeros(x.shape), np.zeros(x.shape)
    gw, gb, gw_scale, gb_scale = (np.zeros(x.shape[1]) for _ in range(4))
    for k in range(x.shape[1]):
        m, s, gain = (float(v[k]) for v in (mean, inv_std, w))
        g, values = gy[:, k].astype(np.float64), x[:, k].astype(np.float64)
        normed, size = (values - m) * s, (np.abs(values) + abs(m)) * abs(s)
        gb[k], gw[k] = g.sum(), (g * normed).sum()
        gb_size, gw_size = np.abs(g).sum(), (np.abs(g) * size).sum()
        gb_scale[k], gw_scale[k] = (count + 2) * gb_size, (count + 6) * gw_size
        gx[:, k] = (g - (gb[k] + normed * gw[k]) / count) * s * gain
        gx_scale[:, k] = (count + 12) * (np.abs(g) + (gb_size + size * gw_size) / count) * abs(s * gain)
    return Expected(gx, gx_scale), Expected(gw, gw_scale), Expected(gb, gb_scale)
