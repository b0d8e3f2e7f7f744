"""Streams, captures, memory pools and the count of synchronisations of the emulated device."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class CUDARuntimeError(RuntimeError):
    """What CuPy raises for an error of the CUDA runtime."""


class OutOfMemoryError(MemoryError):
    """What CuPy raises where no memory is left."""


synchronisations = 0  # how often the host waited for the device
allocations = 0  # blocks taken from a pool
asynchronous_copies = 0  # from page-locked memory, which the device reads by itself
_capture: list[list[Callable[[], Any]]] = []
_invalid = False


def capturing() -> list[Callable[[], Any]] | None:
    return _capture[-1] if _capture else None


def work(run: Callable[[], Any]) -> None:
    """Hand the device something to do: done now or, in a capture, noted down for replays."""
    record = capturing()
    if record is None:
        run()
    else:
        record.append(run)


def synchronisation(why: str) -> None:
    global synchronisations, _invalid
    if capturing() is not None:
        _invalid = True
        raise CUDARuntimeError(
            f"cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing ({why})"
        )
    synchronisations += 1


def keep(owner: np.ndarray) -> None:
    """What a capture makes lives as long as the graph, as memory of a pool of the graph's own does."""
    if capturing() is not None:

        def kept() -> np.ndarray:
            return owner

        kept.keeps = True  # type: ignore[attr-defined]
        work(kept)


def host_copy(host: np.ndarray) -> None:
    """A copy from host memory: a capture would keep the address, not the values."""
    if capturing() is not None:
        synchronisation("a copy from host memory")


# -------------------------------------------------------------------- memory


class MemoryPool:
    """Counts what is alive; blocks are rounded up to 512 bytes as on the device."""

    def __init__(self, allocator: Any = None) -> None:
        self.used = 0
        self.total = 0
        self.limit = 0

    def malloc(self, size: int) -> MemoryPool:
        if self.limit and self.used + size > self.limit:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes (allocated so far: {self.used:,} bytes).")
        self.used += size
        self.total = max(self.total, self.used)
        return self

    def _free(self, size: int) -> None:
        self.used -= size

    def used_bytes(self) -> int:
        return self.used

    def total_bytes(self) -> int:
        return self.total

    def free_bytes(self) -> int:
        return self.total - self.used

    def free_all_blocks(self, stream: Any = None) -> None:
        self.total = self.used

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        self.limit = size or 0


class PinnedMemoryPointer(bytearray):
    """A block of page-locked memory: NumPy sees it through the buffer protocol."""


class PinnedMemoryPool:
    def free_all_blocks(self) -> None:
        pass

    def n_free_blocks(self) -> int:
        return 0


default_pool = MemoryPool()
pinned_pool = PinnedMemoryPool()
_allocators: list[Any] = [default_pool.malloc]
_known: dict[int, Any] = {}


def account(owner: np.ndarray) -> None:
    """Enter fresh memory into the current pool, once; leave when its last array does."""
    key = id(owner)
    if key in _known:
        return
    global allocations
    allocations += 1
    size = -(-owner.nbytes // 512) * 512
    pool = _allocators[-1](size)

    def gone() -> None:
        _known.pop(key, None)
        pool._free(size)

    _known[key] = weakref.finalize(owner, gone)
    _known[key].atexit = False


@contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    _allocators.append(allocator or default_pool.malloc)
    try:
        yield
    finally:
        _allocators.pop()


def set_allocator(allocator: Any = None) -> None:
    _allocators[0] = allocator or default_pool.malloc


# -------------------------------------------------------------------- streams


class Graph:
    """What was noted down during a capture; launch() does it."""

    def __init__(self, record: list[Callable[[], Any]]) -> None:
        self.record = record

    @property
    def launches(self) -> int:
        """How many nodes a device's graph would have: kernels, copies, fills."""
        return sum(not getattr(run, "keeps", False) for run in self.record)

    def launch(self, stream: Any = None) -> None:
        if capturing() is not None:
            raise NotImplementedError("a graph inside a graph is not emulated")
        for run in self.record:
            run()

    def upload(self, stream: Any = None) -> None:
        pass


class Stream:
    """All streams of the emulated device do their work at once and in order."""

    null: Stream
    _current: list[Stream] = []

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: Any = None
    ) -> None:
        self.is_null = null
        self.ptr = 0 if null else id(self)
        self._record: list[Callable[[], Any]] | None = None

    def __enter__(self) -> Stream:
        Stream._current.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        Stream._current.pop()

    def use(self) -> Stream:
        Stream._current[:] = [self]
        return self

    done = True

    def synchronize(self) -> None:
        synchronisation("waiting for a stream")

    def record(self, event: Any = None) -> Any:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Any) -> None:
        pass

    def begin_capture(self, mode: Any = None) -> None:
        global _invalid
        if self.is_null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        _invalid = False
        self._record = []
        _capture.append(self._record)

    def end_capture(self) -> Graph:
        global _invalid
        record, self._record = self._record, None
        if record is None:
            raise RuntimeError("end_capture without begin_capture")
        _capture.remove(record)
        if _invalid:
            _invalid = False
            raise CUDARuntimeError(
                "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture"
            )
        return Graph(record)

    def is_capturing(self) -> bool:
        return self._record is not None


Stream.null = Stream(null=True)


def get_current_stream(device_id: int = -1) -> Stream:
    return Stream._current[-1] if Stream._current else Stream.null


class Event:
    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.time: float | None = None

    done = True

    def record(self, stream: Any = None) -> None:
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        synchronisation("waiting for an event")


def get_elapsed_time(start: Event, end: Event) -> float:
    assert start.time is not None and end.time is not None
    return (end.time - start.time) * 1e3


class Device:
    """The one device there is."""

    attributes = {"MultiProcessorCount": 4}
    compute_capability = "80"
    mem_info = (8 << 30, 16 << 30)

    def __init__(self, device: int | None = None) -> None:
        self.id = device or 0
        if self.id != 0:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def use(self) -> Device:
        return self

    def synchronize(self) -> None:
        synchronisation("waiting for the device")

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id
