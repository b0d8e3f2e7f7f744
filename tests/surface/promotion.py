"""Operators on every pair of element types, as tensors with and without dimensions and as Python's numbers.

The result's type and value are PyTorch's, or both libraries refuse.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import database
import kinds
import torch

import minigrad

BINARY = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "floordiv": operator.floordiv, "mod": operator.mod, "pow": operator.pow, "eq": operator.eq, "lt": operator.lt,
    "and": operator.and_, "or": operator.or_, "xor": operator.xor, "lshift": operator.lshift, "rshift": operator.rshift,
    "iadd": operator.iadd, "imul": operator.imul, "itruediv": operator.itruediv, "ipow": operator.ipow, "iand": operator.iand,
}  # fmt: skip
NAMED = (
    "maximum minimum fmod remainder atan2 hypot fmax fmin logaddexp logical_and logical_xor copysign xlogy float_power true_divide "
    "floor_divide heaviside gcd lcm bitwise_left_shift nextafter clamp_min lerp ldexp"
)
NUMBERS = (True, 2, -3, 2.5, 300, -0.0)
SHAPES = ((3,), ())


def tensors() -> Iterator[torch.Tensor]:
    """One tensor of every type and rank."""
    for kind in kinds.TYPES:
        for shape in SHAPES:
            values = torch.tensor([3, 1, 2][: 3 if shape else 1]).reshape(shape)
            yield values.to(kind)


def pairs() -> Iterator[tuple[Any, Any]]:
    """All pairs of which at least one is a tensor."""
    every = list(tensors())
    for a in every:
        for b in every:
            yield a, b
        for n in NUMBERS:
            yield a, n
            yield n, a


def functions() -> Iterator[tuple[str, Any, Any]]:
    """Names with PyTorch's and minigrad's function."""
    for name, f in BINARY.items():
        yield name, f, f
    for name in NAMED.split():
        yield name, getattr(torch, name), getattr(minigrad, name)
    yield (
        "where",
        lambda a, b: torch.where(torch.tensor([True, False, True]), a, b),
        lambda a, b: minigrad.where(minigrad.tensor([True, False, True]), a, b),
    )


def copied(value: Any) -> Any:
    """The value, for a call that may write to it."""
    return value.clone() if isinstance(value, torch.Tensor) else value


def check_pair(theirs: Any, ours: Any, a: Any, b: Any) -> str:
    """One call in both libraries: "agree" or "refused".

    Raises:
        Disagreement: if results or refusals differ.
    """
    x, y = database.translated(a, []), database.translated(b, [])
    try:
        expected = theirs(copied(a), copied(b))
    except Exception as error:
        try:
            ours(x, y)
        except kinds.REFUSALS:
            return "refused"
        raise database.Disagreement(f"accepted, but PyTorch: {str(error).splitlines()[0][:90]}") from None
    database.compare("result", ours(x, y), expected)
    return "agree"


def check(name: str, theirs: Any, ours: Any) -> tuple[int, list[str]]:
    """All pairs: how many calls agree, and what differs."""
    count, differ = 0, []
    for a, b in pairs():
        try:
            check_pair(theirs, ours, a, b)
        except Exception as error:
            said = " and ".join(
                f"{kinds.short(v.dtype)}{list(v.shape)}" if isinstance(v, torch.Tensor) else repr(v) for v in (a, b)
            )
            differ.append(f"{name} of {said}: {type(error).__name__}: {error}")
        else:
            count += 1
    return count, differ
