"""The kit catches every mutant, names the right operation, and shows a minimal case that can be run."""

import warnings

import numpy as np
import pytest

from minigrad.testing import LawBroken, check_backend
from minigrad.testing.check import STATE, try_law
from minigrad.testing.families import WORDS
from minigrad.testing.mutants import MUTANTS

loose = {}  # of each mutant, the numbers that could have been smaller


@pytest.mark.parametrize("name", MUTANTS)
def test_is_caught_with_a_minimal_case_that_runs(name):
    backend = MUTANTS[name]()
    report = check_backend(backend, operations=[backend.operation])
    assert not report.ok
    assert {failure.operation for failure in report.failures} == {backend.operation}
    failure = next(failure for failure in report.failures if STATE not in failure.message)
    assert f"from {backend.__module__} import {name}" in failure.script
    with pytest.raises(LawBroken), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(20):  # one of the mutants draws its faults
            exec(failure.script, {})
    loose[name] = larger_than_needed(backend, failure)


def larger_than_needed(backend, failure):
    """The numbers that could have their least value, with any of some values in the arrays, and still fail."""
    word = WORDS[failure.operation]
    law = next(law for law in word.laws if law.name == failure.law)
    found = []
    for name, least in word.family.least().items():
        if name == "seed" or failure.numbers[name] <= least:
            continue
        for seed in range(10):
            numbers = {**failure.numbers, name: least, "seed": seed}
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if word.family.fits(numbers) and try_law(
                    backend, word, law, word.family.case(numbers, failure.dtype).operands
                ):
                    found.append(name)
                    break
    return found


def test_cases_are_minimal():
    if len(loose) < len(MUTANTS):
        pytest.skip("needs the whole module: the tests above collect what this one counts")
    assert len(MUTANTS) >= 30
    assert [name for name, numbers in loose.items() if numbers] == []


LADDER = (
    "im2col",
    "col2im",
    "conv2d",
    "conv2d_input_grad",
    "max_pool2d",
    "max_pool2d_grad",
    "F.conv2d",
    "F.max_pool2d",
)


@pytest.mark.parametrize("name", ["OverlapsOverwritten", "FillIgnored", "TrueConvolution", "WinnersOverwrite"])
def test_what_only_follows_is_not_blamed(name):
    mutant = MUTANTS[name]
    report = check_backend(mutant, operations=LADDER, shrink=False)
    assert {failure.operation for failure in report.failures} == {mutant.operation}
    others = [failure for failure in report.everything if failure.follows]
    assert others
    assert all(mutant.operation in failure.follows for failure in others)


def test_the_negative_control():
    """A gradient that is off by one in a hundred is off."""
    numpy = MUTANTS["PadsWithZero"].__mro__[2]

    class Slightly(numpy):
        def conv2d_weight_grad(self, *args):
            return super().conv2d_weight_grad(*args) * np.float32(1.01)

    report = check_backend(Slightly(), operations=["conv2d_weight_grad"], dtypes=["float32"], shrink=False)
    assert {"values", "adjoint"} <= {failure.law for failure in report.failures}
