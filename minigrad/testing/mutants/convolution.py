"""Convolution and its gradients gone wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from minigrad.backend import Array, Shape
from minigrad.testing.mutants.base import Mutant
from minigrad.testing.mutants.windows import swapped
from minigrad.window import Window


class TrueConvolution(Mutant):
    """The filter is flipped, as mathematicians do; frameworks correlate."""

    operation = "conv2d"

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        return super().conv2d(x, w[:, :, ::-1, ::-1], b, window, groups)


class StrideAxesSwapped(Mutant):
    """Strides are taken in the order (horizontal, vertical), and the result is cut to the right shape."""

    operation = "conv2d"

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        y = super().conv2d(x, w, b, window, groups)
        if window.stride[0] == window.stride[1]:
            return y
        other = super().conv2d(x, w, b, replace(window, stride=swapped(window.stride)), groups)
        rows, columns = min(y.shape[2], other.shape[2]), min(y.shape[3], other.shape[3])
        y[:, :, :rows, :columns] = other[:, :, :rows, :columns]
        return y


class GroupsInterleaved(Mutant):
    """Filters are dealt out to the groups one by one instead of block by block."""

    operation = "conv2d"

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        order = np.arange(len(w)).reshape(-1, groups).T.reshape(-1)
        return super().conv2d(x, w[order], b, window, groups)


class BiasOfTheFirstFilter(Mutant):
    """The pointer to the bias is not advanced from filter to filter."""

    operation = "conv2d"

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        return super().conv2d(x, w, None if b is None else np.full_like(b, b[0]), window, groups)


class HalfPrecisionSums(Mutant):
    """Products are added up in float16, as on tensor cores with the wrong accumulator."""

    operation = "conv2d"

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        return super().conv2d(x, w, b, window, groups).astype(np.float16).astype(x.dtype)


class DoubleComputedInSingle(Mutant):
    """float64 arrays go through the float32 kernel and come back as float64: gradient checks blur."""

    operation = "conv2d"

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        low = np.float32
        y = super().conv2d(x.astype(low), w.astype(low), None if b is None else b.astype(low), window, groups)
        return y.astype(x.dtype)


class EmptyBatchRefused(Mutant):
    """A batch of no images divides by zero somewhere."""

    operation = "conv2d"

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        if not len(x):
            raise ZeroDivisionError("integer division by zero")
        return super().conv2d(x, w, b, window, groups)


class GroupedStridedInputGradient(Mutant):
    """With groups and a stride above 1 the gradient of the first group goes to all of them."""

    operation = "conv2d_input_grad"

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        gx = super().conv2d_input_grad(gy, w, x_shape, window, groups)
        if groups > 1 and max(window.stride) > 1:
            each = x_shape[1] // groups
            gx[:] = np.concatenate([gx[:, :each]] * groups, axis=1)
        return gx


class FilterNotTransposed(Mutant):
    """The input gradient multiplies by the filter matrix itself where it is square."""

    operation = "conv2d_input_grad"

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        if w.shape[0] == w.shape[1] and groups == 1:
            w = w.swapaxes(0, 1)
        return super().conv2d_input_grad(gy, w, x_shape, window, groups)


class RemainderShiftsTheGradient(Mutant):
    """Where the stride leaves a remainder, the whole input gradient is shifted by it."""

    operation = "conv2d_input_grad"

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        gx = super().conv2d_input_grad(gy, w, x_shape, window, groups)
        rest = (x_shape[2] + 2 * window.padding[0] - window.extent[0]) % window.stride[0]
        return np.ascontiguousarray(np.roll(gx, rest, 2))


class UnevenPaddingInTheGradient(Mutant):
    """The gradient assumes the same padding on both axes."""

    operation = "conv2d_input_grad"

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        gx = super().conv2d_input_grad(gy, w, x_shape, window, groups)
        return np.ascontiguousarray(np.roll(gx, window.padding[1] - window.padding[0], 3))


class WeightGradientOfAllChannels(Mutant):
    """The gradient of a grouped filter has every input channel: the shape of an ungrouped one."""

    operation = "conv2d_weight_grad"

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        gw = super().conv2d_weight_grad(gy, x, w_shape, window, groups)
        return np.concatenate([gw] * groups, axis=1)


class LastImageOnly(Mutant):
    """The weight gradient is assigned, not added, image after image."""

    operation = "conv2d_weight_grad"

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        return super().conv2d_weight_grad(gy[-1:], x[-1:], w_shape, window, groups)


class WeightGradientSumsInAnyOrder(Mutant):
    """Atomic additions: the sum over the batch comes in another order every time."""

    operation = "conv2d_weight_grad"

    def __init__(self) -> None:
        self._random = np.random.default_rng()

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        total = np.zeros(w_shape, gy.dtype)
        chunks = np.array_split(np.arange(len(x)), 5)
        for i in self._random.permutation(5):
            total += super().conv2d_weight_grad(gy[chunks[i]], x[chunks[i]], w_shape, window, groups)
        return total


class WeightGradientWithoutPadding(Mutant):
    """The weight gradient forgets that the image was padded, and sees its cells shifted."""

    operation = "conv2d_weight_grad"

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        (top, left), h, w = window.padding, x.shape[2], x.shape[3]
        padded = np.zeros((*x.shape[:2], h + 2 * top, w + 2 * left), x.dtype)
        padded[:, :, :h, :w] = x
        return super().conv2d_weight_grad(gy, padded, w_shape, replace(window, padding=(0, 0)), groups)


class BiasGradientAveraged(Mutant):
    """The bias gradient is divided by the batch, which the loss has done already."""

    operation = "conv2d_bias_grad"

    def conv2d_bias_grad(self, gy: Array) -> Array:
        return super().conv2d_bias_grad(gy) / np.asarray(max(len(gy), 1), gy.dtype)


class BiasGradientNeedsTheWeights(Mutant):
    """The fused backward returns no bias gradient unless the weights ask for theirs."""

    operation = "conv2d_relu_max_pool2d_grad"

    def conv2d_relu_max_pool2d_grad(self, gy: Array, y: Array, winners: Array, *rest: Any) -> Any:
        gx, gw, gb = super().conv2d_relu_max_pool2d_grad(gy, y, winners, *rest)
        return gx, gw, gb if gw is not None or gb is None else np.zeros_like(gb)


class GradientThroughZeroMaxima(Mutant):
    """The fused backward forgets relu: windows whose maximum is 0 hand on their gradient."""

    operation = "conv2d_relu_max_pool2d_grad"

    def conv2d_relu_max_pool2d_grad(self, gy: Array, y: Array, winners: Array, *rest: Any) -> Any:
        return super().conv2d_relu_max_pool2d_grad(gy, np.ones_like(y), winners, *rest)


class BiasAddedAfterThePool(Mutant):
    """relu(max(a)) + b for relu(max(a) + b)."""

    operation = "conv2d_relu_max_pool2d"

    def conv2d_relu_max_pool2d(
        self, x: Array, w: Array, b: Array | None, window: Window, groups: int, pool: Window
    ) -> tuple[Array, Array]:
        y, winners = super().conv2d_relu_max_pool2d(x, w, None, window, groups, pool)
        return y if b is None else y + b[:, None, None], winners


class ReluForgottenWithoutBias(Mutant):
    """The fused epilogue applies relu only in its variant with a bias."""

    operation = "conv2d_relu"

    def conv2d_relu(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        y = self.conv2d(x, w, b, window, groups)
        return y if b is None else self.relu(y)
