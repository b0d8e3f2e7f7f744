"""Whole modules in files: the names of their classes and what is in their attributes, no code.

A module is rebuilt from a class that the program has already defined or imported: its `__init__` is not called, nothing
is imported, and of functions only minigrad's own are found again. So a file cannot make a program do anything new.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

from minigrad.errors import CheckpointError


def name_of(value: Any) -> dict[str, Any] | None:
    """How a module or one of minigrad's functions is told in a file; None for anything else."""
    from minigrad.nn import Module

    if isinstance(value, Module):
        cls = type(value)
        if "<locals>" in cls.__qualname__:
            raise TypeError(
                f"save(): cannot save a {cls.__module__}.{cls.__qualname__}: its class stands inside a function, where load() "
                "cannot find it"
            )
        return {"module": [cls.__module__, cls.__qualname__]}
    if isinstance(value, FunctionType) and value.__module__.partition(".")[0] == "minigrad":
        return {"function": [value.__module__, value.__qualname__]}
    return None


def _found(place: Any) -> Any:
    module, name = place
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def module_from(place: Any, attributes: dict[str, Any]) -> Any:
    """A module of a class that is known here, with these attributes.

    Raises:
        CheckpointError: if the class is not there, or is no module's.
    """
    from minigrad.nn import Module

    cls = _found(place)
    if not (isinstance(cls, type) and issubclass(cls, Module)):
        raise CheckpointError(
            f"the file holds a module of class {'.'.join(place)}: define or import that class before loading it"
        )
    module = cls.__new__(cls)
    module.__dict__.update(attributes)
    return module


def function_from(place: Any) -> Any:
    """One of minigrad's functions."""
    found = _found(place)
    if not isinstance(found, FunctionType) or place[0].partition(".")[0] != "minigrad":
        raise CheckpointError(f"the file names {'.'.join(place)}, which is no function of minigrad")
    return found
