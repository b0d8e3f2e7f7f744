"""What is different on CUDA while a step is captured as a graph, and before it is replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad.backend import Array, Backend, Shape

from .cuda_launch import Launcher


class Captures(Backend):
    """Optimisers' numbers and dropout's masks, which shall be others in every replay."""

    launcher: Launcher
    capturing: bool = False
    live: Callable[[list[float]], Array | None] | None = None
    _draw: Callable[[], tuple[Array, int]] | None = None

    @contextmanager
    def capture(self, live: Callable[[list[float]], Array], draw: Callable[[], tuple[Array, int]]) -> Iterator[None]:
        """While a graph is captured: nothing comes from the host.

        Optimisers' numbers go through `live`, which says where on the device kernels shall read them; `draw` says where the key of
        random numbers will be, and which draw of a replay the next one is.
        """
        self.capturing, self.live, self._draw = True, live, draw
        try:
            yield
        finally:
            self.capturing, self.live, self._draw = False, None, None

    @contextmanager
    def replay(self, live: Callable[[list[float]], None]) -> Iterator[None]:
        """Before a replay: optimiser steps only tell `live` their numbers."""
        self.live = live
        try:
            yield
        finally:
            self.live = None

    def noise(self, shape: Shape, keep: float, value: float, dtype: Any) -> Array | None:
        """`value` with probability `keep`, else 0, from the key of the replay; None outside a capture: the host draws then."""
        if self._draw is None:
            return None
        key, number = self._draw()
        y = self.xp.empty(shape, dtype)
        quarter = -(-y.size // 4)
        numbers = np.int64(number), np.int64(round(keep * 2**32)), y.dtype.type(value), y.size
        self.launcher.each("exchange", "noise", quarter, key, y, *numbers, like=y, largest=y.size)
        return y
