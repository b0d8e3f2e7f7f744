"""Measure what the conformance kit claims: mutants caught, false alarms, minimal cases, seconds.

    python benchmarks/kit.py mutants --seeds 100      each mutant, quick, until the first failure; or --thorough
    python benchmarks/kit.py alarms --backend numpy --seeds 200
    python benchmarks/kit.py minimal                  whether a shrunk case has a number that could be at its least
    python benchmarks/kit.py times --backend numpy cpp [--thorough]

What an operation is tried on depends on the seed and on its family alone, so a mutant is run on the
operation that it breaks: a whole run tries the very same cases and more.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from minigrad.testing import check_backend, deck
from minigrad.testing.check import try_law
from minigrad.testing.families import WORDS
from minigrad.testing.mutants import MUTANTS

RANDOM = ("SharedScratch", "WeightGradientSumsInAnyOrder")  # their faults come and go


def mutants(seeds: int, first: int, names: list[str]) -> int:
    """Print how often each mutant is caught, and whether the report names the right operation.

    The edges are the same for every seed. What they catch is caught by every seed; the others are run seed by seed.
    """
    drawn, none = dict(deck.COUNTS), dict.fromkeys(deck.COUNTS, (0, 0))
    deck.COUNTS.update(none)
    always = [name for name in names if name not in RANDOM and caught_by(name, -1)]
    deck.COUNTS.update(drawn)
    print(f"{len(always)} of {len(names)} mutants are caught by the cases that every run tries", flush=True)
    rest = [name for name in names if name not in always]
    caught = dict.fromkeys(rest, 0)
    for seed in range(first, first + seeds):
        for name in rest:
            if caught_by(name, seed):
                caught[name] += 1
            else:
                print(f"seed {seed} misses {name}", flush=True)
        if (seed - first) % 10 == 9:
            print(f"seeds {first} to {seed}: {caught}", flush=True)
    worst = min(caught.values(), default=seeds)
    print(f"{len(names)} mutants, {seeds} seeds: the least caught was caught {worst} times")
    return 0 if worst >= 0.99 * seeds else 1


def thoroughly(names: list[str]) -> int:
    """Print which mutants a thorough run catches."""
    missed = [name for name in names if not caught_by(name, 0, thorough=True)]
    print(f"thorough catches {len(names) - len(missed)} of {len(names)} mutants {missed or ''}")
    return len(missed)


def caught_by(name: str, seed: int, thorough: bool = False) -> bool:
    """Whether a run with this seed catches a mutant and blames the operation that is wrong."""
    mutant = MUTANTS[name]
    report = check_backend(mutant, thorough, seed=seed, operations=[mutant.operation], shrink=False, stop_at_first=True)
    return not report.ok and report.failures[0].operation == mutant.operation


def alarms(backends: list[str], seeds: int, first: int) -> int:
    """Print every failure of backends that are right. They share each seed's cases and what the loops say of them."""
    wrong = dict.fromkeys(backends, 0)
    for seed in range(first, first + seeds):
        for backend in backends:
            report = check_backend(backend, seed=seed, shrink=False)
            wrong[backend] += not report.ok
            for failure in report.everything:
                print(f"{backend}, seed {seed}: {failure} {failure.numbers}", flush=True)
        if (seed - first) % 10 == 9:
            print(f"seeds {first} to {seed}: alarms {wrong}", flush=True)
        for key in deck._always:  # the edges are the same for every seed: once is enough
            deck._always[key] = []
    return max(wrong.values())


def minimal(names: list[str]) -> int:
    """Count the mutants whose first shrunk case has no number that could be at its least, whatever the values."""
    good = 0
    for name in names:
        backend = MUTANTS[name]()
        failure = check_backend(backend, operations=[backend.operation]).failures[0]
        loose = larger_than_needed(backend, failure)
        good += not loose
        print(f"{name:34} {failure.law:12} {'minimal' if not loose else 'could be smaller: ' + ', '.join(loose)}")
    print(f"{good} of {len(names)} minimal")
    return 0


def larger_than_needed(backend, failure):  # type: ignore[no-untyped-def]
    """The numbers of a failing case that could have their least value and still fail."""
    word = WORDS[failure.operation]
    law = next(law for law in word.laws if law.name == failure.law)
    family, found = word.family, []
    for name, least in family.least().items():
        value = failure.numbers[name]
        if name == "seed" or value <= least:
            continue
        for seed in range(20):
            numbers = {**failure.numbers, name: least, "seed": seed}
            with np.errstate(all="ignore"):
                if family.fits(numbers) and try_law(backend, word, law, family.case(numbers, failure.dtype).operands):
                    found.append(f"{name}={value}")
                    break
    return found


def times(backends: list[str], thorough: bool) -> int:
    """Print the seconds of one run."""
    for name in backends:
        started = time.perf_counter()
        report = check_backend(name, thorough)
        print(
            f"{name}: {report.cases} checks in {time.perf_counter() - started:.1f} s, {'ok' if report.ok else 'broken'}"
        )
        for failure in report.failures:
            print(failure, failure.numbers)
    return 0


def main() -> int:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("mutants", "alarms", "minimal", "times"))
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--backend", nargs="+", default=["numpy"])
    parser.add_argument("--mutant", nargs="+", default=list(MUTANTS))
    parser.add_argument("--thorough", action="store_true")
    options = parser.parse_args()
    if options.what == "mutants":
        return thoroughly(options.mutant) if options.thorough else mutants(options.seeds, options.first, options.mutant)
    if options.what == "minimal":
        return minimal(options.mutant)
    if options.what == "times":
        return times(options.backend, options.thorough)
    return alarms(options.backend, options.seeds, options.first)


if __name__ == "__main__":
    sys.exit(main())
