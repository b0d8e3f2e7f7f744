"""Layers that learn the size of their input from the first input they see, and then are their ordinary kind."""

from __future__ import annotations

from typing import Any, ClassVar

from minigrad.creation import empty, ones, zeros
from minigrad.errors import ShapeError
from minigrad.nn.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from minigrad.nn.parameter import Parameter, UninitializedParameter
from minigrad.ops.base import Tensor


class _Lazy(Module):
    """The first call finds the size, fills the parameters in their place and makes the layer one of `becomes`."""

    becomes: ClassVar[Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._materialize(args[0])
        self.__class__ = self.becomes
        return self(*args, **kwargs)

    def _materialize(self, input: Tensor) -> None:
        raise NotImplementedError

    def _fill(self, name: str, value: Tensor) -> None:
        """Give a parameter its memory; it stays the same object, so an optimiser may hold it already."""
        p = self._parameters[name]
        p.array = value.array
        p.__class__ = Parameter

    def reset_parameters(self) -> None:
        """There is nothing to draw yet."""

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for name, p in self._parameters.items():
            if isinstance(p, UninitializedParameter) and prefix + name in state_dict:
                self._fill(name, state_dict[prefix + name].clone())
        super()._load_from_state_dict(state_dict, prefix, *rest)


class LazyLinear(_Lazy, Linear):
    """Linear, in_features being those of the first input."""

    becomes = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, False)
        self._where = {"device": device, "dtype": dtype}
        self.out_features = out_features
        self.weight = UninitializedParameter()
        if bias:
            self.bias = UninitializedParameter()

    def _materialize(self, input: Tensor) -> None:
        self.in_features = input.array.shape[-1]
        self._fill("weight", empty(self.out_features, self.in_features, **self._where))
        if self.bias is not None:
            self._fill("bias", empty(self.out_features, **self._where))
        Linear.reset_parameters(self)


class _LazyConv(_Lazy):
    """A convolution, in_channels being those of the first input; the arguments are those of its ordinary kind."""

    rank: ClassVar[int]
    transposed: ClassVar[bool]
    weight: Any
    bias: Any

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **options: Any) -> None:
        device, dtype = options.pop("device", None), options.pop("dtype", None)
        groups = options.get("groups", 1)
        self.becomes.__init__(self, groups, out_channels, kernel_size, *args, **options)
        self._where = {"device": device, "dtype": dtype}
        self.in_channels = 0
        self.weight = UninitializedParameter()
        if self.bias is not None:
            self.bias = UninitializedParameter()

    def _materialize(self, input: Tensor) -> None:
        rank = self.rank
        if input.array.ndim not in (rank + 1, rank + 2):
            raise ShapeError(
                f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {self._get_name()}, but got input of "
                f"size: {list(input.array.shape)}"
            )
        self.in_channels = input.array.shape[-rank - 1]
        if self.in_channels % self.groups:
            raise ShapeError("in_channels must be divisible by groups")
        outer, inner = self.out_channels, self.in_channels
        if self.transposed:
            outer, inner = inner, outer
        self._fill("weight", empty(outer, inner // self.groups, *self.kernel_size, **self._where))
        if self.bias is not None:
            self._fill("bias", empty(self.out_channels, **self._where))
        self.becomes.reset_parameters(self)


class LazyConv1d(_LazyConv, Conv1d):
    """Conv1d, in_channels being those of the first input."""

    becomes = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """Conv2d, in_channels being those of the first input."""

    becomes = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """Conv3d, in_channels being those of the first input."""

    becomes = Conv3d


class LazyConvTranspose1d(_LazyConv, ConvTranspose1d):
    """ConvTranspose1d, in_channels being those of the first input."""

    becomes = ConvTranspose1d


class LazyConvTranspose2d(_LazyConv, ConvTranspose2d):
    """ConvTranspose2d, in_channels being those of the first input."""

    becomes = ConvTranspose2d


class LazyConvTranspose3d(_LazyConv, ConvTranspose3d):
    """ConvTranspose3d, in_channels being those of the first input."""

    becomes = ConvTranspose3d


class _LazyBatchNorm(_Lazy):
    """A batch norm, num_features being the channels of the first input."""

    running_mean: Any

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        bias: bool = True,
    ) -> None:
        self.becomes.__init__(self, 0, eps, momentum, affine, track_running_stats, bias=bias)
        self._where = {"device": device, "dtype": dtype}
        for name in ("weight", "bias"):
            if self._parameters[name] is not None:
                setattr(self, name, UninitializedParameter())

    def _materialize(self, input: Tensor) -> None:
        self.num_features = n = input.array.shape[self._axis(input)]
        for name, maker in (("weight", ones), ("bias", zeros)):
            if self._parameters[name] is not None:
                self._fill(name, maker(n, **self._where))
        if self.running_mean is not None:
            self.running_mean, self.running_var = zeros(n, **self._where), ones(n, **self._where)

    def _axis(self, input: Tensor) -> int:
        return 1


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """BatchNorm1d, num_features being the channels of the first input."""

    becomes = BatchNorm1d


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """BatchNorm2d, num_features being the channels of the first input."""

    becomes = BatchNorm2d


class LazyBatchNorm3d(_LazyBatchNorm, BatchNorm3d):
    """BatchNorm3d, num_features being the channels of the first input."""

    becomes = BatchNorm3d


class _LazyInstanceNorm(_LazyBatchNorm):
    """An instance norm, num_features being the channels of the first input."""

    rank: ClassVar[int]

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(eps, momentum, affine, track_running_stats, device, dtype, bias)

    def _axis(self, input: Tensor) -> int:
        return input.array.ndim - self.rank - 1  # the input need not be a batch


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """InstanceNorm1d, num_features being the channels of the first input."""

    becomes, rank = InstanceNorm1d, 1


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """InstanceNorm2d, num_features being the channels of the first input."""

    becomes, rank = InstanceNorm2d, 2


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """InstanceNorm3d, num_features being the channels of the first input."""

    becomes, rank = InstanceNorm3d, 3
