"""The CUDA backend: CuPy's arrays, cuBLAS, and the kernels of cuda_*.cu.

Its kernels use no atomics: the same script gives the same bits in every run on one kind of GPU. Nothing
here waits for the device, except `to_numpy` and `synchronize`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections import deque
from typing import Any, ClassVar

import numpy as np

from minigrad.backend import Array, Backend, Shape
from minigrad.errors import BackendError, GraphError
from minigrad.window import Window

from .cuda_capture import Captures
from .cuda_launch import NARROW, Geometry, Launcher, dense
from .cuda_linear import LinearLayers
from .cuda_optim import MultiTensor
from .cuda_transfer import HOST, Transfers

ONE_BLOCK = 2**15  # elements of a batch of scores that one block turns into their loss
FEW_CELLS = 16  # of a plane: a thread sends all its gradients then
NOBODY = -(2**63)  # the class index that is ignored where none is
INSTALL = "pip install 'cupy-cuda13x[ctk]' (or 'cupy-cuda12x[ctk]' for an older driver)"


class CudaBackend(MultiTensor, LinearLayers, Transfers, Captures, Backend):
    """Arrays on an NVIDIA GPU."""

    name = "cuda"
    device = "cuda"
    xp: Any = None  # CuPy, once there is an instance
    reports_targets = True
    fuses: ClassVar[frozenset[str]] = frozenset({"conv2d_relu", "conv2d_relu_max_pool2d", "linear_relu"})

    def __init__(self) -> None:
        reason = self.unavailable()
        if reason is not None:
            raise BackendError(reason)
        import cupy

        self.xp = cupy
        self.launcher = Launcher(cupy)
        self._fault = cupy.zeros(2, np.int64)  # kernels that meet a bad index write {kind, index} here
        self._fault_texts = ["", "Target {} is out of bounds."]  # by kind
        self._fault_possible = False
        self._under_way = deque()

    @classmethod
    def unavailable(cls) -> str | None:
        """Why this backend cannot run here and what to install, in one sentence; None if it can."""
        if importlib.util.find_spec("cupy") is None:
            return f"backend 'cuda' needs CuPy, which is not installed: {INSTALL}"
        try:
            import cupy

            count = cupy.cuda.runtime.getDeviceCount()
        except Exception as error:
            return f"backend 'cuda' needs an NVIDIA GPU and its driver, but CuPy finds none that it can use: {error}"
        if count == 0:
            return "backend 'cuda' needs an NVIDIA GPU, but this machine shows none (is CUDA_VISIBLE_DEVICES empty?)"
        try:
            importlib.import_module("cupy_backends.cuda.libs.cublas")
        except ImportError:
            return f"backend 'cuda' needs the CUDA libraries that CuPy was installed without: {INSTALL}"
        return None

    # ------------------------------------------------------------------ arrays

    def from_numpy(self, array: Array) -> Array:
        """A copy of a host array on the device."""
        if self.capturing:
            raise GraphError(HOST)
        return self.xp.asarray(array)

    def to_numpy(self, array: Array) -> Array:
        """A copy on the host; waits for all work before it.

        Raises:
            IndexError: if a cross entropy since the last call met a class index outside [0, C).
        """
        if self.capturing:
            raise GraphError(
                "the step cannot be captured as a CUDA graph: it asks for values, but only a replay has any"
            )
        host = self.xp.asnumpy(array)
        self._check_faults()
        return host

    def synchronize(self) -> None:
        """Wait until the device is done. Raises IndexError as `to_numpy` does."""
        self.xp.cuda.runtime.deviceSynchronize()
        self._check_faults()

    def expect_faults(self) -> None:
        """Kernels that may report a fault are on their way (a replayed graph's, for one): look at the next occasion."""
        self._fault_possible = True

    def report_outside(self, index: Array, size: int, text: str) -> bool:
        """Look at indices on the device: one outside [0, size) becomes an IndexError when a value is next asked for."""
        if text not in self._fault_texts:
            self._fault_texts.append(text)
        index = dense(index.astype(np.int64, copy=False))
        numbers = np.int64(size), np.int64(self._fault_texts.index(text))
        self.launcher.each("exchange", "report_outside", index.size, index, self._fault, *numbers, like=index)
        self.expect_faults()
        return True

    def _check_faults(self) -> None:
        if not self._fault_possible:
            return
        self._fault_possible = False
        kind, index = self._fault.get().tolist()
        if kind:
            self._fault.fill(0)
            raise IndexError(self._fault_texts[kind].format(index))

    def _each(self, file: str, name: str, out: Array, *args: Any, largest: int = 0) -> Array:
        """Launch with a thread for every element of `out`, which is among `args`; returns it."""
        self.launcher.each(file, name, out.size, *args, like=out, largest=largest)
        return out

    def _new(self, shape: Shape, like: Array) -> Array:
        return self.xp.empty(shape, like.dtype)

    # ------------------------------------------------------------------ windows

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        """(N, C, H, W) -> (N, C*KH*KW, OH*OW)"""
        oh, ow = window.out_size(*x.shape[2:])
        cols = self._new((x.shape[0], x.shape[1] * window.taps, oh * ow), x)
        x = dense(x)
        value = x.dtype.type(fill) if x.dtype.kind != "b" else np.uint8(bool(fill))
        return self._each("windows", "im2col", cols, x, cols, Geometry(x.shape, window), value, largest=x.size)

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        """(N, C*KH*KW, OH*OW) -> x_shape = (N, C, H, W)"""
        x = self._new(x_shape, cols)
        cols = dense(cols)
        return self._each("windows", "col2im", x, cols, x, Geometry(x_shape, window), largest=cols.size)

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        """(N, C, H, W) -> y, indices, both (N, C, OH, OW)"""
        shape = (*x.shape[:2], *window.out_size(*x.shape[2:]))
        y, indices = self._new(shape, x), self.xp.empty(shape, np.int64)
        x = dense(x)
        if x.dtype.kind == "f":
            lowest = x.dtype.type(-np.inf)
        else:
            lowest = np.uint8(0) if x.dtype.kind == "b" else x.dtype.type(np.iinfo(x.dtype).min)
        self._each("windows", "max_pool", y, x, y, indices, Geometry(x.shape, window), lowest, largest=x.size)
        return y, indices

    def max_pool2d_grad(self, gy: Array, indices: Array, x_shape: Shape) -> Array:
        """gy, indices (N, C, OH, OW) -> x_shape = (N, C, H, W): one thread or block per plane, in a fixed order"""
        gx = self._new(x_shape, gy)
        planes, cells, outs = x_shape[0] * x_shape[1], x_shape[2] * x_shape[3], gy.shape[2] * gy.shape[3]
        if gx.size == 0:
            return gx
        gy, indices = dense(gy), dense(indices)
        if max(cells, outs) <= FEW_CELLS:
            numbers = gy, indices, gx, cells, outs
            self.launcher.each("windows", "max_pool_grad_few", planes, *numbers, like=gx, largest=max(gx.size, gy.size))
            return gx
        self.launcher.grid(
            "windows", "max_pool_grad", (min(planes, 2**16),), 128, gy, indices, gx, planes, cells, outs,
            like=gx, wide=max(gx.size, gy.size) > NARROW,
        )  # fmt: skip
        return gx

    def max_pool2d_gather(self, x: Array, indices: Array) -> Array:
        """x (N, C, H, W), indices (N, C, OH, OW) -> (N, C, OH, OW)"""
        y = self._new(indices.shape, x)
        x, indices = dense(x), dense(indices)
        cells, outs = x.shape[2] * x.shape[3], y.shape[2] * y.shape[3]
        return self._each("windows", "max_pool_gather", y, x, indices, y, cells, outs, largest=x.size)

    def avg_pool2d(self, x: Array, window: Window, count_include_pad: bool = True, divisor: int | None = None) -> Array:
        """(N, C, H, W) -> (N, C, OH, OW)"""
        if x.dtype.kind != "f":
            return super().avg_pool2d(x, window, count_include_pad, divisor)
        y = self._new((*x.shape[:2], *window.out_size(*x.shape[2:])), x)
        x = dense(x)
        numbers = Geometry(x.shape, window), int(count_include_pad), divisor or 0
        return self._each("windows", "avg_pool", y, x, y, *numbers, largest=x.size)

    def avg_pool2d_grad(
        self, gy: Array, x_shape: Shape, window: Window, count_include_pad: bool = True, divisor: int | None = None
    ) -> Array:
        """gy (N, C, OH, OW) -> x_shape = (N, C, H, W)"""
        gx = self._new(x_shape, gy)
        gy = dense(gy)
        numbers = Geometry(x_shape, window), int(count_include_pad), divisor or 0
        return self._each("windows", "avg_pool_grad", gx, gy, gx, *numbers, largest=gy.size)

    # ------------------------------------------------------------------ activations

    def _pointwise(self, name: str, *inputs: Array) -> Array:
        """A kernel of inputs that all have the output's shape."""
        ready = [dense(a) for a in inputs]
        y = self._new(ready[0].shape, ready[0])
        return self._each("kernels", name, y, *ready, y)

    def relu(self, x: Array) -> Array:
        """max(x, 0); NaN stays NaN."""
        return self._pointwise("relu", x) if x.dtype.kind == "f" else super().relu(x)

    def relu_grad(self, gy: Array, y: Array) -> Array:
        """gy where y > 0, else 0."""
        return self._pointwise("relu_grad", gy, y)

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(-x))"""
        return self._pointwise("sigmoid", x)

    def sigmoid_grad(self, gy: Array, y: Array) -> Array:
        """gy * y * (1 - y)"""
        return self._pointwise("sigmoid_grad", gy, y)

    def tanh_grad(self, gy: Array, y: Array) -> Array:
        """gy * (1 - y*y)"""
        return self._pointwise("tanh_grad", gy, y)

    # ------------------------------------------------------------------ softmax and its loss

    def softmax(self, x: Array, axis: int) -> Array:
        """exp(x) / sum(exp(x)) along an axis."""
        return self._softmax("softmax", axis, False, x)

    def softmax_grad(self, gy: Array, y: Array, axis: int) -> Array:
        """y * (gy - sum(gy * y))"""
        return self._softmax("softmax_grad", axis, False, gy, y)

    def log_softmax(self, x: Array, axis: int) -> Array:
        """x - log(sum(exp(x))) along an axis."""
        return self._softmax("softmax", axis, True, x)

    def log_softmax_grad(self, gy: Array, y: Array, axis: int) -> Array:
        """gy - exp(y) * sum(gy)"""
        return self._softmax("softmax_grad", axis, True, gy, y)

    def _softmax(self, name: str, axis: int, logarithm: bool, *inputs: Array) -> Array:
        """A warp for each row where the classes are adjacent in memory, else a thread for each column."""
        ready = [dense(a) for a in inputs]
        shape = ready[0].shape
        y = self._new(shape, ready[0])
        if y.size == 0:
            return y
        classes = shape[axis]
        inner = int(np.prod(shape[axis:][1:])) if axis != -1 else 1
        rows = y.size // classes
        variant, threads = ("rows", rows * 32) if inner == 1 else ("columns", rows)
        blocks = min(-(-threads // 128), 2**16)
        self.launcher.grid(
            "kernels", f"{name}_{variant}", (blocks,), 128, *ready, y, classes, inner, int(logarithm), rows,
            like=y, wide=y.size > NARROW,
        )  # fmt: skip
        return y

    def cross_entropy(self, x: Array, target: Array, ignore_index: int | None = None) -> tuple[Array, Array]:
        """x (N, C), target (N,) int64 -> losses (N,), probabilities (N, C); zeros where the target is ignore_index.

        A class index outside [0, C) gives a loss of nan at once, and an IndexError when a value is next
        brought to the host: to look at it here would make every training step wait.
        """
        x, target = dense(x), dense(target)
        rows, classes = x.shape
        loss, p = self._new((rows,), x), self._new(x.shape, x)
        ignored = np.int64(NOBODY if ignore_index is None else ignore_index)
        if rows:
            blocks = min(-(-rows * 32 // 128), 2**16)
            self.launcher.grid(
                "kernels", "cross_entropy", (blocks,), 128, x, target, loss, p, self._fault, ignored, classes, rows,
                like=x, wide=x.size > NARROW,
            )  # fmt: skip
            self.expect_faults()
        return loss, p

    def cross_entropy_grad(self, gy: Array, p: Array, target: Array, ignore_index: int | None = None) -> Array:
        """(p - onehot(target)) * gy. gy (N,), p (N, C), target (N,) -> (N, C)"""
        ready = [dense(a) for a in (gy, p, target)]
        gx = self._new(p.shape, p)
        ignored = np.int64(NOBODY if ignore_index is None else ignore_index)
        return self._each("kernels", "cross_entropy_grad", gx, *ready, gx, ignored, p.shape[1])

    def cross_entropy_mean(self, x: Array, target: Array, ignore_index: int) -> tuple[Array, tuple[Array, ...]] | None:
        """The mean of cross_entropy's losses over the targets that count, and what its gradient needs; one launch.

        x (N, C), target (N,) int64 -> (), and probabilities (N, C), targets (N,), their number (). None for a large batch, which
        one block would take too long for.
        """
        rows, classes = x.shape
        if not rows or x.size > ONE_BLOCK or x.dtype.kind != "f":
            return None
        x, target = dense(x), dense(target)
        loss, p = self._new((), x), self._new(x.shape, x)
        count = self.xp.empty((), np.float32 if x.dtype == np.float16 else x.dtype)
        kept = self.xp.empty((rows,), np.int64)
        ignored = np.int64(ignore_index)
        self.launcher.grid(
            "kernels", "cross_entropy_mean", (1,), min(rows, 32) * 32,
            x, target, loss, p, count, kept, self._fault, ignored, classes, rows,
            like=x, wide=False,
        )  # fmt: skip
        self.expect_faults()
        return loss, (p, kept, count)

    def cross_entropy_mean_grad(self, gy: Array, saved: tuple[Array, ...], ignore_index: int) -> Array:
        """The gradient of cross_entropy_mean: gy () -> (N, C)"""
        p, target, count = saved
        gx = self._new(p.shape, p)
        numbers = np.int64(ignore_index), p.shape[1]
        return self._each("kernels", "cross_entropy_mean_grad", gx, dense(gy), count, p, target, gx, *numbers)

    # ------------------------------------------------------------------ sums over channels

    def _channels(self, name: str, x: Array, *arrays: Array) -> None:
        """A block for each channel of x (N, C, ...)."""
        n, c = x.shape[:2]
        if c:
            inner = int(np.prod(x.shape[2:]))
            self.launcher.grid(
                "kernels", name, (min(c, 2**16),), 512, *arrays, n, c, inner, like=x, wide=x.size > NARROW
            )

    def conv2d_bias_grad(self, gy: Array) -> Array:
        """(N, F, OH, OW) -> (F,)"""
        gy = dense(gy)
        sums = self._new((gy.shape[1],), gy)
        self._channels("channel_sum", gy, gy, sums)
        return sums

    def batch_norm_stats(self, x: Array) -> tuple[Array, Array]:
        """Mean and biased variance of every channel: (N, C, H, W) -> (C,), (C,)"""
        x = dense(x)
        mean, variance = self._new((x.shape[1],), x), self._new((x.shape[1],), x)
        self._channels("channel_stats", x, x, mean, variance)
        return mean, variance

    def batch_norm(self, x: Array, w: Array, b: Array, mean: Array, inv_std: Array) -> Array:
        """(x - mean) * inv_std * w + b. x (N, C, H, W), the others (C,)"""
        ready = [dense(a) for a in (x, w, b, mean, inv_std)]
        y = self._new(x.shape, x)
        return self._each("kernels", "batch_norm", y, *ready, y, x.shape[1], int(np.prod(x.shape[2:])))

    def batch_norm_grad(self, gy: Array, x: Array, w: Array, mean: Array, inv_std: Array) -> tuple[Array, Array, Array]:
        """-> gx (N, C, H, W), gw (C,), gb (C,)"""
        gy, x, w, mean, inv_std = (dense(a) for a in (gy, x, w, mean, inv_std))
        n, c, inner = x.shape[0], x.shape[1], int(np.prod(x.shape[2:]))
        gx, gw, gb = self._new(x.shape, x), self._new((c,), x), self._new((c,), x)
        self._channels("batch_norm_sums", x, gy, x, mean, inv_std, gw, gb)
        self._each("kernels", "batch_norm_grad", gx, gy, x, w, mean, inv_std, gw, gb, gx, n, c, inner)
        return gx, gw, gb
