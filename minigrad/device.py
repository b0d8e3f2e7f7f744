"""Where tensors live: `device("cuda:0")`."""

from __future__ import annotations

from typing import Any

from minigrad.errors import DeviceError
from minigrad.registry import active_backend, default_device


class device:
    """A kind of device and, where there are several, which one.

    Raises:
        DeviceError: if the string is no device.
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        if isinstance(type, int):
            type, index = "cuda", type
        if not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, not {type.__class__.__name__}")
        kind, colon, number = type.partition(":")
        if not kind or (colon and not number.isdigit()) or (colon and index is not None):
            raise DeviceError(f"Invalid device string: {type!r}")
        self.type = kind
        self.index = int(number) if colon else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type={self.type!r}" + ("" if self.index is None else f", index={self.index}") + ")"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)


def backend_for(wanted: Any) -> Any:
    """The active backend of a device given as string, device or None (the default one).

    Raises:
        DeviceError: if no backend serves it; BackendError, if the one that does cannot run here.
    """
    if wanted is None:
        return active_backend(default_device())
    return active_backend(device(wanted).type)
