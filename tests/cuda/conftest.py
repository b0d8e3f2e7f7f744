"""The CUDA backend on the emulated device, for this folder only: elsewhere `cupy` is what is installed, if anything."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

EMULATOR = Path(__file__).parent / "emulator"


def _emulated(name: str) -> bool:
    return name.partition(".")[0] in ("cupy", "cupy_backends")


@pytest.fixture(scope="session")
def _emulation() -> dict[str, ModuleType]:
    """The modules of the emulated CuPy, imported once and out of sight again."""
    before = {name: module for name, module in sys.modules.items() if _emulated(name)}
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(EMULATOR))
    try:
        importlib.import_module("cupy")
        importlib.import_module("cupy_backends.cuda.libs.cublas")
        return {name: module for name, module in sys.modules.items() if _emulated(name)}
    finally:
        sys.path.remove(str(EMULATOR))
        for name in [n for n in sys.modules if _emulated(n)]:
            del sys.modules[name]
        sys.modules.update(before)


@pytest.fixture
def cupy(_emulation: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The emulated CuPy, importable while the test runs."""
    for name in [n for n in sys.modules if _emulated(n)]:
        monkeypatch.delitem(sys.modules, name)
    for name, module in _emulation.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(str(EMULATOR))
    yield _emulation["cupy"]


@pytest.fixture
def cuda(cupy: ModuleType) -> SimpleNamespace:
    """A CudaBackend on the emulated device."""
    from minigrad.backends.cuda_backend import CudaBackend

    return CudaBackend()  # type: ignore[return-value]
