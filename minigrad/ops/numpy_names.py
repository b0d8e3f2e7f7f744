"""`axis=` and `keepdims=`: NumPy's names of `dim` and `keepdim`. PyTorch takes both, and many scripts use them.

The operations know nothing of it. What users find of a function with such an argument is a wrapper, which passes it on.
"""

from __future__ import annotations

import builtins
import inspect
from functools import cache
from types import CodeType, FunctionType
from typing import Any, NoReturn

NAMES = {"dim": "axis", "keepdim": "keepdims"}


class Missing:
    """An argument that was not given, where `axis=` may stand in for one that has no default."""

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()


def renamed(function: Any) -> Any:
    """The function, which takes NumPy's names as well; itself where it has no such argument."""
    inner = getattr(function, "__code__", None)
    if inner is None or not set(NAMES) & set(_arguments(inner)) or set(NAMES.values()) & set(_arguments(inner)):
        return function
    count = inner.co_argcount
    names = _arguments(inner)
    defaults = function.__defaults__ or ()
    firsts = [i for i in range(count - len(defaults)) if names[i] in NAMES]
    needed = range(firsts[0], count - len(defaults)) if firsts else range(0)
    code = _code(
        names, count, tuple(needed), inner.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS), _rest(inner)
    )
    found = {"function": function, "missing": MISSING, "refuse": refuse}
    found |= {"__builtins__": builtins, "__name__": function.__module__}
    name = function.__name__
    made = FunctionType(
        code.replace(co_name=name, co_qualname=name), found, name, (*(MISSING for _ in needed), *defaults)
    )
    aliases = {NAMES[n]: None for n in names if n in NAMES}
    made.__kwdefaults__ = {**(function.__kwdefaults__ or {}), **aliases}
    made.__annotations__ = function.__annotations__
    made.__doc__ = function.__doc__
    made.__wrapped__ = function  # type: ignore[attr-defined]
    return made


def refuse(function: Any, given: dict[str, Any]) -> NoReturn:
    """Call a function without an argument that it needs: Python says which."""
    function(**{name: value for name, value in given.items() if value is not MISSING})
    raise AssertionError(f"{function.__name__}() needs all of {list(given)}")


def _arguments(inner: CodeType) -> tuple[str, ...]:
    return inner.co_varnames[: inner.co_argcount + inner.co_kwonlyargcount]


def _rest(inner: CodeType) -> tuple[str, ...]:
    many = bool(inner.co_flags & inspect.CO_VARARGS) + bool(inner.co_flags & inspect.CO_VARKEYWORDS)
    return inner.co_varnames[len(_arguments(inner)) : len(_arguments(inner)) + many]


@cache
def _code(names: tuple[str, ...], count: int, needed: tuple[int, ...], flags: int, rest: tuple[str, ...]) -> CodeType:
    """The wrapper of one signature, written as text: a general one, which looks through its arguments, costs more."""
    several = f"*{rest[0]}" if flags & inspect.CO_VARARGS else ""
    others = f"**{rest[-1]}" if flags & inspect.CO_VARKEYWORDS else ""
    extra = [NAMES[n] for n in names if n in NAMES]
    signature = [*names[:count], several or "*", *names[count:], *extra, others]
    given = [*names[:count], several, *(f"{n}={n}" for n in names[count:]), others]
    lines = [f"def call({', '.join(filter(None, signature))}):"]
    lines += [f"    if {NAMES[n]} is not None: {n} = {NAMES[n]}" for n in names if n in NAMES]
    if needed:
        lines.append(f"    if {' or '.join(f'{names[i]} is missing' for i in needed)}:")
        lines.append(f"        refuse(function, dict({', '.join(f'{n}={n}' for n in names[:count])}))")
    lines.append(f"    return function({', '.join(filter(None, given))})")
    whole = compile("\n".join(lines), __file__, "exec", dont_inherit=True)
    return next(c for c in whole.co_consts if isinstance(c, CodeType))
