"""Normalisation of rows: layer, group, instance and RMS norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad import dtypes
from minigrad.autograd.grad_mode import is_grad_enabled, no_grad
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, mul, sub
from minigrad.ops.base import Array, Grads, Tensor, Unary, backend_of, wrap
from minigrad.ops.elementwise import rsqrt
from minigrad.ops.norm import batch_norm
from minigrad.ops.reduce import mean
from minigrad.ops.shape import reshape
from minigrad.ops.titles import shown


class NormRows(Unary):
    """(x - mean) / sqrt(var + eps), row by row: (M, D) -> (M, D)"""

    __slots__ = ("eps", "inv_std", "mean")

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array) -> Array:
        self.mean = x.mean(1, keepdims=True)
        y = x - self.mean
        self.inv_std = 1 / backend_of(x).xp.sqrt((y * y).mean(1, keepdims=True) + x.dtype.type(self.eps))
        y *= self.inv_std
        return y

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        if not is_grad_enabled():
            g, y = gy.array, (x.array - self.mean) * self.inv_std
            gx = g - g.mean(1, keepdims=True)
            gx -= y * (g * y).mean(1, keepdims=True)
            gx *= self.inv_std
            return wrap(gx)
        # To be differentiated again, the statistics are part of the graph.
        centred = sub(x, mean(x, 1, True))
        inv_std = rsqrt(add(mean(mul(centred, centred), 1, True), self.eps))
        y = mul(centred, inv_std)
        return mul(inv_std, sub(sub(gy, mean(gy, 1, True)), mul(y, mean(mul(gy, y), 1, True))))


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 over the last dimensions, which are normalized_shape, then * weight + bias.

    Source: Ba et al., "Layer normalization" (2016).

    Raises:
        ShapeError: if the input does not end in normalized_shape, or a parameter has another shape.
    """
    wanted = _check_tail("layer_norm", input, normalized_shape, (("weight", weight), ("bias", bias)))
    shape = input.array.shape
    y = reshape(NormRows(eps).apply(reshape(input, (-1, math.prod(wanted)))), shape) if input.array.size else input
    y = y if weight is None else mul(y, weight)
    y = y if bias is None else add(y, bias)
    return shown(y, "NativeLayerNormBackward0") if y is not input else y


def _check_tail(op: str, input: Tensor, tail: Any, parameters: Any) -> tuple[int, ...]:
    wanted, shape = tuple(tail) if isinstance(tail, (tuple, list)) else (tail,), input.array.shape
    if len(wanted) < 1:
        raise ShapeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            f"normalized_shape = {list(wanted)}"
        )
    for name, v in parameters:
        _same_kind(op, name, v)
        if v is not None and v.array.shape != wanted:
            raise ShapeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(v.array.shape)} and normalized_shape = {list(wanted)}"
            )
    if shape[len(shape) - len(wanted) :] != wanted or len(shape) < len(wanted):
        stars = ", ".join(str(n) for n in wanted)
        raise ShapeError(
            f"Given normalized_shape={list(wanted)}, expected input with shape [*, {stars}], but got input of "
            f"size{list(shape)} in {op}()"
        )
    return wanted


def _same_kind(op: str, name: str, v: Tensor | None) -> None:
    """Refuse parameters that are no floating numbers."""
    if v is not None and v.array.dtype.kind in "iub":
        raise DtypeError(f"{op}(): expected a floating type, but argument '{name}' is {dtypes.of(v.array)}")


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Divide by the root of the mean square over the last dimensions, then * weight.

    Source: Zhang and Sennrich, "Root mean square layer normalization" (2019). eps defaults to the dtype's.

    Raises:
        ShapeError: as layer_norm.
    """
    wanted = _check_tail("rms_norm", input, normalized_shape, (("weight", weight),))
    if eps is None:
        eps = dtypes.finfo(dtypes.of(input.array)).eps
    axes = tuple(range(-len(wanted), 0))
    y = mul(input, rsqrt(add(mean(mul(input, input), axes, True), eps)))
    return y if weight is None else mul(y, weight)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Mean 0 and variance 1 over every group of channels of every image, then * weight + bias: (N, C, ...)

    Source: Wu and He, "Group normalization" (2018).

    Raises:
        ShapeError: if the channels cannot be divided into the groups, or a parameter has another length than C.
    """
    shape = input.array.shape
    if len(shape) < 2:
        raise ShapeError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    n, c = shape[:2]
    if num_groups < 1 or c % num_groups:
        raise ShapeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}"
        )
    for name, v in (("weight", weight), ("bias", bias)):
        _same_kind("group_norm", name, v)
        if v is not None and v.array.shape != (c,):
            raise ShapeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list(v.array.shape)} and input of shape {list(shape)}"
            )
    if n * num_groups and input.array.size // (n * num_groups) == 1 and len(shape) == 2 and n == 1:
        raise ShapeError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    y = reshape(NormRows(eps).apply(reshape(input, (n * num_groups, -1))), shape) if input.array.size else input
    y = _scaled(y, weight, bias)
    return shown(y, "NativeGroupNormBackward0") if y is not input else y


def _scaled(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """y * weight + bias, channel by channel."""
    column = (1, -1, *(1,) * (y.array.ndim - 2))
    y = y if weight is None else mul(y, reshape(weight, column))
    return y if bias is None else add(y, reshape(bias, column))


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 over every channel of every image, then * weight + bias: (N, C, ...)

    Without `use_input_stats` by the running statistics. Source: Ulyanov et al., "Instance normalization" (2016).

    Raises:
        ShapeError: if a channel has a single value.
    """
    shape = input.array.shape
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if math.prod(shape[2:]) == 1:
        raise ShapeError(f"Expected more than 1 spatial element when training, got input size {_size(shape)}")
    n, c = shape[:2]
    if (running_mean is None) != (running_var is None):
        raise ShapeError("instance_norm(): running_mean and running_var must either both be None or neither be None")
    for name, v in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        _same_kind("instance_norm", name, v)
        if v is not None and v.array.shape != (c,):
            raise ShapeError(f"instance_norm(): {name} should contain {c} elements, but got {list(v.array.shape)}")
    y = reshape(NormRows(eps).apply(reshape(input, (n * c, -1))), shape) if input.array.size else input
    if running_mean is not None and running_var is not None:
        with no_grad():
            x = input.array.reshape(n, c, -1)
            for running, batch in ((running_mean, x.mean(2)), (running_var, x.var(2, ddof=1))):
                running.array[...] = (1 - momentum) * running.array + momentum * batch.mean(0)
                running.shared_memory().written("instance_norm")
    return _scaled(y, weight, bias)


def _size(shape: tuple[int, ...]) -> str:
    return f"minigrad.Size({list(shape)})"
