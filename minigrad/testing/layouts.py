"""The same numbers laid out in memory in every way that views can make, on the backend's own arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.backend import Backend

GUARD = 16  # cells on either side of a guarded array
CANARY = 77  # what they hold: no test value is that large

Placed = tuple[Any, Any]  # the values, and a device array that holds them; None if it cannot be made


def _transposed(backend: Backend, values: Any) -> Placed:
    """First and last axis swapped in memory."""
    if values.ndim < 2:
        return values, None
    return values, _view(lambda: backend.from_numpy(values.swapaxes(0, -1).copy()).swapaxes(0, -1))


def _sliced(backend: Backend, values: Any) -> Placed:
    """Every second cell of an array with twice the columns; the cells between hold a canary."""
    wide = np.full((*values.shape[:-1], 2 * values.shape[-1]), CANARY, values.dtype)
    wide[..., ::2] = values
    return values, _view(lambda: backend.from_numpy(wide)[..., ::2])


def _reversed(backend: Backend, values: Any) -> Placed:
    """Negative strides, where the library has them."""
    flipped = values[::-1, ..., ::-1].copy() if values.ndim > 1 else values[::-1].copy()

    def view() -> Any:
        placed = backend.from_numpy(flipped)
        return placed[::-1, ..., ::-1] if values.ndim > 1 else placed[::-1]

    return values, _view(view)


def _expanded(backend: Backend, values: Any) -> Placed:
    """One cell repeated along the last axis with stride 0: the values change with the layout."""
    if values.shape[-1] < 2 or values.dtype.kind == "i":
        return values, None
    same = np.ascontiguousarray(np.broadcast_to(values[..., :1], values.shape))
    return same, _view(lambda: backend.xp.broadcast_to(backend.from_numpy(values[..., :1].copy()), values.shape))


def _offset(backend: Backend, values: Any) -> Placed:
    """Contiguous, but from the middle of a buffer, where vectors are not aligned."""
    buffer = np.full(values.size + 5, CANARY, values.dtype)
    buffer[3 : 3 + values.size] = values.reshape(-1)
    return values, _view(lambda: backend.from_numpy(buffer)[3 : 3 + values.size].reshape(values.shape))


def _readonly(backend: Backend, values: Any) -> Placed:
    """Arrays that refuse to be written, where the library has them."""
    placed = backend.from_numpy(values.copy())
    if not isinstance(placed, np.ndarray):
        return values, None
    placed.flags.writeable = False
    return values, placed


def _view(make: Callable[[], Any]) -> Any:
    """None where the library cannot express the layout (PyTorch has no negative strides)."""
    try:
        return make()
    except (ValueError, TypeError, NotImplementedError):
        return None


LAYOUTS: dict[str, Callable[[Backend, Any], Placed]] = {
    "transposed": _transposed,
    "sliced": _sliced,
    "reversed": _reversed,
    "expanded": _expanded,
    "offset": _offset,
    "read-only": _readonly,
}


class Guarded:
    """Arrays that stand inside larger ones whose other cells hold a canary; they tell whether anything was written."""

    def __init__(self, backend: Backend, value: Any) -> None:
        """value: a host array, or a list of them. `inside` is what to hand to the word."""
        self._backend = backend
        self._items = [self._place(array) for array in (value if isinstance(value, list) else [value])]
        views = [view for _, _, view in self._items]
        self.inside = views if isinstance(value, list) else views[0]

    def _place(self, array: Any) -> tuple[Any, Any, Any]:
        before = np.full(array.size + 2 * GUARD, CANARY, array.dtype)
        before[GUARD : GUARD + array.size] = array.reshape(-1)
        buffer = self._backend.from_numpy(before.copy())
        return before, buffer, buffer[GUARD : GUARD + array.size].reshape(array.shape)

    def changed(self) -> bool:
        """Whether any cell differs from what it was."""
        return any(before.tobytes() != self._now(buffer).tobytes() for before, buffer, _ in self._items)

    def overrun(self) -> bool:
        """Whether any cell around the arrays differs from what it was."""
        for before, buffer, _ in self._items:
            now = self._now(buffer)
            if before[:GUARD].tobytes() != now[:GUARD].tobytes() or before[-GUARD:].tobytes() != now[-GUARD:].tobytes():
                return True
        return False

    def _now(self, buffer: Any) -> Any:
        return np.asarray(self._backend.to_numpy(buffer))
