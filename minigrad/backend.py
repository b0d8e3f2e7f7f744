"""What a backend owes: arrays in, arrays out.

N images of C channels and H x W cells; F filters of KH x KW taps; OH x OW places where a window
stands (`minigrad.window.Window` computes them). A new backend must say `xp`, `im2col` and `col2im`; every other word has
a definition here, in terms of those, which a backend overrides where it is faster and nowhere else.

Rules for every word: inputs are never written, unless the name ends in `_step`; outputs are new,
C-contiguous arrays of the inputs' dtype that share no memory with the inputs; arguments have been
checked by the caller; inputs may be non-contiguous; batches and channels may be zero.
"""

from __future__ import annotations

from typing import Any, ClassVar

from minigrad.arrays import Array, Arrays, Shape
from minigrad.window import Pair, Window

__all__ = ["Array", "Backend", "Pair", "Shape", "Window"]


class Backend(Arrays):
    """The words that operations are written in, for one kind of array."""

    name: ClassVar[str] = ""  # what MINIGRAD_BACKEND calls it
    device: ClassVar[str] = "cpu"  # where its arrays live
    # Whether cross_entropy and its gradient take `ignore_index`, and reports classes out of range itself, as soon as a value is asked for:
    # on a device a look at the targets would make every training step wait.
    reports_targets: ClassVar[bool] = False
    fuses: ClassVar[frozenset[str]] = frozenset()  # the fused sequences below that this backend makes faster

    # ------------------------------------------------------------------ windows, the floor

    def im2col(self, x: Array, window: Window, fill: float = 0) -> Array:
        """Lay the patch under every window into a column.

        (N, C, H, W) -> (N, C*KH*KW, OH*OW); padded cells hold `fill`.
        """
        raise NotImplementedError(f"backend {self.name!r} must define im2col")

    def col2im(self, cols: Array, x_shape: Shape, window: Window) -> Array:
        """Add every column back to where im2col took it from: the adjoint of im2col.

        (N, C*KH*KW, OH*OW) -> x_shape = (N, C, H, W); overlaps are summed, cells under no window are 0.
        """
        raise NotImplementedError(f"backend {self.name!r} must define col2im")

    # ------------------------------------------------------------------ convolution

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        """Correlate every image with every filter.

        x (N, C, H, W), w (F, C/groups, KH, KW), b (F,) or None -> (N, F, OH, OW)
        """
        n, f, g = len(x), len(w), groups
        size = window.out_size(*x.shape[2:])
        cols = self.im2col(x, window)  # (N, C*KH*KW, OH*OW)
        cols = cols.reshape(n, g, w[0].size, cols.shape[2])  # each group's rows stand together
        y = self.xp.matmul(w.reshape(g, f // g, -1), cols)  # (N, G, F/G, OH*OW)
        y = y.reshape(n, f, *size)
        if b is not None:
            y += b[:, None, None]
        return y

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        """The adjoint of conv2d in the image.

        gy (N, F, OH, OW), w (F, C/groups, KH, KW) -> x_shape = (N, C, H, W)
        """
        n, f, g = len(gy), len(w), groups
        gy = gy.reshape(n, g, f // g, gy.shape[2] * gy.shape[3])  # (N, G, F/G, OH*OW)
        wt = w.reshape(g, f // g, -1).swapaxes(1, 2)  # (G, C/G*KH*KW, F/G)
        cols = self.xp.matmul(wt, gy)  # (N, G, C/G*KH*KW, OH*OW)
        return self.col2im(cols.reshape(n, x_shape[1] * window.taps, gy.shape[3]), x_shape, window)

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        """The adjoint of conv2d in the filters.

        gy (N, F, OH, OW), x (N, C, H, W) -> w_shape = (F, C/groups, KH, KW)
        """
        n, f, g = len(x), w_shape[0], groups
        cols = self.im2col(x, window)
        cols = cols.reshape(n, g, -1, cols.shape[2]) if n else cols.reshape(0, g, cols.shape[1] // g, cols.shape[2])
        gy = gy.reshape(n, g, f // g, cols.shape[3])
        gw = self.xp.matmul(gy, cols.swapaxes(2, 3)).sum(0)  # (G, F/G, C/G*KH*KW)
        return gw.reshape(w_shape)

    def conv2d_bias_grad(self, gy: Array) -> Array:
        """(N, F, OH, OW) -> (F,)"""
        return gy.sum((0, 2, 3))

    # ------------------------------------------------------------------ pooling

    def max_pool2d(self, x: Array, window: Window) -> tuple[Array, Array]:
        """Take the largest value under each window, and say where it stood.

        (N, C, H, W) -> y (N, C, OH, OW), indices (N, C, OH, OW) int64 into the unpadded H*W plane.
        The first maximum in scan order wins, the first NaN wins over all; padding is -inf and never wins.
        """
        xp, (n, c, h, w), (kh, kw) = self.xp, x.shape, window.kernel
        oh, ow = window.out_size(h, w)
        fill = int(xp.iinfo(x.dtype).min) if xp.dtype(x.dtype).kind in "iu" else -xp.inf
        cols = self.im2col(x.reshape(n * c, 1, h, w), window, fill).reshape(n * c, kh * kw, oh * ow)

        rows = xp.arange(oh)[:, None, None, None] * window.stride[0] - window.padding[0]
        rows = rows + xp.arange(kh)[None, None, :, None] * window.dilation[0]  # (OH, 1, KH, 1)
        columns = xp.arange(ow)[None, :, None, None] * window.stride[1] - window.padding[1]
        columns = columns + xp.arange(kw) * window.dilation[1]  # (1, OW, 1, KW)
        inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
        inside = inside.reshape(oh * ow, kh * kw).T  # (KH*KW, OH*OW)
        # A window of -inf alone must still name a cell of the image: its first one.
        rank = xp.where(inside, xp.where(cols != cols, 3, xp.where(cols == cols.max(1, keepdims=True), 2, 1)), 0)
        tap = rank.argmax(1)  # (N*C, OH*OW)
        y = xp.take_along_axis(cols, tap[:, None], 1)
        place = (rows * w + columns).reshape(oh * ow, kh * kw)
        # A dilated window may straddle a small image and see none of it: -inf, and still a cell of the image.
        indices = xp.clip(place[xp.arange(oh * ow), tap], 0, h * w - 1)
        return y.reshape(n, c, oh, ow), indices.reshape(n, c, oh, ow)

    def max_pool2d_grad(self, gy: Array, indices: Array, x_shape: Shape) -> Array:
        """Send each gradient back to the cell that won: a scatter, repeated winners are summed.

        gy, indices (N, C, OH, OW) -> x_shape = (N, C, H, W)
        """
        xp, (n, c, h, w) = self.xp, x_shape
        gx = xp.zeros((n * c * h * w,), gy.dtype)
        planes = xp.arange(n * c).reshape(n, c, 1, 1) * (h * w)
        xp.add.at(gx, (planes + indices).reshape(-1), gy.reshape(-1))
        return gx.reshape(x_shape)

    def max_pool2d_gather(self, x: Array, indices: Array) -> Array:
        """Read the winners' cells: the adjoint of `max_pool2d_grad`.

        x (N, C, H, W), indices (N, C, OH, OW) -> (N, C, OH, OW)
        """
        n, c = indices.shape[:2]
        flat = x.reshape(n, c, x.shape[2] * x.shape[3])
        places = indices.reshape(n, c, indices.shape[2] * indices.shape[3])
        return self.xp.take_along_axis(flat, places, 2).reshape(indices.shape)

    def avg_pool2d(self, x: Array, window: Window, count_include_pad: bool = True, divisor: int | None = None) -> Array:
        """Average the values under each window.

        (N, C, H, W) -> (N, C, OH, OW). The divisor is the part of the window inside the padded image
        (inside the image itself without `count_include_pad`), or `divisor`.
        """
        n, c, h, w = x.shape
        cols = self.im2col(x.reshape(n * c, 1, h, w), window)
        y = cols.sum(1).reshape(n, c, *window.out_size(h, w))
        return y / self._pool_counts(x.shape, x.dtype, window, count_include_pad, divisor)

    def avg_pool2d_grad(
        self, gy: Array, x_shape: Shape, window: Window, count_include_pad: bool = True, divisor: int | None = None
    ) -> Array:
        """The adjoint of avg_pool2d: gy (N, C, OH, OW) -> x_shape = (N, C, H, W)"""
        n, c, h, w = x_shape
        gy = gy / self._pool_counts(x_shape, gy.dtype, window, count_include_pad, divisor)
        rows = gy.reshape(n * c, 1, gy.shape[2] * gy.shape[3])
        cols = self.xp.broadcast_to(rows, (n * c, window.taps, rows.shape[2]))
        return self.col2im(cols, (n * c, 1, h, w), window).reshape(x_shape)

    def _pool_counts(
        self, x_shape: Shape, dtype: Any, window: Window, count_include_pad: bool, divisor: int | None
    ) -> Array:
        """How many cells each average divides by: (OH, OW)."""
        xp, (oh, ow) = self.xp, window.out_size(*x_shape[2:])
        if divisor is not None:
            return xp.full((oh, ow), divisor, dtype)
        along = []
        for axis, places in enumerate((oh, ow)):
            size, pad = x_shape[2 + axis], window.padding[axis]
            start = xp.arange(places) * window.stride[axis] - pad
            end = xp.minimum(start + window.kernel[axis], size + pad)
            if not count_include_pad:
                start, end = xp.maximum(start, 0), xp.minimum(end, size)
            along.append((end - start).astype(dtype))
        return along[0][:, None] * along[1]

    # ------------------------------------------------------------------ matrices

    def matmul(self, a: Array, b: Array) -> Array:
        """NumPy's matmul: (..., M, K) @ (..., K, N) -> (..., M, N)"""
        if a.dtype.kind == "V":  # bfloat16: add up in float32 and round once
            return self.xp.matmul(a.astype("float32"), b.astype("float32")).astype(a.dtype)
        return self.xp.matmul(a, b)

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        """x (M, I), w (O, I), b (O,) or None -> x @ w.T + b (M, O)"""
        y = self.matmul(x, w.T)
        if b is not None:
            y += b
        return y

    # ------------------------------------------------------------------ activations

    def relu(self, x: Array) -> Array:
        """max(x, 0); NaN stays NaN."""
        return self.xp.maximum(x, self._zero(x.dtype))

    def relu_grad(self, gy: Array, y: Array) -> Array:
        """gy, but 0 where y <= 0. y is relu's output."""
        zero = self._zero(gy.dtype)
        return self.xp.where(y <= zero, zero, gy)

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(-x)), without overflow on either side."""
        xp = self.xp
        e = xp.exp(-xp.abs(x))
        return xp.where(x >= 0, 1, e) / (1 + e)

    def sigmoid_grad(self, gy: Array, y: Array) -> Array:
        """gy * y * (1 - y). y is sigmoid's output."""
        return gy * y * (1 - y)

    def tanh(self, x: Array) -> Array:
        """The hyperbolic tangent."""
        return self.xp.tanh(x)

    def tanh_grad(self, gy: Array, y: Array) -> Array:
        """gy * (1 - y*y). y is tanh's output."""
        return gy - gy * y * y

    def softmax(self, x: Array, axis: int) -> Array:
        """exp(x) / sum(exp(x)) along an axis, shifted by the maximum; a row of -inf alone gives nan."""
        xp = self.xp
        e = xp.exp(x - x.max(axis, keepdims=True, initial=-xp.inf))
        return e / e.sum(axis, keepdims=True)

    def softmax_grad(self, gy: Array, y: Array, axis: int) -> Array:
        """y * (gy - sum(gy * y)). y is softmax's output."""
        return y * (gy - (gy * y).sum(axis, keepdims=True))

    def log_softmax(self, x: Array, axis: int) -> Array:
        """x - log(sum(exp(x))) along an axis, shifted by the maximum."""
        xp = self.xp
        shifted = x - x.max(axis, keepdims=True, initial=-xp.inf)
        return shifted - xp.log(xp.exp(shifted).sum(axis, keepdims=True))

    def log_softmax_grad(self, gy: Array, y: Array, axis: int) -> Array:
        """gy - exp(y) * sum(gy). y is log_softmax's output."""
        return gy - self.xp.exp(y) * gy.sum(axis, keepdims=True)

    # ------------------------------------------------------------------ losses

    def cross_entropy(self, x: Array, target: Array) -> tuple[Array, Array]:
        """Softmax with loss: x (N, C), target (N,) int64 in [0, C) -> losses (N,), probabilities (N, C)"""
        log_p = self.log_softmax(x, 1)
        return -self.xp.take_along_axis(log_p, target[:, None], 1)[:, 0], self.xp.exp(log_p)

    def cross_entropy_grad(self, gy: Array, p: Array, target: Array) -> Array:
        """(p - onehot(target)) * gy. gy (N,), p (N, C), target (N,) -> (N, C)"""
        gx = p * gy[:, None]
        gx[self.xp.arange(len(target)), target] -= gy
        return gx

    # ------------------------------------------------------------------ batch normalisation

    def batch_norm(self, x: Array, w: Array, b: Array, mean: Array, inv_std: Array) -> Array:
        """(x - mean) * inv_std * w + b, channel by channel. x (N, C, H, W), the others (C,)"""
        scale = (w * inv_std)[:, None, None]
        return (x - mean[:, None, None]) * scale + b[:, None, None]

    def batch_norm_stats(self, x: Array) -> tuple[Array, Array]:
        """Mean and biased variance of every channel: (N, C, H, W) -> (C,), (C,)"""
        mean = x.mean((0, 2, 3))
        centred = x - mean[:, None, None]
        return mean, (centred * centred).mean((0, 2, 3))

    def batch_norm_grad(self, gy: Array, x: Array, w: Array, mean: Array, inv_std: Array) -> tuple[Array, Array, Array]:
        """Gradient of batch_norm with the batch's own mean and variance -> gx (N, C, H, W), gw (C,), gb (C,)

        Source: Ioffe and Szegedy, "Batch Normalization" (2015), section 3.
        """
        normed = (x - mean[:, None, None]) * inv_std[:, None, None]
        gb = gy.sum((0, 2, 3))
        gw = (gy * normed).sum((0, 2, 3))
        count = x.size // max(x.shape[1], 1)
        gx = gy - (gb[:, None, None] + normed * gw[:, None, None]) / count
        return gx * (w * inv_std)[:, None, None], gw, gb

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
        """One step of stochastic gradient descent; writes params and momentum buffers.

        buffers is None without momentum; on the `first` step each becomes the gradient itself.
        Source: Sutskever et al., "On the importance of initialization and momentum" (2013), in PyTorch's form.
        """
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            if maximize:
                g = -g
            if weight_decay:
                g = g + weight_decay * p
            if buffers is not None:
                buffer = buffers[i]
                if first:
                    buffer[...] = g
                else:
                    buffer *= momentum
                    buffer += (1 - dampening) * g
                g = g + momentum * buffer if nesterov else buffer
            p -= lr * g

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
        """One step of Adam (or AdamW: `decoupled`); writes params, means, squares and, for AMSGrad, largest.

        `step` counts from 1. Sources: Kingma and Ba (2014); Loshchilov and Hutter (2017); Reddi et al. (2018).
        """
        xp = self.xp
        correct1, correct2 = 1 - beta1**step, 1 - beta2**step
        for i, (p, g) in enumerate(zip(params, grads, strict=True)):
            if maximize:
                g = -g
            if weight_decay and decoupled:
                p *= 1 - lr * weight_decay
            elif weight_decay:
                g = g + weight_decay * p
            means[i] += (1 - beta1) * (g - means[i])
            squares[i] *= beta2
            squares[i] += (1 - beta2) * g * g
            second = squares[i]
            if largest is not None:
                xp.maximum(largest[i], second, out=largest[i])
                second = largest[i]
            p -= (lr / correct1) * means[i] / (xp.sqrt(second) / correct2**0.5 + eps)

    # ------------------------------------------------------------------ fused sequences

    def linear_grads(
        self, gy: Array, x: Array, w: Array, y: Array | None, needs: tuple[bool, bool, bool]
    ) -> tuple[Array | None, Array | None, Array | None]:
        """Gradients of linear in x, w and bias, None where `needs` says no; with its output y, of linear_relu.

        gy, y (M, O), x (M, I), w (O, I)
        """
        if y is not None:
            gy = self.relu_grad(gy, y)
        return (
            self.matmul(gy, w) if needs[0] else None,
            self.matmul(gy.T, x) if needs[1] else None,
            self.conv2d_bias_grad(gy.reshape(*gy.shape, 1, 1)) if needs[2] else None,
        )

    def linear_relu(self, x: Array, w: Array, b: Array | None) -> Array:
        """relu(linear(x, w, b))"""
        return self.relu(self.linear(x, w, b))

    def conv2d_relu(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        """relu(conv2d(...))"""
        return self.relu(self.conv2d(x, w, b, window, groups))

    def conv2d_relu_max_pool2d(
        self, x: Array, w: Array, b: Array | None, window: Window, groups: int, pool: Window
    ) -> tuple[Array, Array]:
        """max_pool2d(relu(conv2d(...)), pool) -> y (N, F, PH, PW) and whatever the gradient below needs of it."""
        return self.max_pool2d(self.conv2d_relu(x, w, b, window, groups), pool)

    def conv2d_relu_max_pool2d_value(
        self, x: Array, w: Array, b: Array | None, window: Window, groups: int, pool: Window
    ) -> Array:
        """y of the above alone, where nobody will ask for a gradient."""
        return self.conv2d_relu_max_pool2d(x, w, b, window, groups, pool)[0]

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
        """Gradients of the above in image, filters and bias; None where `needs` says no."""
        size: Pair = window.out_size(*x.shape[2:])
        g = self.max_pool2d_grad(self.relu_grad(gy, y), winners, (len(x), len(w), *size))
        return (
            self.conv2d_input_grad(g, w, x.shape, window, groups) if needs[0] else None,
            self.conv2d_weight_grad(g, x, w.shape, window, groups) if needs[1] else None,
            self.conv2d_bias_grad(g) if needs[2] else None,
        )
