"""The kernels compile for real GPUs: NVRTC's wheel needs no GPU. Any warning fails."""

from __future__ import annotations

import ctypes
import importlib.util
from functools import lru_cache
from pathlib import Path

import pytest

from minigrad.backends.cuda_launch import options, source

TARGETS = ("sm_75", "sm_80", "sm_90")
FILES = ("kernels", "windows", "conv", "linear", "exchange")
# Every file for every target, and everything else for one of them.
CASES = [
    *[(target, file, "float32", False, 0) for target in TARGETS for file in FILES],
    *[("sm_80", file, dtype, False, 0) for dtype in ("float16", "float64") for file in FILES],
    *[("sm_80", "windows", dtype, False, 0) for dtype in ("int64", "uint8", "bool")],
    ("sm_80", "exchange", "int64", False, 0),
    *[("sm_80", file, "float32", True, 0) for file in FILES],
    *[("sm_80", "conv", "float32", False, kernel) for kernel in (3, 5)],
]


@lru_cache
def nvrtc() -> ctypes.CDLL | None:
    """The compiler's library, if its wheel (nvidia-cuda-nvrtc) is installed."""
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or []) if found else []:
        for library in sorted(Path(folder).glob("*/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(library))
    return None


def compile_for(target: str, text: str, flags: tuple[str, ...]) -> tuple[int, str]:
    """NVRTC's verdict and everything it says."""
    library = nvrtc()
    assert library is not None
    program = ctypes.c_void_p()
    made = library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    assert made == 0
    given = [f"--gpu-architecture={target}".encode(), *(flag.encode() for flag in flags)]
    verdict = library.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return verdict, log.value.decode()


needs_nvrtc = pytest.mark.skipif(nvrtc() is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc")


@needs_nvrtc
@pytest.mark.parametrize(("target", "file", "dtype", "wide", "kernel"), CASES)
def test_kernels_compile_without_a_warning(target: str, file: str, dtype: str, wide: bool, kernel: int) -> None:
    verdict, log = compile_for(target, source(file), options(dtype, wide, kernel))
    assert (verdict, log) == (0, "")


@needs_nvrtc
def test_a_warning_is_seen() -> None:
    verdict, log = compile_for("sm_80", "__global__ void k(int* p) { int unused; *p = 1; }", ())
    assert verdict == 0 and "unused" in log
    verdict, log = compile_for("sm_80", "__global__ void k(int* p) { *p = missing; }", ())
    assert verdict != 0 and "missing" in log
