"""Draw a family's cases with hypothesis, reproducibly."""

from __future__ import annotations

import zlib
from typing import Any

from minigrad.testing.cases import Family, Numbers


def require_hypothesis() -> Any:
    """The hypothesis package, which is an extra.

    Raises:
        ImportError: with the command that installs it.
    """
    try:
        import hypothesis
    except ImportError as error:
        raise ImportError(
            "minigrad.testing draws its cases with hypothesis, which is not installed: pip install 'minigrad[testing]'"
        ) from error
    return hypothesis


def numbers_strategy(family: Family, thorough: bool = False, special: bool = False) -> Any:
    """A hypothesis strategy of this family's numbers; it shrinks towards the simplest case."""
    st = require_hypothesis().strategies
    fields = {**family.fields, **(family.wide if thorough else {}), "special": family.specials if special else (0,)}
    each = {name: st.sampled_from(list(values)) for name, values in fields.items()}
    return st.fixed_dictionaries({**each, "seed": st.integers(0, 2**16 - 1)}).map(family.settle)


def sample(family: Family, count: int, seed: int, thorough: bool = False, special: bool = False) -> list[Numbers]:
    """`count` draws that depend on the seed and the family alone, so that any part of a run can be repeated.

    From one example to the next hypothesis mutates what it has, which is right for hunting one fault and wrong for
    covering many: half of 50 batches may be empty. So each example is a whole list, whose members are independent.
    """
    cases = numbers_strategy(family, thorough, special)
    drawn: list[Numbers] = []
    while len(drawn) < count:
        own_seed = zlib.crc32(f"{seed} {family.name} {special} {len(drawn)}".encode())
        drawn += _draw_list(cases, min(CHUNK, count - len(drawn)), own_seed)
    return drawn


CHUNK = 25  # an example's size is limited


def _draw_list(cases: Any, count: int, seed: int) -> list[Numbers]:
    """The second example of lists of `count` cases: the first one is always the simplest."""
    hypothesis = require_hypothesis()
    lists: list[list[Numbers]] = []

    def collect(numbers: list[Numbers]) -> None:
        lists.append(numbers)

    settings = hypothesis.settings(
        max_examples=2,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(hypothesis.Phase.generate,),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    strategy = hypothesis.strategies.lists(cases, min_size=count, max_size=count)
    hypothesis.seed(seed)(settings(hypothesis.given(strategy)(collect)))()
    return lists[-1]
