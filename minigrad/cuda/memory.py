"""How much of a GPU's memory is in use."""

from __future__ import annotations

from typing import Any

from minigrad.cuda.device import checked_index, cupy, is_available


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors occupy; 0 where CUDA is not available."""
    return int(cupy().get_default_memory_pool().used_bytes()) if is_available() else 0


def memory_reserved(device: Any = None) -> int:
    """Bytes taken from the GPU: tensors, and blocks kept for new ones."""
    return int(cupy().get_default_memory_pool().total_bytes()) if is_available() else 0


class _Peak:
    """The largest number of bytes in use. Every allocation is looked at, but only from the first reset on."""

    counted: int | None = None  # None: nobody has asked yet
    reserved = 0

    @classmethod
    def allocate(cls, size: int) -> Any:
        """What CuPy calls for memory."""
        pool = cupy().get_default_memory_pool()
        memory = pool.malloc(size)
        cls.counted = max(cls.counted or 0, int(pool.used_bytes()))
        return memory


def reset_peak_memory_stats(device: Any = None) -> None:
    """Begin anew with the largest numbers of bytes; from the first call on they are counted at every allocation."""
    if not is_available():
        return
    if _Peak.counted is None:
        cupy().cuda.set_allocator(_Peak.allocate)
    _Peak.counted, _Peak.reserved = memory_allocated(), memory_reserved()


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that tensors occupied since reset_peak_memory_stats; without one, the most that were reserved."""
    return max_memory_reserved(device) if _Peak.counted is None else max(_Peak.counted, memory_allocated(device))


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes taken from the GPU since reset_peak_memory_stats or the start."""
    _Peak.reserved = max(_Peak.reserved, memory_reserved(device))
    return _Peak.reserved


def memory_stats(device: Any = None) -> dict[str, int]:
    """The numbers of this module under PyTorch's names; empty where CUDA is not available."""
    if not is_available():
        return {}
    return {
        "allocated_bytes.all.current": memory_allocated(device),
        "allocated_bytes.all.peak": max_memory_allocated(device),
        "reserved_bytes.all.current": memory_reserved(device),
        "reserved_bytes.all.peak": max_memory_reserved(device),
    }


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes that are free on the GPU, and all it has."""
    free, total = cupy().cuda.Device(checked_index(device)).mem_info
    return int(free), int(total)


def empty_cache() -> None:
    """Give blocks that no tensor uses back to the GPU."""
    if is_available():
        max_memory_reserved()  # what it was before this
        cupy().get_default_memory_pool().free_all_blocks()
        cupy().get_default_pinned_memory_pool().free_all_blocks()
