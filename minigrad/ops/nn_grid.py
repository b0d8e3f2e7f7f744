"""Images looked at through a grid of places, and the grid of an affine map.

Source: Jaderberg et al., "Spatial transformer networks" (2015).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, mul, sub
from minigrad.ops.base import Array, Tensor, backend_of, wrap
from minigrad.ops.index import GatherAlong, getitem
from minigrad.ops.matmul import matmul
from minigrad.ops.nn_resize import far, near
from minigrad.ops.power import absolute, clamp
from minigrad.ops.shape import expand, reshape, transpose, unsqueeze
from minigrad.ops.steps import FusedAffine, even_steps


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The places that an affine map sends the pixels of an image to: theta (N, 2, 3) -> (N, H, W, 2)

    size is (N, C, H, W), or (N, C, D, H, W) with theta (N, 3, 4) -> (N, D, H, W, 3). Places are in [-1, 1], x first. With
    `align_corners` -1 and 1 are the middles of the outer pixels, else their edges.

    Raises:
        ShapeError: if theta and size do not fit. NotImplementedError: if size is that of neither image nor volume.
    """
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {list(size)}."
        )
    n, _, *inner = (int(v) for v in size)
    dims, given = len(inner), theta.array.shape
    if given != (n, dims, dims + 1):
        raise ShapeError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {list(size)}. Got {list(given)}."
        )
    if min(n, *inner) <= 0:
        raise ShapeError(f"Expected non-zero, positive output size. Got {list(size)}")
    base = np.ones((*inner, dims + 1), theta.array.dtype)
    for axis, count in enumerate(inner):
        places = _middles(count, bool(align_corners), theta.array.dtype)
        base[..., dims - 1 - axis] = places.reshape(-1, *(1,) * (dims - 1 - axis))
    flat = wrap(backend_of(theta.array).from_numpy(base.reshape(1, -1, dims + 1)))
    cells = flat.array.shape[1]
    moved = matmul(expand(flat, (n, cells, dims + 1)), transpose(theta, 1, 2))
    return reshape(moved, (n, *inner, dims))


def _middles(count: int, align: bool, dtype: Any) -> Any:
    """The middles of pixels in [-1, 1]."""
    if count <= 1:
        return np.zeros(count, dtype)
    places = even_steps(-1, 1, count, dtype)
    return places if align else places * dtype.type(count - 1) / dtype.type(count)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The image at the places of a grid: input (N, C, H, W), grid (N, OH, OW, 2) -> (N, C, OH, OW)

    Or volumes: (N, C, D, H, W), (N, OD, OH, OW, 3) -> (N, C, OD, OH, OW). mode: bilinear (of volumes, trilinear), nearest
    or, of images, bicubic. padding_mode says what is outside of [-1, 1]: zeros, border or reflection.

    Raises:
        ShapeError: if shapes or modes do not fit.
    """
    if input.array.dtype != grid.array.dtype:
        raise DtypeError(
            f"nn.functional.grid_sample(): expected one dtype, but got input {dtypes.of(input.array)} and grid {dtypes.of(grid.array)}"
        )
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ShapeError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ShapeError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    _check_grid(input.array.shape, grid.array.shape, mode)
    sizes, align = input.array.shape[2:], bool(align_corners)
    places = [
        getitem(grid, (..., len(sizes) - 1 - axis)) for axis in range(len(sizes))
    ]  # of z, y, x: x is the grid's first
    points = [_pixels(place, size, align) for place, size in zip(places, sizes, strict=True)]
    if mode == "bicubic":
        return _cubic(input, points, padding_mode, align)
    points = [_inside(point, size, padding_mode, align) for point, size in zip(points, sizes, strict=True)]
    xp = backend_of(input.array).xp
    if mode == "nearest":
        return _at(input, [xp.rint(point.array) for point in points])
    corners = []  # per axis: the cells on both sides and their weights
    for point in points:
        low = xp.floor(point.array)
        high_weight = sub(point, wrap(low))
        corners.append(((low, sub(1, high_weight)), (low + 1, high_weight)))
    return _weighted(input, corners)


def _check_grid(shape: tuple[int, ...], grid: tuple[int, ...], mode: str) -> None:
    both = f"but got input with sizes {list(shape)} and grid with sizes {list(grid)}"
    if len(shape) not in (4, 5) or len(grid) != len(shape):
        raise ShapeError(f"grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, {both}")
    if grid[0] != shape[0]:
        raise ShapeError(f"grid_sampler(): expected grid and input to have same batch size, {both}")
    dims = len(shape) - 2
    if grid[-1] != dims:
        raise ShapeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, but got grid with sizes {list(grid)}"
        )
    if 0 in shape[2:]:
        raise ShapeError(
            f"grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes {list(shape)}"
        )
    if mode == "bicubic" and dims != 2:
        raise ShapeError("grid_sampler(): bicubic interpolation only supports 4D input")


def _weighted(input: Tensor, taps: list[Any]) -> Tensor:
    """Cells of the image times their weights: per axis, pairs (coordinate, weight)."""
    total = None
    for choice in product(*taps):
        weight = None
        for _, w in choice:
            weight = w if weight is None else mul(weight, w)
        part = mul(_at(input, [cell for cell, _ in choice]), unsqueeze(weight, 1))
        total = part if total is None else add(total, part)
    return total


def _cubic(input: Tensor, points: list[Tensor], padding_mode: str, align: bool) -> Tensor:
    """Four by four cells around every point, each brought inside by itself, weighted with Keys' kernel."""
    taps = []
    for point, size in zip(points, input.array.shape[2:], strict=True):
        first = backend_of(point.array).xp.floor(point.array)
        t = sub(point, wrap(first))
        weights = (far(add(t, 1)), near(t), near(sub(1, t)), far(sub(2, t)))
        cells = [_inside(wrap(first + k), size, padding_mode, align).array for k in (-1, 0, 1, 2)]
        taps.append(tuple(zip(cells, weights, strict=True)))
    return _weighted(input, taps)


def _pixels(place: Tensor, size: int, align: bool) -> Tensor:
    """Places in [-1, 1] as coordinates of pixels."""
    scale, shift = ((size - 1) / 2, 0.0) if align else (size / 2, -0.5)
    return FusedAffine(scale, shift).apply(add(place, 1))


def _inside(x: Tensor, size: int, padding_mode: str, align: bool) -> Tensor:
    """Coordinates of pixels, brought inside where the padding says so."""
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


def _at(input: Tensor, coordinates: list[Array]) -> Tensor:
    """The pixels at whole coordinates (N, OH, OW) of each axis, 0 outside: -> (N, C, OH, OW)"""
    column = coordinates[-1]
    xp, (n, c, *sizes) = backend_of(column).xp, input.array.shape
    inside: Any = True
    flat: Any = 0
    for place, size in zip(coordinates, sizes, strict=True):
        inside = (place >= 0) & (place < size) & inside
        flat = flat * size + place
    places = xp.where(inside, flat, 0).astype(np.int64).reshape(n, 1, -1)
    wide = xp.broadcast_to(places, (n, c, places.shape[2]))
    found = reshape(GatherAlong(wide, 2).apply(reshape(input, (n, c, -1))), (n, c, *column.shape[1:]))
    return found if inside.all() else mul(found, wrap(inside[:, None].astype(input.array.dtype)))
