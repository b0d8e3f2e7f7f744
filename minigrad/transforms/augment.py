"""Transforms that draw: the same numbers from the shared stream, in the same order, as torchvision's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.random.distributions import uniform
from minigrad.random.integers import randint
from minigrad.transforms import pixels
from minigrad.transforms.basic import Pad, Resize, _pair, crop, to_grayscale
from minigrad.transforms.pixels import InterpolationMode, height_width, on_pixels


def _chance(p: float) -> bool:
    return bool(uniform(1)[0] < np.float32(p))


def _between(low: float, high: float) -> float:
    return float(uniform(1, low, high)[0])


def _whole(high: int) -> int:
    return int(randint((1,), 0, high)[0])


class RandomCrop:
    """A window of (height, width) at a random place, after padding.

    Raises:
        ValueError: the image is smaller than the window, and `pad_if_needed` does not allow for that.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.size = _pair("RandomCrop", size)
        self.padding, self.pad_if_needed, self.fill, self.padding_mode = padding, pad_if_needed, fill, padding_mode

    def __call__(self, image: Any) -> Any:
        height, width = self.size
        if self.padding is not None:
            image = Pad(self.padding, self.fill, self.padding_mode)(image)
        rows, columns = height_width(image)
        if self.pad_if_needed and columns < width:
            image = Pad((width - columns, 0), self.fill, self.padding_mode)(image)
        if self.pad_if_needed and rows < height:
            image = Pad((0, height - rows), self.fill, self.padding_mode)(image)
        rows, columns = height_width(image)
        if rows < height or columns < width:
            raise ValueError(f"Required crop size {self.size} is larger than input image size {(rows, columns)}")
        if (rows, columns) == self.size:  # nothing to choose, and nothing is drawn
            return crop(image, 0, 0, height, width)
        top = _whole(rows - height + 1)
        return crop(image, top, _whole(columns - width + 1), height, width)

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip:
    """The image or, with probability p, its mirror image."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, image: Any) -> Any:
        return on_pixels(image, lambda array: array[:, ::-1]) if _chance(self.p) else image

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip(p={self.p})"


class RandomVerticalFlip:
    """The image or, with probability p, the image upside down."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, image: Any) -> Any:
        return on_pixels(image, lambda array: array[::-1]) if _chance(self.p) else image

    def __repr__(self) -> str:
        return f"RandomVerticalFlip(p={self.p})"


class RandomResizedCrop:
    """A window of random area and shape, resized: the usual augmentation of large pictures.

    The area is a fraction from `scale`, width / height from `ratio`; after ten windows that do not fit, the largest
    one in the middle. Source: Szegedy et al., "Going Deeper with Convolutions" (2014).
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        self.size = _pair("RandomResizedCrop", size)
        self.scale, self.ratio, self.interpolation, self.antialias = scale, ratio, interpolation, antialias

    def __call__(self, image: Any) -> Any:
        window = self._window(*height_width(image))
        return Resize(self.size, self.interpolation, antialias=self.antialias)(crop(image, *window))

    def _window(self, rows: int, columns: int) -> tuple[int, int, int, int]:
        low, high = (float(np.log(np.float32(r))) for r in self.ratio)
        for _ in range(10):
            area = rows * columns * _between(self.scale[0], self.scale[1])
            ratio = float(np.exp(np.float32(_between(low, high))))
            width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < width <= columns and 0 < height <= rows:
                top = _whole(rows - height + 1)
                return top, _whole(columns - width + 1), height, width
        ratio = columns / rows
        width, height = columns, rows
        if ratio < min(self.ratio):
            height = round(width / min(self.ratio))
        elif ratio > max(self.ratio):
            width = round(height * max(self.ratio))
        return (rows - height) // 2, (columns - width) // 2, height, width

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(v, 4) for v in values) for values in (self.scale, self.ratio))
        return (
            f"RandomResizedCrop(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


class RandomRotation:
    """Turned by a random angle: within (-d, d) degrees, or within (low, high).

    Raises:
        ValueError: a negative number of degrees, or not two.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        if isinstance(degrees, Sequence):
            if len(degrees) != 2:
                raise ValueError(f"degrees should be a sequence of length 2, but got {degrees!r}")
            self.degrees = [float(d) for d in degrees]
        elif degrees < 0:
            raise ValueError(f"If degrees is a single number, it must be positive, but got {degrees}")
        else:
            self.degrees = [float(-degrees), float(degrees)]
        self.interpolation, self.expand, self.center, self.fill = interpolation, expand, center, fill

    def __call__(self, image: Any) -> Any:
        angle = _between(*self.degrees)
        return on_pixels(
            image,
            lambda array: pixels.rotate(array, angle, self.interpolation, self.expand, self.center, self.fill),
        )

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"RandomRotation(degrees={self.degrees}, interpolation={self.interpolation.value}, "
            f"expand={self.expand}{center}, fill={self.fill})"
        )


class RandomGrayscale:
    """The image or, with probability p, its brightness alone, in as many channels."""

    def __init__(self, p: float = 0.1) -> None:
        self.p = p

    def __call__(self, image: Any) -> Any:
        if not _chance(self.p):
            return image
        tensor = not isinstance(image, np.ndarray) and not pixels.is_picture(image)
        channels = image.shape[-3] if tensor else (*pixels.as_array(image).shape, 1)[2]
        return to_grayscale(image, channels)

    def __repr__(self) -> str:
        return f"RandomGrayscale(p={self.p})"


class RandomApply:
    """All of the given transforms with probability p, or none."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5) -> None:
        self.transforms, self.p = transforms, p

    def __call__(self, image: Any) -> Any:
        if np.float32(self.p) < uniform(1)[0]:
            return image
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self) -> str:
        return f"RandomApply(\n    p={self.p}" + "".join(f"\n    {t}" for t in self.transforms) + "\n)"
