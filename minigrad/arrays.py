"""Where a backend's arrays live: how they come and go, and what must not be waited for.

The arrays of most backends live on the host, and then there is nothing to say here. A device works on its own, behind the host: a look at a
value would make the host wait for all work before it. The words of the second half are for that.
"""

from __future__ import annotations

from typing import Any

Array = Any  # numpy.ndarray, cupy.ndarray, ...: whatever `xp` makes
Shape = tuple[int, ...]


class Arrays:
    """The words of a backend that are no arithmetic."""

    xp: Any = None  # an array namespace with NumPy's names
    capturing: bool = False  # a graph is being recorded: what the host computes now would be the same in every replay

    @property
    def array_type(self) -> type:
        """The class of this backend's arrays."""
        return self.xp.ndarray

    def from_numpy(self, array: Array) -> Array:
        """A host array as this backend's; shares memory where it can."""
        return self.xp.asarray(array)

    def to_numpy(self, array: Array) -> Array:
        """This backend's array as a host array; shares memory where it can."""
        return array

    def is_pinned(self, array: Array) -> bool:
        """Whether a host array lies in memory that this backend's device reads by itself."""
        return False

    def from_pinned(self, array: Array) -> Array:
        """As from_numpy, of an array that is pinned: the copy may still be under way."""
        return self.from_numpy(array)

    def synchronize(self) -> None:
        """Wait until all work that was handed to the device is done."""

    def num_threads(self) -> int:
        """How many threads its kernels use."""
        return 1

    def set_num_threads(self, count: int) -> None:
        """Use so many threads from now on; a backend without threads of its own has nothing to set."""

    def memory_stats(self) -> dict[str, int]:
        """What its own memory pool holds, in bytes; empty without one."""
        return {}

    def empty_cache(self) -> None:
        """Give memory that is kept for reuse back to the system."""

    def report_outside(self, index: Array, size: int, text: str) -> bool:
        """Promise an IndexError(text with the index in it) for an index outside [0, size), as soon as a value is asked for.

        False: the caller looks itself, which costs nothing where nobody has to wait for a device.
        """
        return False

    def noise(self, shape: Shape, keep: float, value: float, dtype: Any) -> Array | None:
        """`value` with probability `keep`, else 0, drawn on the device; None where the host is to draw, as it usually is."""
        return None

    def scalar(self, value: Any, dtype: Any) -> Array:
        """A number as an array without dimensions."""
        return self.xp.asarray(value, dtype=dtype)

    def _zero(self, dtype: Any) -> Array:
        """A 0 without dimensions; made once per type, since making one takes as long as a small operation."""
        zeros: dict[Any, Array] = self.__dict__.setdefault("_zeros", {})
        if dtype not in zeros:
            zeros[dtype] = self.xp.zeros((), dtype)
        return zeros[dtype]
