"""The layers of "Deep Learning from Scratch", chapter 7, each held against autograd.

    python examples/deep_learning_from_scratch.py

Convolution, Pooling and Affine with the book's interface: `forward(x)` keeps what `backward(dout)` needs, and
backward leaves the parameters' gradients in `dW` and `db`. They work on NumPy arrays and stand on im2col and col2im.
N images, C channels, H x W cells, F filters of KH x KW taps, OH x OW places where a filter stands.
Source: Saitoh, "Deep Learning from Scratch" (2016), chapter 7. The interface is the book's, the code is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad
from minigrad.nn import functional as F

Array = Any


def im2col(x: Array, kh: int, kw: int, stride: int = 1, pad: int = 0) -> Array:
    """One patch per row: (N, C, H, W) or (C, H, W) -> (N*OH*OW, C*KH*KW)"""
    return minigrad.im2col(minigrad.tensor(x), kh, kw, stride, pad).numpy()


def col2im(col: Array, x_shape: tuple[int, ...], kh: int, kw: int, stride: int = 1, pad: int = 0) -> Array:
    """Add the rows back to where im2col took them from: (N*OH*OW, C*KH*KW) -> x_shape = (N, C, H, W)"""
    return minigrad.col2im(minigrad.tensor(col), x_shape, kh, kw, stride, pad).numpy()


def places(size: int, kernel: int, stride: int, pad: int) -> int:
    """How many places a window has along one side."""
    return (size + 2 * pad - kernel) // stride + 1


class Convolution:
    """A matrix product over patches: (N, C, H, W) -> (N, F, OH, OW)"""

    def __init__(self, W: Array, b: Array, stride: int = 1, pad: int = 0) -> None:
        self.W, self.b, self.stride, self.pad = W, b, stride, pad

    def forward(self, x: Array) -> Array:
        f, _, kh, kw = self.W.shape
        n, _, h, w = self.x_shape = x.shape
        self.col = im2col(x, kh, kw, self.stride, self.pad)  # (N*OH*OW, C*KH*KW)
        y = self.col @ self.W.reshape(f, -1).T + self.b  # (N*OH*OW, F)
        size = places(h, kh, self.stride, self.pad), places(w, kw, self.stride, self.pad)
        return y.reshape(n, *size, f).transpose(0, 3, 1, 2)  # (N, F, OH, OW)

    def backward(self, dout: Array) -> Array:
        f, _, kh, kw = self.W.shape
        dy = dout.transpose(0, 2, 3, 1).reshape(-1, f)  # (N*OH*OW, F)
        self.db = dy.sum(0)
        self.dW = (dy.T @ self.col).reshape(self.W.shape)
        dcol = dy @ self.W.reshape(f, -1)  # (N*OH*OW, C*KH*KW)
        return col2im(dcol, self.x_shape, kh, kw, self.stride, self.pad)


class Pooling:
    """The largest value of every patch, channel by channel: (N, C, H, W) -> (N, C, OH, OW)

    Padding is 0, as in the book, and may win; in minigrad's own pooling it is -inf and never does.
    """

    def __init__(self, pool_h: int, pool_w: int, stride: int = 2, pad: int = 0) -> None:
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad

    def forward(self, x: Array) -> Array:
        n, c, h, w = self.x_shape = x.shape
        taps = self.pool_h * self.pool_w
        col = im2col(x, self.pool_h, self.pool_w, self.stride, self.pad).reshape(-1, taps)  # (N*OH*OW*C, PH*PW)
        self.winner = col.argmax(1)
        size = places(h, self.pool_h, self.stride, self.pad), places(w, self.pool_w, self.stride, self.pad)
        return col.max(1).reshape(n, *size, c).transpose(0, 3, 1, 2)  # (N, C, OH, OW)

    def backward(self, dout: Array) -> Array:
        taps = self.pool_h * self.pool_w
        dmax = dout.transpose(0, 2, 3, 1).reshape(-1)  # (N*OH*OW*C,)
        dcol = np.zeros((dmax.size, taps), dout.dtype)
        dcol[np.arange(dmax.size), self.winner] = dmax  # only the winner hears of it
        dcol = dcol.reshape(-1, self.x_shape[1] * taps)  # (N*OH*OW, C*PH*PW)
        return col2im(dcol, self.x_shape, self.pool_h, self.pool_w, self.stride, self.pad)


class Affine:
    """x @ W + b, images flattened: (N, ...) -> (N, O). W is (I, O), the transpose of nn.Linear's."""

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b

    def forward(self, x: Array) -> Array:
        self.x_shape, self.x = x.shape, x.reshape(len(x), -1)  # (N, I)
        return self.x @ self.W + self.b

    def backward(self, dout: Array) -> Array:
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return (dout @ self.W.T).reshape(self.x_shape)


def check(name: str, layer: Any, reference: Any, x: Array, params: dict[str, Array]) -> None:
    """Compare a layer's output and gradients with autograd's.

    Raises:
        SystemExit: if they differ.
    """
    y = layer.forward(x)
    dout = np.random.default_rng(1).standard_normal(y.shape)
    found = {"y": y, "dx": layer.backward(dout), **{f"d{key}": getattr(layer, f"d{key}") for key in params}}

    leaves = [minigrad.tensor(v, requires_grad=True) for v in (x, *params.values())]
    z = reference(*leaves)
    z.backward(minigrad.tensor(dout))
    wanted = dict(zip(found, [z.detach(), *[leaf.grad for leaf in leaves]], strict=True))

    worst = max(float(np.abs(found[key] - wanted[key].numpy()).max()) for key in found)
    print(f"{name:34} {x.shape!s:>16} -> {y.shape!s:<15} {', '.join(found):14} within {worst:.0e}")
    if worst > 1e-9:
        raise SystemExit(f"{name} differs from autograd by {worst}")


def main() -> None:
    """Show the shapes of im2col, then check every layer in float64."""
    draw = np.random.default_rng(0).standard_normal
    for shape, kernel, pad in (((1, 3, 7, 7), 5, 0), ((10, 3, 7, 7), 5, 0), ((3, 5, 7), 3, 1)):
        print(
            f"im2col of {shape} with {kernel}x{kernel}, pad {pad}: {im2col(draw(shape), kernel, kernel, 1, pad).shape}"
        )
    for stride, pad in ((1, 0), (2, 1), (3, 2)):
        x, W, b = draw((10, 3, 7, 7)), draw((4, 3, 5, 5)), draw(4)
        check(
            f"Convolution 5x5, stride {stride}, pad {pad}",
            Convolution(W, b, stride, pad),
            lambda x, W, b, stride=stride, pad=pad: F.conv2d(x, W, b, stride, pad),
            x,
            {"W": W, "b": b},
        )
    for size, stride in ((2, 2), (3, 2), (3, 1)):  # windows that tile, and windows that overlap
        check(
            f"Pooling {size}x{size}, stride {stride}",
            Pooling(size, size, stride),
            lambda x, size=size, stride=stride: F.max_pool2d(x, size, stride),
            draw((10, 3, 8, 8)),
            {},
        )
    W, b = draw((3 * 4 * 4, 5)), draw(5)
    check("Affine", Affine(W, b), lambda x, W, b: F.linear(x.flatten(1), W.T, b), draw((10, 3, 4, 4)), {"W": W, "b": b})
    print("all agree with autograd")


if __name__ == "__main__":
    main()
