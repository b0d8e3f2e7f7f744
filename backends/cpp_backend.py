"""NumPy arrays with compiled kernels for float32 and float64.

Every word asks the extension first. It answers None where it does not serve the element type, and
then NumPy's definition in the base class speaks.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array, Shape
from minigrad.errors import BackendError
from minigrad.window import Window

from .numpy_backend import NumpyBackend

try:
    from . import _cpp
except ImportError as error:  # pragma: no cover - an installation without the extension
    raise BackendError(
        f"its extension module does not load ({error}): minigrad was installed without a working C++17 compiler, or for another "
        "Python; install one and run `pip install --force-reinstall --no-deps minigrad`"
    ) from error


class CppBackend(NumpyBackend):
    """NumPy arrays on the CPU, with kernels in C++ (see cpp/README.md)."""

    name = "cpp"
    device = "cpu"
    fuses = frozenset({"conv2d_relu", "conv2d_relu_max_pool2d", "linear_relu"})

    # ------------------------------------------------------------------ threads and memory

    def num_threads(self) -> int:
        """How many threads kernels use: OMP_NUM_THREADS or the cores, unless it was set."""
        return int(_cpp.num_threads())

    def set_num_threads(self, count: int) -> None:
        """Use so many threads from now on; results do not depend on it."""
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"set_num_threads(): expected a positive integer, but got {count!r}")
        _cpp.set_num_threads(count)

    def memory_stats(self) -> dict[str, int]:
        """What the arena holds, in bytes."""
        return dict(_cpp.memory_stats())

    def empty_cache(self) -> None:
        """Give the arena's free blocks back to the system."""
        _cpp.empty_cache()

    # ------------------------------------------------------------------ windows, the floor

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        """(N, C, H, W) -> (N, C*KH*KW, OH*OW)"""
        cols = _cpp.im2col(x, window, fill)
        return super().im2col(x, window, fill) if cols is None else cols

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        """(N, C*KH*KW, OH*OW) -> x_shape = (N, C, H, W)"""
        x = _cpp.col2im(cols, x_shape, window)
        return super().col2im(cols, x_shape, window) if x is None else x

    # ------------------------------------------------------------------ convolution

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        """x (N, C, H, W), w (F, C/groups, KH, KW), b (F,) or None -> (N, F, OH, OW)"""
        y = _cpp.conv2d(x, w, b, window, groups, False)
        return super().conv2d(x, w, b, window, groups) if y is None else y

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        """gy (N, F, OH, OW), w (F, C/groups, KH, KW) -> x_shape = (N, C, H, W)"""
        gx = _cpp.conv2d_input_grad(gy, w, x_shape, window, groups)
        return super().conv2d_input_grad(gy, w, x_shape, window, groups) if gx is None else gx

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        """gy (N, F, OH, OW), x (N, C, H, W) -> w_shape = (F, C/groups, KH, KW)"""
        gw = _cpp.conv2d_weight_grad(gy, x, w_shape, window, groups)
        return super().conv2d_weight_grad(gy, x, w_shape, window, groups) if gw is None else gw

    def conv2d_bias_grad(self, gy: Array) -> Array:
        """(N, F, OH, OW) -> (F,)"""
        gb = _cpp.conv2d_bias_grad(gy)
        return super().conv2d_bias_grad(gy) if gb is None else gb

    # ------------------------------------------------------------------ pooling

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        """(N, C, H, W) -> y (N, C, OH, OW), indices (N, C, OH, OW) int64 into the H*W plane"""
        both = _cpp.max_pool2d(x, window)
        return super().max_pool2d(x, window) if both is None else both

    def max_pool2d_grad(self, gy: Array, indices: Array, x_shape: Shape) -> Array:
        """gy, indices (N, C, OH, OW) -> x_shape = (N, C, H, W)"""
        gx = _cpp.max_pool2d_grad(gy, indices, x_shape)
        return super().max_pool2d_grad(gy, indices, x_shape) if gx is None else gx

    def max_pool2d_gather(self, x: Array, indices: Array) -> Array:
        """x (N, C, H, W), indices (N, C, OH, OW) -> (N, C, OH, OW)"""
        y = _cpp.max_pool2d_gather(x, indices)
        return super().max_pool2d_gather(x, indices) if y is None else y

    def avg_pool2d(self, x: Array, window: Window, count_include_pad: bool = True, divisor: int | None = None) -> Array:
        """(N, C, H, W) -> (N, C, OH, OW)"""
        y = _cpp.avg_pool2d(x, window, count_include_pad, divisor or 0)
        return super().avg_pool2d(x, window, count_include_pad, divisor) if y is None else y

    def avg_pool2d_grad(
        self, gy: Array, x_shape: Shape, window: Window, count_include_pad: bool = True, divisor: int | None = None
    ) -> Array:
        """gy (N, C, OH, OW) -> x_shape = (N, C, H, W)"""
        gx = _cpp.avg_pool2d_grad(gy, x_shape, window, count_include_pad, divisor or 0)
        return super().avg_pool2d_grad(gy, x_shape, window, count_include_pad, divisor) if gx is None else gx

    # ------------------------------------------------------------------ matrices

    def matmul(self, a: Array, b: Array) -> Array:
        """(..., M, K) @ (..., K, N) -> (..., M, N); matrices of two dimensions by the kernels"""
        y = _cpp.matmul(a, b)
        return super().matmul(a, b) if y is None else y

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        """x (M, I), w (O, I), b (O,) or None -> (M, O)"""
        y = _cpp.linear(x, w, b, False)
        return super().linear(x, w, b) if y is None else y

    # ------------------------------------------------------------------ activations

    def relu(self, x: Array) -> Array:
        """max(x, 0); NaN stays NaN."""
        y = _cpp.relu(x)
        return super().relu(x) if y is None else y

    def relu_grad(self, gy: Array, y: Array) -> Array:
        """gy, but 0 where y <= 0."""
        gx = _cpp.relu_grad(gy, y)
        return super().relu_grad(gy, y) if gx is None else gx

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(-x))"""
        y = _cpp.sigmoid(x)
        return super().sigmoid(x) if y is None else y

    def sigmoid_grad(self, gy: Array, y: Array) -> Array:
        """gy * y * (1 - y)"""
        gx = _cpp.sigmoid_grad(gy, y)
        return super().sigmoid_grad(gy, y) if gx is None else gx

    def tanh(self, x: Array) -> Array:
        """The hyperbolic tangent."""
        y = _cpp.tanh(x)
        return super().tanh(x) if y is None else y

    def tanh_grad(self, gy: Array, y: Array) -> Array:
        """gy * (1 - y*y)"""
        gx = _cpp.tanh_grad(gy, y)
        return super().tanh_grad(gy, y) if gx is None else gx

    def softmax(self, x: Array, axis: int) -> Array:
        """exp(x) / sum(exp(x)) along an axis."""
        y = _cpp.softmax(x, axis, False)
        return super().softmax(x, axis) if y is None else y

    def softmax_grad(self, gy: Array, y: Array, axis: int) -> Array:
        """y * (gy - sum(gy * y))"""
        gx = _cpp.softmax_grad(gy, y, axis, False)
        return super().softmax_grad(gy, y, axis) if gx is None else gx

    def log_softmax(self, x: Array, axis: int) -> Array:
        """x - log(sum(exp(x))) along an axis."""
        y = _cpp.softmax(x, axis, True)
        return super().log_softmax(x, axis) if y is None else y

    def log_softmax_grad(self, gy: Array, y: Array, axis: int) -> Array:
        """gy - exp(y) * sum(gy)"""
        gx = _cpp.softmax_grad(gy, y, axis, True)
        return super().log_softmax_grad(gy, y, axis) if gx is None else gx

    # ------------------------------------------------------------------ losses

    def cross_entropy(self, x: Array, target: Array) -> tuple[Array, Array]:
        """x (N, C), target (N,) int64 in [0, C) -> losses (N,), probabilities (N, C)

        Raises:
            IndexError: if a label is outside [0, C).
        """
        both = _cpp.cross_entropy(x, target)
        return super().cross_entropy(x, target) if both is None else both

    def cross_entropy_grad(self, gy: Array, p: Array, target: Array) -> Array:
        """gy (N,), p (N, C), target (N,) -> (N, C)"""
        gx = _cpp.cross_entropy_grad(gy, p, target)
        return super().cross_entropy_grad(gy, p, target) if gx is None else gx

    # ------------------------------------------------------------------ batch normalisation

    def batch_norm(self, x: Array, w: Array, b: Array, mean: Array, inv_std: Array) -> Array:
        """x (N, C, H, W), the others (C,) -> (N, C, H, W)"""
        y = _cpp.batch_norm(x, w, b, mean, inv_std)
        return super().batch_norm(x, w, b, mean, inv_std) if y is None else y

    def batch_norm_stats(self, x: Array) -> tuple[Array, Array]:
        """(N, C, H, W) -> mean (C,), biased variance (C,)"""
        both = _cpp.batch_norm_stats(x)
        return super().batch_norm_stats(x) if both is None else both

    def batch_norm_grad(self, gy: Array, x: Array, w: Array, mean: Array, inv_std: Array) -> tuple[Array, Array, Array]:
        """-> gx (N, C, H, W), gw (C,), gb (C,)"""
        all_three = _cpp.batch_norm_grad(gy, x, w, mean, inv_std)
        return super().batch_norm_grad(gy, x, w, mean, inv_std) if all_three is None else all_three

    # ------------------------------------------------------------------ optimiser steps, in place

    def sgd_step(
        self,
        params: list[Array],
        grads: list[Array],
        buffers: list[Array] | None,
        *,
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
        first: bool = False,
    ) -> None:
        """One step of stochastic gradient descent, all tensors in one pass."""
        numbers = (lr, momentum, dampening, weight_decay, nesterov, maximize, first)
        if not _cpp.sgd_step(params, grads, buffers, *numbers):
            named = dict(zip(("lr", "momentum", "dampening", "weight_decay"), numbers, strict=False))
            super().sgd_step(params, grads, buffers, **named, nesterov=nesterov, maximize=maximize, first=first)

    def adam_step(
        self,
        params: list[Array],
        grads: list[Array],
        means: list[Array],
        squares: list[Array],
        largest: list[Array] | None,
        *,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        maximize: bool = False,
    ) -> None:
        """One step of Adam or AdamW, all tensors in one pass."""
        lists = (params, grads, means, squares, largest)
        if not _cpp.adam_step(*lists, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
            numbers: dict[str, Any] = {"step": step, "lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps}
            super().adam_step(*lists, **numbers, weight_decay=weight_decay, decoupled=decoupled, maximize=maximize)

    # ------------------------------------------------------------------ fused sequences

    def linear_relu(self, x: Array, w: Array, b: Array | None) -> Array:
        """relu(linear(x, w, b))"""
        y = _cpp.linear(x, w, b, True)
        return super().linear_relu(x, w, b) if y is None else y

    def linear_grads(
        self, gy: Array, x: Array, w: Array, y: Array | None, needs: tuple[bool, bool, bool]
    ) -> tuple[Array | None, Array | None, Array | None]:
        """Gradients of linear, or with its output y of linear_relu, in x, w and bias; None where `needs` says no."""
        all_three = _cpp.linear_grads(gy, x, w, y, *needs)
        return super().linear_grads(gy, x, w, y, needs) if all_three is None else all_three

    def conv2d_relu(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        """relu(conv2d(...))"""
        y = _cpp.conv2d(x, w, b, window, groups, True)
        return super().conv2d_relu(x, w, b, window, groups) if y is None else y

    def conv2d_relu_max_pool2d(
        self, x: Array, w: Array, b: Array | None, window: Window, groups: int, pool: Window
    ) -> tuple[Array, Array]:
        """max_pool2d(relu(conv2d(...)), pool) -> y (N, F, PH, PW), winners (N, F, PH, PW).

        A winner is the tap of its window, one byte; int64 indices as of max_pool2d where NumPy defines it.
        """
        both = _cpp.conv2d_relu_max_pool2d(x, w, b, window, groups, pool, True)
        return super().conv2d_relu_max_pool2d(x, w, b, window, groups, pool) if both is None else both

    def conv2d_relu_max_pool2d_value(
        self, x: Array, w: Array, b: Array | None, window: Window, groups: int, pool: Window
    ) -> Array:
        """y of conv2d_relu_max_pool2d, where nobody will ask for a gradient."""
        y = _cpp.conv2d_relu_max_pool2d(x, w, b, window, groups, pool, False)
        return super().conv2d_relu_max_pool2d_value(x, w, b, window, groups, pool) if y is None else y

    def conv2d_relu_max_pool2d_grad(
        self,
        gy: Array,
        y: Array,
        winners: Array,
        x: Array,
        w: Array,
        window: Window,
        groups: int,
        pool: Window,
        needs: tuple[bool, bool, bool],
    ) -> tuple[Array | None, Array | None, Array | None]:
        """Gradients in image, filters and bias; None where `needs` says no."""
        if winners.dtype.itemsize != 1:
            return super().conv2d_relu_max_pool2d_grad(gy, y, winners, x, w, window, groups, pool, needs)
        if not needs[0]:
            both = _cpp.winners_weight_grad(gy, y, winners, x, w.shape, window, groups, pool)
            if both is not None:
                return None, both[0] if needs[1] else None, both[1] if needs[2] else None
        g = _cpp.pool_relu_grad(gy, y, winners, x.shape, w.shape, window, groups, pool)
        return (
            self.conv2d_input_grad(g, w, x.shape, window, groups) if needs[0] else None,
            self.conv2d_weight_grad(g, x, w.shape, window, groups) if needs[1] else None,
            self.conv2d_bias_grad(g) if needs[2] else None,
        )
