"""Cases: one try of an operation, drawn as a handful of small numbers and built into arrays.

Only the numbers are drawn and shrunk; the arrays follow from them and a seed. That keeps drawing
fast, makes a case reproducible from one line, and lets the kit lower one number at a time until
nothing that could be 1 is larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Numbers = dict[str, int]
Operands = dict[str, Any]


class Remembering(dict[str, Any]):
    """Operands of a case, and what the oracles said of them: several laws ask the same. A changed copy forgets."""

    def __init__(self, operands: Operands) -> None:
        super().__init__(operands)
        self.answers: dict[str, Any] = {}


def _same(numbers: Numbers) -> Numbers:
    return numbers


def _anything(_: Numbers) -> bool:
    return True


@dataclass(frozen=True)
class Family:
    """Operations that share one kind of case.

    fields: for every number its candidates, the simplest first, frequent ones repeated.
    wide: what --thorough draws from instead. settle: makes numbers that were drawn
    apart fit together. fits: whether they do. build: numbers, dtype, generator -> operands.
    edges: cases that are always tried, as differences from the simplest one.
    """

    name: str
    fields: Mapping[str, Sequence[int]]
    build: Callable[[Numbers, Any, np.random.Generator], Operands]
    wide: Mapping[str, Sequence[int]] = field(default_factory=dict)
    settle: Callable[[Numbers], Numbers] = _same
    fits: Callable[[Numbers], bool] = _anything
    edges: Sequence[Numbers] = ()
    specials: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "float64")

    def least(self) -> Numbers:
        """The simplest case's numbers."""
        return self.settle({name: values[0] for name, values in self.fields.items()} | {"seed": 0, "special": 0})

    def case(self, numbers: Numbers, dtype: str) -> Case:
        """The case that these numbers mean."""
        rng = np.random.default_rng(numbers["seed"])
        return Case(self, dtype, dict(numbers), Remembering(self.build(numbers, np.dtype(dtype), rng)))


@dataclass(frozen=True)
class Case:
    """One try: its numbers, and the operands that were built from them. `case["x"]` is an operand."""

    family: Family
    dtype: str
    numbers: Numbers
    operands: Operands

    def __getitem__(self, name: str) -> Any:
        return self.operands[name]

    def __repr__(self) -> str:
        return f"{self.family.name}({', '.join(f'{k}={v}' for k, v in self.numbers.items())}, dtype={self.dtype!r})"


def window_fields(padding: Sequence[int], dilated: bool = True) -> dict[str, Sequence[int]]:
    """Candidates for the numbers of a window and for how far the image goes beyond what it needs.

    `rows` and `columns` are those extra cells; `settle_window` turns them into `h` and `w`.
    """
    along: dict[str, Sequence[int]] = {}
    for axis in "hw":
        along |= {f"k{axis}": (1, 2, 3, 2, 3, 4), f"s{axis}": (1, 1, 2, 3), f"p{axis}": padding}
        along |= {f"d{axis}": (1, 1, 2, 3) if dilated else (1,)}
    return along | {"rows": (0, 1, 2, 3, 4, 5), "columns": (0, 1, 2, 3, 4, 5, 6, 13, 18)}


def extent(numbers: Numbers, axis: str) -> int:
    """The cells that the window spans."""
    return numbers[f"d{axis}"] * (numbers[f"k{axis}"] - 1) + 1


def settle_window(numbers: Numbers) -> Numbers:
    """Choose the image: what the window needs at least, and the extra rows and columns."""
    numbers = dict(numbers)
    for axis, extra in (("h", "rows"), ("w", "columns")):
        if extra in numbers:
            numbers[axis] = max(1, extent(numbers, axis) - 2 * numbers[f"p{axis}"]) + numbers.pop(extra)
    return numbers


def settle_pool(numbers: Numbers) -> Numbers:
    """Like `settle_window`; padding is at most half of the window."""
    capped = {f"p{axis}": min(numbers[f"p{axis}"], extent(numbers, axis) // 2) for axis in "hw"}
    settled = settle_window(numbers | capped)
    return settled if pool_fits(settled) else settle_window(numbers | {"ph": 0, "pw": 0})


def window_fits(numbers: Numbers) -> bool:
    """Whether at least one window stands on the image."""
    return all(numbers[a] + 2 * numbers[f"p{a}"] >= extent(numbers, a) for a in "hw")


def pool_fits(numbers: Numbers) -> bool:
    """Whether it may be a pool: the padding is at most half of the window, and every window sees a cell.

    The taps of a dilated window may all fall beside a small image; the law `blind` looks at those.
    """
    return window_fits(numbers) and all(2 * numbers[f"p{a}"] <= extent(numbers, a) and _sees(numbers, a) for a in "hw")


def _sees(numbers: Numbers, axis: str) -> bool:
    """Whether every place of the window has a tap on the image."""
    size, pad, stride = (numbers[f"{name}{axis}"] if name else numbers[axis] for name in ("", "p", "s"))
    last = size + pad if numbers.get("ceil") else size + 2 * pad - extent(numbers, axis) + 1
    taps = range(0, extent(numbers, axis), numbers[f"d{axis}"])
    return all(any(0 <= start - pad + tap < size for tap in taps) for start in range(0, last, stride))


def simpler(numbers: Numbers, least: Numbers) -> Iterator[Numbers]:
    """Candidates that are smaller in one number, or in two at once: to the least value, half-way, one less.

    Two at once, because an image may be lowered only together with the window that needs it.
    """
    lower = {name: _lower(value, least[name]) for name, value in numbers.items() if name != "seed"}
    for name, values in lower.items():
        for value in values:
            yield numbers | {name: value}
    names = [name for name, values in lower.items() if values]
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            yield numbers | {first: lower[first][0], second: lower[second][0]}
            yield numbers | {first: lower[first][-1], second: lower[second][-1]}


def _lower(value: int, least: int) -> list[int]:
    """Values nearer to the least one. A size of 0 is stranger than 1, not smaller: it goes up to 1."""
    if value == least:
        return []
    if value < least:
        return [least]
    return list(dict.fromkeys((least, (least + value) // 2, value - 1)))
