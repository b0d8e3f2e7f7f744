"""Between host and device: page-locked memory, copies under way, and small numbers that travel with a launch."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from minigrad.backend import Array, Backend
from minigrad.errors import GraphError

from .cuda_launch import Launcher

WORDS = 128  # of one launch, as in cuda_exchange.cu


class Transfers(Backend):
    """Copies that the host does not wait for.

    The GPU reads page-locked memory by itself, some time later. Until then the block must not go back to its pool, whoever
    forgets the array: `_under_way` keeps it, with an event behind the copy.
    """

    launcher: Launcher
    capturing: bool
    _under_way: deque[tuple[Any, Array]]

    def pinned(self, array: Array) -> Array:
        """A copy of a host array in page-locked memory."""
        memory = self.xp.cuda.alloc_pinned_memory(max(array.nbytes, 1))
        copy: Array = np.frombuffer(memory, array.dtype, array.size).reshape(array.shape)
        copy[...] = array
        return copy

    def is_pinned(self, array: Array) -> bool:
        """Whether a host array lies in page-locked memory."""
        owner = array
        while isinstance(owner, (np.ndarray, memoryview)):
            owner = owner.base if isinstance(owner, np.ndarray) else owner.obj  # type: ignore[assignment]
        return isinstance(owner, self.xp.cuda.PinnedMemoryPointer)

    def from_pinned(self, array: Array) -> Array:
        """A device array to which a host array is on its way. It must not be written to before it has arrived."""
        if self.capturing:
            raise GraphError(HOST)
        to = self.xp.empty(array.shape, array.dtype)
        self.overwrite(to, array)
        return to

    def overwrite(self, to: Array, host: Array) -> None:
        """Copy an array over one on the device, without waiting: from page-locked memory in place, else from a copy in it."""
        if isinstance(host, self.array_type):
            to[...] = host
            return
        if not host.size:
            return
        if not (host.flags.c_contiguous and self.is_pinned(host)):
            host = self.pinned(host)
        stream = self.xp.cuda.get_current_stream()
        to.set(host, stream)
        while self._under_way and self._under_way[0][0].done:
            self._under_way.popleft()
        self._under_way.append((stream.record(), host))

    def scalar(self, value: Any, dtype: Any) -> Array:
        """A number as an array without dimensions, filled on the device: asarray would copy it from the host."""
        return self.xp.full((), value, dtype)

    def write_words(self, to: Array, values: Array) -> None:
        """Copy a few 8-byte numbers, one after another, over the front of a device array of them."""
        for start in range(0, values.size, WORDS):
            part = values[start : start + WORDS]
            words = np.zeros(WORDS, np.int64)
            words[: part.size] = part
            packed = self.xp.cuda.function.CNumpyArray(words)
            self.launcher.each("exchange", "write_words", part.size, packed, to[start:], like=to)


HOST = (
    "the step cannot be captured as a CUDA graph: it copies from the host, which a replay would not. Give it as an input; "
    "of random numbers, only dropout's are drawn on the GPU"
)
