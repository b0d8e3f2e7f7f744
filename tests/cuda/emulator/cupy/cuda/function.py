"""cupy.cuda.function, emulated: values that are passed to kernels by address."""

from __future__ import annotations

import numpy as np


class CPointer:
    """The address of an argument."""

    ptr: int
    size: int


class CNumpyArray(CPointer):
    """A host array whose bytes are the argument: how a struct is passed by value."""

    def __init__(self, value: np.ndarray) -> None:
        self.value = value
        self.ptr = value.__array_interface__["data"][0]
        self.size = value.nbytes
