"""Make a failing case small: first its numbers, then the values in its arrays.

hypothesis stops at a local minimum of its choice sequence, where an image cannot be lowered without
the window that needs it. This shrinker knows the numbers' meaning: it lowers one or two at a time until no
single one that could be at its least is larger, and it never takes an empty batch for a small one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.testing.cases import Case, Operands, simpler

TRIES = 6000  # a shrink takes a few hundred; this only bounds a law that changes its mind
SEEDS = range(6)  # other values for the same sizes: a single cell may have to be negative to fail


def smallest(cases: list[Case], fails: Callable[[Operands], bool]) -> Case:
    """Shrink each of some failing cases and return the smallest that comes out."""
    return min((shrink_numbers(case, fails) for case in cases), key=size)


def size(case: Case) -> int:
    """The sum of how far its numbers are from the simplest case's."""
    least = case.family.least()
    return sum(abs(value - least[name]) for name, value in case.numbers.items() if name != "seed")


def shrink_numbers(case: Case, fails: Callable[[Operands], bool]) -> Case:
    """The smallest case of the same family that still fails."""
    least, tries = case.family.least(), 0
    improved = True
    while improved and tries < TRIES:
        improved = False
        for numbers in simpler(case.numbers, least):
            if not case.family.fits(numbers):
                continue
            single = sum(value != case.numbers[name] for name, value in numbers.items()) == 1
            for seed in dict.fromkeys((numbers["seed"], *(SEEDS if single else ()))):
                tries += 1
                candidate = case.family.case({**numbers, "seed": seed}, case.dtype)
                if fails(candidate.operands):
                    case, improved = candidate, True
                    break
            if improved:
                break
    return case


def shrink_values(operands: Operands, names: tuple[str, ...], fails: Callable[[Operands], bool]) -> Operands:
    """The same shapes with plainer values: all 0, all 1, or single cells 0 or 1."""
    for name in names:
        value = operands.get(name)
        if isinstance(value, list):
            for i, item in enumerate(value):
                for plain in _plainer(item):
                    tried = {**operands, name: [*operands[name][:i], plain, *operands[name][i + 1 :]]}
                    if fails(tried):
                        operands = tried
                        break
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            operands = _shrink_array(operands, name, fails)
    return operands


def _shrink_array(operands: Operands, name: str, fails: Callable[[Operands], bool]) -> Operands:
    for plain in _plainer(operands[name]):
        if fails({**operands, name: plain}):
            operands = {**operands, name: plain}
            break
    array = operands[name]
    if array.size > 24:
        return operands
    for i in range(array.size):
        for value in (0, 1, 2):
            if operands[name].reshape(-1)[i] == value:
                break
            tried = operands[name].copy()
            tried.reshape(-1)[i] = value
            if fails({**operands, name: tried}):
                operands = {**operands, name: tried}
                break
    return operands


def _plainer(array: Any) -> Iterator[Any]:
    """Whole arrays that are easier to read."""
    if not array.size:
        return
    for value in (np.zeros_like(array), np.ones_like(array)):
        if not np.array_equal(value, array):
            yield value
    counting = np.arange(1, array.size + 1).astype(array.dtype).reshape(array.shape)
    if array.size <= 64:
        yield counting
    with np.errstate(all="ignore"):
        yield np.round(array)
