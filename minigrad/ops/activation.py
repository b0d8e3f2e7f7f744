"""Activations whose kernels a backend may own: relu, sigmoid, tanh, softmax and log_softmax."""

from __future__ import annotations

from minigrad import dtypes
from minigrad.errors import DtypeError
from minigrad.ops.arithmetic import mul, neg, sub
from minigrad.ops.base import Array, Binary, Grads, Nary, Tensor, Unary, backend_of, cast, normal_axis
from minigrad.ops.elementwise import Math, exp
from minigrad.ops.reduce import sum


class Relu(Unary):
    """max(x, 0)"""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def forward(self, x: Array) -> Array:
        return backend_of(x).relu(x)

    def backward(self, gy: Tensor) -> Grads:
        return ReluGrad().apply(gy, self.output())


class ReluGrad(Binary):
    """gy, but 0 where relu's output is 0."""

    __slots__ = ()

    def forward(self, gy: Array, y: Array) -> Array:
        return backend_of(gy).relu_grad(gy, y)

    def backward(self, ggx: Tensor) -> Grads:
        return self.needs[0] and ReluGrad().apply(ggx, self.inputs[1]), None


class Sigmoid(Math):
    """1 / (1 + exp(-x))"""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Array, x: Array) -> Array:
        return backend_of(x).sigmoid(x)

    def backward(self, gy: Tensor) -> Grads:
        return SigmoidGrad().apply(gy, self.output())


class SigmoidGrad(Binary):
    """gy * y * (1 - y)"""

    __slots__ = ()

    def forward(self, gy: Array, y: Array) -> Array:
        return backend_of(gy).sigmoid_grad(gy, y)

    def backward(self, ggx: Tensor) -> Grads:
        gy, y = self.inputs
        return (
            self.needs[0] and SigmoidGrad().apply(ggx, y),
            self.needs[1] and mul(mul(ggx, gy), sub(1, mul(y, 2))),
        )


class Tanh(Math):
    """The hyperbolic tangent."""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def compute(self, xp: Array, x: Array) -> Array:
        return backend_of(x).tanh(x)

    def backward(self, gy: Tensor) -> Grads:
        return TanhGrad().apply(gy, self.output())


class TanhGrad(Binary):
    """gy * (1 - y*y)"""

    __slots__ = ()

    def forward(self, gy: Array, y: Array) -> Array:
        return backend_of(gy).tanh_grad(gy, y)

    def backward(self, ggx: Tensor) -> Grads:
        gy, y = self.inputs
        return (
            self.needs[0] and TanhGrad().apply(ggx, y),
            self.needs[1] and mul(mul(ggx, gy), mul(y, -2.0)),
        )


class Softmax(Unary):
    """exp(x) / sum(exp(x)) along an axis."""

    __slots__ = ("axis",)
    keeps = False
    keeps_output = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return backend_of(x).softmax(x, self.axis)

    def backward(self, gy: Tensor) -> Grads:
        return SoftmaxGrad(self.axis).apply(gy, self.output())


class SoftmaxGrad(Nary):
    """y * (gy - sum(gy * y))"""

    __slots__ = ("axis",)

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, gy: Array, y: Array) -> Array:
        return backend_of(gy).softmax_grad(gy, y, self.axis)

    def backward(self, ggx: Tensor) -> Grads:
        (gy, y), axis = self.inputs, self.axis
        inner = sum(mul(ggx, y), axis, True)
        gyy = sum(mul(gy, y), axis, True)
        return (
            self.needs[0] and SoftmaxGrad(axis).apply(ggx, y),
            self.needs[1] and sub(mul(ggx, sub(gy, gyy)), mul(gy, inner)),
        )


class LogSoftmax(Unary):
    """x - log(sum(exp(x))) along an axis."""

    __slots__ = ("axis",)
    keeps = False
    keeps_output = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return backend_of(x).log_softmax(x, self.axis)

    def backward(self, gy: Tensor) -> Grads:
        return LogSoftmaxGrad(self.axis).apply(gy, self.output())


class LogSoftmaxGrad(Nary):
    """gy - exp(y) * sum(gy)"""

    __slots__ = ("axis",)

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, gy: Array, y: Array) -> Array:
        return backend_of(gy).log_softmax_grad(gy, y, self.axis)

    def backward(self, ggx: Tensor) -> Grads:
        (gy, y), axis = self.inputs, self.axis
        p = exp(y)
        return (
            self.needs[0] and sub(ggx, sum(mul(ggx, p), axis, True)),
            self.needs[1] and neg(mul(mul(ggx, p), sum(gy, axis, True))),
        )


def relu(input: Tensor) -> Tensor:
    """max(input, 0)"""
    if input.array.dtype.kind == "b":
        raise DtypeError("relu(): Boolean inputs not supported for relu")
    return Relu().apply(input)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input))"""
    return Sigmoid().apply(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return Tanh().apply(input)


def softmax(input: Tensor, dim: int, dtype: object = None) -> Tensor:
    """exp(x) / sum(exp(x)) along a dimension: the elements along it are positive and sum to 1."""
    return _along("softmax", Softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: object = None) -> Tensor:
    """The logarithm of softmax, computed without losing small probabilities."""
    return _along("log_softmax", LogSoftmax, input, dim, dtype)


def _along(name: str, op: type[Unary], input: Tensor, dim: int, dtype: object) -> Tensor:
    if dtype is not None:
        input = cast(input, dtypes.as_numpy(dtype, name))
    if input.array.dtype.kind in "iub":
        raise DtypeError(f'{name}(): "{name}" not implemented for {dtypes.of(input.array)}')
    axis = normal_axis(name, dim, input.array.ndim)
    if not input.array.ndim:
        return op(0).apply(input.reshape(1)).reshape(())  # type: ignore[call-arg]
    return op(axis).apply(input)  # type: ignore[call-arg]
