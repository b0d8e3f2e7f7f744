"""The GPU, in PyTorch's words: `minigrad.cuda.is_available()`, streams, events, memory, and captured steps."""

from minigrad.cuda.device import (
    current_device,
    device_count,
    empty_cache,
    get_device_capability,
    get_device_name,
    is_available,
    mem_get_info,
    memory_allocated,
    memory_reserved,
    set_device,
    synchronize,
)
from minigrad.cuda.graphs import GraphedStep, graph, make_graphed_step
from minigrad.cuda.streams import Event, Stream, current_stream, default_stream, stream

__all__ = [
    "Event",
    "GraphedStep",
    "Stream",
    "current_device",
    "current_stream",
    "default_stream",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "graph",
    "is_available",
    "make_graphed_step",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "set_device",
    "stream",
    "synchronize",
]
