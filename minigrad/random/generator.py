"""The source of random bits: MT19937, seeded, read and saved as PyTorch's CPU generator does it.

A word is one output of the Mersenne Twister, 32 bits; a long word is two of them, the first one high.
`numpy.random.RandomState` yields the same words for the same seed and promises never to change, so it
turns the crank; it is made on first use because importing numpy.random costs more than minigrad itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from numpy.random import RandomState

Words = npt.NDArray[np.uint32]
LongWords = npt.NDArray[np.uint64]

DEFAULT_SEED = 67280421310721  # what PyTorch gives a Generator() that nobody has seeded
STATE_WORDS = 624

# The 5056 bytes of PyTorch's `get_state`. `left` counts the words of the current batch that are still
# to come, plus one; `next` is the place of the next one. normal_x and normal_rho are unused.
_STATE = np.dtype(
    [
        ("seed", "<u8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("state", "<u8", (STATE_WORDS,)),
        ("normal_x", "<f8"),
        ("normal_y", "<f8"),
        ("normal_rho", "<f8"),
        ("normal_is_valid", "<i4"),
        ("unused", "<i4"),
        ("float_normal", "<f4"),
        ("float_normal_is_valid", "<i4"),
    ]
)


def _as_is(state: npt.NDArray[np.uint8]) -> Any:
    return state


def _as_given(device: Any) -> Any:
    return device


class Generator:
    """A stream of random numbers: PyTorch's CPU stream, whatever the device.

    Two generators with the same seed give the same numbers, and PyTorch gives them too. Draws may come
    from several threads; each draw is one undivided stretch of the stream.
    """

    __slots__ = ("_device", "_float_normal", "_fresh", "_initial_seed", "_source", "lock", "next_normal")

    # The room above this one sets these to make tensors of states, and devices; bare arrays and names are what this room knows.
    wrap_state: Callable[[npt.NDArray[np.uint8]], Any] = staticmethod(_as_is)

    as_device: Callable[[Any], Any] = staticmethod(_as_given)

    def __init__(self, device: Any = "cpu") -> None:
        self._device = device
        self.lock = threading.RLock()
        self._initial_seed = DEFAULT_SEED
        self._reset()

    def __repr__(self) -> str:
        return f"<minigrad.Generator device={str(self._device)!r} initial_seed={self._initial_seed}>"

    @property
    def device(self) -> Any:
        """What the generator was made for; the numbers do not depend on it."""
        return self.as_device(self._device)

    # ------------------------------------------------------------------ seeds

    def _reset(self) -> None:
        self._source: RandomState | None = None  # made on first use
        self._fresh = True  # no word has been drawn: PyTorch's saved states show the difference
        self.next_normal: float | None = None  # the second of a pair of normals, drawn but not handed out
        self._float_normal = 0.0, 0  # never used on the CPU, carried along between states

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to `seed`.

        Raises:
            TypeError: `seed` is not an integer.
            RuntimeError: it is outside [-2**63, 2**64); negative seeds count from 2**64 down.
        """
        value = _seed_value(seed)
        with self.lock:
            self._initial_seed = value
            self._reset()
        return self

    def initial_seed(self) -> int:
        """The seed that the stream was started with."""
        return self._initial_seed

    def seed(self) -> int:
        """Start a stream that nobody can foresee, and return its seed."""
        value = int.from_bytes(os.urandom(8), "little") & (2**53 - 1)
        self.manual_seed(value)
        return value

    # ------------------------------------------------------------------ bits

    @property
    def source(self) -> RandomState:
        """NumPy's twister, at this generator's place in the stream. Hold `lock` while drawing."""
        if self._source is None:
            self._source = np.random.RandomState(self._initial_seed & 0xFFFFFFFF)
        return self._source

    def words(self, count: int) -> Words:
        """The next `count` words. Hold `lock` around draws that belong together."""
        with self.lock:
            if count:
                self._fresh = False
            return self.source.randint(0, 2**32, count, dtype=np.uint32)

    def long_words(self, count: int) -> LongWords:
        """The next `count` pairs of words, the first of each pair high."""
        pairs = self.words(2 * count).reshape(count, 2).astype(np.uint64)
        return pairs[:, 0] << np.uint64(32) | pairs[:, 1]

    # ------------------------------------------------------------------ saved states

    def get_state(self) -> Any:
        """The place in the stream as 5056 bytes, the same bytes as PyTorch's."""
        return self.wrap_state(np.frombuffer(self._state_bytes(), np.uint8).copy())

    def _state_bytes(self) -> bytes:
        record = np.zeros((), _STATE)
        with self.lock:
            twister: Any = self.source.get_state(legacy=False)
            key, position = twister["state"]["key"], int(twister["state"]["pos"])
            record["seed"], record["seeded"] = self._initial_seed, 1
            record["state"] = key
            record["next"] = 0 if self._fresh else position
            record["left"] = 1 if self._fresh else STATE_WORDS + 1 - position
            if self.next_normal is not None:
                record["normal_y"], record["normal_is_valid"] = self.next_normal, 1
            record["float_normal"], record["float_normal_is_valid"] = self._float_normal
        return record.tobytes()

    def set_state(self, new_state: Any) -> Generator:
        """Go to a place that `get_state` (or PyTorch's) has saved: bytes in a tensor or an array.

        Raises:
            TypeError: the state is not made of bytes.
            RuntimeError: the bytes are no state of this kind of generator; the stream stays where it is.
        """
        array = np.asarray(new_state.numpy() if hasattr(new_state, "numpy") else new_state)
        if array.dtype != np.uint8:
            raise TypeError(f"set_state(): expected a state of dtype uint8, but got {array.dtype}")
        if array.size != _STATE.itemsize:
            raise RuntimeError(
                f"set_state(): Expected a CPUGeneratorImplState of size {_STATE.itemsize} but found the input "
                f"RNG state size to be {array.size}"
            )
        record = np.frombuffer(array.tobytes(), _STATE)[0]
        left, place = int(record["left"]), int(record["next"])
        fresh = left == 1 and place == 0
        if record["seeded"] != 1 or not (fresh or (1 <= left <= STATE_WORDS and left + place == STATE_WORDS + 1)):
            raise RuntimeError("set_state(): Invalid mt19937 state")
        with self.lock:
            self._initial_seed = int(record["seed"])
            self._reset()
            twister = {"key": record["state"].astype(np.uint32), "pos": STATE_WORDS if fresh else place}
            self.source.set_state({"bit_generator": "MT19937", "state": twister})
            self._fresh = fresh
            if record["normal_is_valid"]:
                self.next_normal = float(record["normal_y"])
            self._float_normal = float(record["float_normal"]), int(record["float_normal_is_valid"])
        return self

    def clone_state(self) -> Generator:
        """A second generator at the same place in the stream."""
        return _restore(self._device, self._state_bytes())

    def __reduce__(self) -> tuple[Callable[..., Generator], tuple[Any, bytes]]:
        return _restore, (self._device, self._state_bytes())


def _restore(device: Any, state: bytes) -> Generator:
    return Generator(device).set_state(np.frombuffer(state, np.uint8))


def _seed_value(seed: int) -> int:
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"manual_seed(): expected an integer seed, but got {type(seed).__name__}")
    value = seed.__index__()
    if not -(2**63) <= value < 2**64:
        raise RuntimeError(f"manual_seed(): Overflow when unpacking long long: {value} is outside [-2**63, 2**64)")
    return value % 2**64


# ---------------------------------------------------------------------- the stream that everybody shares

default_generator = Generator()
default_generator.seed()


def _renew_lock() -> None:
    """In a forked child: no other thread lives on that could give the lock back."""
    default_generator.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def manual_seed(seed: int) -> Generator:
    """Start the shared stream at `seed`, a number or what `int` makes one of; return the generator."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start the shared stream at an unforeseeable seed, and return that seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the shared stream was started with."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The shared stream's place, 5056 bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Put the shared stream where `get_rng_state` found it."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: Any = None) -> Iterator[None]:
    """What is drawn inside does not move the shared stream outside.

    `devices` and `device_type` are accepted for PyTorch's sake: there is one stream for every device.
    """
    if not enabled:
        yield
        return
    state = default_generator._state_bytes()
    try:
        yield
    finally:
        default_generator.set_state(np.frombuffer(state, np.uint8))
