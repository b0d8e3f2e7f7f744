"""What all mutants are: the NumPy backend with one word said wrong."""

from __future__ import annotations

from typing import Any, ClassVar

from minigrad.backend import Backend
from minigrad.registry import get_backend

NumpyBackend: type[Backend] = type(get_backend("numpy"))


class Mutant(NumpyBackend):  # type: ignore[misc, valid-type]
    """A broken backend. `operation` is the word that is wrong; the docstring's first line names the bug class."""

    operation: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.name = cls.__name__
