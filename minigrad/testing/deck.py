"""The cases that a run tries, built once: those that every run tries, and those that a seed draws."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from minigrad.testing.cases import Case, Family, Numbers
from minigrad.testing.sampling import sample
from minigrad.testing.words import Law

COUNTS = {"ordinary": (50, 500), "special": (28, 280)}  # cases per family that a seed draws: quick, thorough

_always: dict[tuple[str, str, str], list[Case]] = {}  # by family, kind and dtype: the same for every seed and backend


class Deck:
    """Cases by family and dtype. What is drawn depends on the seed and on the family alone."""

    def __init__(self, seed: int, thorough: bool) -> None:
        self.seed, self.thorough = seed, thorough
        self._numbers: dict[tuple[str, str], list[Numbers]] = {}
        self._drawn: dict[tuple[str, str, str], list[Case]] = {}

    def cases(self, family: Family, law: Law, dtype: str) -> Iterator[Case]:
        """What a law is tried on: the edges first, then what was drawn."""
        for kind in ("special edges",) if law.special else ("edges", "large") if law.large else ("edges",):
            key = family.name, kind, dtype
            if key not in _always:
                _always[key] = [family.case(numbers, dtype) for numbers in edges(family, kind)]
            yield from _always[key]
        yield from self._draw(family, "special" if law.special else "ordinary", dtype)[:: law.every]

    def _draw(self, family: Family, kind: str, dtype: str) -> list[Case]:
        key = family.name, kind, dtype
        if key not in self._drawn:
            if self.thorough:  # thousands of cases: keep one family's only
                self._drawn = {k: cases for k, cases in self._drawn.items() if k[0] == family.name}
            if (family.name, kind) not in self._numbers:
                count = COUNTS[kind][self.thorough]
                self._numbers[family.name, kind] = sample(family, count, self.seed, self.thorough, kind == "special")
            self._drawn[key] = [family.case(numbers, dtype) for numbers in self._numbers[family.name, kind]]
        return self._drawn[key]


@lru_cache(maxsize=1)
def deck(seed: int, thorough: bool) -> Deck:
    """The cases of a seed; the last one's are kept, since many backends may be tried on them."""
    return Deck(seed, thorough)


def edges(family: Family, kind: str) -> list[Numbers]:
    """The cases that are always tried; "special edges" are the small ones with every kind of special values."""
    least = family.least()
    large = [{name: v for name, v in edge.items() if name != "large"} for edge in family.edges if "large" in edge]
    small = [{}, *(edge for edge in family.edges if "large" not in edge)]
    chosen = [{**least, **edge} for edge in (large if kind == "large" else small)]
    if kind != "special edges":
        return chosen
    return [
        edge | {"special": special, "seed": seed}
        for special in family.specials
        for edge in chosen
        for seed in (0, 1, 2)
    ]
