"""Convolution layers in one, two and three dimensions, and their transposes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from minigrad.creation import empty
from minigrad.errors import ShapeError
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops.base import Tensor

MODES = ("zeros", "reflect", "replicate", "circular")


def tuple_of(value: Any, rank: int) -> tuple[Any, ...]:
    """One number repeated for every dimension, or the numbers given."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank


class _ConvNd(Module):
    """What all convolutions have in common: numbers, weights and their initialisation."""

    rank: ClassVar[int]
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._set(in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, padding_mode)
        self._make(bias, device, dtype)

    def _set(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        output_padding: Any,
        dilation: Any,
        groups: int,
        padding_mode: str,
    ) -> None:
        super().__init__()
        rank = self.rank
        if groups <= 0:
            raise ShapeError(f"groups must be a positive integer, but got groups={groups}")
        if in_channels % groups != 0:
            raise ShapeError(f"in_channels must be divisible by groups, but got {in_channels} and groups={groups}")
        if out_channels % groups != 0:
            raise ShapeError(f"out_channels must be divisible by groups, but got {out_channels} and groups={groups}")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ShapeError(f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}")
            if padding == "same" and any(s != 1 for s in tuple_of(stride, rank)):
                raise ShapeError("padding='same' is not supported for strided convolutions")
        if padding_mode not in MODES:
            raise ShapeError(f"padding_mode must be one of {set(MODES)}, but got padding_mode='{padding_mode}'")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = tuple_of(kernel_size, rank)
        self.stride = tuple_of(stride, rank)
        self.padding = padding if isinstance(padding, str) else tuple_of(padding, rank)
        self.dilation = tuple_of(dilation, rank)
        self.output_padding = tuple_of(output_padding, rank)
        self.groups = groups
        self.padding_mode = padding_mode

    def _make(self, bias: bool, device: Any, dtype: Any) -> None:
        outer, inner = self.out_channels, self.in_channels
        if self.transposed:
            outer, inner = inner, outer
        self.weight = Parameter(empty(outer, inner // self.groups, *self.kernel_size, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(self.out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew: evenly from +-1/sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init.fans(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def _around(self) -> list[Any]:
        """The cells that F.pad lays around for a padding_mode other than zeros, last dimension first."""
        around: list[Any] = []
        if self.padding == "valid":
            return [0] * (2 * self.rank)
        for axis in reversed(range(self.rank)):
            if self.padding == "same":
                total = self.dilation[axis] * (self.kernel_size[axis] - 1)
                around += [total // 2, total - total // 2]
            else:
                around += [self.padding[axis]] * 2
        return around

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self.rank:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.rank:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self.rank:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text

    def _convolve(self, conv: Any, input: Tensor) -> Tensor:
        if self.padding_mode == "zeros":
            return conv(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        padded = F.pad(input, self._around(), self.padding_mode)
        return conv(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Conv1d(_ConvNd):
    """(N, C, L) -> (N, F, OL)"""

    rank = 1

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) or (C, L) -> (N, F, OL) or (F, OL)"""
        return self._convolve(F.conv1d, input)


class Conv2d(_ConvNd):
    """(N, C, H, W) -> (N, F, OH, OW), OH = (H + 2*padding - dilation*(KH-1) - 1) // stride + 1"""

    rank = 2

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) or (C, H, W) -> (N, F, OH, OW) or (F, OH, OW)"""
        if self.padding_mode == "zeros":
            return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return self._convolve(F.conv2d, input)


class Conv3d(_ConvNd):
    """(N, C, D, H, W) -> (N, F, OD, OH, OW)"""

    rank = 3

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) or (C, D, H, W) -> (N, F, OD, OH, OW) or (F, OD, OH, OW)"""
        return self._convolve(F.conv3d, input)


class _ConvTransposeNd(_ConvNd):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ShapeError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        self._set(
            in_channels, out_channels, kernel_size, stride, padding, output_padding, dilation, groups, padding_mode
        )
        self._make(bias, device, dtype)

    def _extra(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """The output_padding that leads to a wanted output size."""
        if output_size is None:
            return self.output_padding
        rank, sides = self.rank, input.array.shape[-self.rank :]
        wanted = tuple(output_size)
        if len(wanted) == input.array.ndim:
            wanted = wanted[-rank:]
        if len(wanted) != rank:
            raise ShapeError(
                f"ConvTranspose{rank}D: for {input.array.ndim}D input, output_size must have {rank} or {input.array.ndim} "
                f"elements (got {len(wanted)})"
            )
        smallest = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(sides, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        )
        extra = tuple(w - m for w, m in zip(wanted, smallest, strict=True))
        if any(not 0 <= e <= s - 1 for e, s in zip(extra, self.stride, strict=True)):
            largest = [m + s - 1 for m, s in zip(smallest, self.stride, strict=True)]
            raise ShapeError(
                f"requested an output size of {list(wanted)}, but valid sizes range from {list(smallest)} to {largest} "
                f"(for an input of {list(sides)})"
            )
        return extra

    def _transposed(self, conv: Any, input: Tensor, output_size: Any) -> Tensor:
        extra = self._extra(input, output_size)
        return conv(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(_ConvTransposeNd):
    """The adjoint of Conv1d in its input: (N, C, L) -> (N, F, OL)"""

    rank = 1

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, L) or (C, L) -> (N, F, OL) or (F, OL)"""
        return self._transposed(F.conv_transpose1d, input, output_size)


class ConvTranspose2d(_ConvTransposeNd):
    """The adjoint of Conv2d in its input: (N, C, H, W) -> (N, F, OH, OW)"""

    rank = 2

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, H, W) or (C, H, W) -> (N, F, OH, OW) or (F, OH, OW)"""
        return self._transposed(F.conv_transpose2d, input, output_size)


class ConvTranspose3d(_ConvTransposeNd):
    """The adjoint of Conv3d in its input: (N, C, D, H, W) -> (N, F, OD, OH, OW)"""

    rank = 3

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, D, H, W) or (C, D, H, W) -> (N, F, OD, OH, OW) or (F, OD, OH, OW)"""
        return self._transposed(F.conv_transpose3d, input, output_size)
