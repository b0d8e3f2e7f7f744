"""Sums and averages of a second kind: nan-aware, cumulative, distances, covariances, histograms and integrals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, div, mul, sub
from minigrad.ops.base import Array, Grads, Tensor, Unary, Variable, backend_of, cast, normal_axes, normal_axis, wrap
from minigrad.ops.elementwise import exp, sqrt
from minigrad.ops.extreme import norm
from minigrad.ops.join import cat
from minigrad.ops.logic import logical_not, where
from minigrad.ops.matmul import matmul
from minigrad.ops.pointwise import floating, isnan
from minigrad.ops.power import clamp
from minigrad.ops.reduce import sum
from minigrad.ops.scan import cumsum
from minigrad.ops.shape import flip, narrow, reshape, transpose, unsqueeze
from minigrad.return_types import KINDS


class Logcumsumexp(Unary):
    """log of the running sums of exp(x) along an axis."""

    __slots__ = ("axis",)
    keeps_output = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        xp = backend_of(x).xp
        lines = xp.moveaxis(x, self.axis, 0)
        y = lines.copy()
        for i in range(1, len(lines)):
            y[i] = xp.logaddexp(y[i - 1], lines[i])
        return xp.ascontiguousarray(xp.moveaxis(y, 0, self.axis))

    def backward(self, gy: Tensor) -> Grads:
        """gx_i = sum over k >= i of gy_k * exp(x_i - y_k)."""
        (x,), axis = self.inputs, self.axis
        xp = backend_of(x.array).xp
        top = xp.maximum(x.array.max(axis, keepdims=True, initial=-math.inf), -1e300)
        top = wrap(xp.where(top == math.inf, 0.0, top).astype(x.array.dtype))
        shares = mul(gy, exp(sub(top, self.output())))
        return mul(exp(sub(x, top)), flip(cumsum(flip(shares, axis), axis), axis))


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log of the running sums of exp(x) along a dimension, without overflow."""
    axis = normal_axis("logcumsumexp", dim, input.array.ndim)
    return Logcumsumexp(axis).apply(floating(input)) if input.array.ndim else floating(input).clone()


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of those elements that are not NaN."""
    return sum(where(isnan(input), 0, input), dim, keepdim, dtype=dtype)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of those elements that are not NaN."""
    if input.array.dtype.kind in "iub":
        raise DtypeError(
            "nanmean(): expected input to have floating point or complex dtype but got " + str(input.dtype)
        )
    known = sum(logical_not(isnan(input)), dim, keepdim)
    return div(nansum(input, dim, keepdim, dtype=dtype), cast(known, input.array.dtype))


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other."""
    return norm(sub(input, other), p)


_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The distances between all rows: (..., P, M), (..., R, M) -> (..., P, R)

    Raises:
        ShapeError: if the rows have different lengths or p is negative.
    """
    if compute_mode not in _MODES:
        raise ShapeError(f"cdist(): {compute_mode} is not a valid value for compute_mode")
    if x2.array.dtype.kind in "iub":
        raise DtypeError(f"cdist(): only supports floating-point dtypes, but argument 'x2' is {dtypes.of(x2.array)}")
    if x1.array.ndim < 2 or x2.array.ndim < 2:
        raise ShapeError("cdist only supports at least 2D tensors, but got " + f"{x1.array.ndim}D and {x2.array.ndim}D")
    if x1.array.shape[-1] != x2.array.shape[-1]:
        raise ShapeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.array.shape[-1]} X2: {x2.array.shape[-1]}"
        )
    if p < 0:
        raise ShapeError("cdist only supports non-negative p values")
    d = sub(unsqueeze(x1, -2), unsqueeze(x2, -3))
    return norm(d, p, -1) if d.array.shape[-1] else sum(d, -1)


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Slices along a dimension whose p-norm is above maxnorm, scaled down to it."""
    axis = normal_axis("renorm", dim, input.array.ndim)
    if input.array.ndim < 2:
        raise ShapeError(f"renorm: input needs at least 2 dimensions, got {input.array.ndim} dimensions")
    if p <= 0:
        raise ShapeError("renorm: non-positive-norm not supported")
    others = tuple(i for i in range(input.array.ndim) if i != axis)
    size = norm(input, p, others, True) if others else abs(input)
    scale = where(wrap(size.array > maxnorm), div(maxnorm, add(size, 1e-7)), 1.0)
    return mul(input, scale)


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariances of variables (rows) over observations (columns): (V, N) or (N,) -> (V, V) or ()

    fweights says how often, aweights how strongly each observation counts.
    """
    if input.array.ndim > 2:
        raise ShapeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.array.ndim} dimensions"
        )
    x = floating(input)
    x = reshape(x, (1, -1)) if x.array.ndim < 2 else x
    weights = None
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is not None:
            if w.array.ndim > 1:
                raise ShapeError(f"cov(): expected {name} to have one or fewer dimensions but got {w.array.ndim}")
            if (w.array.dtype.kind in "iu") != (name == "fweights"):
                wanted = "integral" if name == "fweights" else "floating point"
                raise DtypeError(f"cov(): expected {name} to have {wanted} dtype but got {dtypes.of(w.array)}")
            if w.array.size != x.array.shape[1]:
                raise ShapeError(
                    f"cov(): expected {name} to have the same numel as there are observations in the input but got "
                    f"{w.array.size} != {x.array.shape[1]}"
                )
            if w.array.size and w.array.min() < 0:
                raise ShapeError(f"cov(): {name} cannot be negative")
            weights = w if weights is None else mul(weights, w)
    n = x.array.shape[1]
    total = float(n) if weights is None else sum(weights)
    average = div(sum(x if weights is None else mul(x, weights), 1, True), total)
    if weights is None:
        degrees: Any = float(max(n - correction, 0))
    else:
        spread = total if aweights is None or correction == 0 else div(sum(mul(weights, aweights)), total)
        degrees = sub(total, mul(spread, correction) if aweights is not None else correction)
        degrees = clamp(degrees, min=0)
    centred = sub(x, average)
    y = div(matmul(centred if weights is None else mul(centred, weights), transpose(centred, 0, 1)), degrees)
    return y if input.array.ndim == 2 and input.array.shape[0] != 1 else reshape(y, ()) if y.array.size == 1 else y


def corrcoef(input: Tensor) -> Tensor:
    """The correlations of variables (rows) over observations (columns): (V, N) -> (V, V)"""
    if input.array.ndim > 2:
        raise ShapeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.array.ndim} dimensions"
        )
    c = cov(input)
    if not c.array.ndim:
        return div(c, c)
    deviation = sqrt(c.diagonal())
    return clamp(div(div(c, unsqueeze(deviation, 1)), unsqueeze(deviation, 0)), -1, 1)


def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along a dimension, n times over."""
    if not input.array.ndim:
        raise ShapeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise ShapeError(f"order must be non-negative but got {n}")
    axis = normal_axis("diff", dim, input.array.ndim)
    parts = [v for v in (prepend, input, append) if v is not None]
    x = cat(parts, axis) if len(parts) > 1 else input
    if not n:
        return input.clone()
    n = min(n, x.array.shape[axis])
    for _ in range(n):
        size = max(x.array.shape[axis] - 1, 0)
        later, earlier = narrow(x, axis, x.array.shape[axis] - size, size), narrow(x, axis, 0, size)
        x = sub(later, earlier) if x.array.dtype.kind != "b" else wrap(later.array ^ earlier.array)
    return x


def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Slopes by second-order differences inside, first- or second-order ones at the edges, one tensor per dimension.

    spacing is the distance of the points, one number for all or per dimension, or their coordinates.
    Source: Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids" (1988).
    """
    if edge_order not in (1, 2):
        raise ShapeError("gradient(): gradient only supports edge_order=1 and edge_order=2.")
    axes = normal_axes("gradient", dim, input.array.ndim)
    if spacing is None:
        spacing = 1.0
    several = isinstance(spacing, (list, tuple))
    if several and len(spacing) != len(axes):
        raise ShapeError(
            "gradient(): expected spacing to be unspecified, a scalar, or a list of length equal to "
            f"'self.dim() - len(dim)' = {len(axes)}, but got {len(spacing)}"
        )
    steps = spacing if several else [spacing] * len(axes)
    x = floating(input)
    return tuple(_slope(x, axis, step, edge_order) for axis, step in zip(axes, steps, strict=True))


def _slope(x: Tensor, axis: int, spacing: Any, edge_order: int) -> Tensor:
    n = x.array.shape[axis]
    if n < edge_order + 1:
        raise ShapeError("gradient(): each dimension size to be at least edge_order+1")
    if isinstance(spacing, Variable) and not spacing.array.ndim:
        spacing = spacing.array.item()
    column = [1] * x.array.ndim
    if isinstance(spacing, Variable):
        column[axis] = -1
        h = reshape(diff(cast(spacing, x.array.dtype)), column)  # the N-1 distances
    else:
        h = wrap(
            backend_of(x.array).xp.full(
                [n - 1 if i == axis else 1 for i in range(x.array.ndim)], spacing, x.array.dtype
            )
        )
    slopes = div(diff(x, dim=axis), h)  # N-1 one-sided slopes
    inner = n - 2
    before, after = narrow(h, axis, 0, inner), narrow(h, axis, 1, inner)
    left, right = narrow(slopes, axis, 0, inner), narrow(slopes, axis, 1, inner)
    middle = div(add(mul(left, after), mul(right, before)), add(before, after))
    first, last = narrow(slopes, axis, 0, 1), narrow(slopes, axis, n - 2, 1)
    if edge_order == 2:
        h0, h1 = narrow(h, axis, 0, 1), narrow(h, axis, 1, 1)
        first = sub(first, mul(div(h0, add(h0, h1)), sub(narrow(slopes, axis, 1, 1), first)))
        h0, h1 = narrow(h, axis, n - 2, 1), narrow(h, axis, n - 3, 1)
        last = add(last, mul(div(h0, add(h0, h1)), sub(last, narrow(slopes, axis, n - 3, 1))))
    return cat([first, middle, last], axis)


def _trapezoids(op: str, y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[Tensor, int]:
    """The areas between neighbours along a dimension."""
    axis = normal_axis(op, dim, y.array.ndim)
    if not y.array.ndim:
        raise IndexError(f"{op}(): expected y to have at least one dimension")
    n = y.array.shape[axis]
    ends = add(narrow(y, axis, min(n, 1), max(n - 1, 0)), narrow(y, axis, 0, max(n - 1, 0)))
    if x is None:
        return mul(ends, dx / 2.0), axis
    if x.array.ndim == 1:
        if x.array.size != n:
            raise ShapeError(
                f"{op}(): There must be one `x` value for each sample point, but got {x.array.size} for {n}"
            )
        width = reshape(diff(x), [-1 if i == axis else 1 for i in range(y.array.ndim)])
    else:
        width = diff(x, dim=dim)
    return mul(mul(ends, width), 0.5), axis


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The integral along a dimension by the trapezoidal rule."""
    areas, axis = _trapezoids("trapezoid", y, x, dx, dim)
    return sum(areas, axis if x is None or x.array.ndim == 1 else dim)


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    """The running integral along a dimension by the trapezoidal rule."""
    areas, axis = _trapezoids("cumulative_trapezoid", y, x, dx, dim)
    return cumsum(areas, axis if x is None or x.array.ndim == 1 else dim)


def histc(input: Tensor, bins: int = 100, min: Any = 0, max: Any = 0) -> Tensor:
    """How many elements fall into each of equal bins between min and max (the data's own, if both are equal)."""
    x, xp = input.array.reshape(-1), backend_of(input.array).xp
    if x.dtype.kind in "iub":
        raise DtypeError(f'"histogram_cpu" not implemented for {input.dtype}')
    if min == max and x.size:
        min, max = float(x.min()), float(x.max())
    if min == max:
        min, max = min - 1, max + 1
    if not (math.isfinite(min) and math.isfinite(max)):
        raise ShapeError(f"range of [{min}, {max}] is not finite")
    if min > max:
        raise ShapeError("max must be larger than min")
    counts, _ = xp.histogram(x, bins=bins, range=(min, max))
    return wrap(counts.astype(x.dtype))


def histogram(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Any:
    """How many elements (or how much weight) fall into each bin, and the bins' edges."""
    x, xp = input.array.reshape(-1), backend_of(input.array).xp
    weights = None if weight is None else weight.array.reshape(-1)
    edges = bins.array if isinstance(bins, Variable) else bins
    if range is None and not isinstance(bins, Variable):
        low, high = (float(x.min()), float(x.max())) if x.size else (0.0, 0.0)
        range = (low - 0.5, high + 0.5) if low == high else (low, high)
    counts, edges = xp.histogram(x, bins=edges, range=range, weights=weights, density=density)
    return KINDS["histogram"](wrap(counts.astype(x.dtype)), wrap(edges.astype(x.dtype)))


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often (or with how much weight) each whole number occurs.

    Raises:
        ShapeError: if a number is negative or the input is no vector.
    """
    x = input.array
    if x.ndim != 1 or x.dtype.kind not in "iu" or (x.size and int(x.min()) < 0):
        raise ShapeError("bincount only supports 1-d non-negative integral inputs.")
    xp = backend_of(x).xp
    counts = xp.bincount(x.astype(np.int64), None if weights is None else weights.array, minlength)
    kind = np.int64 if weights is None else weights.array.dtype if weights.array.dtype.kind == "f" else np.float64
    return wrap(counts.astype(kind))


__all__ = [
    "bincount", "cdist", "corrcoef", "cov", "cumulative_trapezoid", "diff", "dist", "gradient", "histc", "histogram",
    "logcumsumexp", "nanmean", "nansum", "renorm", "trapezoid",
]  # fmt: skip
