"""Find the backend to test: registered, in a file, in a module, or at hand."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.backend import Backend
from minigrad.errors import BackendError
from minigrad.registry import get_backend


@dataclass(frozen=True)
class Loaded:
    """A backend, what to call it, and the text that names it (empty if it came as an object)."""

    backend: Backend
    name: str
    source: str


def load(what: str | Backend | type[Backend]) -> Loaded:
    """A registered name, "file.py", "file.py:Class", "module:Class", a class or an instance.

    Raises:
        BackendError: if it cannot be found, loaded or made; the message says which and why.
    """
    if isinstance(what, str):
        backend = _from_text(what) if ":" in what or what.endswith(".py") else get_backend(what)
        return Loaded(backend, backend.name or what, what)
    backend = _make(what, what.__qualname__) if isinstance(what, type) else what
    if not isinstance(backend, Backend):
        raise BackendError(f"expected a backend's name, class or instance, but got {what!r}")
    return Loaded(backend, backend.name or type(backend).__qualname__, "")


def _from_text(text: str) -> Backend:
    place, _, name = text.rpartition(":") if ":" in text[2:] else (text, "", "")
    module = _module(place)
    if name:
        if not hasattr(module, name):
            raise BackendError(f"{place} has no {name!r}")
        return _make(getattr(module, name), text)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Backend) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        names = ", ".join(cls.__name__ for cls in found) or "none"
        raise BackendError(
            f"{place} must define one subclass of minigrad.backend.Backend, or say which: it defines {names}"
        )
    return _make(found[0], text)


def _module(place: str) -> Any:
    """Import a module by name, or by the path of its file."""
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place).resolve()
        if not path.is_file():
            raise BackendError(f"there is no file {place}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    except BackendError:
        raise
    except Exception as error:
        raise BackendError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _make(cls: Any, text: str) -> Backend:
    if not (isinstance(cls, type) and issubclass(cls, Backend)):
        raise BackendError(f"{text} must be a subclass of minigrad.backend.Backend, but it is {cls!r}")
    try:
        return cls()
    except Exception as error:
        raise BackendError(f"{text} cannot be made: {cls.__name__}() raised {type(error).__name__}: {error}") from error
