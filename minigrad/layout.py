"""The names of PyTorch's memory layouts. Tensors here are dense and new ones lie in order: the names are for asking, and for scripts."""

from __future__ import annotations

from minigrad.size import Size


class layout:
    """How elements are stored: `minigrad.strided`, the only one."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{Size.library}.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class memory_format(layout):
    """In which order the dimensions are stored; accepted by what takes it, and without effect."""

    __slots__ = ()


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
