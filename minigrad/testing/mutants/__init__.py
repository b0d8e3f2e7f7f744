"""Backends that are wrong on purpose, each in the way of a bug that shipped somewhere: the kit must catch every one.

check_backend(mutants.PadsWithZero())       # failures[0].operation == "max_pool2d"
"""

import inspect

from minigrad.testing.mutants import convolution, dense, memory, pooling, windows
from minigrad.testing.mutants.base import Mutant

MUTANTS: dict[str, type[Mutant]] = {
    name: cls
    for module in (windows, convolution, pooling, dense, memory)
    for name, cls in vars(module).items()
    if inspect.isclass(cls) and issubclass(cls, Mutant) and cls is not Mutant
}


def __getattr__(name: str) -> type[Mutant]:
    """mutants.PadsWithZero"""
    if name in MUTANTS:
        return MUTANTS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["MUTANTS", "Mutant"]
