"""Pooling: the largest or the average value under a window."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.base import Array, Grads, Nary, Tensor, Unary, backend_of, not_tensor
from minigrad.ops.index import Scatter
from minigrad.ops.shape import reshape, unsqueeze
from minigrad.window import Window, pair, pool_out_size, pool_window

Shape = tuple[int, ...]


class MaxPool2d(Nary):
    """(N, C, H, W) -> y (N, C, OH, OW) and the winners' places in the plane, int64."""

    __slots__ = ("shape", "window")
    torch_name = "MaxPool2DWithIndices"
    keeps = False

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: Array) -> tuple[Array, Array]:
        y, indices = backend_of(x).max_pool2d(x, self.window)
        self.shape, self.saved = x.shape, indices
        return y, indices

    def backward(self, gy: Tensor, _: Any) -> Grads:
        return MaxPool2dGrad(self.saved, self.shape).apply(gy)


class MaxPool2dGrad(Unary):
    """A scatter by saved indices: (N, C, OH, OW) -> (N, C, H, W)"""

    __slots__ = ("indices", "shape")
    keeps = False

    def __init__(self, indices: Array, shape: tuple[int, ...]) -> None:
        self.indices, self.shape = indices, shape

    def forward(self, gy: Array) -> Array:
        return backend_of(gy).max_pool2d_grad(gy, self.indices, self.shape)

    def backward(self, ggx: Tensor) -> Grads:
        return MaxPool2dGather(self.indices).apply(ggx)


class MaxPool2dGather(Unary):
    """A gather by saved indices: (N, C, H, W) -> (N, C, OH, OW)"""

    __slots__ = ("indices", "shape")
    keeps = False

    def __init__(self, indices: Array) -> None:
        self.indices = indices

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return backend_of(x).max_pool2d_gather(x, self.indices)

    def backward(self, gy: Tensor) -> Grads:
        return MaxPool2dGrad(self.indices, self.shape).apply(gy)


class AvgPool2d(Unary):
    """(N, C, H, W) -> (N, C, OH, OW)"""

    __slots__ = ("options", "shape", "window")
    keeps = False

    def __init__(self, window: Window, count_include_pad: bool, divisor: int | None) -> None:
        self.window, self.options = window, (count_include_pad, divisor)

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return backend_of(x).avg_pool2d(x, self.window, *self.options)

    def backward(self, gy: Tensor) -> Grads:
        return AvgPool2dGrad(self.window, *self.options, self.shape).apply(gy)


class AvgPool2dGrad(Unary):
    """(N, C, OH, OW) -> (N, C, H, W): the adjoint of AvgPool2d."""

    __slots__ = ("options", "shape", "window")
    keeps = False

    def __init__(self, window: Window, count_include_pad: bool, divisor: int | None, shape: tuple[int, ...]) -> None:
        self.window, self.options, self.shape = window, (count_include_pad, divisor), shape

    def forward(self, gy: Array) -> Array:
        return backend_of(gy).avg_pool2d_grad(gy, self.shape, self.window, *self.options)

    def backward(self, ggx: Tensor) -> Grads:
        return AvgPool2d(self.window, *self.options).apply(ggx)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the largest value under each window.

    (N, C, H, W) -> (N, C, OH, OW), OH = (H + 2*padding - dilation*(KH-1) - 1) // stride + 1; stride defaults to
    kernel_size. The first maximum wins and NaN wins over all. With `return_indices`, also their places in H*W.

    Raises:
        ShapeError: if a window does not fit into the padded image, or padding is over half of it.
    """
    try:
        shape = input.array.shape
    except AttributeError as error:
        raise not_tensor("max_pool2d", error, input=input) from error
    if len(shape) == 3:
        both = max_pool2d(unsqueeze(input, 0), kernel_size, stride, padding, dilation, ceil_mode, True)
        y, indices = (reshape(v, v.array.shape[1:]) for v in both)
        return (y, indices) if return_indices else y
    window = checked_window("max_pool2d", input.array.shape, kernel_size, stride, padding, dilation, ceil_mode)
    y, indices = MaxPool2d(window).apply(input)
    return (y, indices) if return_indices else y


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Average the values under each window: (N, C, H, W) -> (N, C, OH, OW)

    Padded cells count in the divisor, unless `count_include_pad` is False or `divisor_override` names another.

    Raises:
        ShapeError: as max_pool2d, and if divisor_override is 0.
    """
    if input.array.ndim == 3:
        y = avg_pool2d(
            unsqueeze(input, 0), kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )
        return reshape(y, y.array.shape[1:])
    if divisor_override == 0:
        raise ShapeError("avg_pool2d(): divisor must be not zero")
    if input.array.dtype.kind in "iub":
        raise DtypeError(f"avg_pool2d(): expected a floating point input, but got {dtypes.of(input.array)}")
    window = checked_window("avg_pool2d", input.array.shape, kernel_size, stride, padding, 1, ceil_mode)
    return AvgPool2d(window, count_include_pad, divisor_override).apply(input)


def checked_window(op: str, shape: Shape, *numbers: Any) -> Window:
    """A pooling's window (kernel, stride, padding, dilation, ceil_mode), checked against the image."""
    try:
        return _checked_window(op, shape, *numbers)
    except TypeError:  # a list cannot be looked up; anything else that is wrong is said again
        return _checked_window.__wrapped__(op, shape, *numbers)


@lru_cache(maxsize=4096, typed=True)
def _checked_window(
    op: str, shape: Shape, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Window:
    if not isinstance(ceil_mode, bool):
        raise TypeError(f"{op}(): argument 'ceil_mode' must be bool, not {type(ceil_mode).__name__}")
    size = pair(op, "kernel_size", kernel)
    steps = size if stride is None or stride in ((), []) else pair(op, "stride", stride)
    window = pool_window(op, size, steps, pair(op, "padding", padding), pair(op, "dilation", dilation), bool(ceil_mode))
    if len(shape) != 4:
        raise ShapeError(
            f"{op}(): Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got: {list(shape)}"
        )
    if min(shape[1:]) < 1:
        raise ShapeError(
            f"{op}(): Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got: {list(shape)}"
        )
    pool_out_size(op, window, *shape[1:])
    return window


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Put values back where max_pool2d found them, zeros elsewhere: (N, C, OH, OW) -> (N, C, H, W)"""
    if input.array.shape != indices.array.shape:
        raise ShapeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.array.shape)}) "
            f"but got indices tensor with shape: {list(indices.array.shape)}"
        )
    if input.array.ndim == 3:
        y = max_unpool2d(unsqueeze(input, 0), unsqueeze(indices, 0), kernel_size, stride, padding, output_size)
        return reshape(y, y.array.shape[1:])
    op = "max_unpool2d"
    size = pair(op, "kernel_size", kernel_size)
    steps = size if stride is None else pair(op, "stride", stride)
    sides = pair(op, "padding", padding)
    h, w = unpooled_size(input.array.shape, size, steps, sides, output_size)
    return put_back(input, indices, (h, w))


def unpooled_size(shape: tuple[int, ...], kernel: Any, stride: Any, padding: Any, output_size: Any) -> tuple[int, ...]:
    """What pooling made the last dimensions of a shape from: one of few sizes, of which output_size picks one.

    Raises:
        ValueError: if output_size is none of them.
    """
    dims = len(kernel)
    sizes = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(shape[-dims:], stride, padding, kernel, strict=True)]
    if output_size is None:
        return tuple(sizes)
    wanted = tuple(output_size)
    if len(wanted) not in (dims, dims + 2):
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it has a length of '{len(wanted)}'"
        )
    wanted = wanted[-dims:]
    for d, (n, usual, s) in enumerate(zip(wanted, sizes, stride, strict=True)):
        if not usual - s < n < usual + s:
            raise ValueError(f'invalid output_size "{wanted}" (dim {d} must be between {usual - s} and {usual + s})')
    return wanted


def put_back(input: Tensor, indices: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Values at their places in zeros: (N, C, ...), places in the flattened image -> (N, C, *sizes)"""
    n, c, *small = input.array.shape
    count, cells = prod(small), prod(sizes)
    where = indices.array
    if where.size and (int(where.min()) < 0 or int(where.max()) >= cells):
        shown = "x".join(str(m) for m in sizes)
        raise IndexError(f"Found an invalid max index: {int(where.max())} (output volumes are of size {shown}")
    # Overlapping windows may have found one cell twice: it takes the last value, not the sum.
    places, values = where.reshape(n, c, count), reshape(input, (n, c, count))
    return reshape(Scatter(places, 2, False).apply(input.new_zeros((n, c, cells)), values), (n, c, *sizes))
