"""Pooling in one and three dimensions, to a wanted size, by powers, and undone: said with the two-dimensional ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops.activation import relu
from minigrad.ops.arithmetic import mul
from minigrad.ops.base import Array, Tensor, backend_of, wrap
from minigrad.ops.logic import sign
from minigrad.ops.matmul import matmul
from minigrad.ops.nn_conv import numbers
from minigrad.ops.pool import MaxPool2dGather, avg_pool2d, max_pool2d, put_back, unpooled_size
from minigrad.ops.power import absolute, pow
from minigrad.ops.reduce import mean
from minigrad.ops.shape import pad, reshape, squeeze, transpose, unsqueeze


def _one(op: str, name: str, value: Any) -> int:
    return numbers(op, name, value, 1)[0]


def _as_plane(op: str, input: Tensor) -> tuple[Tensor, bool]:
    """A sequence (N, C, L) or (C, L) as images of one row (N, C, 1, L), and whether it was a batch."""
    rank = input.array.ndim
    if rank not in (2, 3):
        raise ShapeError(
            f"{op}(): Expected 2D or 3D (batch mode) tensor, but got input of size: {list(input.array.shape)}"
        )
    return unsqueeze(input if rank == 3 else unsqueeze(input, 0), 2), rank == 3


def _as_line(y: Tensor, batched: bool) -> Tensor:
    shape = y.array.shape
    return reshape(y, (shape[0], shape[1], shape[3]) if batched else (shape[1], shape[3]))


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value under each window: (N, C, L) or (C, L) -> (N, C, OL) or (C, OL)"""
    op = "max_pool1d"
    x, batched = _as_plane(op, input)
    k = _one(op, "kernel_size", kernel_size)
    s = k if stride is None or stride in ((), []) else _one(op, "stride", stride)
    sides, gaps = (0, _one(op, "padding", padding)), (1, _one(op, "dilation", dilation))
    y, indices = max_pool2d(x, (1, k), (1, s), sides, gaps, ceil_mode, True)
    return (_as_line(y, batched), _as_line(indices, batched)) if return_indices else _as_line(y, batched)


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The average under each window: (N, C, L) or (C, L) -> (N, C, OL) or (C, OL)"""
    op = "avg_pool1d"
    x, batched = _as_plane(op, input)
    k = _one(op, "kernel_size", kernel_size)
    s = k if stride is None or stride in ((), []) else _one(op, "stride", stride)
    y = avg_pool2d(x, (1, k), (1, s), (0, _one(op, "padding", padding)), ceil_mode, count_include_pad)
    return _as_line(y, batched)


def _volume(op: str, input: Tensor) -> tuple[Tensor, bool]:
    rank = input.array.ndim
    if rank not in (4, 5):
        raise ShapeError(
            f"{op}(): Expected 4D or 5D (batch mode) tensor, but got input of size: {list(input.array.shape)}"
        )
    return (input if rank == 5 else unsqueeze(input, 0)), rank == 5


def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value under each window: (N, C, D, H, W) -> (N, C, OD, OH, OW); plane by plane, then in depth."""
    op = "max_pool3d"
    x, batched = _volume(op, input)
    kd, *k = numbers(op, "kernel_size", kernel_size, 3)
    sd, *s = (kd, *k) if stride is None or stride in ((), []) else numbers(op, "stride", stride, 3)
    pd, *p = numbers(op, "padding", padding, 3)
    dd, *d = numbers(op, "dilation", dilation, 3)
    n, c, depth, h, w = x.array.shape
    y, inner = max_pool2d(reshape(x, (n, c * depth, h, w)), k, s, p, d, ceil_mode, True)
    oh, ow = y.array.shape[2:]
    y, outer = max_pool2d(reshape(y, (n, c, depth, oh * ow)), (kd, 1), (sd, 1), (pd, 0), (dd, 1), ceil_mode, True)
    od = y.array.shape[2]
    y = reshape(y, (n, c, od, oh, ow))
    if return_indices:
        planes = outer.array // (oh * ow)  # which plane won
        places = backend_of(x.array).xp.take_along_axis(inner.array.reshape(n, c, depth, oh * ow), planes, 2)
        indices = wrap((planes * (h * w) + places).reshape(n, c, od, oh, ow))
        return (y, indices) if batched else (squeeze(y, 0), squeeze(indices, 0))
    return y if batched else squeeze(y, 0)


def avg_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The average under each window: (N, C, D, H, W) -> (N, C, OD, OH, OW); plane by plane, then in depth."""
    op = "avg_pool3d"
    x, batched = _volume(op, input)
    kd, *k = numbers(op, "kernel_size", kernel_size, 3)
    sd, *s = (kd, *k) if stride is None or stride in ((), []) else numbers(op, "stride", stride, 3)
    pd, *p = numbers(op, "padding", padding, 3)
    n, c, depth, h, w = x.array.shape
    first = None if divisor_override is None else 1
    y = avg_pool2d(reshape(x, (n, c * depth, h, w)), k, s, p, ceil_mode, count_include_pad, first)
    oh, ow = y.array.shape[2:]
    y = reshape(y, (n, c, depth, oh * ow))
    y = avg_pool2d(y, (kd, 1), (sd, 1), (pd, 0), ceil_mode, count_include_pad, divisor_override)
    y = reshape(y, (n, c, y.array.shape[2], oh, ow))
    return y if batched else squeeze(y, 0)


# ---------------------------------------------------------------------- to a wanted size


def _ends(n: int, out: int) -> list[tuple[int, int]]:
    """Where each of `out` windows over n cells starts and ends: they cover all, and overlap where they must."""
    return [(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]


def _sizes(op: str, input: Tensor, output_size: Any, dims: int) -> tuple[Tensor, tuple[int, ...], bool]:
    """The input as a batch, the wanted size with None filled in, and whether the input was a batch."""
    shape = input.array.shape
    if len(shape) not in (dims + 1, dims + 2):
        raise ShapeError(f"{op}(): Expected {dims + 1}D or {dims + 2}D tensor, but got input of size: {list(shape)}")
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * dims
    if len(given) != dims:
        raise ShapeError(f"{op}(): output_size must have {dims} elements, but got {output_size!r}")
    for v in given:
        if v is not None and not isinstance(v, (int, np.integer)):
            raise TypeError(f"{op}(): argument 'output_size' (position 2) must be tuple of ints, not {output_size!r}")
    sizes = tuple(n if v is None else int(v) for v, n in zip(given, shape[-dims:], strict=True))
    if min(sizes) < 0:
        raise ShapeError(f"{op}(): elements of output_size must be greater than or equal to 0, but got {sizes}")
    if 0 in shape[-dims:]:
        raise ShapeError(
            f"{op}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes {list(shape)}"
        )
    batched = len(shape) == dims + 2
    return (input if batched else unsqueeze(input, 0)), sizes, batched


def _averaged(x: Tensor, axis: int, out: int) -> Tensor:
    """Averages over `out` windows along an axis, as a product with a matrix of weights."""
    n = x.array.shape[axis]
    if out == n:
        return x
    if out == 1:
        return mean(x, axis, True)
    weights = np.zeros((n, out), x.array.dtype)
    for i, (start, end) in enumerate(_ends(n, out)):
        weights[start:end, i] = 1 / (end - start)
    matrix = wrap(backend_of(x.array).from_numpy(weights))
    last = x.array.ndim - 1
    y = matmul(x if axis == last else transpose(x, axis, last), matrix)
    return y if axis == last else transpose(y, axis, last)


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Averages over windows that make the output so long: (N, C, L) -> (N, C, OL)"""
    return _adaptive_avg("adaptive_avg_pool1d", input, output_size, 1)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Averages over windows that make the output so large: (N, C, H, W) -> (N, C, OH, OW)"""
    return _adaptive_avg("adaptive_avg_pool2d", input, output_size, 2)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Averages over windows that make the output so large: (N, C, D, H, W) -> (N, C, OD, OH, OW)"""
    return _adaptive_avg("adaptive_avg_pool3d", input, output_size, 3)


def _adaptive_avg(op: str, input: Tensor, output_size: Any, dims: int) -> Tensor:
    x, sizes, batched = _sizes(op, input, output_size, dims)
    rank = dims + 2
    if sizes == (1,) * dims:
        y = mean(x, tuple(range(2, rank)), True)
    elif dims == 2 and all(out and n % out == 0 for n, out in zip(x.array.shape[2:], sizes, strict=True)):
        y = avg_pool2d(x, [n // out for n, out in zip(x.array.shape[2:], sizes, strict=True)])
    else:
        y = x
        for axis, out in zip(range(2, rank), sizes, strict=True):
            y = _averaged(y, axis, out)
    return y if batched else squeeze(y, 0)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest values of windows that make the output so long: (N, C, L) -> (N, C, OL)"""
    x, (out,), batched = _sizes("adaptive_max_pool1d", input, output_size, 1)
    y, indices = adaptive_max_pool2d(unsqueeze(x, 2), (1, out), True)
    return (_as_line(y, batched), _as_line(indices, batched)) if return_indices else _as_line(y, batched)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest values of windows that make the output so large: (N, C, H, W) -> (N, C, OH, OW)"""
    x, sizes, batched = _sizes("adaptive_max_pool2d", input, output_size, 2)
    if all(out and n % out == 0 for n, out in zip(x.array.shape[2:], sizes, strict=True)):
        y, indices = max_pool2d(
            x, [n // out for n, out in zip(x.array.shape[2:], sizes, strict=True)], return_indices=True
        )
    else:
        places = _winners(x.array, sizes)
        y, indices = MaxPool2dGather(places).apply(x), wrap(places)
    if not batched:
        y, indices = squeeze(y, 0), squeeze(indices, 0)
    return (y, indices) if return_indices else y


def _winners(x: Array, sizes: tuple[int, ...]) -> Array:
    """Where in its plane the first largest cell of every window stands: (N, C, H, W) -> (N, C, OH, OW)"""
    xp, (n, c, h, w) = backend_of(x).xp, x.shape
    places = xp.empty((n, c, *sizes), np.int64)
    for i, (top, bottom) in enumerate(_ends(h, sizes[0])):
        for j, (left, right) in enumerate(_ends(w, sizes[1])):
            best = x[:, :, top:bottom, left:right].reshape(n, c, -1).argmax(2)
            width = right - left
            places[:, :, i, j] = (top + best // width) * w + left + best % width
    return places


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest values of windows that make the output so large: (N, C, D, H, W) -> (N, C, OD, OH, OW)"""
    x, (od, oh, ow), batched = _sizes("adaptive_max_pool3d", input, output_size, 3)
    n, c, depth, h, w = x.array.shape
    y, inner = adaptive_max_pool2d(reshape(x, (n, c * depth, h, w)), (oh, ow), True)
    y, outer = adaptive_max_pool2d(reshape(y, (n, c, depth, oh * ow)), (od, oh * ow), True)
    y = reshape(y, (n, c, od, oh, ow))
    planes = outer.array // (oh * ow)
    places = backend_of(x.array).xp.take_along_axis(inner.array.reshape(n, c, depth, oh * ow), planes, 2)
    indices = wrap((planes * (h * w) + places).reshape(n, c, od, oh, ow))
    if not batched:
        y, indices = squeeze(y, 0), squeeze(indices, 0)
    return (y, indices) if return_indices else y


# ---------------------------------------------------------------------- by powers, and undone


def _rooted(averages: Tensor, cells: int, norm_type: float) -> Tensor:
    return pow(mul(mul(sign(averages), relu(absolute(averages))), cells), 1.0 / norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The norm of the values under each window: (N, C, L) -> (N, C, OL)"""
    averages = avg_pool1d(pow(input, norm_type), kernel_size, stride, 0, ceil_mode)
    return _rooted(averages, _one("lp_pool1d", "kernel_size", kernel_size), norm_type)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The norm of the values under each window: (N, C, H, W) -> (N, C, OH, OW)"""
    kh, kw = numbers("lp_pool2d", "kernel_size", kernel_size, 2)
    averages = avg_pool2d(pow(input, norm_type), (kh, kw), stride, 0, ceil_mode)
    return _rooted(averages, kh * kw, norm_type)


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The norm of the values under each window: (N, C, D, H, W) -> (N, C, OD, OH, OW)"""
    kd, kh, kw = numbers("lp_pool3d", "kernel_size", kernel_size, 3)
    averages = avg_pool3d(pow(input, norm_type), (kd, kh, kw), stride, 0, ceil_mode)
    return _rooted(averages, kd * kh * kw, norm_type)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Put values back where max_pool3d found them, zeros elsewhere: (N, C, OD, OH, OW) -> (N, C, D, H, W)"""
    op = "max_unpool3d"
    x, batched = _volume(op, input)
    if input.array.shape != indices.array.shape:
        raise ShapeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.array.shape)}) "
            f"but got indices tensor with shape: {list(indices.array.shape)}"
        )
    k = numbers(op, "kernel_size", kernel_size, 3)
    s = k if stride is None else numbers(op, "stride", stride, 3)
    p = numbers(op, "padding", padding, 3)
    y = put_back(x, indices if batched else unsqueeze(indices, 0), unpooled_size(x.array.shape, k, s, p, output_size))
    return y if batched else squeeze(y, 0)


def adaptive_max_pool1d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_max_pool1d, and where the values stood."""
    return adaptive_max_pool1d(input, output_size, True)


def adaptive_max_pool2d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_max_pool2d, and where the values stood."""
    return adaptive_max_pool2d(input, output_size, True)


def adaptive_max_pool3d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_max_pool3d, and where the values stood."""
    return adaptive_max_pool3d(input, output_size, True)


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """max_pool1d, and where the values stood."""
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """max_pool2d, and where the values stood."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """max_pool3d, and where the values stood."""
    return max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Put values back where max_pool1d found them, zeros elsewhere: (N, C, OL) -> (N, C, L)"""
    op = "max_unpool1d"
    x, batched = _as_plane(op, input)
    places, _ = _as_plane(op, indices)
    k = _one(op, "kernel_size", kernel_size)
    s = k if stride is None else _one(op, "stride", stride)
    (size,) = unpooled_size(input.array.shape, (k,), (s,), (_one(op, "padding", padding),), output_size)
    return _as_line(put_back(x, places, (1, size)), batched)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divide by a power of the neighbouring channels' mean square: (N, C, ...) -> (N, C, ...)

    Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks" (2012).
    """
    shape = input.array.shape
    if len(shape) < 3:
        raise ShapeError(f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)")
    if not input.array.size:
        return input
    squares = reshape(mul(input, input), (shape[0], 1, shape[1], -1))  # (N, 1, C, L)
    squares = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    around = reshape(avg_pool2d(squares, (size, 1), 1), shape)
    return input / pow(mul(around, alpha) + k, beta)
