"""Images looked at through a grid of places, and the grid of an affine map.

Source: Jaderberg et al., "Spatial transformer networks" (2015).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops.arithmetic import add, div, mul, sub
from minigrad.ops.base import Array, Tensor, backend_of, wrap
from minigrad.ops.index import GatherAlong, getitem
from minigrad.ops.matmul import matmul
from minigrad.ops.power import absolute, clamp
from minigrad.ops.shape import expand, reshape, transpose, unsqueeze


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The places that an affine map theta (N, 2, 3) sends the pixels of an image to: -> (N, H, W, 2)

    size is (N, C, H, W); places are in [-1, 1], x first. With `align_corners` -1 and 1 are the middles of the outer pixels,
    else their edges.

    Raises:
        ShapeError: if theta and size do not fit.
    """
    n, _, h, w = _four("affine_grid", size)
    if theta.array.shape != (n, 2, 3):
        raise ShapeError(
            f"Expected a batch of 2D affine matrices of shape Nx2x3 for size {list(size)}. Got {list(theta.array.shape)}."
        )
    columns, rows = (_middles(count, bool(align_corners), theta.array.dtype) for count in (w, h))
    base = np.ones((h, w, 3), theta.array.dtype)
    base[..., 0], base[..., 1] = columns, rows[:, None]
    flat = wrap(backend_of(theta.array).from_numpy(base.reshape(1, h * w, 3)))
    return reshape(matmul(expand(flat, (n, h * w, 3)), transpose(theta, 1, 2)), (n, h, w, 2))


def _four(op: str, size: Any) -> tuple[int, ...]:
    if len(size) != 4:
        raise ShapeError(f"{op}(): only images (N, C, H, W) are supported, but got size {list(size)}")
    return tuple(int(v) for v in size)


def _middles(count: int, align: bool, dtype: Any) -> Any:
    """The middles of pixels in [-1, 1]."""
    if count <= 1:
        return np.zeros(count, dtype)
    places = np.linspace(-1, 1, count)
    return (places if align else places * (count - 1) / count).astype(dtype)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The image at the places of a grid: input (N, C, H, W), grid (N, OH, OW, 2) -> (N, C, OH, OW)

    mode: bilinear or nearest. padding_mode says what is outside of [-1, 1]: zeros, border or reflection.

    Raises:
        ShapeError: if shapes or modes do not fit.
    """
    if mode not in ("bilinear", "nearest"):
        raise ShapeError(f"nn.functional.grid_sample(): expected mode to be 'bilinear' or 'nearest', but got: '{mode}'")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ShapeError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    n, _, h, w = _four("grid_sample", input.array.shape)
    if grid.array.ndim != 4 or grid.array.shape[0] != n or grid.array.shape[3] != 2:
        raise ShapeError(
            f"grid_sampler(): expected grid to have size ({n}, OH, OW, 2), but got grid with sizes {list(grid.array.shape)}"
        )
    x, y = (
        _pixels(getitem(grid, (..., axis)), size, bool(align_corners), padding_mode) for axis, size in ((0, w), (1, h))
    )
    xp = backend_of(input.array).xp
    if mode == "nearest":
        return _at(input, xp.rint(x.array), xp.rint(y.array))
    left, top = xp.floor(x.array), xp.floor(y.array)
    dx, dy = sub(x, wrap(left)), sub(y, wrap(top))
    total = None
    for row, wy in ((top, sub(1, dy)), (top + 1, dy)):
        for column, wx in ((left, sub(1, dx)), (left + 1, dx)):
            part = mul(_at(input, column, row), unsqueeze(mul(wx, wy), 1))
            total = part if total is None else add(total, part)
    return total


def _pixels(place: Tensor, size: int, align: bool, padding_mode: str) -> Tensor:
    """Places in [-1, 1] as coordinates of pixels, brought inside where the padding says so."""
    x = mul(add(place, 1), (size - 1) / 2) if align else div(sub(mul(add(place, 1), float(size)), 1), 2)
    if padding_mode == "reflection":
        low, span = (0.0, float(size - 1)) if align else (-0.5, float(size))
        x = add(_folded(absolute(sub(x, low)), span), low) if span else mul(x, 0.0)
    return x if padding_mode == "zeros" else clamp(x, 0.0, float(size - 1))


def _folded(x: Tensor, span: float) -> Tensor:
    """x >= 0 walked to and fro between 0 and span."""
    xp = backend_of(x.array).xp
    turns = xp.floor(x.array / span)
    back = turns % 2 == 1
    inside = sub(x, wrap((turns * span).astype(x.array.dtype)))
    sign, shift = xp.where(back, -1, 1).astype(x.array.dtype), xp.where(back, span, 0).astype(x.array.dtype)
    return add(mul(inside, wrap(sign)), wrap(shift))


def _at(input: Tensor, column: Array, row: Array) -> Tensor:
    """The pixels at whole coordinates (N, OH, OW), 0 outside: -> (N, C, OH, OW)"""
    xp, (n, c, h, w) = backend_of(column).xp, input.array.shape
    inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
    places = xp.where(inside, row * w + column, 0).astype(np.int64).reshape(n, 1, -1)
    wide = xp.broadcast_to(places, (n, c, places.shape[2]))
    found = reshape(GatherAlong(wide, 2).apply(reshape(input, (n, c, h * w))), (n, c, *column.shape[1:]))
    return found if inside.all() else mul(found, wrap(inside[:, None].astype(input.array.dtype)))
