"""The method of "Deep Learning from Scratch" in plain NumPy: whole-batch im2col, one dot product, layers with a hand-written backward.

Written anew for the comparison, without minigrad: this is what its NumPy backend has to beat.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def im2col(x: Array, size: int, stride: int = 1, pad: int = 0) -> Array:
    """(N, C, H, W) -> (N*OH*OW, C*size*size)"""
    n, c, h, w = x.shape
    oh, ow = (h + 2 * pad - size) // stride + 1, (w + 2 * pad - size) // stride + 1
    image = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    col = np.zeros((n, c, size, size, oh, ow), x.dtype)
    for i in range(size):
        for j in range(size):
            col[:, :, i, j] = image[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, -1)


def col2im(col: Array, shape: tuple[int, ...], size: int, stride: int = 1, pad: int = 0) -> Array:
    """(N*OH*OW, C*size*size) -> (N, C, H, W)"""
    n, c, h, w = shape
    oh, ow = (h + 2 * pad - size) // stride + 1, (w + 2 * pad - size) // stride + 1
    col = col.reshape(n, oh, ow, c, size, size).transpose(0, 3, 4, 5, 1, 2)
    image = np.zeros((n, c, h + 2 * pad + stride - 1, w + 2 * pad + stride - 1), col.dtype)
    for i in range(size):
        for j in range(size):
            image[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride] += col[:, :, i, j]
    return image[:, :, pad : h + pad, pad : w + pad]


class Convolution:
    """F filters of one size."""

    def __init__(self, rng: Any, channels: int, filters: int, size: int, pad: int = 0) -> None:
        bound = 1 / np.sqrt(channels * size * size)
        self.w = rng.uniform(-bound, bound, (filters, channels, size, size)).astype(np.float32)
        self.b = rng.uniform(-bound, bound, filters).astype(np.float32)
        self.pad, self.params = pad, [self.w, self.b]

    def forward(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, F, OH, OW)"""
        n, _, h, w = x.shape
        size = self.w.shape[2]
        self.shape, self.col = x.shape, im2col(x, size, 1, self.pad)
        y = self.col @ self.w.reshape(len(self.w), -1).T + self.b
        oh, ow = h + 2 * self.pad - size + 1, w + 2 * self.pad - size + 1
        return y.reshape(n, oh, ow, -1).transpose(0, 3, 1, 2)

    def backward(self, gy: Array) -> Array:
        """(N, F, OH, OW) -> (N, C, H, W)"""
        flat = gy.transpose(0, 2, 3, 1).reshape(-1, len(self.w))
        self.grads = [(self.col.T @ flat).T.reshape(self.w.shape), flat.sum(0)]
        return col2im(flat @ self.w.reshape(len(self.w), -1), self.shape, self.w.shape[2], 1, self.pad)


class Pooling:
    """The largest of every 2 x 2 cells."""

    params: tuple[()] = ()
    grads: tuple[()] = ()

    def forward(self, x: Array) -> Array:
        """(N, C, H, W) -> (N, C, H/2, W/2)"""
        n, c, h, w = x.shape
        col = im2col(x, 2, 2).reshape(-1, 4)
        self.shape, self.winner = x.shape, col.argmax(1)
        return col.max(1).reshape(n, h // 2, w // 2, c).transpose(0, 3, 1, 2)

    def backward(self, gy: Array) -> Array:
        """(N, C, H/2, W/2) -> (N, C, H, W)"""
        gy = gy.transpose(0, 2, 3, 1)
        spread = np.zeros((gy.size, 4), gy.dtype)
        spread[np.arange(gy.size), self.winner] = gy.reshape(-1)
        return col2im(spread.reshape(gy.shape[0] * gy.shape[1] * gy.shape[2], -1), self.shape, 2, 2)


class Relu:
    """max(x, 0)"""

    params: tuple[()] = ()
    grads: tuple[()] = ()

    def forward(self, x: Array) -> Array:
        """Any shape."""
        self.mask = x <= 0
        y = x.copy()
        y[self.mask] = 0
        return y

    def backward(self, gy: Array) -> Array:
        """Any shape."""
        gy = gy.copy()
        gy[self.mask] = 0
        return gy


class Affine:
    """x @ w + b"""

    def __init__(self, rng: Any, inputs: int, outputs: int) -> None:
        bound = 1 / np.sqrt(inputs)
        self.w = rng.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
        self.b = rng.uniform(-bound, bound, outputs).astype(np.float32)
        self.params = [self.w, self.b]

    def forward(self, x: Array) -> Array:
        """(N, ...) -> (N, O)"""
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.w + self.b

    def backward(self, gy: Array) -> Array:
        """(N, O) -> (N, ...)"""
        self.grads = [self.x.T @ gy, gy.sum(0)]
        return (gy @ self.w.T).reshape(self.shape)


class BookNet:
    """A list of layers, softmax with loss at the end, SGD or Adam."""

    def __init__(self, layers: list[Any], adam: bool = False) -> None:
        self.layers, self.adam, self.count = layers, adam, 0
        self.moments = [[np.zeros_like(p) for p in layer.params] for layer in layers for _ in range(2)]

    def predict(self, x: Array) -> Array:
        """The logits (N, classes)."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def step(self, x: Array, t: Array, lr: float = 0.01) -> float:
        """One training step; returns the loss."""
        z = self.predict(x)
        z = z - z.max(1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(1, keepdims=True)
        rows = np.arange(len(t))
        loss = float(-np.log(p[rows, t] + 1e-7).mean())
        p[rows, t] -= 1
        g = p / len(t)
        for layer in reversed(self.layers):
            g = layer.backward(g)
        self.count += 1
        for i, layer in enumerate(self.layers):
            for j, (p, gp) in enumerate(zip(layer.params, layer.grads, strict=True)):
                if self.adam:
                    m, v = self.moments[2 * i][j], self.moments[2 * i + 1][j]
                    m += 0.1 * (gp - m)
                    v += 0.001 * (gp**2 - v)
                    p -= lr * np.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count) * m / (np.sqrt(v) + 1e-7)
                else:
                    p -= lr * gp
        return loss


def seed_net(adam: bool = False) -> BookNet:
    """Conv 30@5x5 - ReLU - Pool 2 - Affine 100 - ReLU - Affine 10"""
    rng = np.random.default_rng(0)
    return BookNet(
        [Convolution(rng, 1, 30, 5), Relu(), Pooling(), Affine(rng, 4320, 100), Relu(), Affine(rng, 100, 10)], adam
    )


def vgg() -> BookNet:
    """3-32-32-P-64-64-P-128-128-P, 3x3 pad 1, then 128 - 10"""
    rng = np.random.default_rng(0)
    layers: list[Any] = []
    channels = 3
    for filters in (32, 64, 128):
        for _ in range(2):
            layers += [Convolution(rng, channels, filters, 3, 1), Relu()]
            channels = filters
        layers.append(Pooling())
    return BookNet([*layers, Affine(rng, 2048, 128), Relu(), Affine(rng, 128, 10)])


def mlp() -> BookNet:
    """784 - 100 - 10"""
    rng = np.random.default_rng(0)
    return BookNet([Affine(rng, 784, 100), Relu(), Affine(rng, 100, 10)])
