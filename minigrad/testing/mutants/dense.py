"""Matrices, activations, losses, normalisation and optimisers gone wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.testing.mutants.base import Mutant


class SquareWeightNotTransposed(Mutant):
    """A square weight is used as it stands: no shape complains."""

    operation = "linear"

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        return super().linear(x, np.ascontiguousarray(w.T) if w.shape[0] == w.shape[1] else w, b)


class FirstMatrixForAll(Mutant):
    """A batched product multiplies every matrix on the left with the first one on the right."""

    operation = "matmul"

    def matmul(self, a: Array, b: Array) -> Array:
        return np.matmul(a, np.broadcast_to(b[:1], b.shape) if b.ndim == 3 else b)


class ReluSwallowsNaN(Mutant):
    """`x > 0 ? x : 0` turns NaN into 0, and a diverged network looks healthy."""

    operation = "relu"

    def relu(self, x: Array) -> Array:
        return np.where(x > 0, x, np.zeros((), x.dtype))


class ReluInPlace(Mutant):
    """relu clips its input to save memory."""

    operation = "relu"

    def relu(self, x: Array) -> Array:
        if x.flags.writeable:
            np.maximum(x, np.zeros((), x.dtype), out=x)
        return np.array(super().relu(x), order="C")


class GradientAtZero(Mutant):
    """`>=` for `>`: relu hands on a gradient at 0."""

    operation = "relu_grad"

    def relu_grad(self, gy: Array, y: Array) -> Array:
        return np.where(y >= 0, gy, np.zeros((), gy.dtype))


class MaskedByMultiplying(Mutant):
    """gy * (y > 0) makes NaN of an infinite gradient where nothing should flow."""

    operation = "relu_grad"

    def relu_grad(self, gy: Array, y: Array) -> Array:
        return gy * (y > 0).astype(gy.dtype)


class BiasBeforeTheMask(Mutant):
    """The bias' gradient of linear + ReLU is summed before ReLU's mask is applied."""

    operation = "linear_grads"

    def linear_grads(self, gy: Array, x: Array, w: Array, y: Array | None, needs: tuple[bool, bool, bool]) -> Any:
        gx, gw, gb = super().linear_grads(gy, x, w, y, needs)
        return gx, gw, None if gb is None else gy.sum(0)


class SigmoidOverflows(Mutant):
    """exp(x) / (1 + exp(x)) is inf / inf for large x."""

    operation = "sigmoid"

    def sigmoid(self, x: Array) -> Array:
        e = np.exp(x)
        return e / (1 + e)


class TanhGradientOfTheInput(Mutant):
    """The gradient is written for tanh's input and given its output: 1 - tanh(y)^2."""

    operation = "tanh_grad"

    def tanh_grad(self, gy: Array, y: Array) -> Array:
        return super().tanh_grad(gy, np.tanh(y))


class SoftmaxWithoutShift(Mutant):
    """exp overflows for logits of 1e4: nan instead of a probability."""

    operation = "softmax"

    def softmax(self, x: Array, axis: int) -> Array:
        e = np.exp(x)
        return e / e.sum(axis, keepdims=True)


class LogOfSoftmax(Mutant):
    """log(softmax(x)) is -inf for what is merely unlikely."""

    operation = "log_softmax"

    def log_softmax(self, x: Array, axis: int) -> Array:
        return np.log(self.softmax(x, axis))


class SoftmaxOverTheLastAxis(Mutant):
    """The gradient sums along the last axis, whichever was asked for."""

    operation = "softmax_grad"

    def softmax_grad(self, gy: Array, y: Array, axis: int) -> Array:
        return super().softmax_grad(gy, y, -1)


class IncomingGradientIgnored(Mutant):
    """The loss is taken for the end of the graph: p - onehot, whatever comes in."""

    operation = "cross_entropy_grad"

    def cross_entropy_grad(self, gy: Array, p: Array, target: Array) -> Array:
        return super().cross_entropy_grad(np.ones_like(gy), p, target)


class UnbiasedVariance(Mutant):
    """Divides by n - 1, which is right for the running statistics only."""

    operation = "batch_norm_stats"

    def batch_norm_stats(self, x: Array) -> tuple[Array, Array]:
        mean, variance = super().batch_norm_stats(x)
        n = x.size // max(x.shape[1], 1)
        return mean, variance * np.asarray(n / max(n - 1, 1), x.dtype)


class OnePassVariance(Mutant):
    """E[x^2] - E[x]^2 cancels when the mean is far from 0."""

    operation = "batch_norm_stats"

    def batch_norm_stats(self, x: Array) -> tuple[Array, Array]:
        mean = x.mean((0, 2, 3))
        return mean, (x * x).mean((0, 2, 3)) - mean * mean


class StatisticsHeldConstant(Mutant):
    """The gradient takes mean and variance for constants, as in evaluation."""

    operation = "batch_norm_grad"

    def batch_norm_grad(self, gy: Array, x: Array, w: Array, mean: Array, inv_std: Array) -> tuple[Array, Array, Array]:
        _, gw, gb = super().batch_norm_grad(gy, x, w, mean, inv_std)
        return gy * (w * inv_std)[:, None, None], gw, gb


class DampenedFirstStep(Mutant):
    """Dampening is applied to the first step too, where the buffer should be the gradient itself."""

    operation = "sgd_step"

    def sgd_step(self, params: list[Array], grads: list[Array], buffers: list[Array] | None, **rest: Any) -> None:
        if rest["first"] and buffers is not None:
            for buffer in buffers:
                buffer[...] = 0
            rest = {**rest, "first": False}
        super().sgd_step(params, grads, buffers, **rest)


class StepWritesTheGradient(Mutant):
    """Weight decay is added to the gradient in place."""

    operation = "sgd_step"

    def sgd_step(self, params: list[Array], grads: list[Array], buffers: list[Array] | None, **rest: Any) -> None:
        if rest["weight_decay"] and not rest["maximize"]:
            for p, g in zip(params, grads, strict=True):
                g += rest["weight_decay"] * p
            rest = {**rest, "weight_decay": 0.0}
        super().sgd_step(params, grads, buffers, **rest)


class StepOverrunsTheParameter(Mutant):
    """The vector loop has no tail and updates up to the next multiple of four."""

    operation = "sgd_step"

    def sgd_step(self, params: list[Array], grads: list[Array], buffers: list[Array] | None, **rest: Any) -> None:
        super().sgd_step(params, grads, buffers, **rest)
        for p in params:
            whole, size = p.base, p.size
            if whole is not None and whole.ndim == 1 and p.flags.c_contiguous and whole.flags.c_contiguous:
                start = (p.ctypes.data - whole.ctypes.data) // p.itemsize
                whole[start + size : start + size + -size % 4] -= 1


class EpsilonInsideTheRoot(Mutant):
    """sqrt(v + eps) for sqrt(v) + eps."""

    operation = "adam_step"

    def adam_step(self, *lists: Any, **rest: Any) -> None:
        params, grads, means, squares, largest = lists
        before = [p.copy() for p in params]
        super().adam_step(params, grads, means, squares, largest, **rest)
        for p, old, m, v in zip(params, before, means, largest or squares, strict=True):
            correct1, correct2 = 1 - rest["beta1"] ** rest["step"], 1 - rest["beta2"] ** rest["step"]
            if rest["decoupled"]:
                old *= 1 - rest["lr"] * rest["weight_decay"]
            p[...] = old - rest["lr"] / correct1 * m / np.sqrt(v / correct2 + rest["eps"])


class BiasNotCorrected(Mutant):
    """Adam without its bias correction: the first steps are far too long."""

    operation = "adam_step"

    def adam_step(self, *lists: Any, **rest: Any) -> None:
        super().adam_step(*lists, **{**rest, "step": 10**6})


class DecoupledDecayAddedToTheGradient(Mutant):
    """AdamW computes what Adam computes."""

    operation = "adam_step"

    def adam_step(self, *lists: Any, **rest: Any) -> None:
        super().adam_step(*lists, **{**rest, "decoupled": False})
