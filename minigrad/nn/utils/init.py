"""Layers made without drawing their first weights."""

from __future__ import annotations

import inspect
from typing import Any

from minigrad.nn.module import Module
from minigrad.random import fork_rng


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """A module whose parameters are yet to be set: nothing is taken from the random numbers' stream.

    Raises:
        RuntimeError: if the class is no Module, or does not take a device.
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    with fork_rng():
        return module_cls(*args, **kwargs)
