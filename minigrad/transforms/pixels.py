"""Pictures as arrays (H, W, ...), and what is done to them: enlarging, turning, padding.

Bytes are resampled as Pillow does it, in whole numbers and to the last bit, so that a program sees the same pixels
with and without it. (Some versions of Pillow shrink the columns first where that is less work; such a picture
may differ by a shade.) Sources: Pillow's documentation of its filters; Keys, "Cubic convolution interpolation for
digital image processing" (1981).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.creation import from_numpy
from minigrad.tensor import Tensor

Pixels = npt.NDArray[Any]


class InterpolationMode(Enum):
    """How pixels between pixels are made up."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    LANCZOS = "lanczos"


def is_picture(image: Any) -> bool:
    """Whether it is one of Pillow's images, without importing Pillow."""
    return hasattr(image, "getbands") and hasattr(image, "tobytes")


def as_array(image: Any) -> Pixels:
    """A picture, or an array that is one already, as an array (H, W) or (H, W, C).

    Raises:
        TypeError: it is neither, or an array of the wrong rank.
    """
    if is_picture(image):
        array = np.asarray(image)
        return array * np.uint8(255) if array.dtype == np.bool_ else array
    if not isinstance(image, np.ndarray):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(image)}")
    if image.ndim not in (2, 3):
        raise TypeError(f"pic should be 2/3 dimensional. Got {image.ndim} dimensions.")
    return image


def on_pixels(image: Any, change: Callable[[Pixels], Pixels]) -> Any:
    """Apply a function of (H, W, ...) to an array, a picture (the result is an array) or a tensor (..., H, W)."""
    if not isinstance(image, Tensor):
        return np.ascontiguousarray(change(as_array(image)))
    array = np.moveaxis(image.cpu().numpy(), (-2, -1), (0, 1))
    return from_numpy(np.ascontiguousarray(np.moveaxis(change(array), (0, 1), (-2, -1)))).to(image.device)


def height_width(image: Any) -> tuple[int, int]:
    """(H, W) of a tensor, an array or a picture."""
    shape = image.shape[-2:] if isinstance(image, Tensor) else as_array(image).shape[:2]
    return int(shape[0]), int(shape[1])


# ---------------------------------------------------------------------- another size


def _triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def _cubic(x: float) -> float:
    x = abs(x)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return ((-0.5 * x + 2.5) * x - 4) * x + 2 if x < 2 else 0.0


def _box(x: float) -> float:
    return 1.0 if -0.5 < x <= 0.5 else 0.0


def _lanczos(x: float) -> float:
    if not -3 <= x < 3:
        return 0.0
    return math.sin(math.pi * x) * math.sin(math.pi * x / 3) * 3 / (math.pi * x) ** 2 if x else 1.0


_FILTERS: dict[InterpolationMode, tuple[Callable[[float], float], float]] = {
    InterpolationMode.BILINEAR: (_triangle, 1.0),
    InterpolationMode.BICUBIC: (_cubic, 2.0),
    InterpolationMode.BOX: (_box, 0.5),
    InterpolationMode.LANCZOS: (_lanczos, 3.0),
}
_BITS = 22  # of the fraction in whole-number weights


@lru_cache(maxsize=64)
def _weights(old: int, new: int, mode: InterpolationMode) -> Pixels:
    """(new, old): how much of each old pixel goes into each new one. Shrinking widens the filter."""
    function, support = _FILTERS[mode]
    scale = old / new
    stretch = max(scale, 1.0)
    weights = np.zeros((new, old))
    for row in range(new):
        centre = (row + 0.5) * scale
        first = max(int(centre - support * stretch + 0.5), 0)
        last = min(int(centre + support * stretch + 0.5), old)
        values = [function((i - centre + 0.5) * (1 / stretch)) for i in range(first, last)]
        total = sum(values)
        weights[row, first:last] = [value * (1 / total) for value in values] if total else values
    return weights


def _along(array: Pixels, weights: Pixels, axis: int) -> Pixels:
    """One axis resampled. Bytes: weights of 22 binary digits, rounded and cut to a byte at the end."""
    moved = np.moveaxis(array, axis, -1)
    if array.dtype == np.uint8:
        whole = np.trunc(weights * (1 << _BITS) + np.copysign(0.5, weights)).astype(np.int64)
        result = (moved.astype(np.int64) @ whole.T + (1 << (_BITS - 1))) >> _BITS
        result = np.clip(result, 0, 255).astype(np.uint8)
    else:
        result = (moved @ weights.T).astype(array.dtype)
    resampled: Pixels = np.moveaxis(result, -1, axis)
    return resampled


def _nearest(old: int, new: int, centred: bool) -> Pixels:
    """Which old pixel each new one is, with the roundings that the two ways of counting have."""
    if centred:
        steps = np.full(new, old / new)
        steps[0] /= 2
        places = np.add.accumulate(steps)
    else:
        places = np.arange(new) * np.float32(old / new)
    numbers: Pixels = np.minimum(places.astype(int), old - 1)
    return numbers


def resize(array: Pixels, height: int, width: int, mode: InterpolationMode, centred: bool = True) -> Pixels:
    """(H, W, ...) -> (height, width, ...), first along the rows, then along the columns.

    The nearest pixel is the one under a new pixel's centre, as for pictures, or under its corner, as for tensors.
    """
    old_height, old_width = array.shape[:2]
    if mode is InterpolationMode.NEAREST:
        nearest: Pixels = array[_nearest(old_height, height, centred)[:, None], _nearest(old_width, width, centred)]
        return nearest
    if width != old_width:
        array = _along(array, _weights(old_width, width, mode), 1)
    if height != old_height:
        array = _along(array, _weights(old_height, height, mode), 0)
    return array


# ---------------------------------------------------------------------- turning


def rotate(
    array: Pixels,
    angle: float,
    mode: InterpolationMode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = 0,
) -> Pixels:
    """Turn counter-clockwise by an angle in degrees, about the middle or a given (x, y)."""
    angle %= 360.0
    height, width = array.shape[:2]
    if center is None and angle in (0.0, 180.0):
        return np.rot90(array, int(angle) // 90)
    if center is None and angle in (90.0, 270.0) and (expand or height == width):
        return np.rot90(array, int(angle) // 90)
    x, y = center if center is not None else (width / 2, height / 2)
    cosine, sine = (round(f(-math.radians(angle)), 15) for f in (math.cos, math.sin))
    # Where in the old picture a pixel of the new one lies: (a, b, c; d, e, f) applied to its place.
    a, b, d, e = cosine, sine, round(-math.sin(-math.radians(angle)), 15), cosine
    c, f = a * -x + b * -y + x, d * -x + e * -y + y
    if expand:
        xs = [a * px + b * py + c for px, py in ((0, 0), (width, 0), (width, height), (0, height))]
        ys = [d * px + e * py + f for px, py in ((0, 0), (width, 0), (width, height), (0, height))]
        new_width = math.ceil(max(xs)) - math.floor(min(xs))
        new_height = math.ceil(max(ys)) - math.floor(min(ys))
        shift_x, shift_y = -(new_width - width) / 2.0, -(new_height - height) / 2.0
        c, f = a * shift_x + b * shift_y + c, d * shift_x + e * shift_y + f
        height, width = new_height, new_width
    rows, columns = np.arange(height)[:, None], np.arange(width)
    if mode is InterpolationMode.NEAREST:
        # 16 binary digits behind the point, as Pillow counts for pictures of ordinary size
        fixed = [math.floor(v * 65536.0 + 0.5) for v in (a, b, c + a * 0.5 + b * 0.5, d, e, f + d * 0.5 + e * 0.5)]
        old_x = (fixed[2] + rows * fixed[1] + columns * fixed[0]) >> 16
        old_y = (fixed[5] + rows * fixed[4] + columns * fixed[3]) >> 16
        return _picked(array, old_y, old_x, fill)
    if mode is not InterpolationMode.BILINEAR:
        raise ValueError(f"rotate(): interpolation must be nearest or bilinear, but got {mode.value}")
    exact_x = a * (columns + 0.5) + b * (rows + 0.5) + c
    exact_y = d * (columns + 0.5) + e * (rows + 0.5) + f
    return _blended(array, exact_y, exact_x, fill)


def _filled(array: Pixels, shape: tuple[int, ...], fill: Any) -> Pixels:
    out = np.empty(shape + array.shape[2:], array.dtype)
    out[...] = fill
    return out


def _picked(array: Pixels, y: Pixels, x: Pixels, fill: Any) -> Pixels:
    inside = (x >= 0) & (x < array.shape[1]) & (y >= 0) & (y < array.shape[0])
    out = _filled(array, inside.shape, fill)
    out[inside] = array[y[inside], x[inside]]
    return out


def _blended(array: Pixels, y: Pixels, x: Pixels, fill: Any) -> Pixels:
    """The four pixels around each place, weighted; beyond the edge the edge goes on."""
    height, width = array.shape[:2]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = x[inside] - 0.5, y[inside] - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    extra = (1,) * (array.ndim - 2)
    dx, dy = (x - left).reshape(-1, *extra), (y - top).reshape(-1, *extra)
    x0, x1 = np.clip(left, 0, width - 1), np.clip(left + 1, 0, width - 1)
    y0, y1 = np.clip(top, 0, height - 1), np.clip(top + 1, 0, height - 1)
    wide = array.astype(np.float64)
    upper = wide[y0, x0] + (wide[y0, x1] - wide[y0, x0]) * dx
    lower = wide[y1, x0] + (wide[y1, x1] - wide[y1, x0]) * dx
    out = _filled(array, inside.shape, fill)
    out[inside] = (upper + (lower - upper) * dy).astype(array.dtype)
    return out


# ---------------------------------------------------------------------- edges and colours


def pad(array: Pixels, sides: tuple[int, int, int, int], fill: Any = 0, mode: str = "constant") -> Pixels:
    """Add (left, top, right, bottom) pixels; negative numbers take some away."""
    left, top, right, bottom = sides
    height, width = array.shape[:2]
    array = array[max(-top, 0) : height - max(-bottom, 0), max(-left, 0) : width - max(-right, 0)]
    rows, columns = (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))
    if mode != "constant":
        widths = (rows, columns) + ((0, 0),) * (array.ndim - 2)
        return np.pad(array, widths, {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}[mode])  # type: ignore[call-overload]
    out = _filled(array, (array.shape[0] + sum(rows), array.shape[1] + sum(columns)), fill)
    out[rows[0] : rows[0] + array.shape[0], columns[0] : columns[0] + array.shape[1]] = array
    return out


def luminance(array: Pixels) -> Pixels:
    """(H, W, 3) -> (H, W), ITU-R 601-2 luma: of bytes in whole numbers, as Pillow."""
    if array.ndim == 2 or array.shape[2] == 1:
        return array.reshape(array.shape[:2])
    if array.dtype == np.uint8:
        red, green, blue = (array[..., i].astype(np.int64) for i in range(3))
        return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
    return 0.2989 * array[..., 0] + 0.587 * array[..., 1] + 0.114 * array[..., 2]
