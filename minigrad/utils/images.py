"""Images of a batch side by side, and PNG files: make_grid and save_image, as in torchvision.utils."""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import numpy as np

from minigrad.autograd.grad_mode import no_grad
from minigrad.creation import full
from minigrad.errors import ShapeError
from minigrad.ops.join import cat, stack
from minigrad.tensor import Tensor


@no_grad()
def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """One image with all images of a batch in rows: (N, C, H, W), a list of (C, H, W), (C, H, W) or (H, W) -> (3, GH, GW)

    Images of one channel become grey ones of three. `normalize` moves the values to [0, 1], from value_range or from the
    smallest and largest value (of every image, with scale_each).

    Raises:
        TypeError: if there are no tensors.
    """
    if isinstance(tensor, (list, tuple)):
        tensor = stack(list(tensor), 0)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    x: Any = tensor
    if x.ndim == 2:
        x = x.unsqueeze(0)
    if x.ndim == 3:
        x = cat([x, x, x], 0) if x.size(0) == 1 else x
        x = x.unsqueeze(0)
    if x.ndim == 4 and x.size(1) == 1:
        x = cat([x, x, x], 1)
    if x.ndim != 4:
        raise ShapeError(f"make_grid(): expected 2 to 4 dimensions, but got {list(tensor.shape)}")
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
        parts = [_normalized(image, value_range) for image in x] if scale_each else None
        x = stack(parts, 0) if parts is not None else _normalized(x, value_range)
    if x.size(0) == 1:
        return x.squeeze(0)
    columns = min(nrow, x.size(0))
    rows = math.ceil(x.size(0) / columns)
    height, width = x.size(2) + padding, x.size(3) + padding
    grid: Any = full((x.size(1), height * rows + padding, width * columns + padding), pad_value, dtype=x.dtype)
    for k in range(x.size(0)):
        row, column = k // columns * height + padding, k % columns * width + padding
        grid[:, row : row + x.size(2), column : column + x.size(3)] = x[k].to(grid.device)
    return grid


def _normalized(x: Any, value_range: tuple[float, float] | None) -> Any:
    low, high = (float(x.min()), float(x.max())) if value_range is None else value_range
    return (x.clamp(low, high) - low) / max(high - low, 1e-5)


@no_grad()
def save_image(tensor: Any, fp: Any, format: str | None = None, **options: Any) -> None:
    """Write images, laid out by make_grid, to a PNG file: values 0 to 1 become 0 to 255.

    Raises:
        ValueError: if the file's name asks for another format.
    """
    name = format or (str(fp).rpartition(".")[2] if not hasattr(fp, "write") else "png")
    if name.lower() != "png":
        raise ValueError(f"save_image(): only PNG files are written, but the name says {name!r}")
    grid: Any = make_grid(tensor, **options)
    pixels = (grid.cpu() * 255 + 0.5).clamp(0, 255).permute(1, 2, 0).numpy_array().astype(np.uint8)
    data = png(pixels)
    if hasattr(fp, "write"):
        fp.write(data)
    else:
        with open(fp, "wb") as file:
            file.write(data)


def png(pixels: Any) -> bytes:
    """A PNG file of an array of bytes (H, W, 3) or (H, W, 1). Source: the PNG specification, sections 5, 9 and 11."""
    height, width, channels = pixels.shape
    if channels not in (1, 3):
        raise ShapeError(f"png(): expected 1 or 3 channels, but got {channels}")
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * channels)], 1)  # filter 0

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
