"""Backends: finding, loading and choosing them.

A backend is known by its name in the entry-point group `minigrad.backends`; the built-in ones have no
other door. One backend is active per device; MINIGRAD_BACKEND names the first and with it the default
device. The choice is process-wide, and `use_backend` overrides it for one context (thread, task).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minigrad.backend import Array, Backend
from minigrad.errors import BackendError, DeviceError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "minigrad.backends"


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """One line of list_backends(): `reason` says why a backend is not available."""

    name: str
    device: str
    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Who is active: per device, and per class of array."""

    default_device: str
    by_device: dict[str, Backend]
    by_type: dict[type, Backend]

    def with_backend(self, backend: Backend) -> Selection:
        """The same, with one backend active for its device and made the default."""
        if self.default_device == backend.device and self.by_device.get(backend.device) is backend:
            return self
        return Selection(
            backend.device,
            {**self.by_device, backend.device: backend},
            {**self.by_type, backend.array_type: backend},
        )


_loaded: dict[str, Backend] = {}
_chosen: Selection | None = None
_override: ContextVar[Selection | None] = ContextVar("minigrad_backend", default=None)


def selection() -> Selection:
    """Who is active here and now."""
    return _override.get() or _chosen or _start()


def active_backend(device: str | None = None) -> Backend:
    """The backend that serves a device; without one, the default device's."""
    now = selection()
    wanted = device or now.default_device
    try:
        return now.by_device[wanted]
    except KeyError:
        return _serve(wanted)


def backend_of(array: Array) -> Backend:
    """The active backend for an array, by its class."""
    try:
        return selection().by_type[array.__class__]
    except KeyError:
        pass
    for kind, backend in selection().by_type.items():
        if isinstance(array, kind):
            return backend
    from numpy import generic, ndarray

    # NumPy returns scalars for arrays without dimensions; and the CPU is there even where a GPU was asked for first.
    if isinstance(array, (generic, ndarray)):
        return active_backend("cpu")
    raise DeviceError(f"no active backend knows arrays of class {type(array).__module__}.{type(array).__name__}")


def default_device() -> str:
    """Where new tensors live."""
    return selection().default_device


def set_default_device(device: str) -> None:
    """Make a device the default one, for the whole process."""
    global _chosen
    active_backend(device)
    now = _chosen or _start()
    _chosen = Selection(device, now.by_device, now.by_type)


def get_backend(name: str) -> Backend:
    """Load the backend of this name, or return it if it is loaded.

    Raises:
        BackendError: if no backend has this name, or if it cannot run here; the message says why.
    """
    if name in _loaded:
        return _loaded[name]
    points = _entry_points()
    if name not in points:
        hint = f"available: {', '.join(sorted(points))}" if points else _source_tree_hint()
        raise BackendError(f"unknown backend {name!r}; {hint}")
    try:
        cls = points[name].load()
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "") == "minigrad.backends":
            raise BackendError(f"backend {name!r} cannot be loaded: {_source_tree_hint()}") from error
        why = str(error) if isinstance(error, BackendError) else f"{type(error).__name__}: {error}"
        raise BackendError(f"backend {name!r} cannot be loaded from {points[name].value!r}: {why}") from error
    try:
        _loaded[name] = check_class(name, cls)()
    except BackendError:
        raise
    except Exception as error:
        raise BackendError(f"backend {name!r}: {cls.__name__}() raised {type(error).__name__}: {error}") from error
    return _loaded[name]


def check_class(name: str, cls: Any) -> type[Backend]:
    """Whether an entry point's object can be a backend at all, said in the plug-in author's words."""
    if not (isinstance(cls, type) and issubclass(cls, Backend)):
        raise BackendError(
            f"backend {name!r}: its entry point must name a subclass of minigrad.backend.Backend, but it is {cls!r}"
        )
    if cls.xp is None and "xp" not in vars(cls):
        raise BackendError(
            f"backend {name!r}: class {cls.__name__} must define `xp`, an array namespace with NumPy's names"
        )
    if not cls.name:
        cls.name = name
    return cls


def set_backend(backend: str | Backend) -> None:
    """Make a backend active for its device, for the whole process; its device becomes the default."""
    global _chosen
    backend = get_backend(backend) if isinstance(backend, str) else backend
    _chosen = (_chosen or _start(backend)).with_backend(backend)


@contextmanager
def use_backend(backend: str | Backend) -> Iterator[Backend]:
    """Make a backend active inside a `with` block, in this thread or task only."""
    backend = get_backend(backend) if isinstance(backend, str) else backend
    base = _override.get() or _chosen or _start(backend)
    token = _override.set(base.with_backend(backend))
    try:
        yield backend
    finally:
        _override.reset(token)


def list_backends() -> list[BackendInfo]:
    """Every known backend: name, device, whether it can run here and, if not, why."""
    rows = []
    for name in sorted(_entry_points()):
        try:
            backend = get_backend(name)
        except Exception as error:
            rows.append(BackendInfo(name, "?", False, str(error)))
        else:
            rows.append(BackendInfo(name, backend.device, True))
    return rows


def _entry_points() -> dict[str, EntryPoint]:
    from importlib import metadata  # 20 ms that `import minigrad` need not pay

    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def _start(asked: Backend | None = None) -> Selection:
    """The first choice: MINIGRAD_BACKEND, else cpp if it is there, else numpy with a warning that says so."""
    global _chosen
    name = os.environ.get("MINIGRAD_BACKEND", "").strip()
    if asked is not None:
        first = asked
    elif name:
        first = get_backend(name)
    else:
        try:
            first = get_backend("cpp")
        except BackendError as error:
            first = get_backend("numpy")
            warnings.warn(
                f"minigrad uses the NumPy backend, which is slower: {error}. To silence this, set MINIGRAD_BACKEND=numpy",
                RuntimeWarning,
                stacklevel=2,
            )
    _chosen = Selection(first.device, {first.device: first}, {first.array_type: first})
    return _chosen


def _serve(device: str) -> Backend:
    """Activate a backend for a device that has none yet: cpp or numpy for "cpu", else the first that declares it."""
    global _chosen
    kind = device.partition(":")[0]
    candidates = ["cpp", "numpy"] if kind == "cpu" else sorted(_entry_points(), key=lambda name: name != kind)
    reasons = []
    for name in candidates:
        try:
            backend = get_backend(name)
        except BackendError as error:
            reasons.append(str(error))
            continue
        if backend.device.partition(":")[0] == kind:
            now = selection()
            grown = Selection(
                now.default_device, {**now.by_device, device: backend}, {backend.array_type: backend, **now.by_type}
            )
            if _override.get() is None:
                _chosen = grown
            else:
                _override.set(grown)
            return backend
    raise DeviceError(f"no backend serves device {device!r}: {'; '.join(reasons) or 'none declares it'}")


def _source_tree_hint() -> str:
    return (
        "minigrad runs from its source tree, which holds no installed backends: "
        "run Python from another folder, or install with `pip install -e .`"
    )
