"""Streams and events: work in order, work side by side, and how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minigrad.cuda.device import cupy


class Stream:
    """A queue of work. Operations go to the current stream, and run in order within one."""

    def __init__(self, device: Any = None, priority: int = 0, *, raw: Any = None) -> None:
        if raw is None:
            raw = cupy().cuda.Stream(non_blocking=True, priority=priority or None)
        self.raw = raw  # CuPy's

    @property
    def cuda_stream(self) -> int:
        """The address of the CUDA object, for other libraries."""
        return int(self.raw.ptr)

    def synchronize(self) -> None:
        """Wait until all work of this stream is done."""
        self.raw.synchronize()

    def query(self) -> bool:
        """Whether all work of this stream is done."""
        return bool(self.raw.done)

    def record_event(self, event: Event | None = None) -> Event:
        """Mark this place in the queue."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let what comes after wait for an event; the host goes on."""
        self.raw.wait_event(event.raw)

    def wait_stream(self, other: Stream) -> None:
        """Let what comes after wait for all that is in another stream now."""
        self.wait_event(other.record_event())

    def __enter__(self) -> Stream:
        self.raw.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.raw.__exit__(*error)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.cuda_stream == other.cuda_stream

    def __hash__(self) -> int:
        return hash(self.cuda_stream)

    def __repr__(self) -> str:
        return f"<minigrad.cuda.Stream cuda_stream={self.cuda_stream:#x}>"


class Event:
    """A mark in a stream. With `enable_timing`, the time between two can be asked for."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
        self.enable_timing = enable_timing
        self.raw = cupy().cuda.Event(block=blocking, disable_timing=not enable_timing)  # CuPy's

    def record(self, stream: Stream | None = None) -> None:
        """Mark the place that a stream has reached, by default the current one."""
        self.raw.record(None if stream is None else stream.raw)

    def wait(self, stream: Stream | None = None) -> None:
        """Let a stream wait for this mark, by default the current one."""
        (current_stream() if stream is None else stream).wait_event(self)

    def query(self) -> bool:
        """Whether the work before the mark is done."""
        return bool(self.raw.done)

    def synchronize(self) -> None:
        """Wait until the work before the mark is done."""
        self.raw.synchronize()

    def elapsed_time(self, end: Event) -> float:
        """Milliseconds from this mark to another; both must have been reached.

        Raises:
            RuntimeError: if one of them was made without enable_timing.
        """
        if not (self.enable_timing and end.enable_timing):
            raise RuntimeError("Both events must be created with argument 'enable_timing=True'.")
        return float(cupy().cuda.get_elapsed_time(self.raw, end.raw))


def current_stream(device: Any = None) -> Stream:
    """The stream that operations go to."""
    return Stream(raw=cupy().cuda.get_current_stream())


def default_stream(device: Any = None) -> Stream:
    """The stream that operations go to unless told otherwise."""
    return Stream(raw=cupy().cuda.Stream.null)


def set_stream(stream: Stream | None) -> None:
    """Send operations to another stream from now on; None changes nothing."""
    if stream is not None:
        stream.raw.use()


@contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """Send operations to another stream inside a `with` block; None changes nothing."""
    if stream is None:
        yield
    else:
        with stream:
            yield
