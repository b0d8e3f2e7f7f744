"""The memory below an array: how much of it there is, where in it the array begins, another shape on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backend import Array
from minigrad.registry import backend_of


def storage(array: Array) -> tuple[Array, int]:
    """All elements of the memory that an array lies in, in a row, and the place of the array's first one.

    Arrays that are not NumPy's count as their whole memory.
    """
    if not isinstance(array, np.ndarray):
        return array.reshape(-1), 0
    root: Any = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    low, high = np.lib.array_utils.byte_bounds(root)
    row = np.lib.stride_tricks.as_strided(root, ((high - low) // root.itemsize,), (root.itemsize,))
    ahead = array.ctypes.data - low
    if root.dtype != array.dtype:
        size = array.itemsize
        row = row.view(np.uint8)[: row.nbytes // size * size].view(array.dtype)
    return row, ahead // array.itemsize


def resized(array: Array, shape: tuple[int, ...]) -> Array:
    """Another shape on an array's memory, its elements in order; new memory where there is too little, the old elements first."""
    count = int(np.prod(shape, dtype=np.int64))
    row, first = storage(array)
    if count > row.size - first or not isinstance(array, np.ndarray):
        more = backend_of(array).xp.empty(max(count, 0), array.dtype)
        kept = min(row.size - first, count)
        more[:kept] = row[first : first + kept]
        return more.reshape(shape)
    return row[first : first + count].reshape(shape)
