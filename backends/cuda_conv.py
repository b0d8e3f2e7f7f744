"""Convolution on CUDA: which kernel for which shape, and its launch arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array, Backend, Shape
from minigrad.window import Window

from .cuda_launch import MOST_PARTS, NARROW, THREADS, Geometry, Launcher, dense

# Tiles of the implicit GEMM (rows x columns of the product) and the part of the arithmetic peak that each can reach:
# what a thread loads from shared memory for every multiplication falls with its size.
TILES = {(128, 128): 1.0, (64, 64): 0.7, (32, 128): 0.7}
SPLIT_TILES = {**TILES, (32, 32): 0.4}  # where the sum is long, and cut so that even few tiles keep all processors busy
FEW = 8  # up to so many rows a tile would be mostly empty: a thread per element then
FIXED = (3, 5)  # square windows that have their own compilation
MOST_GROUPS = 2**15
PATCH, POOL_FILTERS, POOL_TAPS = 128, 8, 255  # limits of conv2d_relu_pool, as in cuda_conv.cu


class Convolution(Backend):
    """The convolution words. Without a tile that fits they fall back to im2col and matmul."""

    launcher: Launcher
    capturing: bool

    def conv2d(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        """x (N, C, H, W), w (F, C/groups, KH, KW), b (F,) or None -> (N, F, OH, OW)"""
        return self._forward(x, w, b, window, groups, relu=False)

    def conv2d_relu(self, x: Array, w: Array, b: Array | None, window: Window, groups: int = 1) -> Array:
        """relu(conv2d(...))"""
        return self._forward(x, w, b, window, groups, relu=True)

    def _forward(self, x: Array, w: Array, b: Array | None, window: Window, groups: int, relu: bool) -> Array:
        if not _ours(x, groups):
            y = super().conv2d(x, w, b, window, groups)
            return self.relu(y) if relu else y
        x, w = dense(x), dense(w)
        b = None if b is None else dense(b)
        n, f, (oh, ow) = len(x), len(w), window.out_size(*x.shape[2:])
        y = self.xp.empty((n, f, oh, ow), x.dtype)
        if y.size == 0:
            return y
        if groups == 1 and _plain(window):
            self._batched(w.reshape(f, -1), x.reshape(n, x.shape[1], -1), y.reshape(n, f, -1), transposed=False)
            if b is not None:
                self._bias(y, b, relu)
            return y if b is not None or not relu else self.relu(y)
        geometry = Geometry(x.shape, window, f, groups)
        largest = max(x.size, y.size, w.size)
        self._product("conv2d", window, groups, f // groups, n * oh * ow, largest, x, w, b, y, geometry, int(relu))
        return y

    def conv2d_input_grad(self, gy: Array, w: Array, x_shape: Shape, window: Window, groups: int = 1) -> Array:
        """gy (N, F, OH, OW), w (F, C/groups, KH, KW) -> x_shape = (N, C, H, W)"""
        if not _ours(gy, groups):
            return super().conv2d_input_grad(gy, w, x_shape, window, groups)
        gy, w = dense(gy), dense(w)
        n, c, f = x_shape[0], x_shape[1], len(w)
        gx = self.xp.empty(x_shape, gy.dtype)
        if gx.size == 0:
            return gx
        if groups == 1 and f and _plain(window):
            self._batched(w.reshape(f, c), gy.reshape(n, f, -1), gx.reshape(n, c, -1), transposed=True)
            return gx
        geometry = Geometry(x_shape, window, f, groups)
        columns, largest = n * x_shape[2] * x_shape[3], max(gx.size, gy.size, w.size)
        self._product("conv2d_input_grad", window, groups, c // groups, columns, largest, gy, w, gx, geometry)
        return gx

    def conv2d_weight_grad(self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int = 1) -> Array:
        """gy (N, F, OH, OW), x (N, C, H, W) -> w_shape = (F, C/groups, KH, KW)"""
        if not _ours(gy, groups):
            return super().conv2d_weight_grad(gy, x, w_shape, window, groups)
        return self._weight_grads(gy, x, w_shape, window, groups, bias=False)[0]

    def _weight_grads(
        self, gy: Array, x: Array, w_shape: Shape, window: Window, groups: int, bias: bool
    ) -> tuple[Array, Array | None]:
        """The gradients of the filters and, where it is wanted, of the bias, in one launch."""
        gy, x = dense(gy), dense(x)
        gw = self.xp.empty(w_shape, gy.dtype)
        gb = self.xp.empty(w_shape[:1], gy.dtype) if bias else None
        if gw.size == 0:
            return gw, None if gb is None else self.conv2d_bias_grad(gy)
        rows, columns, depth = w_shape[0] // groups, gw.size // w_shape[0] + int(bias), gy.size // w_shape[0]
        geometry = Geometry(x.shape, window, w_shape[0], groups)
        arguments: tuple[Any, ...] = (gy, x, gw, gb)
        wide = max(x.size, gy.size, gw.size) > NARROW
        if min(rows, columns) <= FEW:
            grid, name = (min(rows * columns, 2**16), 1, groups), "conv2d_weight_grad_direct"
            arguments += (geometry,)
        else:
            tile = min(SPLIT_TILES, key=lambda t: -(-rows // t[0]) * -(-columns // t[1]) * t[0] * t[1] / SPLIT_TILES[t])
            tiles = -(-rows // tile[0]) * -(-columns // tile[1])
            parts, sums, counters = self._parts(tiles, depth, rows * columns, groups, gy)
            grid, name = (tiles * parts, 1, groups), f"conv2d_weight_grad_{tile[0]}x{tile[1]}"
            arguments += (sums, counters, geometry, tiles, parts)
            wide = wide or parts * groups * rows * columns > NARROW
        self.launcher.grid("conv", name, grid, THREADS, *arguments, like=gy, wide=wide, kernel=_fixed(window))
        return gw, gb

    def _parts(
        self, tiles: int, depth: int, size: int, groups: int, like: Array
    ) -> tuple[int, Array | None, Array | None]:
        """Into how many parts to cut a sum so that every processor has two blocks; memory and counters for them."""
        wanted = -(-2 * self.launcher.processors // (tiles * groups))
        parts = max(1, min(wanted, depth // 64, MOST_PARTS))
        counters = self.launcher.counters(tiles * groups, self.capturing) if parts > 1 else None
        if counters is None:
            return 1, None, None
        kind = np.dtype("float32" if like.dtype == "float16" else like.dtype)  # of the kernels' type Sum
        return parts, self.xp.empty((groups, parts, size), kind), counters

    def conv2d_relu_max_pool2d(
        self, x: Array, w: Array, b: Array | None, window: Window, groups: int, pool: Window
    ) -> tuple[Array, Array]:
        """-> y (N, F, PH, PW) and the winners: taps of the pool (uint8) from one kernel for all, else places (int64)"""
        f, patch = len(w), w.size // max(len(w), 1)
        if not (_ours(x, groups) and patch <= PATCH and pool.taps <= POOL_TAPS and f):
            return super().conv2d_relu_max_pool2d(x, w, b, window, groups, pool)
        x, w = dense(x), dense(w)
        b = None if b is None else dense(b)
        outer = (len(x), f, *window.out_size(*x.shape[2:]))
        shape = (*outer[:2], *pool.out_size(*outer[2:]))
        y, winners = self.xp.empty(shape, x.dtype), self.xp.empty(shape, np.uint8)
        if y.size:
            grid = (min(-(-(y.size // f) // THREADS), 2**16), -(-(f // groups) // POOL_FILTERS), groups)
            wide = max(x.size, int(np.prod(outer))) > NARROW
            self.launcher.grid(
                "conv", "conv2d_relu_pool", grid, THREADS, x, w, b, y, winners,
                Geometry(x.shape, window, f, groups), Geometry(outer, pool),
                like=x, wide=wide, kernel=_fixed(window),
            )  # fmt: skip
        return y, winners

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
        if winners.dtype != np.uint8:
            return super().conv2d_relu_max_pool2d_grad(gy, y, winners, x, w, window, groups, pool, needs)
        shape = (len(x), len(w), *window.out_size(*x.shape[2:]))
        g = self.xp.empty(shape, gy.dtype)  # the gradient of the convolution's output
        ready = [dense(a) for a in (gy, y, winners)]
        self.launcher.each("windows", "relu_pool_grad", g.size, *ready, g, Geometry(shape, pool), like=g)
        gx = self.conv2d_input_grad(g, w, x.shape, window, groups) if needs[0] else None
        if needs[1]:
            return gx, *self._weight_grads(g, x, w.shape, window, groups, needs[2])
        return gx, None, self.conv2d_bias_grad(g) if needs[2] else None

    # ------------------------------------------------------------------ launches

    def _bias(self, y: Array, b: Array, relu: bool) -> Array:
        """y (outer, channels, ...) += b, then perhaps relu, in place."""
        inner = y.size // max(y.shape[0] * y.shape[1], 1)
        self.launcher.each("kernels", "bias_act", y.size, y, b, y.shape[1], inner, int(relu), like=y)
        return y

    def _product(
        self, word: str, window: Window, groups: int, rows: int, columns: int, largest: int, *args: Any
    ) -> None:
        """A product of (rows, columns) for each group, by tiles or, with few rows, element by element."""
        wide = max(largest, rows * columns) > NARROW
        if rows <= FEW:
            grid, name = (min(-(-rows * columns // THREADS), 2**16), 1, groups), f"{word}_direct"
        else:
            tile, blocks = self._tile(rows, columns, groups)
            grid, name = (*blocks, groups), f"{word}_{tile[0]}x{tile[1]}"
        self.launcher.grid("conv", name, grid, THREADS, *args, like=args[0], wide=wide, kernel=_fixed(window))

    def _tile(self, rows: int, columns: int, groups: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The tile with the least expected time, and the grid (columns, rows). A round gives each processor a block."""
        best: tuple[float, tuple[int, int], tuple[int, int]] | None = None
        for tile, efficiency in TILES.items():
            blocks = -(-columns // tile[1]), -(-rows // tile[0])
            rounds = -(-blocks[0] * blocks[1] * groups // self.launcher.processors)
            cost = rounds * tile[0] * tile[1] / efficiency
            if blocks[1] < 2**16 and (best is None or cost < best[0]):
                best = cost, tile, blocks
        assert best is not None, "the smallest tile has 32 rows, and no tensor has 2**21 channels"
        return best[1], best[2]

    def _batched(self, w: Array, x: Array, out: Array, transposed: bool) -> None:
        """out[n] = w @ x[n], or w.T @ x[n], as one strided batch: w 2-d, x (N, K, P), out (N, M, P), all contiguous.

        cuBLAS thinks column by column: it sees every matrix turned, so it is asked for out.T = x.T @ w.T.
        """
        (n, k, p), m = x.shape, out.shape[1]
        if 0 in (n, k, p, m):
            out.fill(0)
            return
        kind = {"float16": 2, "float32": 0, "float64": 1}[x.dtype.name]  # cudaDataType
        precise = x.dtype == np.float64
        cublas = self.launcher.cublas
        one, zero = np.array([1, 0], np.float64 if precise else np.float32).reshape(2, 1)
        cublas.gemmStridedBatchedEx(
            self.xp.cuda.device.get_cublas_handle(), cublas.CUBLAS_OP_N,
            cublas.CUBLAS_OP_T if transposed else cublas.CUBLAS_OP_N,
            p, m, k, one.ctypes.data, x.data.ptr, kind, p, k * p, w.data.ptr, kind, w.shape[1], 0,
            zero.ctypes.data, out.data.ptr, kind, p, m * p, n,
            cublas.CUBLAS_COMPUTE_64F if precise else cublas.CUBLAS_COMPUTE_32F, -1,
        )  # fmt: skip


def _ours(x: Array, groups: int) -> bool:
    """Whether the kernels are written for these arrays."""
    return x.dtype.name in ("float16", "float32", "float64") and groups <= MOST_GROUPS


def _plain(window: Window) -> bool:
    """Whether a convolution is a matrix product as it stands."""
    return window.taps == 1 and window.stride == (1, 1) and window.padding == (0, 0)


def _fixed(window: Window) -> int:
    kh, kw = window.kernel
    return kh if kh == kw and kh in FIXED else 0
