"""The shape of a tensor."""

from __future__ import annotations

from typing import Any, ClassVar


class Size(tuple[int, ...]):
    """A shape."""

    __slots__ = ()
    library: ClassVar[str] = "minigrad"  # how it is printed

    def numel(self) -> int:
        """How many elements a tensor of this shape has."""
        count = 1
        for n in self:
            count *= n
        return count

    def __repr__(self) -> str:
        return f"{self.library}.Size({list(self)})"

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))

    def __getitem__(self, item: Any) -> Any:
        got = tuple.__getitem__(self, item)
        return Size(got) if isinstance(item, slice) else got
