"""Compiling the CUDA sources at first use, and launching their kernels."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.backend import Array, Shape
from minigrad.errors import DtypeError
from minigrad.window import Window

THREADS = 256
NARROW = 2**30  # up to here 32-bit indices hold an index and a stride of the grid
MOST_BLOCKS = 2**16
PRODUCTS = ("conv", "linear")  # the files that stand on cuda_product.cuh
MARKS, MOST_PARTS = 17, 256  # of a tile of a product that is cut into parts, as there
EAGER, CAPTURED = 2**16, 2**20  # counters: a ring of them, and those that belong to captured steps for good
NULL = np.uint64(0)  # for a pointer that is not given; CuPy's own None would be no argument at all

_REAL = {
    "float16": "Half",
    "float32": "float",
    "float64": "double",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "bool": "unsigned char",
}


def dense(array: Array) -> Array:
    """An array without gaps: itself, or a copy. (NumPy's ascontiguousarray gives a 0-d array a dimension.)"""
    return array if array.flags.c_contiguous else array.copy()


@lru_cache
def source(file: str) -> str:
    """The text of one .cu file with what all share in front: one string, so that CuPy's cache sees every change."""
    here = Path(__file__).parent
    parts = ["cuda_common.cuh", *(["cuda_product.cuh"] if file in PRODUCTS else []), f"cuda_{file}.cu"]
    return "".join([(here / part).read_text("utf-8") for part in parts])


def options(dtype: str, wide: bool, kernel: int = 0) -> tuple[str, ...]:
    """The compiler's options for an element type, 64-bit indices (`wide`) and a fixed square window (`kernel`)."""
    chosen = ["--std=c++17", f"-DREAL={_REAL[dtype]}"]
    if wide:
        chosen.append("-DWIDE")
    if kernel:
        chosen.append(f"-DKERNEL={kernel}")
    return tuple(chosen)


class Launcher:
    """The kernels of one device, compiled per file, element type and index width when they are first asked for."""

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        self.cublas = importlib.import_module("cupy_backends.cuda.libs.cublas")
        self.processors: int = cupy.cuda.Device().attributes["MultiProcessorCount"]
        self._counters = cupy.zeros(EAGER + CAPTURED, np.uint32)
        self._next_eager, self._next_captured = 0, EAGER
        self._modules: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._functions: dict[tuple[str, str, str, bool, int], Any] = {}

    def function(self, file: str, name: str, dtype: str, wide: bool, kernel: int = 0) -> Any:
        """A kernel of cuda_<file>.cu for an element type.

        Raises:
            DtypeError: if no kernel is written for it.
        """
        key = (file, name, dtype, wide, kernel)
        try:
            return self._functions[key]
        except KeyError:
            pass
        if dtype not in _REAL:
            raise DtypeError(f"{name}(): not implemented for {dtype} on CUDA")
        module = (file, options(dtype, wide, kernel))
        if module not in self._modules:
            self._modules[module] = self.cupy.RawModule(code=source(file), options=module[1])
        self._functions[key] = self._modules[module].get_function(name)
        return self._functions[key]

    def each(self, file: str, name: str, total: int, *args: Any, like: Array, largest: int = 0) -> None:
        """Launch a kernel with a thread for each of `total` elements, its last argument, for the type of `like`."""
        if total == 0:
            return
        wide = max(total, largest) > NARROW
        blocks = min(-(-total // THREADS), MOST_BLOCKS)
        self.grid(file, name, (blocks,), THREADS, *args, total, like=like, wide=wide)

    def grid(
        self,
        file: str,
        name: str,
        blocks: tuple[int, ...],
        threads: int,
        *args: Any,
        like: Array,
        wide: bool,
        kernel: int = 0,
    ) -> None:
        """Launch a kernel: Python integers become indices of the right width, a Geometry its struct, None a null."""
        index = np.int64 if wide else np.int32
        ready = []
        for a in args:
            if type(a) is int:
                a = index(a)
            elif type(a) is Geometry:
                a = a.packed(wide, self)
            ready.append(NULL if a is None else a)
        self.function(file, name, like.dtype.name, wide, kernel)(blocks, (threads,), tuple(ready))

    def counters(self, tiles: int, captured: bool) -> Array | None:
        """Counters for the tiles of a product in parts, all 0; None if there are no more for captured steps.

        Each launch leaves its counters as 0, so that eager launches take them from a ring. A captured launch, which may run
        beside any other, has its own.
        """
        wanted = tiles * MARKS
        if captured:
            start, self._next_captured = self._next_captured, self._next_captured + wanted
            return self._counters[start : start + wanted] if start + wanted <= EAGER + CAPTURED else None
        if wanted > EAGER:
            return None
        start = self._next_eager if self._next_eager + wanted <= EAGER else 0
        self._next_eager = start + wanted
        return self._counters[start : start + wanted]

    @lru_cache(maxsize=4096)  # noqa: B019 - one launcher lives as long as the process
    def pack(self, numbers: tuple[int, ...], wide: bool) -> Any:
        """Integers as a struct that a kernel takes by value."""
        return self.cupy.cuda.function.CNumpyArray(np.array(numbers, np.int64 if wide else np.int32))


class Geometry:
    """The numbers of a convolution or pooling, in the order of the struct of that name in cuda_common.cuh."""

    __slots__ = ("numbers",)

    def __init__(self, x_shape: Shape, window: Window, filters: int = 0, groups: int = 1) -> None:
        (n, c, h, w), (oh, ow) = x_shape, window.out_size(*x_shape[2:])
        self.numbers = (
            n, c, h, w, filters, oh, ow,
            *window.kernel, *window.stride, *window.padding, *window.dilation, groups,
        )  # fmt: skip

    def packed(self, wide: bool, launcher: Launcher) -> Any:
        """The struct, by value."""
        return launcher.pack(self.numbers, wide)
