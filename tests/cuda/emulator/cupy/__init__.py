"""CuPy, emulated on the host for minigrad's tests: NumPy's arithmetic behind CuPy's manners.

Arrays are a class of their own and mix with NumPy's as little as a device's would; kernels are compiled
from CUDA source for the host (`_module.py`); streams can be captured into graphs, during which nothing
runs. What differs from NumPy in CuPy differs here: reductions give 0-d arrays, reading a value counts
as a synchronisation, warnings are silent, an index out of range wraps around.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core, cuda
from ._core import asarray, asnumpy, ndarray
from ._module import RawModule

__version__ = "14.0.0+emulated"

# What NumPy has and CuPy 14 lacks.
_ABSENT = frozenset(
    "asmatrix block bmat bytes_ character clongdouble complex256 datetime64 einsum_path errstate flexible float128 "
    "frompyfunc fromregex geomspace get_include geterr geterrcall histogram_bin_edges insert isnat longdouble matrix "
    "matvec memmap nanpercentile nanquantile ndenumerate nditer nested_iters object_ polyder polydiv polyint recarray "
    "record seterr seterrcall spacing str_ timedelta64 unstack vecdot vecmat void test info".split()
)

array = _core.array
ascontiguousarray = _core.ascontiguousarray
empty = _core.empty
empty_like = _core.empty_like
take_along_axis = _core.take_along_axis
take = _core.take
add = _core.Ufunc(np.add)
subtract = _core.Ufunc(np.subtract)
maximum = _core.Ufunc(np.maximum)
minimum = _core.Ufunc(np.minimum)


def __getattr__(name: str) -> Any:
    if name in _ABSENT or name.startswith("_") or not hasattr(np, name):
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")
    found = getattr(np, name)
    if isinstance(found, type) or not callable(found):  # dtypes, constants
        return found
    wrapped = _core.function(found)
    globals()[name] = wrapped
    return wrapped


def get_default_memory_pool() -> cuda.MemoryPool:
    return cuda.default_pool


def get_default_pinned_memory_pool() -> cuda.PinnedMemoryPool:
    return cuda.pinned_pool


__all__ = ["RawModule", "asarray", "asnumpy", "cuda", "ndarray"]
