"""Activations beyond those that backends own: one class each where that saves passes, else composed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.activation import log_softmax, sigmoid, softmax, tanh
from minigrad.ops.arithmetic import add, div, mul, neg, sub
from minigrad.ops.base import Array, Grads, Tensor, Unary, backend_of, normal_axis, not_tensor, wrap
from minigrad.ops.elementwise import Math, exp
from minigrad.ops.fused import relu
from minigrad.ops.inplace import write
from minigrad.ops.join import chunk
from minigrad.ops.logic import where
from minigrad.ops.power import absolute, clamp
from minigrad.ops.shape import reshape
from minigrad.ops.special_kernels import erf
from minigrad.random import distributions


class LeakyReLU(Unary):
    """x where it is positive, else slope * x."""

    __slots__ = ("slope",)

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, x: Array) -> Array:
        return backend_of(x).xp.where(x > 0, x, x * x.dtype.type(self.slope))

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        xp = backend_of(x.array).xp
        one, slope = x.array.dtype.type(1), x.array.dtype.type(self.slope)
        return mul(gy, wrap(xp.where(x.array > 0, one, slope)))


class ELU(Unary):
    """scale * x where it is positive, else scale * alpha * (exp(x * rate) - 1)."""

    __slots__ = ("alpha", "rate", "scale")

    def __init__(self, alpha: float, scale: float = 1.0, rate: float = 1.0) -> None:
        self.alpha, self.scale, self.rate = alpha, scale, rate

    def forward(self, x: Array) -> Array:
        xp, kind = backend_of(x).xp, x.dtype.type
        low = xp.expm1(xp.minimum(x, 0) * kind(self.rate)) * kind(self.alpha * self.scale)
        return xp.where(x > 0, x * kind(self.scale), low)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        low = mul(exp(mul(clamp(x, max=0), self.rate)), self.alpha * self.scale * self.rate)
        return mul(gy, where(wrap(x.array > 0), self.scale, low))


class GELU(Math):
    """x times the probability that a standard normal number is below x."""

    __slots__ = ("below",)

    def compute(self, xp: Any, x: Array) -> Array:
        self.below = _below(x)
        return x * self.below

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        if not is_grad_enabled():
            xp, x = backend_of(x.array).xp, x.array
            slope = xp.exp(x * x * x.dtype.type(-0.5))
            slope *= x * x.dtype.type(1 / math.sqrt(2 * math.pi))
            slope += self.below
            slope *= gy.array
            return wrap(slope)
        density = mul(exp(mul(mul(x, x), -0.5)), 1 / math.sqrt(2 * math.pi))
        return mul(gy, add(NormalBelow().apply(x), mul(x, density)))


class NormalBelow(Math):
    """The standard normal distribution function."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return _below(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, mul(exp(mul(mul(x, x), -0.5)), 1 / math.sqrt(2 * math.pi)))


def _below(x: Array) -> Array:
    return (erf(x * x.dtype.type(math.sqrt(0.5))) + 1) * x.dtype.type(0.5)


class SiLU(Math):
    """x * sigmoid(x)"""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return x * backend_of(x).sigmoid(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        s = sigmoid(x)
        return mul(gy, mul(s, add(mul(x, sub(1, s)), 1)))


class Softplus(Math):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x is over a threshold."""

    __slots__ = ("beta", "threshold")

    def __init__(self, beta: float, threshold: float) -> None:
        self.beta, self.threshold = beta, threshold

    def compute(self, xp: Any, x: Array) -> Array:
        z = x * x.dtype.type(self.beta)
        return xp.where(
            z > self.threshold,
            x,
            xp.log1p(xp.exp(xp.minimum(z, x.dtype.type(self.threshold)))) / x.dtype.type(self.beta),
        )

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        z = mul(x, self.beta)
        return mul(gy, where(wrap(z.array > self.threshold), 1.0, sigmoid(z)))


class LogSigmoid(Math):
    """log(sigmoid(x)), also for large negative x."""

    __slots__ = ()

    def compute(self, xp: Any, x: Array) -> Array:
        return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.abs(x)))

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        return mul(gy, sigmoid(neg(x)))


class Clip(Unary):
    """x cut off at low and high; the slope is 0 at the bounds and beyond."""

    __slots__ = ("high", "low")

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def forward(self, x: Array) -> Array:
        xp, kind = backend_of(x).xp, x.dtype.type
        return xp.minimum(xp.maximum(x, kind(self.low)), kind(self.high))

    def backward(self, gy: Tensor) -> Grads:
        x = self.inputs[0].array
        return mul(gy, wrap(((x > self.low) & (x < self.high)).astype(x.dtype)))


def _floating(op: str, input: Tensor) -> None:
    if input.array.dtype.kind in "iub":
        raise DtypeError(f'{op}(): "{op}" not implemented for {dtypes.of(input.array)}')


def in_place(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """With `inplace`, the result takes the input's place in memory and graph."""
    if not inplace:
        return result
    return _overwrite(input, lambda t: result)


def _overwrite(input: Tensor, compute: Any) -> Tensor:
    return write("activation_", input, compute)


def _on(input: Tensor, inplace: bool, compute: Any) -> Tensor:
    return _overwrite(input, compute) if inplace else compute(input)


def relu_nn(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0)"""
    try:
        return _overwrite(input, relu) if inplace else relu(input)
    except AttributeError as error:
        raise not_tensor("relu", error, input=input) from error


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(input, 0), 6)"""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """input cut off at min_val and max_val."""
    if min_val > max_val:
        raise ShapeError("min_val cannot be greater than max_val")
    return _on(input, inplace, Clip(min_val, max_val).apply)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(input + 3) / 6"""
    _floating("hardsigmoid", input)
    return _on(input, inplace, lambda x: div(Clip(0.0, 6.0).apply(add(x, 3)), 6))


class Hardswish(Unary):
    """x * relu6(x + 3) / 6"""

    __slots__ = ()

    def forward(self, x: Array) -> Array:
        xp, kind = backend_of(x).xp, x.dtype.type
        return x * xp.minimum(xp.maximum(x + kind(3), kind(0)), kind(6)) / kind(6)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        inner = where(wrap(x.array < 3), add(div(x, 3), 0.5), 1.0)
        return mul(gy, where(wrap(x.array > -3), inner, 0.0))


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * relu6(input + 3) / 6"""
    _floating("hardswish", input)
    return _on(input, inplace, Hardswish().apply)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where it is positive, else negative_slope * input."""
    _floating("leaky_relu", input)
    return _on(input, inplace, LeakyReLU(negative_slope).apply)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where it is positive, else alpha * (exp(input) - 1)."""
    _floating("elu", input)
    return _on(input, inplace, ELU(alpha).apply)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """elu, scaled so that activations normalise themselves: Klambauer et al. (2017)."""
    _floating("selu", input)
    return _on(input, inplace, ELU(1.6732632423543772848170429916717, 1.0507009873554804934193349852946).apply)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where it is positive, else alpha * (exp(input / alpha) - 1)."""
    if alpha == 0:
        raise ShapeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    _floating("celu", input)
    return _on(input, inplace, ELU(alpha, 1.0, 1.0 / alpha).apply)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """input times the probability that a standard normal number is below it: Hendrycks and Gimpel (2016)."""
    _floating("gelu", input)
    if approximate == "none":
        return GELU().apply(input)
    if approximate != "tanh":
        raise ShapeError("approximate argument must be either none or tanh.")
    inner = mul(add(input, mul(mul(mul(input, input), input), 0.044715)), math.sqrt(2 / math.pi))
    return mul(mul(input, 0.5), add(tanh(inner), 1))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input)"""
    _floating("silu", input)
    return _on(input, inplace, SiLU().apply)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * tanh(softplus(input)): Misra (2019)."""
    _floating("mish", input)
    return _on(input, inplace, lambda x: mul(x, tanh(Softplus(1, 20).apply(x))))


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + exp(beta * input)) / beta; the input itself where beta * input is over the threshold."""
    _floating("softplus", input)
    return Softplus(beta, threshold).apply(input)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(input))"""
    _floating("logsigmoid", input)
    return LogSigmoid().apply(input)


def softsign(input: Tensor) -> Tensor:
    """input / (1 + |input|)"""
    return div(input, add(absolute(input), 1))


def tanhshrink(input: Tensor) -> Tensor:
    """input - tanh(input)"""
    return sub(input, tanh(input))


def _zero_where(input: Tensor, mask: Array) -> Tensor:
    return where(wrap(mask), 0.0, input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """input, but 0 within [-lambd, lambd]."""
    x = input.array
    return _zero_where(input, (x >= -lambd) & (x <= lambd))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """input moved towards 0 by lambd, and 0 within [-lambd, lambd]."""
    if lambd < 0:
        raise ShapeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    x = input.array
    xp, kind = backend_of(x).xp, x.dtype.type
    moved = sub(input, wrap(xp.where(x > 0, kind(lambd), kind(-lambd))))
    return _zero_where(moved, (x >= -lambd) & (x <= lambd))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """input where it is over the threshold, else value."""
    threshold = int(threshold) if input.array.dtype.kind in "iu" else threshold
    kept = int(value) if input.array.dtype.kind in "iu" else float(value)
    return _on(input, inplace, lambda x: where(wrap(x.array <= threshold), kept, x))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """input where it is positive, else weight * input: weight (1,) or one per channel (C,).

    Source: He et al., "Delving deep into rectifiers" (2015).
    """
    count = weight.array.size
    if weight.array.ndim > 1:
        raise ShapeError(f"prelu(): Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.array.ndim}")
    if weight.array.dtype != input.array.dtype:
        raise DtypeError(
            f"prelu(): Type promoting not supported. Got {dtypes.of(input.array)} and {dtypes.of(weight.array)}"
        )
    if count != 1:
        rank = input.array.ndim
        channels = input.array.shape[1] if rank > 1 else 1
        if rank == 0:
            raise ShapeError("Not allow zero-dim input tensor.")
        if channels != count:
            raise ShapeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and "
                f"channel size = {channels}."
            )
        weight = reshape(weight, (1, count, *(1,) * (rank - 2)) if rank > 1 else (count,))
    elif not input.array.ndim:
        weight = reshape(weight, ())
    return where(wrap(input.array > 0), input, mul(weight, input))


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """leaky_relu whose slope is drawn for every negative element in training, and the mean slope otherwise."""
    if lower > upper:
        raise ShapeError("Lower bound should be less than or equal to the upper bound")
    _floating("rrelu", input)
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    x = input.array
    slopes = np.ones(x.shape, x.dtype)
    low = backend_of(x).to_numpy(x) <= 0
    # One double per element that is not positive, in order.
    slopes[low] = distributions.uniform(int(low.sum()), lower, upper, np.float64)
    return _on(input, inplace, lambda t: mul(t, wrap(backend_of(x).from_numpy(slopes))))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along a dimension times the sigmoid of the second: Dauphin et al. (2016)."""
    rank = input.array.ndim
    if not rank:
        raise ShapeError("glu does not support 0-dimensional tensors")
    axis = normal_axis("glu", dim, rank)
    if input.array.shape[axis] % 2:
        raise ShapeError(f"Halving dimension must be even, but dimension {axis} is size {input.array.shape[axis]}")
    a, b = chunk(input, 2, axis)
    return mul(a, sigmoid(b))


def _softmax_axis(dim: int | None, rank: int) -> int:
    """PyTorch's implicit dimension: 0 of 0, 1 or 3 dimensions, else 1."""
    return (0 if rank in (0, 1, 3) else 1) if dim is None else dim


def softmax_nn(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along a dimension: the elements along it are positive and sum to 1."""
    return softmax(input, _softmax_axis(dim, input.array.ndim), dtype)


def log_softmax_nn(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, computed without losing small probabilities."""
    return log_softmax(input, _softmax_axis(dim, input.array.ndim), dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-input)"""
    return softmax(neg(input), _softmax_axis(dim, input.array.ndim), dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A random choice that can be differentiated: softmax((logits + Gumbel noise) / tau).

    With `hard` the result is one-hot, and its gradient that of the soft one. Source: Jang et al. (2016).
    """
    x = logits.array
    with np.errstate(divide="ignore"):
        noise = -np.log(distributions.exponential(x.shape, 1.0, x.dtype))
    soft = softmax(div(add(logits, wrap(backend_of(x).from_numpy(noise))), tau), dim)
    if not hard:
        return soft
    xp, axis = backend_of(x).xp, normal_axis("gumbel_softmax", dim, x.ndim)
    one_hot = xp.zeros(x.shape, x.dtype)
    xp.put_along_axis(one_hot, xp.expand_dims(soft.array.argmax(axis), axis), 1, axis)
    return add(sub(wrap(one_hot), soft.detach()), soft)
