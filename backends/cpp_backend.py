"""NumPy arrays with compiled kernels: what the extension `_cpp` does faster, it does here."""

from __future__ import annotations

from . import _cpp
from .numpy_backend import NumpyBackend


class CppBackend(NumpyBackend):
    """NumPy arrays on the CPU, with kernels in C++."""

    name = "cpp"
    kernels = _cpp
