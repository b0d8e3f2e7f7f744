"""How far a right answer may be from the exact one: bounds that follow from the element type, not from experience.

A sum of n products computed in any order, with or without fused multiply-add, differs from the
exact sum by at most

    gamma_n * sum(|a_i * b_i|),   gamma_n = n*u / (1 - n*u),   u = eps / 2

(Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1). An oracle therefore returns, next
to each value, its *scale*: the number of roundings on the longest way to it times the sum of the
magnitudes that were added, and an answer is right if

    |actual - expected| <= eps * scale + smallest normal number.

eps is twice u, which leaves as much room for the float64 oracle's own roundings as for the
answer's. The last term forgives hardware that flushes denormal results to zero. A scale of 0 asks
for the very bits: copies, maxima and indices have no rounding in them.

Fast convolutions (Winograd, FFT) trade accuracy for multiplications: their error is bounded by the
norms of a whole tile, not by the terms of one sum. Where such an algorithm can be used (stride 1, no
dilation, more than one tap) an answer may be off by `FAST` of the product of norms, which is 1e-4 in
float32 and shrinks with eps in float64. Nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

FAST = 1e-4 / float(np.finfo(np.float32).eps)  # in units of eps: 1e-4 in float32, 1.9e-13 in float64


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """An exact value and how many eps a right answer may be away from it (0: none)."""

    value: Any  # float64, or integers
    scale: Any = 0.0


@dataclass(frozen=True, slots=True)
class Opaque:
    """A result that belongs to the backend: only its own gradient may read it."""


def deviation(dtype: Any, scale: Any) -> Any:
    """The greatest allowed |actual - expected| in `dtype`, elementwise."""
    info = np.finfo(dtype)
    scale = np.asarray(scale, np.float64)
    return np.where(scale > 0, scale * float(info.eps) + float(info.tiny), 0.0)


def mismatch(actual: Any, expected: Expected) -> str | None:
    """Where `actual` breaks the bound, in words; None where it does not. Shapes must agree."""
    actual, value = np.asarray(actual), np.asarray(expected.value)
    if not actual.size:
        return None
    if actual.dtype.kind == "f":
        wide = actual.astype(np.float64)
        with np.errstate(all="ignore"):
            value = np.where(np.abs(value) > float(np.finfo(actual.dtype).max), np.sign(value) * np.inf, value)
            allowed = np.broadcast_to(deviation(actual.dtype, expected.scale), value.shape)
            right = (wide == value) | (np.isnan(wide) & np.isnan(value)) | (np.abs(wide - value) <= allowed)
    else:
        allowed, right = np.zeros(value.shape), actual == value
    if right.all():
        return None
    wrong = int(right.size - np.count_nonzero(right))
    place = tuple(int(i) for i in np.argwhere(~right)[0])
    text = f"{wrong} of {right.size} values are wrong; at {list(place)} it is {actual[place]!s}, not {value[place]!s}"
    return text + (f" (may be off by {allowed[place]:.2g})" if allowed[place] else "")


def assert_close(actual: Any, expected: Any, *, terms: int = 8, magnitude: Any = None) -> None:
    """Compare with an exact answer, as strictly as the element type of `actual` allows.

    terms: the roundings on the longest way to a value: for a sum, its length.
    magnitude: what was added, as absolute values; without it, the expected value itself, which is
    right for results without cancellation.
    The module's docstring derives the bound: eps * terms * magnitude. Integers must be equal. NaN equals NaN.

    Raises:
        AssertionError: with the first wrong place, both values and the bound.
    """
    actual, value = np.asarray(_plain(actual)), np.asarray(_plain(expected))
    if actual.shape != value.shape:
        raise AssertionError(f"shape {actual.shape}, expected {value.shape}")
    if value.dtype.kind == "f":
        value = value.astype(np.float64)
    size = np.abs(value) if magnitude is None else np.asarray(_plain(magnitude), np.float64)
    with np.errstate(all="ignore"):
        scale = np.where(np.isfinite(size), terms * size, 0.0)
    problem = mismatch(actual, Expected(value, scale))
    if problem:
        raise AssertionError(problem)


def assert_adjoint(
    forward: Callable[[Any], Any], adjoint: Callable[[Any], Any], v: Any, c: Any, *, terms: int | None = None
) -> None:
    """<forward(v), c> = <v, adjoint(c)>, for a linear forward: what every gradient of one must fulfil.

    v, c: arrays of the shapes of forward's argument and result. terms: the length of the longest sum on either side;
    without it, the larger of the two sizes.

    Raises:
        AssertionError: with both inner products.
    """
    out, back = np.asarray(_plain(forward(v))), np.asarray(_plain(adjoint(c)))
    v, c = np.asarray(_plain(v)), np.asarray(_plain(c))
    if out.shape != c.shape or back.shape != v.shape:
        raise AssertionError(f"forward: {v.shape} -> {out.shape}, but adjoint: {c.shape} -> {back.shape}")
    left, right = out.astype(np.float64) * c, v * back.astype(np.float64)
    allowed = deviation(out.dtype, (terms or max(v.size, c.size)) * (np.abs(left).sum() + np.abs(right).sum()))
    if not abs(left.sum() - right.sum()) <= allowed:
        raise AssertionError(f"<forward(v), c> = {left.sum():.9g}, but <v, adjoint(c)> = {right.sum():.9g}")


def _plain(value: Any) -> Any:
    """A Tensor's array on the host; anything else as it is."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return value
