"""Convolution: three ops, each the derivative of the others, so every order of derivative exists.

y = conv(x, w) is linear in x and in w. Conv2d's gradients are Conv2dInputGrad and Conv2dWeightGrad; those are
linear too, and their gradients are again among the three.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.base import (
    Array,
    Grads,
    Nary,
    Tensor,
    Unary,
    Variable,
    backend_of,
    check_same_dtype,
    device_error,
    not_tensor,
)
from minigrad.ops.shape import pad, reshape, unsqueeze
from minigrad.window import Pair, Window, conv_out_size, conv_window, pair

Shape = tuple[int, ...]


class Conv2d(Nary):
    """x (N, C, H, W), w (F, C/groups, KH, KW), b (F,) or None -> (N, F, OH, OW)"""

    __slots__ = ("groups", "window")
    torch_name = "Convolution"
    precision = "low"

    def __init__(self, window: Window, groups: int) -> None:
        self.window, self.groups = window, groups

    def forward(self, x: Array, w: Array, b: Array | None) -> Array:
        return backend_of(x).conv2d(x, w, b, self.window, self.groups)

    def backward(self, gy: Tensor) -> Grads:
        (x, w, _), window, groups = self.inputs, self.window, self.groups
        return (
            self.needs[0] and Conv2dInputGrad(window, groups, x.array.shape).apply(gy, w),
            self.needs[1] and Conv2dWeightGrad(window, groups, w.array.shape).apply(gy, x),
            self.needs[2] and Conv2dBiasGrad().apply(gy),
        )


default_op: type[Conv2d] = Conv2d  # what conv2d() applies; fusion puts its own here


class Conv2dInputGrad(Nary):
    """gy (N, F, OH, OW), w (F, C/groups, KH, KW) -> (N, C, H, W): the adjoint of Conv2d in x."""

    __slots__ = ("groups", "shape", "window")
    precision = "low"

    def __init__(self, window: Window, groups: int, shape: tuple[int, ...]) -> None:
        self.window, self.groups, self.shape = window, groups, shape

    def forward(self, gy: Array, w: Array) -> Array:
        return backend_of(gy).conv2d_input_grad(gy, w, self.shape, self.window, self.groups)

    def backward(self, ggx: Tensor) -> Grads:
        (gy, w), window, groups = self.inputs, self.window, self.groups
        return (
            self.needs[0] and Conv2d(window, groups).apply(ggx, w, None),
            self.needs[1] and Conv2dWeightGrad(window, groups, w.array.shape).apply(gy, ggx),
        )


class Conv2dWeightGrad(Nary):
    """gy (N, F, OH, OW), x (N, C, H, W) -> (F, C/groups, KH, KW): the adjoint of Conv2d in w."""

    __slots__ = ("groups", "shape", "window")

    def __init__(self, window: Window, groups: int, shape: tuple[int, ...]) -> None:
        self.window, self.groups, self.shape = window, groups, shape

    def forward(self, gy: Array, x: Array) -> Array:
        return backend_of(gy).conv2d_weight_grad(gy, x, self.shape, self.window, self.groups)

    def backward(self, ggw: Tensor) -> Grads:
        (gy, x), window, groups = self.inputs, self.window, self.groups
        return (
            self.needs[0] and Conv2d(window, groups).apply(x, ggw, None),
            self.needs[1] and Conv2dInputGrad(window, groups, x.array.shape).apply(gy, ggw),
        )


class Conv2dBiasGrad(Unary):
    """(N, F, OH, OW) -> (F,)"""

    __slots__ = ("shape",)
    keeps = False

    def forward(self, gy: Array) -> Array:
        self.shape = gy.shape
        return backend_of(gy).conv2d_bias_grad(gy)

    def backward(self, ggb: Tensor) -> Grads:
        return reshape(ggb, (1, -1, 1, 1)).expand(self.shape)


class Im2col(Unary):
    """(N, C, H, W) -> (N, C*KH*KW, OH*OW): the patch under every window as a column."""

    __slots__ = ("shape", "window")
    keeps = False

    def __init__(self, window: Window) -> None:
        self.window = window

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return backend_of(x).im2col(x, self.window)

    def backward(self, gcols: Tensor) -> Grads:
        return Col2im(self.window, self.shape).apply(gcols)


class Col2im(Unary):
    """(N, C*KH*KW, OH*OW) -> (N, C, H, W): the adjoint of Im2col."""

    __slots__ = ("shape", "window")
    keeps = False

    def __init__(self, window: Window, shape: tuple[int, ...]) -> None:
        self.window, self.shape = window, shape

    def forward(self, cols: Array) -> Array:
        return backend_of(cols).col2im(cols, self.shape, self.window)

    def backward(self, gx: Tensor) -> Grads:
        return Im2col(self.window).apply(gx)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slide filters over images and take inner products.

    input (N, C, H, W) or (C, H, W), weight (F, C/groups, KH, KW), bias (F,) -> (N, F, OH, OW) or (F, OH, OW),
    OH = (H + 2*padding - dilation*(KH-1) - 1) // stride + 1. padding may be "valid" or "same".

    Raises:
        ShapeError: if ranks, channels, groups or sizes do not fit; DtypeError, if element types differ.
    """
    try:
        x, w = input.array, weight.array
    except AttributeError as error:
        raise not_tensor("conv2d", error, input=input, weight=weight) from error
    if w.ndim != 4:
        raise ShapeError(
            f"conv2d(): expected a 4-D weight (F, C/groups, KH, KW), but got weight of size: {list(w.shape)}"
        )
    if x.ndim == 3:
        y = conv2d(unsqueeze(input, 0), weight, bias, stride, padding, dilation, groups)
        return reshape(y, y.array.shape[1:])
    if x.ndim != 4:
        raise ShapeError(
            f"Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: {list(x.shape)}"
        )
    if x.__class__ is not w.__class__:
        raise device_error(x, w)
    if x.dtype is not w.dtype:
        check_same_dtype("conv2d", ("input", "weight"), x, w)
    if bias is not None:
        check_bias("conv2d", bias, w)
    if isinstance(padding, str):
        steps, gaps = pair("conv2d", "stride", stride), pair("conv2d", "dilation", dilation)
        input, padding = pad_by_name("conv2d", input, w.shape[2:], steps, padding, gaps)
        x = input.array
    try:
        window = _checked_window(x.shape, w.shape, stride, padding, dilation, groups)
    except TypeError:  # a list cannot be looked up; anything else that is wrong is said again
        window = _checked_window.__wrapped__(x.shape, w.shape, stride, padding, dilation, groups)
    return default_op(window, groups).apply(input, weight, bias)


@lru_cache(maxsize=4096, typed=True)
def _checked_window(x: Shape, w: Shape, stride: Any, padding: Any, dilation: Any, groups: int) -> Window:
    """conv2d's window, if shapes and numbers fit together; looked up when the same layer comes again."""
    check_groups("conv2d", x, w, groups)
    steps, sides, gaps = (
        pair("conv2d", name, v) for name, v in (("stride", stride), ("padding", padding), ("dilation", dilation))
    )
    window = conv_window("conv2d", w[2:], steps, sides, gaps)
    if min(x[1:]) < 1:
        raise ShapeError(
            f"Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got: {list(x)}"
        )
    conv_out_size("conv2d", window, *x[2:])
    return window


def check_groups(op: str, x: tuple[int, ...], w: tuple[int, ...], groups: int) -> None:
    """Whether channels, filters and groups fit together."""
    if not isinstance(groups, int) or isinstance(groups, bool):
        raise TypeError(f"{op}(): argument 'groups' must be int, not {type(groups).__name__}")
    if groups < 1:
        raise ShapeError(
            f"{op}(): expected groups to be greater than 0: groups must be a positive integer, but got groups={groups}"
        )
    if x[1] != w[1] * groups:
        raise ShapeError(
            f"Given groups={groups}, weight of size {list(w)}, expected input{list(x)} to have {w[1] * groups} channels, "
            f"but got {x[1]} channels instead"
        )
    if w[0] < groups or w[0] % groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {list(w)} instead"
        )


def check_bias(op: str, bias: Tensor, w: Array) -> None:
    """Whether a bias fits its filters."""
    if not isinstance(bias, Variable):
        raise TypeError(f"{op}(): argument 'bias' must be Tensor, not {type(bias).__name__}")
    if bias.array.shape != (w.shape[0],):
        raise ShapeError(
            f"Given weight of size {list(w.shape)}, expected bias to be 1-dimensional with {w.shape[0]} elements, "
            f"but got bias of size {list(bias.array.shape)} instead"
        )
    if bias.array.dtype is not w.dtype:
        check_same_dtype(op, ("weight", "bias"), w, bias.array)


def pad_by_name(op: str, input: Tensor, kernel: Pair, stride: Pair, name: str, dilation: Pair) -> tuple[Tensor, Pair]:
    """ "valid" and "same" as numbers; an odd cell of "same" goes to the right or bottom, and is padded here."""
    if name == "valid":
        return input, (0, 0)
    if name != "same":
        raise ShapeError(f"Invalid padding string: {name!r}: {op}() knows 'valid' and 'same'")
    if max(stride) > 1:
        raise ShapeError(f"padding='same' is not supported for strided convolutions, but {op}() got stride={stride}")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    odd_h, odd_w = total[0] % 2, total[1] % 2
    if odd_h or odd_w:
        input = pad(input, (0, odd_w, 0, odd_h))
    return input, (total[0] // 2, total[1] // 2)


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The patch under every window as a column: (N, C, H, W) -> (N, C*KH*KW, OH*OW)"""
    if input.array.dtype.kind in "iu":
        raise DtypeError(f"unfold(): not implemented for {dtypes.of(input.array)}, the dtype of argument 'input'")
    if input.array.ndim == 3:
        y = unfold(unsqueeze(input, 0), kernel_size, dilation, padding, stride)
        return reshape(y, y.array.shape[1:])
    if input.array.ndim != 4:
        raise ShapeError(f"Expected 3D or 4D (batch mode) tensor for unfold(), but got: {list(input.array.shape)}")
    window = _window("unfold", kernel_size, stride, padding, dilation)
    conv_out_size("unfold", window, *input.array.shape[2:])
    return Im2col(window).apply(input)


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Add columns back to an image: (N, C*KH*KW, OH*OW) -> (N, C, H, W), output_size = (H, W)"""
    if input.array.ndim == 2:
        y = fold(unsqueeze(input, 0), output_size, kernel_size, dilation, padding, stride)
        return reshape(y, y.array.shape[1:])
    if input.array.ndim != 3:
        raise ShapeError(f"Expected 2D or 3D (batch mode) tensor for fold(), but got: {list(input.array.shape)}")
    window, size = _window("fold", kernel_size, stride, padding, dilation), pair("fold", "output_size", output_size)
    oh, ow = conv_out_size("fold", window, *size)
    n, rows, places = input.array.shape
    if rows % window.taps:
        raise ShapeError(
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)={rows} "
            f"and kernel_size={window.kernel}."
        )
    if places != oh * ow:
        raise ShapeError(
            f"Given output_size={size}, kernel_size={window.kernel}, dilation={window.dilation}, padding={window.padding}, "
            f"stride={window.stride}, expected size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{oh} * {ow} = {oh * ow}, but got input.size(2)={places}."
        )
    return Col2im(window, (n, rows // window.taps, *size)).apply(input)


def _window(op: str, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Window:
    return conv_window(
        op,
        pair(op, "kernel_size", kernel),
        pair(op, "stride", stride),
        pair(op, "padding", padding),
        pair(op, "dilation", dilation),
    )


def im2col(input: Tensor, kernel_h: int, kernel_w: int, stride: Any = 1, pad: Any = 0, dilation: Any = 1) -> Tensor:
    """The book's matrix, a patch per row: (N, C, H, W) or (C, H, W) -> (N*OH*OW, C*KH*KW)

    Source: Saitoh, "Deep Learning from Scratch" (2016), chapter 7.
    """
    cols = unfold(input if input.array.ndim == 4 else unsqueeze(input, 0), (kernel_h, kernel_w), dilation, pad, stride)
    return reshape(cols.transpose(1, 2), (-1, cols.array.shape[1]) if cols.array.size else (0, cols.array.shape[1]))


def col2im(
    col: Tensor,
    input_shape: tuple[int, ...],
    kernel_h: int,
    kernel_w: int,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
) -> Tensor:
    """Add the rows of the book's matrix back to images: (N*OH*OW, C*KH*KW) -> input_shape = (N, C, H, W)"""
    n = input_shape[0]
    rows, width = col.array.shape
    cols = reshape(col, (n, rows // max(n, 1), width)).transpose(1, 2)
    return fold(cols, input_shape[2:], (kernel_h, kernel_w), dilation, pad, stride)
