"""cupy.RawModule, emulated: CUDA source compiled for the host, and launches checked against the kernel's parameters."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from . import _stream
from ._core import ndarray
from .cuda.function import CNumpyArray

_HEADER = Path(__file__).resolve().parents[1] / "cuda_host.h"
_FLAGS = (
    "-std=c++17 -O2 -g1 -fPIC -shared -fvisibility=hidden -fno-gnu-unique -U_FORTIFY_SOURCE "
    "-Wall -Wextra -Werror -Wno-unused-parameter -Wno-unknown-pragmas"
).split()
_KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([\w, ]+\)\s+)?(\w+)\(')
_running = threading.Lock()  # the emulated device does one thing at a time

launches = 0


class RawModule:
    """Kernels of one source file, compiled at first use and kept in a folder for the next process."""

    def __init__(self, code: str, *, options: tuple[str, ...] = (), **_: Any) -> None:
        self.code = code
        self.options = options
        self.names = _kernels(code, options)
        self._library: ctypes.CDLL | None = None

    def get_function(self, name: str) -> RawKernel:
        if name not in self.names:
            raise _stream.CUDARuntimeError(f"CUDA_ERROR_NOT_FOUND: named symbol not found ({name})")
        return RawKernel(self, name)

    def compile(self) -> ctypes.CDLL:
        if self._library is None:
            self._library = ctypes.CDLL(str(self._build()))
        return self._library

    def _build(self) -> Path:
        defines = [o for o in self.options if o.startswith("-D")]
        extra = os.environ.get("CUDA_HOST_CXXFLAGS", "").split()
        text = self.code + "\n" + "\n".join(f"HOST_KERNEL({name})" for name in self.names) + "\n"
        key = hashlib.sha256("\0".join([text, _HEADER.read_text(), *defines, *extra, *_FLAGS]).encode()).hexdigest()[
            :24
        ]
        folder = Path(
            os.environ.get("CUDA_HOST_CACHE") or Path(tempfile.gettempdir()) / f"minigrad-cuda-host-{os.getuid()}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{key}.so"
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=folder) as place:
                source, made = Path(place) / "kernels.cpp", Path(place) / "kernels.so"
                source.write_text(text)
                command = ["g++", *_FLAGS, *extra, *defines, "-include", str(_HEADER), str(source), "-o", str(made)]
                done = subprocess.run(command, capture_output=True, text=True, env=_environment())
                if done.returncode:
                    raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
                made.replace(target)
        return target


def _kernels(code: str, options: tuple[str, ...]) -> list[str]:
    """The names of all kernels, those that macros write included."""
    defines = [o for o in options if o.startswith("-D")]
    command = ["g++", "-E", "-P", *defines, "-x", "c++", "-"]
    plain = subprocess.run(command, input=code, capture_output=True, text=True, env=_environment(), check=True).stdout
    return _KERNEL.findall(plain)


def _environment() -> dict[str, str]:
    """The compiler itself does not run under a preloaded sanitizer."""
    return {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}


class RawKernel:
    """One kernel; calling it launches it."""

    def __init__(self, module: RawModule, name: str) -> None:
        library = module.compile()
        self.name = name
        self._launch = getattr(library, f"launch_{name}")
        self._launch.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
        self._launch.restype = ctypes.c_char_p
        signature = getattr(library, f"signature_{name}")
        signature.restype = ctypes.c_char_p
        self.signature: list[str] = signature().decode().split()

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], *, shared_mem: int = 0
    ) -> None:
        global launches
        grid, block = tuple(grid) + (1,) * (3 - len(grid)), tuple(block) + (1,) * (3 - len(block))
        self._check_launch(grid, block, shared_mem)
        if len(args) != len(self.signature):
            raise TypeError(f"{self.name}: {len(args)} arguments for {len(self.signature)} parameters")
        held = [self._argument(i, a, p) for i, (a, p) in enumerate(zip(args, self.signature, strict=True))]
        pointers = (ctypes.c_void_p * len(held))(*[p for p, _ in held])
        dims = (ctypes.c_uint * 6)(*grid, *block)
        launches += 1

        def run(args: Any = args, held: Any = held) -> None:
            with _running:
                error = self._launch(dims, shared_mem, pointers)
            if error is not None:
                raise _stream.CUDARuntimeError(f"{self.name}: {error.decode()}")

        _stream.work(run)

    def _check_launch(self, grid: tuple[int, ...], block: tuple[int, ...], shared: int) -> None:
        threads = block[0] * block[1] * block[2]
        if not (
            min(grid + block) >= 1
            and grid[0] < 2**31
            and max(grid[1:]) < 2**16
            and max(block[:2]) <= 1024
            and block[2] <= 64
            and threads <= 1024
        ):
            raise _stream.CUDARuntimeError(
                f"CUDA_ERROR_INVALID_VALUE: invalid argument ({self.name}: {grid=}, {block=})"
            )
        if shared > 48 * 1024:
            raise _stream.CUDARuntimeError(
                f"CUDA_ERROR_INVALID_VALUE: invalid argument ({self.name}: shared_mem={shared})"
            )

    def _argument(self, place: int, value: Any, parameter: str) -> tuple[int, Any]:
        """The address of an argument's bytes and what keeps them alive, after a check that a device would not make."""
        if parameter[0] == "v":
            if isinstance(value, CNumpyArray):
                size, pointer, keep = value.size, value.ptr, value
            else:
                scalar = np.asarray(value)
                if scalar.ndim or isinstance(value, (ndarray, np.ndarray)):
                    raise TypeError(f"{self.name}: argument {place} is an array for parameter {parameter!r}")
                size, pointer, keep = scalar.itemsize, scalar.__array_interface__["data"][0], scalar
            if size != int(parameter[1:]):
                raise TypeError(
                    f"{self.name}: argument {place} is {value!r} of {size} bytes for parameter {parameter!r}"
                )
            return pointer, keep
        if isinstance(value, np.uint64) and value == 0:
            address = ctypes.c_void_p(0)
            return ctypes.addressof(address), address
        if not isinstance(value, ndarray):
            raise TypeError(f"{self.name}: argument {place} is {value!r} for parameter {parameter!r}")
        kind = "u" if value.dtype.kind == "b" else value.dtype.kind
        if parameter[1:] != f"{kind}{value.dtype.itemsize}":
            raise TypeError(f"{self.name}: argument {place} is an array of {value.dtype} for parameter {parameter!r}")
        if not value.flags.c_contiguous:
            raise ValueError(f"{self.name}: argument {place} is not contiguous, strides {value.strides}")
        address = ctypes.c_void_p(value.data.ptr)
        return ctypes.addressof(address), (address, value)
