"""The GPU, in PyTorch's words: `minigrad.cuda.is_available()`, streams, events, memory, and captured steps."""

from typing import Any

from minigrad.cuda.device import (
    DeviceProperties,
    current_device,
    device,
    device_count,
    get_arch_list,
    get_device_capability,
    get_device_name,
    get_device_properties,
    ipc_collect,
    is_available,
    is_bf16_supported,
    is_initialized,
    manual_seed,
    manual_seed_all,
    seed,
    seed_all,
    set_device,
    synchronize,
)
from minigrad.cuda.graphs import (
    GraphedStep,
    graph,
    is_current_stream_capturing,
    make_graphed_step,
)
from minigrad.cuda.memory import (
    empty_cache,
    max_memory_allocated,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_reserved,
    memory_stats,
    reset_peak_memory_stats,
)
from minigrad.cuda.streams import (
    Event,
    Stream,
    current_stream,
    default_stream,
    set_stream,
    stream,
)

__all__ = [
    "DeviceProperties",
    "Event",
    "GraphedStep",
    "Stream",
    "current_device",
    "current_stream",
    "default_stream",
    "device",
    "device_count",
    "empty_cache",
    "get_arch_list",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "graph",
    "ipc_collect",
    "is_available",
    "is_bf16_supported",
    "is_current_stream_capturing",
    "is_initialized",
    "make_graphed_step",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "reset_peak_memory_stats",
    "seed",
    "seed_all",
    "set_device",
    "set_stream",
    "stream",
    "synchronize",
]


def __getattr__(name: str) -> Any:
    """PyTorch's older place for mixed precision: `minigrad.cuda.amp.autocast()`."""
    if name != "amp":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from minigrad.amp import legacy

    return legacy
