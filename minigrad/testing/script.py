"""Write a failing case down as a script that can be pasted and run."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from minigrad.backend import Backend
from minigrad.testing.cases import Case, Operands
from minigrad.testing.words import Law, Word
from minigrad.window import Window

LONGEST = 256  # cells of an array that a script spells out


def write_script(
    backend: Backend, source: str, case: Case, operands: Operands, word: Word, law: Law, message: str
) -> str:
    """Python source that raises the same LawBroken. `source`: what `check_backend` was given, if it was text."""
    names = [name for name in word.needed() if name in operands]
    imports, expression = _backend(backend, source)
    lines = [f"# {word.name} breaks the law {law.name!r}: {law.says}.", *(f"# {line}" for line in message.splitlines())]
    if all(_short(operands[name]) for name in names):
        body = [f"    {name}={literal(operands[name])}," for name in names]
        helpers = "check_law"
    else:
        numbers = ", ".join(f"{name}={value}" for name, value in case.numbers.items())
        lines.append("# The arrays are too large to spell out; they follow from these numbers.")
        body = [f'    **rebuild("{word.name}", "{case.dtype}", {numbers}),']
        helpers = "check_law, rebuild"
    text = "\n".join(body)
    if "np." in text:
        imports.append("import numpy as np")
    imports.append(f"from minigrad.testing import {helpers}")
    if "Window(" in text:
        imports.append("from minigrad.window import Window")
    lines += [*sorted(imports, key=lambda line: (line.startswith("from"), line)), ""]
    lines += ["check_law(", f'    {expression}, "{word.name}", "{law.name}",', text, ")"]
    return "\n".join(lines) + "\n"


def _backend(backend: Backend, source: str) -> tuple[list[str], str]:
    """Imports, and an expression that makes the backend again."""
    if source:
        return [], repr(source)
    cls = type(backend)
    try:
        found = getattr(importlib.import_module(cls.__module__), cls.__qualname__, None)
    except ImportError:
        found = None
    if found is cls and cls.__module__ != "__main__":
        return [f"from {cls.__module__} import {cls.__qualname__}"], f"{cls.__qualname__}()"
    return [], repr(backend.name or cls.__qualname__)


def _short(value: Any) -> bool:
    if isinstance(value, list):
        return all(_short(item) for item in value)
    return not isinstance(value, np.ndarray) or value.size <= LONGEST or bool((value == value.reshape(-1)[0]).all())


def literal(value: Any) -> str:
    """An operand as Python source."""
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, Window):
        names = [name for name in _NAMES if getattr(value, name) != getattr(_PLAIN, name)]
        return f"Window({', '.join(f'{name}={getattr(value, name)}' for name in ('kernel', *names))})"
    if isinstance(value, float) and not np.isfinite(value):
        return f'float("{value}")'
    return repr(value)


_PLAIN = Window((1, 1))
_NAMES = ("stride", "padding", "dilation", "ceil_mode")


def _array(array: Any) -> str:
    dtype = f'"{array.dtype.name}"'
    if not array.size:
        return f"np.zeros({array.shape}, {dtype})"
    first = array.reshape(-1)[0]
    if array.size > 4 and bool((array == first).all()):
        return f"np.full({array.shape}, {first.item()!r}, {dtype})"
    text = repr(array.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
    return f"np.array({text}, {dtype})"
