"""Linear layers on CUDA: small ones in one launch each way, large ones by cuBLAS."""

from __future__ import annotations

from minigrad.backend import Array, Backend

from .cuda_conv import Convolution
from .cuda_launch import NARROW, THREADS, dense

# Multiplications up to which a product counts as small. A GPU does so many in a few microseconds, the time that starting three or four
# kernels takes; beyond, cuBLAS's better use of the arithmetic counts for more.
SMALL = 2**27


class LinearLayers(Convolution, Backend):
    """The words of linear layers."""

    def linear(self, x: Array, w: Array, b: Array | None) -> Array:
        """x (M, I), w (O, I), b (O,) or None -> (M, O)"""
        if _small(x, w):
            return self._small_linear(x, w, b, relu=False)
        y = self.matmul(x, w.T)
        return y if b is None else self._bias(y, dense(b), relu=False)

    def linear_relu(self, x: Array, w: Array, b: Array | None) -> Array:
        """relu(linear(x, w, b))"""
        if _small(x, w):
            return self._small_linear(x, w, b, relu=True)
        y = self.matmul(x, w.T)
        return self.relu(y) if b is None else self._bias(y, dense(b), relu=True)

    def _small_linear(self, x: Array, w: Array, b: Array | None, relu: bool) -> Array:
        x, w, b = dense(x), dense(w), None if b is None else dense(b)
        rows, inputs, outputs = len(x), x.shape[1], len(w)
        y = self.xp.empty((rows, outputs), x.dtype)
        size = self._size(rows, outputs)
        tiles = -(-rows // size) * -(-outputs // size)
        parts, sums, counters = self._parts(tiles, inputs, y.size, 1, x)
        self.launcher.grid(
            "linear", f"linear_{size}", (tiles * parts,), THREADS,
            x, w, b, y, sums, counters, rows, inputs, outputs, int(relu), parts,
            like=x, wide=max(x.size, w.size, y.size * parts) > NARROW,
        )  # fmt: skip
        return y

    def linear_grads(
        self, gy: Array, x: Array, w: Array, y: Array | None, needs: tuple[bool, bool, bool]
    ) -> tuple[Array | None, Array | None, Array | None]:
        """Gradients of linear, or with its output y of linear_relu, in x, w and the bias; None where `needs` says no."""
        if not (_small(x, w) and gy.dtype == x.dtype):
            return super().linear_grads(gy, x, w, y, needs)
        gy, x, w, y = dense(gy), dense(x), dense(w), None if y is None else dense(y)
        rows, inputs, outputs = len(x), x.shape[1], len(w)
        gx = self.xp.empty(x.shape, x.dtype) if needs[0] else None
        weights = needs[1] or needs[2]
        gw = self.xp.empty(w.shape, w.dtype) if weights else None
        gb = self.xp.empty((outputs,), w.dtype) if needs[2] else None
        columns = inputs + int(needs[2])
        size = self._size(outputs, inputs + 1)  # the same whatever is asked for, and so are the bits
        input_blocks = -(-rows // size) * -(-inputs // size) if needs[0] else 0
        tiles = -(-outputs // size) * -(-(inputs + 1) // size)
        parts, sums, counters = self._parts(tiles, rows, outputs * columns, 1, x)
        tiles = -(-outputs // size) * -(-columns // size) if weights else 0
        if not (input_blocks or tiles):
            return None, None, None
        self.launcher.grid(
            "linear", f"linear_grads_{size}", (input_blocks + tiles * parts,), THREADS,
            gy, y, x, w, gx, gw, gb, sums, counters, rows, inputs, outputs, input_blocks, parts,
            like=x, wide=max(x.size, w.size, outputs * columns * parts) > NARROW,
        )  # fmt: skip
        return gx, gw if needs[1] else None, gb

    def _size(self, rows: int, columns: int) -> int:
        """Of tiles: the larger one if it still gives every processor one."""
        return 64 if -(-rows // 64) * -(-columns // 64) >= self.launcher.processors else 32


def _small(x: Array, w: Array) -> bool:
    """Whether a product is for the kernels of cuda_linear.cu."""
    kinds = ("float16", "float32", "float64")
    return x.ndim == 2 and x.dtype.name in kinds and x.dtype == w.dtype and 0 < x.size * len(w) <= SMALL
