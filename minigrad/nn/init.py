"""Filling parameters: the usual distributions, with PyTorch's numbers for the same seed.

Every function writes its tensor in place, outside the graph, and returns it. fan_in and fan_out are the numbers of
inputs of one output and of outputs of one input.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minigrad.random import Generator, distributions
from minigrad.registry import backend_of
from minigrad.tensor import Tensor

Array = Any


def _fill(tensor: Tensor, values: Any, name: str) -> Tensor:
    """Write host values into a tensor's memory."""
    array = tensor.array
    array[...] = backend_of(array).from_numpy(values) if isinstance(values, np.ndarray) else values
    tensor.shared_memory().written(name)
    return tensor


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """What a nonlinearity takes away from a signal's standard deviation, to be given back by the weights."""
    if nonlinearity in ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                        "conv_transpose3d", "sigmoid"):  # fmt: skip
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
            raise ValueError(f"negative_slope {param} not a valid number")
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def fans(tensor: Tensor) -> tuple[int, int]:
    """fan_in and fan_out of a weight (F, C, ...).

    Raises:
        ValueError: if it has fewer than two dimensions.
    """
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    taps = math.prod(shape[2:])
    return shape[1] * taps, shape[0] * taps


_calculate_fan_in_and_fan_out = fans


def _fan(tensor: Tensor, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return fans(tensor)[mode == "fan_out"]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Evenly spread over [a, b)."""
    return _fill(tensor, distributions.uniform(tensor.array.shape, a, b, tensor.array.dtype, generator), "uniform_")


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normally distributed."""
    array = tensor.array
    values = distributions.normal(array.shape, mean, std, array.dtype, generator, tensor.is_contiguous())
    return _fill(tensor, values, "normal_")


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normally distributed within [a, b]: numbers that fall outside, or under the bell's curve, are drawn again."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    shape, dtype = tensor.array.shape, tensor.array.dtype
    below = [(1.0 + math.erf((x - mean) / std / math.sqrt(2.0))) / 2.0 for x in (a, b)]
    if below[1] - below[0] > 0.3:  # most normal numbers are inside
        low, high = dtype.type(a), dtype.type(b)
        values = distributions.normal(shape, mean, std, dtype, generator)
        outside = (values < low) | (values > high)
        while outside.any():
            values = np.where(outside, distributions.normal(shape, mean, std, dtype, generator), values)
            outside = (values < low) | (values > high)
    else:  # even numbers, of which the curve keeps so many
        peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
        values = distributions.uniform(shape, a, b, dtype, generator)
        pending = _over_the_curve(values, mean, std, peak, generator)
        while pending.any():
            again = distributions.uniform(shape, a, b, dtype, generator)
            values = np.where(pending, again, values)
            pending &= _over_the_curve(again, mean, std, peak, generator)
    return _fill(tensor, values, "trunc_normal_")


def _over_the_curve(values: Array, mean: float, std: float, peak: float, generator: Generator | None) -> Array:
    """Whether a random height at each place is over the bell's curve, whose highest logarithm is `peak`."""
    heights = distributions.uniform(values.shape, 0.0, 1.0, values.dtype, generator)
    with np.errstate(divide="ignore"):
        return np.log(heights) > ((values - mean) / std) ** 2 * -0.5 - peak


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere."""
    return _fill(tensor, val, "constant_")


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Ones on the diagonal of a matrix."""
    if tensor.array.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _fill(tensor, np.eye(*tensor.array.shape, dtype=tensor.array.dtype), "eye_")


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight that hands its input through, channel by channel and in every group."""
    shape = tensor.array.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if shape[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = shape[0] // groups
    values = np.zeros(shape, tensor.array.dtype)
    middle = tuple(n // 2 for n in shape[2:])
    for g in range(groups):
        for d in range(min(per_group, shape[1])):
            values[(g * per_group + d, d, *middle)] = 1
    return _fill(tensor, values, "dirac_")


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Evenly spread with variance gain**2 * 2 / (fan_in + fan_out).

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    a = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(sum(fans(tensor)))))
    return uniform_(tensor, -a, a, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normally distributed with variance gain**2 * 2 / (fan_in + fan_out)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(sum(fans(tensor)))), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Evenly spread with variance gain**2 / fan.

    Source: He et al., "Delving deep into rectifiers" (2015).
    """
    if 0 in tensor.array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * (calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normally distributed with variance gain**2 / fan."""
    if 0 in tensor.array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A matrix with orthonormal rows or columns: the Q of a normally distributed matrix's QR decomposition.

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear networks" (2013).
    """
    array = tensor.array
    if array.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if not array.size:
        return tensor
    rows = array.shape[0]
    columns = array.size // rows
    drawn = distributions.normal((rows, columns), 0, 1, array.dtype, generator)
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * np.sign(np.diag(r))
    return _fill(tensor, ((q.T if rows < columns else q) * array.dtype.type(gain)).reshape(array.shape), "orthogonal_")


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normally distributed, with the same share of zeros in every column.

    Source: Martens, "Deep learning via Hessian-free optimization" (2010).
    """
    from minigrad.random import integers

    if tensor.array.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.array.shape
    values = distributions.normal((rows, columns), 0, std, tensor.array.dtype, generator)
    for column in range(columns):
        values[integers.randperm(rows)[: math.ceil(sparsity * rows)], column] = 0
    return _fill(tensor, values, "sparse_")
