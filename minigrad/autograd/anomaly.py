"""Anomaly mode: a NaN in a gradient is an error at once, and names the line whose derivative made it."""

from __future__ import annotations

from minigrad.autograd.graph import Clock


class set_detect_anomaly:
    """Switch anomaly mode on or off; as a context manager, until its end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = Clock.anomaly
        Clock.anomaly = bool(mode) and check_nan

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        Clock.anomaly = self._before


class detect_anomaly:
    """Anomaly mode for the length of a `with` block: backward raises at the first NaN and shows the forward line."""

    def __init__(self, check_nan: bool = True) -> None:
        self._wanted = check_nan

    def __enter__(self) -> None:
        self._before = Clock.anomaly
        Clock.anomaly = self._wanted

    def __exit__(self, *error: object) -> None:
        Clock.anomaly = self._before
