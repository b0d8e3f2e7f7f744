"""Pooling layers."""

from __future__ import annotations

from typing import Any

from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.ops.base import Tensor


class _MaxPoolNd(Module):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )

    def _pool(self, function: Any, input: Tensor) -> Any:
        return function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool1d(_MaxPoolNd):
    """The largest value under each window: (N, C, L) -> (N, C, OL)"""

    def forward(self, input: Tensor) -> Any:
        """(N, C, L) -> (N, C, OL)"""
        return self._pool(F.max_pool1d, input)


class MaxPool2d(_MaxPoolNd):
    """The largest value under each window: (N, C, H, W) -> (N, C, OH, OW)"""

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) -> (N, C, OH, OW)"""
        return self._pool(F.max_pool2d, input)


class MaxPool3d(_MaxPoolNd):
    """The largest value under each window: (N, C, D, H, W) -> (N, C, OD, OH, OW)"""

    def forward(self, input: Tensor) -> Any:
        """(N, C, D, H, W) -> (N, C, OD, OH, OW)"""
        return self._pool(F.max_pool3d, input)


class _MaxUnpoolNd(Module):
    rank = 2

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = self._tuple(kernel_size)
        self.stride = self._tuple(stride if stride is not None else kernel_size)
        self.padding = self._tuple(padding)

    def _tuple(self, value: Any) -> tuple[int, ...]:
        return tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.rank

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Put values back where MaxPool1d found them: (N, C, OL) -> (N, C, L)"""

    rank = 1

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, OL), (N, C, OL) -> (N, C, L)"""
        return F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpoolNd):
    """Put values back where MaxPool2d found them: (N, C, OH, OW) -> (N, C, H, W)"""

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, OH, OW), (N, C, OH, OW) -> (N, C, H, W)"""
        return F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(_MaxUnpoolNd):
    """Put values back where MaxPool3d found them: (N, C, OD, OH, OW) -> (N, C, D, H, W)"""

    rank = 3

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, OD, OH, OW), (N, C, OD, OH, OW) -> (N, C, D, H, W)"""
        return F.max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class _FractionalMaxPoolNd(Module):
    rank = 2

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = self._get_name()
        self.kernel_size = self._tuple(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else self._tuple(output_size)
        self.output_ratio = None if output_ratio is None else self._tuple(output_ratio)
        if self.output_size is None and self.output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if self.output_size is not None and self.output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def _tuple(self, value: Any) -> tuple[Any, ...]:
        return tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.rank

    def _pool(self, function: Any, input: Tensor) -> Any:
        return function(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The largest values of windows that start at random: (N, C, H, W) -> (N, C, OH, OW)

    Source: Graham, "Fractional max-pooling" (2014).
    """

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) -> (N, C, OH, OW)"""
        return self._pool(F.fractional_max_pool2d, input)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """The largest values of windows that start at random: (N, C, D, H, W) -> (N, C, OD, OH, OW)

    Source: Graham, "Fractional max-pooling" (2014).
    """

    rank = 3

    def forward(self, input: Tensor) -> Any:
        """(N, C, D, H, W) -> (N, C, OD, OH, OW)"""
        return self._pool(F.fractional_max_pool3d, input)


class AvgPool1d(Module):
    """The average under each window: (N, C, L) -> (N, C, OL)"""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        single = [v[0] if isinstance(v, (tuple, list)) else v for v in (kernel_size, stride, padding)]
        self.kernel_size = (single[0],)
        self.stride = (single[1] if single[1] is not None else single[0],)
        self.padding = (single[2],)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) -> (N, C, OL)"""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The average under each window: (N, C, H, W) -> (N, C, OH, OW)"""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def _pool(self, function: Any, input: Tensor) -> Tensor:
        return function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, OH, OW)"""
        return self._pool(F.avg_pool2d, input)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool3d(AvgPool2d):
    """The average under each window: (N, C, D, H, W) -> (N, C, OD, OH, OW)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) -> (N, C, OD, OH, OW)"""
        return self._pool(F.avg_pool3d, input)


class _LPPoolNd(Module):
    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The norm of the values under each window: (N, C, L) -> (N, C, OL)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) -> (N, C, OL)"""
        return F.lp_pool1d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(_LPPoolNd):
    """The norm of the values under each window: (N, C, H, W) -> (N, C, OH, OW)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, OH, OW)"""
        return F.lp_pool2d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool3d(_LPPoolNd):
    """The norm of the values under each window: (N, C, D, H, W) -> (N, C, OD, OH, OW)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) -> (N, C, OD, OH, OW)"""
        return F.lp_pool3d(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class _AdaptiveAvgPoolNd(Module):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Averages, as many as asked for: (N, C, L) -> (N, C, OL)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) -> (N, C, OL)"""
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Averages, as many as asked for: (N, C, H, W) -> (N, C, OH, OW)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, OH, OW)"""
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Averages, as many as asked for: (N, C, D, H, W) -> (N, C, OD, OH, OW)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) -> (N, C, OD, OH, OW)"""
        return F.adaptive_avg_pool3d(input, self.output_size)


class _AdaptiveMaxPoolNd(Module):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Largest values, as many as asked for: (N, C, L) -> (N, C, OL)"""

    def forward(self, input: Tensor) -> Any:
        """(N, C, L) -> (N, C, OL)"""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Largest values, as many as asked for: (N, C, H, W) -> (N, C, OH, OW)"""

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) -> (N, C, OH, OW)"""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Largest values, as many as asked for: (N, C, D, H, W) -> (N, C, OD, OH, OW)"""

    def forward(self, input: Tensor) -> Any:
        """(N, C, D, H, W) -> (N, C, OD, OH, OW)"""
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
