"""Max-pooling over windows at random distances, to a size that need not divide the input's.

Source: Graham, "Fractional max-pooling" (2014).
"""

from __future__ import annotations

from typing import Any

from minigrad.errors import ShapeError
from minigrad.ops.base import Array, Tensor, backend_of, wrap
from minigrad.ops.nn_conv import numbers
from minigrad.ops.pool import MaxPool2dGather
from minigrad.ops.shape import reshape, squeeze, unsqueeze
from minigrad.random import distributions

AXES = {2: ("height", "width"), 3: ("time", "height", "width")}


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest value of windows that start at random: (N, C, H, W) or (C, H, W) -> (..., OH, OW)

    The wanted size is given as such, or as a share of the input's.
    """
    found = _pooled("fractional_max_pool2d", input, kernel_size, output_size, output_ratio, _random_samples, 2)
    return found if return_indices else found[0]


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest value of windows that start at random: (N, C, D, H, W) or (C, D, H, W) -> (..., OD, OH, OW)"""
    found = _pooled("fractional_max_pool3d", input, kernel_size, output_size, output_ratio, _random_samples, 3)
    return found if return_indices else found[0]


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """fractional_max_pool2d, and where the values stood."""
    return _pooled("fractional_max_pool2d", input, kernel_size, output_size, output_ratio, _random_samples, 2)


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """fractional_max_pool3d, and where the values stood."""
    return _pooled("fractional_max_pool3d", input, kernel_size, output_size, output_ratio, _random_samples, 3)


def _pooled(
    op: str, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Any, dims: int
) -> tuple[Tensor, Tensor]:
    if output_size is None and output_ratio is None:
        raise ValueError(f"{op} requires specifying either an output_size or an output_ratio")
    shape = input.array.shape
    if len(shape) not in (dims + 1, dims + 2):
        raise ShapeError(f"{op}(): Expected {dims + 1}D or {dims + 2}D tensor, but got: {list(shape)}")
    sizes, kernel = shape[-dims:], numbers(op, "kernel_size", kernel_size, dims)
    if output_size is None:
        ratios = tuple(output_ratio) if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * dims
        output_size = tuple(int(n * r) for n, r in zip(sizes, ratios, strict=True))
    out = numbers(op, "output_size", output_size, dims)
    for axis, n, k, o in zip(AXES[dims], sizes, kernel, out, strict=True):
        if o + k - 1 > n:
            raise ShapeError(f"{op}(): pool {axis} {k} too large relative to input {axis} {n}")
    x = input if len(shape) == dims + 2 else unsqueeze(input, 0)
    batch, channels = x.array.shape[:2]
    if samples is None:
        drawn = distributions.uniform((batch, channels, dims), dtype=x.array.dtype)
        chances = backend_of(x.array).from_numpy(drawn)
    else:
        chances = samples.array
        if chances.shape != (batch, channels, dims):
            raise ShapeError(
                f"Expect _random_samples to have shape {[batch, channels, dims]}, but got {list(chances.shape)}"
            )
    order = range(dims) if dims == 3 else (1, 0)  # a plane's first number is for its width
    starts = [_starts(chances[:, :, o], n, k, m) for o, n, k, m in zip(order, sizes, kernel, out, strict=True)]
    places = _winners(x.array, starts, kernel)
    plane = 1
    for n in sizes:
        plane *= n
    y = MaxPool2dGather(places.reshape(batch, channels, -1, 1)).apply(reshape(x, (batch, channels, plane, 1)))
    y, indices = reshape(y, places.shape), wrap(places)
    return (y, indices) if len(shape) == dims + 2 else (squeeze(y, 0), squeeze(indices, 0))


def _starts(chance: Array, size: int, kernel: int, count: int) -> Array:
    """Where `count` windows along one axis start, per image and channel: (N, C) -> (N, C, count)"""
    xp = backend_of(chance).xp
    starts = xp.full((*chance.shape, count), size - kernel, xp.int64)
    if count > 1:
        share = chance.dtype.type(size - kernel) / chance.dtype.type(count - 1)
        steps = xp.arange(count - 1, dtype=chance.dtype)
        first = (chance[..., None] * share).astype(xp.int64)
        starts[..., :-1] = ((steps + chance[..., None]) * share).astype(xp.int64) - first
    return starts


def _winners(x: Array, starts: list[Array], kernel: tuple[int, ...]) -> Array:
    """The place of the first largest cell of every window, in its flattened image: (N, C, OD, OH, OW) or (N, C, OH, OW)"""
    xp, dims = backend_of(x).xp, len(kernel)
    n, c, *sizes = x.shape
    cells = xp.zeros((n, c, *(1,) * (2 * dims)), xp.int64)  # (N, C, OD, OH, OW, KD, KH, KW)
    for axis, (first, k, size) in enumerate(zip(starts, kernel, sizes, strict=True)):
        along = first[..., None] + xp.arange(k)  # (N, C, O, K)
        shape = [n, c, *(1,) * (2 * dims)]
        shape[2 + axis], shape[2 + dims + axis] = along.shape[2], k
        cells = cells * size + along.reshape(shape)
    out = cells.shape[2 : 2 + dims]
    flat = cells.reshape(n, c, -1)
    values = xp.take_along_axis(x.reshape(n, c, -1), flat, 2).reshape(n, c, *out, -1)
    best = values.argmax(-1)[..., None]
    return xp.take_along_axis(cells.reshape(n, c, *out, -1), best, -1)[..., 0]
