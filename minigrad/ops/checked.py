"""What a function's annotations promise about its arguments, checked where a user calls it.

Operations call each other as plain functions, which trust their arguments. What users find under `minigrad`,
`nn.functional` and `special` has a check before it, made from the function's own signature: `input: Tensor` refuses a list,
`keepdim: bool` a string, in PyTorch's words with the function, the argument and its value. What cannot be said
by a class (a shape, a list of tensors) is annotated `Any`, and the function itself looks at it.
"""

from __future__ import annotations

import builtins
import inspect
from functools import cache
from types import CodeType, FunctionType
from typing import Any, NoReturn

import numpy as np

from minigrad import dtypes
from minigrad.errors import DtypeError
from minigrad.ops.accepts import EMPTY, NARROW, PROMOTING, REFUSED, WIDENED
from minigrad.ops.base import Variable, backend_of, cast, low_type
from minigrad.ops.region import FULL, Regions, here

# What may stand where an annotation says so. A number may come as a tensor: the operation takes its value.
CLASSES: dict[str, tuple[type, ...]] = {
    "Tensor": (Variable,),
    "bool": (bool, np.bool_),
    "int": (int, np.integer, Variable),
    "float": (float, int, np.number, Variable),
    "complex": (complex, float, int, np.number, Variable),
    "str": (str,),
    "None": (type(None),),
}


def classes(annotation: Any) -> tuple[type, ...]:
    """The classes that an annotation allows; none if it says nothing that can be checked."""
    words = str(annotation).split(" | ")
    return tuple(cls for word in words for cls in CLASSES[word]) if set(words) <= set(CLASSES) else ()


def checked(function: Any, name: str = "", out: dict[str, Any] | None = None) -> Any:
    """The function, of the same signature, with its arguments checked before it runs.

    Its first argument's element type is looked up in `minigrad/ops/accepts.py`. Where there is nothing to check, it is
    the function itself.

    Arguments:
        out: what the function needs to take out=, too: see minigrad/ops/out.py.
    """
    inner = getattr(function, "__code__", None)
    if inner is None:
        return function
    name = name or function.__name__
    count = inner.co_argcount
    names = inner.co_varnames[: count + inner.co_kwonlyargcount]
    several = inner.co_varnames[len(names)] if inner.co_flags & inspect.CO_VARARGS else ""
    others = inner.co_varnames[len(names) + bool(several)] if inner.co_flags & inspect.CO_VARKEYWORDS else ""
    allowed = [classes(function.__annotations__.get(n, "Any")) for n in names]
    refused = REFUSED.get(name, "")
    many = classes(function.__annotations__.get(several, "Any"))
    if not any(allowed) and not refused and not many and out is None:
        return function
    places = tuple(i for i, found in enumerate(allowed) if found)
    code = _code(
        names,
        count,
        places,
        bool(refused),
        name in EMPTY,
        name in WIDENED,
        several,
        others,
        bool(many),
        bool(allowed) and allowed[0] != (Variable,),
        any(name in listed for listed in FULL.values()),
        out is not None,
    )

    def wrong(i: int, value: Any) -> NoReturn:
        """Refuse an argument by its place."""
        kind = (
            str(function.__annotations__[names[i]])
            .replace(" | None", "")
            .replace("Tensor | complex", "Tensor or Number")
        )
        place = f" (position {i + 1})" if i < count else ""
        shown = "" if value is None or isinstance(value, Variable) else f": got {repr(value)[:60]}"
        raise TypeError(f"{name}(): argument '{names[i]}'{place} must be {kind}, not {type(value).__name__}{shown}")

    def narrow(value: Variable, other: Any) -> None:
        """Refuse an element type, unless it will be promoted to the other operand's."""
        if name in PROMOTING and isinstance(other, Variable) and other.array.dtype.char not in refused:
            return
        kind = dtypes.of(value.array)
        raise DtypeError(f"{name}(): \"{name}\" not implemented for '{kind.name}', the dtype of argument '{names[0]}'")

    def every(values: tuple[Any, ...]) -> None:
        """Look at arguments of any number, which may also come as one list."""
        if len(values) == 1 and isinstance(values[0], (list, tuple)):
            values = tuple(values[0])
        for i, value in enumerate(values):
            if not isinstance(value, many):
                raise TypeError(
                    f"{name}(): expected Tensor as element {i} in argument '{several}', but got {type(value).__name__}"
                )

    found: dict[str, Any] = {f"allowed{i}": kinds for i, kinds in enumerate(allowed)}
    found |= {
        "function": function,
        "wrong": wrong,
        "narrow": narrow,
        "refused": refused,
        "every": every,
        "Variable": Variable,
    }
    found |= {"widened": widened, "NARROW": NARROW}
    found |= {"Regions": Regions, "lists": lists, "in_full": in_full, "label": name}
    found |= {"__builtins__": builtins, "__name__": function.__module__, **(out or {})}
    made = FunctionType(code.replace(co_name=name, co_qualname=name), found, name, function.__defaults__)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__annotations__ = function.__annotations__
    made.__doc__ = function.__doc__
    if out is None:
        made.__wrapped__ = function  # type: ignore[attr-defined]
    return made


def lists(name: str, *inputs: Any) -> bool:
    """Whether this thread's autocast computes a function of these inputs in float32."""
    if low_type(*inputs) is None:
        return False
    first = next(v.array for v in inputs if isinstance(v, Variable))
    return name in FULL.get(backend_of(first).device, ())


def in_full(function: Any, *args: Any, **options: Any) -> Any:
    """The function computed in float32, autocast being off within it."""

    def up(v: Any) -> Any:
        return cast(v, np.dtype(np.float32)) if isinstance(v, Variable) and v.array.dtype.char in NARROW else v

    token = here.set(None)
    try:
        return function(*map(up, args), **{key: up(v) for key, v in options.items()})
    finally:
        here.reset(token)


def widened(function: Any, *args: Any, **options: Any) -> Any:
    """The function computed in float32, and its result rounded to the half precision that the first argument has."""
    kind, wide = args[0].array.dtype, np.dtype(np.float32)

    def up(v: Any) -> Any:
        return cast(v, wide) if isinstance(v, Variable) and v.array.dtype.char in NARROW else v

    y = function(*map(up, args), **{name: up(v) for name, v in options.items()})
    return cast(y, kind) if isinstance(y, Variable) and options.get("dtype") is None else y


@cache
def _code(
    names: tuple[str, ...],
    count: int,
    places: tuple[int, ...],
    types: bool,
    empty: bool,
    wide: bool,
    several: str,
    others: str,
    many: bool,
    number: bool,
    mixed: bool,
    out: bool,
) -> CodeType:
    """The check of one signature, written as text: a general one, which has to look at each call's arguments, costs more."""
    given = [
        *names[:count],
        *([f"*{several}"] if several else []),
        *(f"{n}={n}" for n in names[count:]),
        *([f"**{others}"] if others else []),
    ]
    star = [f"*{several}"] if several else ["*"] if len(names) > count or out else []
    more = ["out"] if out else []
    signature = [*names[:count], *star, *names[count:], *more, *([f"**{others}"] if others else [])]
    lines = [f"def check({', '.join(signature)}):"]
    if out:
        placed = len(names[:count]) + bool(several)
        args = "".join(f"{v}, " for v in given[:placed])
        lines.append(
            f"    if out is not None: return into(out, rule, compute, ({args}), dict({', '.join(given[placed:])}))"
        )
    lines += [f"    if not isinstance({names[i]}, allowed{i}): wrong({i}, {names[i]})" for i in places]
    if many:
        lines.append(f"    every({several})")
    if mixed:
        lines.append(f"    if Regions.open and lists(label, {names[0]}): return in_full(function, {', '.join(given)})")
    second = names[1] if count > 1 else None
    unless_empty = f" and {names[0]}.array.size" if empty else ""
    if types:
        tensor = f"isinstance({names[0]}, Variable) and " if number else ""
        lines.append(
            f"    if {tensor}{names[0]}.array.dtype.char in refused{unless_empty}: narrow({names[0]}, {second})"
        )
    if wide:
        lines.append(f"    if {names[0]}.array.dtype.char in NARROW: return widened(function, {', '.join(given)})")
    lines.append(f"    return function({', '.join(given)})")
    whole = compile("\n".join(lines), __file__, "exec", dont_inherit=True)
    return next(c for c in whole.co_consts if isinstance(c, CodeType))
