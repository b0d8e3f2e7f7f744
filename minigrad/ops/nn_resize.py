"""Images in another size, and pixels that change places with channels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.base import Array, Grads, Tensor, Unary, backend_of, cast
from minigrad.ops.logic import round
from minigrad.ops.nn_pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from minigrad.ops.power import clamp
from minigrad.ops.shape import expand, permute, reshape

_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}
_CUBIC = -0.75  # the free constant of Keys' kernel, as PyTorch chose it


class Resample(Unary):
    """Weighted sums of cells along an axis: places and weights are (taps, OUT)."""

    __slots__ = ("axis", "places", "size", "weights")
    keeps = False

    def __init__(self, axis: int, places: Any, weights: Any, size: int) -> None:
        self.axis, self.places, self.weights, self.size = axis, places, weights, size

    def forward(self, x: Array) -> Array:
        xp = backend_of(x).xp
        column = [-1 if i == self.axis else 1 for i in range(x.ndim)]
        y = None
        for places, weights in zip(self.places, self.weights, strict=True):
            part = xp.take(x, xp.asarray(places), self.axis)
            if weights is not None:
                part = part * xp.asarray(weights.astype(x.dtype)).reshape(column)
            y = part if y is None else y + part
        return y

    def backward(self, gy: Tensor) -> Grads:
        return ResampleGrad(self.axis, self.places, self.weights, self.size).apply(gy)


class ResampleGrad(Resample):
    """The adjoint of Resample, as a product with the matrix of weights."""

    __slots__ = ()

    def forward(self, gy: Array) -> Array:
        xp, out = backend_of(gy).xp, gy.shape[self.axis]
        matrix = np.zeros((out, self.size), np.float64)
        for places, weights in zip(self.places, self.weights, strict=True):
            np.add.at(matrix, (np.arange(out), places), 1.0 if weights is None else weights)
        last = xp.moveaxis(gy, self.axis, -1)
        gx = backend_of(gy).matmul(last, xp.asarray(matrix.astype(gy.dtype)))
        return xp.ascontiguousarray(xp.moveaxis(gx, -1, self.axis))

    def backward(self, ggx: Tensor) -> Grads:
        return Resample(self.axis, self.places, self.weights, self.size).apply(ggx)


def _step(n: int, out: int, factor: float | None, align: bool, kind: Any) -> Any:
    """How far apart in the input neighbouring outputs stand."""
    if align:
        return kind(n - 1) / kind(out - 1) if out > 1 else kind(0)
    return kind(1.0 / factor) if factor is not None and factor > 0 else kind(n) / kind(out)


def _taps(mode: str, n: int, out: int, factor: float | None, align: bool, kind: Any) -> tuple[Any, Any]:
    """The cells that each output looks at, and their weights: (taps, OUT) each."""
    i = np.arange(out).astype(kind)
    step = _step(n, out, factor, align, kind)
    if mode in ("nearest", "nearest-exact"):
        position = i * step if mode == "nearest" else (i + kind(0.5)) * step
        return [np.minimum(np.floor(position).astype(np.int64), n - 1)], [None]
    position = i * step if align else (i + kind(0.5)) * step - kind(0.5)
    if mode == "bicubic":
        first = np.floor(position)
        t = position - first
        places = [np.clip(first.astype(np.int64) + k, 0, n - 1) for k in (-1, 0, 1, 2)]
        return places, [far(t + 1), near(t), near(1 - t), far(2 - t)]
    position = np.maximum(position, 0)
    first = np.minimum(position.astype(np.int64), n - 1)
    t = np.clip(position - first.astype(kind), 0, 1)
    return [first, np.minimum(first + 1, n - 1)], [1 - t, t]


def near(x: Any, a: float = _CUBIC) -> Any:
    """Keys' kernel (1981) for distances up to 1, of numbers, arrays or tensors."""
    return (x * (a + 2) - (a + 3)) * x * x + 1


def far(x: Any, a: float = _CUBIC) -> Any:
    """Keys' kernel (1981) for distances from 1 to 2."""
    return ((x * a - 5 * a) * x + 8 * a) * x - 4 * a


def _wide_taps(mode: str, n: int, out: int, factor: float | None, align: bool, kind: Any) -> tuple[Any, Any]:
    """As _taps, with the kernel as wide as an output is in the input: what is made smaller is averaged.

    Source: Pillow's resize, which PyTorch's antialias=True follows.
    """
    step = _step(n, out, factor, align, kind)
    half, stretch = kind(1 if mode == "bilinear" else 2), np.maximum(step, kind(1))
    centre = step * (np.arange(out).astype(kind) + kind(0.5))
    first = np.maximum((centre - half * stretch + kind(0.5)).astype(np.int64), 0)
    last = np.minimum((centre + half * stretch + kind(0.5)).astype(np.int64), n)
    cells = first + np.arange(max(int((last - first).max()), 1))[:, None]  # (taps, OUT)
    distance = np.abs((cells.astype(kind) - centre + kind(0.5)) / stretch)
    if mode == "bilinear":
        weights = np.maximum(1 - distance, 0)
    else:
        weights = np.where(distance < 1, near(distance, -0.5), np.where(distance < 2, far(distance, -0.5), 0))
    weights = np.where(cells < last, weights, 0).astype(kind)
    return np.minimum(cells, n - 1), weights / weights.sum(0)


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Images in another size: (N, C, ...) -> (N, C, ...), to `size` or by `scale_factor`.

    mode: nearest, nearest-exact, linear (N, C, L), bilinear and bicubic (N, C, H, W), trilinear, area.

    Raises:
        ShapeError: if size, scale_factor, mode and input do not go together.
    """
    shape = input.array.shape
    dims = len(shape) - 2
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ShapeError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    elif align_corners is None:
        align_corners = False
    if size is not None and scale_factor is not None:
        raise ShapeError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ShapeError("either size or scale_factor should be defined")
    if antialias and (mode not in ("bilinear", "bicubic") or dims != 2):
        raise ShapeError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input"
        )
    factors: list[Any] = [None] * dims
    if size is not None:
        sizes = [int(v) for v in size] if isinstance(size, (tuple, list)) else [int(size)] * dims
        if len(sizes) != dims:
            raise ShapeError(
                f"Input and output must have the same number of spatial dimensions, but got input with spatial dimensions "
                f"of {list(shape[2:])} and output size of {size}."
            )
    else:
        factors = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * dims
        if len(factors) != dims:
            raise ShapeError(
                f"Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
                f"dimensions of {list(shape[2:])} and scale_factor of shape {scale_factor}."
            )
        sizes = [int(np.floor(float(n) * f)) for n, f in zip(shape[2:], factors, strict=True)]
        if recompute_scale_factor:
            factors = [None] * dims
    if min(sizes, default=1) < 1:
        raise ShapeError(f"Input and output sizes should be greater than 0, but got output size {sizes}")
    kind = input.array.dtype
    if kind.kind in "biu" and (kind != np.uint8 or mode in ("linear", "trilinear", "area")):
        raise DtypeError(
            f"interpolate(): mode {mode!r} not implemented for {kind.name!r}, the dtype of argument 'input'"
        )
    if kind == np.uint8 and mode in ("bilinear", "bicubic"):  # pixels are computed with, rounded, and pixels again
        y = interpolate(
            cast(input, np.dtype(np.float32)),
            size,
            scale_factor,
            mode,
            align_corners,
            recompute_scale_factor,
            antialias,
        )
        return cast(clamp(round(y), 0, 255), kind)
    if mode == "area":
        return {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}[dims](input, sizes)
    if mode not in ("nearest", "nearest-exact") and _LINEAR.get(mode, 2 if mode == "bicubic" else 0) != dims:
        raise ShapeError(f"Got {dims + 2}D input, but {mode} mode needs another number of dimensions")
    if mode == "nearest" and all(out % n == 0 for n, out in zip(shape[2:], sizes, strict=True)):
        return _repeated(input, [out // n for n, out in zip(shape[2:], sizes, strict=True)])
    kind = np.float64 if kind == np.float64 and not mode.startswith("nearest") else np.float32
    for d in reversed(range(dims)):
        n, out = shape[2 + d], sizes[d]
        if n != out or factors[d] not in (None, 1) or (mode == "bicubic" and not align_corners):
            taps = _wide_taps if antialias else _taps
            places, weights = taps(mode, n, out, factors[d], bool(align_corners), kind)
            input = Resample(2 + d, places, weights, n).apply(input)
    return input


def _repeated(input: Tensor, times: list[int]) -> Tensor:
    """Every cell repeated along every axis."""
    shape = input.array.shape
    split: list[int] = [*shape[:2]]
    wide: list[int] = [*shape[:2]]
    for n, k in zip(shape[2:], times, strict=True):
        split += [n, 1]
        wide += [n, k]
    sizes = [n * k for n, k in zip(shape[2:], times, strict=True)]
    return reshape(expand(reshape(input, split), wide), (*shape[:2], *sizes))


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """interpolate, under its older name."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate to the nearest cell."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate between four cells, corners on corners."""
    return interpolate(input, size, scale_factor, "bilinear", True)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels become pixels: (..., C*r*r, H, W) -> (..., C, H*r, W*r). Shi et al. (2016).

    Raises:
        ShapeError: if r*r does not divide the channels.
    """
    shape, r = input.array.shape, upscale_factor
    if len(shape) < 3:
        raise ShapeError(
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {len(shape)} dimension(s)"
        )
    if r < 1:
        raise ShapeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, c, h, w = shape
    if c % (r * r):
        raise ShapeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but "
            f"input.size(-3)={c} is not divisible by {r * r}"
        )
    k = len(lead)
    x = reshape(input, (*lead, c // (r * r), r, r, h, w))
    x = permute(x, (*range(k), k, k + 3, k + 1, k + 4, k + 2))
    return reshape(x, (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels become channels: (..., C, H*r, W*r) -> (..., C*r*r, H, W)

    Raises:
        ShapeError: if r does not divide height and width.
    """
    shape, r = input.array.shape, downscale_factor
    if len(shape) < 3:
        raise ShapeError(
            f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {len(shape)} dimension(s)"
        )
    if r < 1:
        raise ShapeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, c, h, w = shape
    for name, n in (("height", h), ("width", w)):
        if n % r:
            raise ShapeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but {n} is not divisible by {r}"
            )
    k = len(lead)
    x = reshape(input, (*lead, c, h // r, r, w // r, r))
    x = permute(x, (*range(k), k, k + 2, k + 4, k + 1, k + 3))
    return reshape(x, (*lead, c * r * r, h // r, w // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels of the groups taken in turn: (N, C, ...) -> (N, C, ...). Zhang et al., "ShuffleNet" (2017).

    Raises:
        ShapeError: if the groups do not divide the channels.
    """
    shape = input.array.shape
    if len(shape) < 3:
        raise ShapeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}")
    if groups < 1 or shape[1] % groups:
        raise ShapeError(
            f"Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} groups."
        )
    x = reshape(input, (shape[0], groups, shape[1] // groups, *shape[2:]))
    return reshape(permute(x, (0, 2, 1, *range(3, len(shape) + 1))), shape)
