"""The order in which numbers go into an array: as its elements lie in memory, whatever its axes are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Draw = Callable[[tuple[int, ...], bool], Array]  # (shape, no gaps and no turned axes) -> numbers of that shape


def memory_order(array: Array) -> list[int]:
    """The axes, the one with the longest steps first; axes of length one stay where they are."""
    order = list(range(array.ndim))
    places = [axis for axis in order if array.shape[axis] != 1]
    by_step = sorted(places, key=lambda axis: -abs(array.strides[axis]))
    for place, axis in zip(places, by_step, strict=True):
        order[place] = axis
    return order


def fill(array: Array, draw: Draw) -> None:
    """Write random numbers into an array, as PyTorch's in-place methods do."""
    array[...] = _drawn(array, draw, bool(array.flags.c_contiguous))


def filled_like(array: Array, draw: Draw) -> Array:
    """Random numbers in a new array that keeps the order of another's axes in memory, as `rand_like` does."""
    return _drawn(array, draw, memory_order(array) == list(range(array.ndim)))


def _drawn(array: Array, draw: Draw, contiguous: bool) -> Array:
    order = memory_order(array)
    drawn = draw(tuple(array.shape[axis] for axis in order), contiguous)
    return drawn.transpose(np.argsort(order)) if order else drawn
