"""Transforms that always do the same: to tensors, normalised, resized, cropped, padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.creation import from_numpy, tensor
from minigrad.tensor import Tensor
from minigrad.transforms import pixels
from minigrad.transforms.pixels import InterpolationMode, as_array, height_width, on_pixels


class Compose:
    """One transform after another."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image

    def batched(self, images: Any) -> Any:
        """(N, H, W[, C]) bytes through every step at once, or None if a step must see each image alone."""
        for transform in self.transforms:
            step = getattr(transform, "batched", None)
            images = None if step is None else step(images)
            if images is None:
                return None
        return images

    def __repr__(self) -> str:
        return "Compose(" + "".join(f"\n    {transform}" for transform in self.transforms) + "\n)"


class Lambda:
    """Any function as a transform. TypeError if it is none."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, image: Any) -> Any:
        return self.lambd(image)

    def __repr__(self) -> str:
        return "Lambda()"


class ToTensor:
    """A picture or array (H, W[, C]) as a tensor (C, H, W): bytes as numbers of the default dtype in [0, 1], other types as they are."""

    def __call__(self, image: Any) -> Any:
        array = as_array(image)
        return _scaled(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))

    def batched(self, images: Any) -> Any:
        """(N, H, W[, C]) -> (N, C, H, W)"""
        if not isinstance(images, np.ndarray):
            return None
        return _scaled(images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2))

    def __repr__(self) -> str:
        return "ToTensor()"


def _scaled(array: Any) -> Tensor:
    if array.dtype != np.uint8:
        return from_numpy(array.copy())
    kind = dtypes.default_numpy()
    scaled = array.astype(kind, order="C")
    scaled /= kind.type(255)
    return from_numpy(scaled)


class PILToTensor:
    """A picture or array (H, W[, C]) as a tensor (C, H, W) of its own type."""

    def __call__(self, image: Any) -> Any:
        array = as_array(image)
        return from_numpy((array[None] if array.ndim == 2 else array.transpose(2, 0, 1)).copy())

    def __repr__(self) -> str:
        return "PILToTensor()"


class ToPILImage:
    """A tensor (C, H, W) or (H, W), or an array, as one of Pillow's pictures; fractions count from 0 to 1."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, image: Any) -> Any:
        try:
            from PIL import Image
        except ImportError as error:
            raise ImportError("ToPILImage needs Pillow: pip install pillow") from error
        if isinstance(image, Tensor):
            array = image.detach().cpu().numpy()
            array = array.transpose(1, 2, 0) if array.ndim == 3 else array
            if array.dtype.kind == "f":
                array = (array * 255).astype(np.uint8)
        else:
            array = as_array(image)
        picture = Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)
        return picture if self.mode is None else picture.convert(self.mode)

    def __repr__(self) -> str:
        return "ToPILImage(" + ("" if self.mode is None else f"mode={self.mode}") + ")"


class ConvertImageDtype:
    """A tensor of another type, scaled so that full brightness stays full brightness: bytes <-> fractions."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def __call__(self, image: Any) -> Any:
        wanted = dtypes.as_numpy(self.dtype, "ConvertImageDtype")
        array = image.cpu().numpy()
        if array.dtype == wanted:
            return image
        whole, target_whole = array.dtype.kind in "iu", wanted.kind in "iu"
        if whole and not target_whole:
            result = array.astype(wanted) / wanted.type(np.iinfo(array.dtype).max)
        elif not whole and target_whole:
            result = (array * array.dtype.type(np.iinfo(wanted).max + 1.0 - 1e-3)).astype(wanted)
        elif whole:
            ratio = (int(np.iinfo(wanted).max) + 1) / (int(np.iinfo(array.dtype).max) + 1)
            result = (array.astype(np.int64) * int(ratio) if ratio >= 1 else array // int(1 / ratio)).astype(wanted)
        else:
            result = array.astype(wanted)
        return from_numpy(result).to(image.device)

    def __repr__(self) -> str:
        return "ConvertImageDtype()"


class Normalize:
    """(x - mean) / std, channel by channel, of a tensor (..., C, H, W).

    Raises:
        TypeError: the input is no tensor, or not of real numbers.
        ValueError: it has fewer than three axes, or a std is zero.
    """

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace

    def __call__(self, image: Any) -> Any:
        if not isinstance(image, Tensor):
            raise TypeError(f"img should be Tensor Image. Got {type(image)}")
        if not image.is_floating_point():
            raise TypeError(f"Input tensor should be a float tensor. Got {image.dtype}.")
        if image.ndim < 3:
            raise ValueError(f"Expected tensor to be a tensor image of size (..., C, H, W). Got {tuple(image.shape)}")
        mean, std = self._column(image, self.mean), self._column(image, self.std)
        if (std == 0).any():
            raise ValueError(f"std evaluated to zero after conversion to {image.dtype}, leading to division by zero.")
        x: Any = image
        return x.sub_(mean).div_(std) if self.inplace else (x - mean) / std

    def batched(self, images: Any) -> Any:
        """The same: an axis more in front changes nothing."""
        return self(images)

    @staticmethod
    def _column(image: Tensor, values: Any) -> Any:
        column: Any = tensor(values, dtype=image.dtype, device=image.device)
        return column.reshape(-1, 1, 1) if column.ndim == 1 else column

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


def _pair(name: str, size: Any) -> tuple[int, int]:
    """One number or two as (height, width)."""
    if isinstance(size, int):
        return size, size
    if not isinstance(size, Sequence) or len(size) not in (1, 2):
        raise ValueError(f"{name}: Please provide only two dimensions (h, w) for size, but got size={size!r}")
    return int(size[0]), int(size[-1])


class Resize:
    """Another size: of the shorter side, if one number is given, or (height, width).

    `max_size` bounds the longer side where one number is given. Shrinking averages (`antialias`), as for pictures.

    Raises:
        ValueError: more than two numbers, or max_size with two or not above the shorter side.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        if max_size is not None and isinstance(size, Sequence) and len(size) == 2:
            raise ValueError("max_size should only be passed if size specifies the length of the smaller edge")
        self.size, self.interpolation, self.max_size, self.antialias = size, interpolation, max_size, antialias

    def __call__(self, image: Any) -> Any:
        height, width = self._target(*height_width(image))
        centred = not isinstance(image, Tensor)
        return on_pixels(image, lambda array: pixels.resize(array, height, width, self.interpolation, centred))

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.size, Sequence) and len(self.size) == 2:
            return self.size[0], self.size[1]
        short = self.size if isinstance(self.size, int) else self.size[0]
        long = int(short * max(height, width) / min(height, width))
        if self.max_size is not None:
            if self.max_size <= short:
                raise ValueError(
                    f"max_size = {self.max_size} must be strictly greater than the requested "
                    f"size for the smaller edge size = {self.size}"
                )
            if long > self.max_size:
                short, long = int(self.max_size * short / long), self.max_size
        return (long, short) if width <= height else (short, long)

    def __repr__(self) -> str:
        return (
            f"Resize(size={self.size}, interpolation={self.interpolation.value}, max_size={self.max_size}, "
            f"antialias={self.antialias})"
        )


class Pad:
    """A border: one width, (left/right, top/bottom) or (left, top, right, bottom).

    Raises:
        ValueError: another number of widths, or an unknown padding_mode.
    """

    modes = ("constant", "edge", "reflect", "symmetric")

    def __init__(self, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant") -> None:
        if padding_mode not in self.modes:
            raise ValueError(
                f"Padding mode should be either constant, edge, reflect or symmetric, but got {padding_mode!r}"
            )
        if not isinstance(padding, int) and len(padding) not in (1, 2, 4):
            raise ValueError(
                f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
            )
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def __call__(self, image: Any) -> Any:
        widths = (self.padding,) if isinstance(self.padding, int) else tuple(self.padding)
        left, top, right, bottom = (widths * 4)[:4]
        return on_pixels(
            image, lambda array: pixels.pad(array, (left, top, right, bottom), self.fill, self.padding_mode)
        )

    def __repr__(self) -> str:
        return f"Pad(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


def crop(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """A window of the image; where it reaches over the edge, black."""

    def cut(array: Any) -> Any:
        rows, columns = array.shape[:2]
        return pixels.pad(array, (-left, -top, left + width - columns, top + height - rows))

    return on_pixels(image, cut)


class CenterCrop:
    """The middle of the image, (height, width) large; too small an image gets a black border first."""

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _pair("CenterCrop", size)

    def __call__(self, image: Any) -> Any:
        (height, width), (rows, columns) = self.size, height_width(image)
        lacking = (width - columns, height - rows)
        if max(lacking) > 0:
            x, y = (max(n, 0) for n in lacking)
            image = on_pixels(image, lambda a: pixels.pad(a, (x // 2, y // 2, (x + 1) // 2, (y + 1) // 2)))
            rows, columns = height_width(image)
        return crop(image, round((rows - height) / 2.0), round((columns - width) / 2.0), height, width)

    def __repr__(self) -> str:
        return f"CenterCrop(size={self.size})"


def to_grayscale(image: Any, channels: int = 1) -> Any:
    """Brightness alone, in 1 or 3 equal channels. An array (H, W) has one channel, a tensor (C, H, W) a first axis."""
    if not isinstance(image, Tensor):
        gray = pixels.luminance(as_array(image))
        return gray if channels == 1 else np.repeat(gray[..., None], 3, 2)
    array = np.moveaxis(image.cpu().numpy(), -3, -1)  # (..., H, W, C)
    if array.shape[-1] == 1:
        gray = array[..., 0]
    else:
        gray = (0.2989 * array[..., 0] + 0.587 * array[..., 1] + 0.114 * array[..., 2]).astype(array.dtype)
    return from_numpy(np.repeat(np.expand_dims(gray, -3), channels, -3)).to(image.device)


class Grayscale:
    """Brightness alone, in 1 or 3 equal channels."""

    def __init__(self, num_output_channels: int = 1) -> None:
        if num_output_channels not in (1, 3):
            raise ValueError(f"num_output_channels should be either 1 or 3, but got {num_output_channels}")
        self.num_output_channels = num_output_channels

    def __call__(self, image: Any) -> Any:
        return to_grayscale(image, self.num_output_channels)

    def __repr__(self) -> str:
        return f"Grayscale(num_output_channels={self.num_output_channels})"
