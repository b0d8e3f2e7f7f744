"""cupy.cuda, emulated."""

from __future__ import annotations

from typing import Any

from .._stream import (
    Device,
    Event,
    Graph,
    MemoryPool,
    OutOfMemoryError,
    PinnedMemoryPointer,
    PinnedMemoryPool,
    Stream,
    default_pool,
    get_current_stream,
    get_elapsed_time,
    pinned_pool,
    set_allocator,
    using_allocator,
)
from . import device, function, runtime


def is_available() -> bool:
    return True


def alloc_pinned_memory(size: int) -> Any:
    """Page-locked host memory: here just memory, with the buffer protocol."""
    return PinnedMemoryPointer(max(size, 1))


__all__ = [
    "Device",
    "Event",
    "Graph",
    "MemoryPool",
    "OutOfMemoryError",
    "PinnedMemoryPointer",
    "PinnedMemoryPool",
    "Stream",
    "default_pool",
    "device",
    "function",
    "get_current_stream",
    "get_elapsed_time",
    "pinned_pool",
    "runtime",
    "set_allocator",
    "using_allocator",
]
