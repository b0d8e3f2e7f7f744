"""Padding layers: cells laid around the last dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.ops.base import Tensor


class _PadNd(Module):
    """padding is one number for all sides, or (left, right, top, bottom, ...)."""

    dims: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self.dims) if isinstance(padding, int) else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, ...) -> (N, C, ...), larger by the padding"""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """(...) -> (...), larger by the padding"""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """One number around: (N, C, L)"""

    dims = 1


class ConstantPad2d(_ConstantPadNd):
    """One number around: (N, C, H, W)"""

    dims = 2


class ConstantPad3d(_ConstantPadNd):
    """One number around: (N, C, D, H, W)"""

    dims = 3


class ZeroPad1d(_ConstantPadNd):
    """Zeros around: (N, C, L)"""

    dims = 1

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(_ConstantPadNd):
    """Zeros around: (N, C, H, W)"""

    dims = 2

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(_ConstantPadNd):
    """Zeros around: (N, C, D, H, W)"""

    dims = 3

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ReflectionPad1d(_PadNd):
    """The image mirrored around, without its edge: (N, C, L)"""

    dims = 1
    mode = "reflect"


class ReflectionPad2d(_PadNd):
    """The image mirrored around, without its edge: (N, C, H, W)"""

    dims = 2
    mode = "reflect"


class ReflectionPad3d(_PadNd):
    """The image mirrored around, without its edge: (N, C, D, H, W)"""

    dims = 3
    mode = "reflect"


class ReplicationPad1d(_PadNd):
    """The edge repeated around: (N, C, L)"""

    dims = 1
    mode = "replicate"


class ReplicationPad2d(_PadNd):
    """The edge repeated around: (N, C, H, W)"""

    dims = 2
    mode = "replicate"


class ReplicationPad3d(_PadNd):
    """The edge repeated around: (N, C, D, H, W)"""

    dims = 3
    mode = "replicate"


class CircularPad1d(_PadNd):
    """The image again at its other side: (N, C, L)"""

    dims = 1
    mode = "circular"


class CircularPad2d(_PadNd):
    """The image again at its other side: (N, C, H, W)"""

    dims = 2
    mode = "circular"


class CircularPad3d(_PadNd):
    """The image again at its other side: (N, C, D, H, W)"""

    dims = 3
    mode = "circular"
