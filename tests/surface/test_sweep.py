"""The comparison with PyTorch beyond results in float64: a few samples of everything, all of what is listed as different.

`python tests/surface/database.py --all` runs it on more samples, and prints.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")

import database
import expected
import forms
import kinds
import layouts
import promotion
import refusals
import signatures
import sweep
import torch

import minigrad

pytestmark = pytest.mark.filterwarnings("ignore")
ENTRIES = list(sweep.entries([], kinds.ENTRIES))
FLOAT64 = list(sweep.entries([], database.OPERATIONS))
PARTS = range(12)  # a test per entry would spend most of its time between tests


def gathered(names, i, listed, compared):
    """Every twelfth entry from the i-th on that is not as the tables say.

    It runs in a thread of its own: PyTorch's makers of samples look through the whole stack, which is deep in a test.
    """

    def run():
        wrong = {}
        for name in names[i :: len(PARTS)]:
            found = compared(name)
            if found != listed(name):
                wrong[name] = found
        return wrong

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


@pytest.mark.parametrize("i", PARTS)
def test_element_types(i):
    def compared(name):
        return {kind for kind, text in sweep.types(name, 8 if name in expected.TYPES else 2) if text}

    assert not gathered(ENTRIES, i, lambda name: set(expected.TYPES.get(name, ("",))[0].split()), compared)


@pytest.mark.parametrize("i", PARTS)
def test_bad_calls_are_refused(i):
    def compared(name):
        return any(text for _, text in sweep.bad_calls(name, 2 if name in expected.CALLS else 1))

    assert not gathered(ENTRIES, i, expected.CALLS.__contains__, compared)


@pytest.mark.parametrize("i", PARTS)
def test_layouts_do_not_matter(i):
    def compared(name):
        return bool(sweep.attempt(lambda: layouts.check(name, 8 if name in expected.LAYOUTS else 2, True)))

    assert not gathered(FLOAT64, i, expected.LAYOUTS.__contains__, compared)


@pytest.mark.parametrize("i", PARTS)
def test_all_forms_are_there_and_agree(i):
    def compared(name):
        return bool(sweep.attempt(lambda: forms.check(name, 8 if name in expected.FORMS else 2)))

    assert not gathered(FLOAT64, i, expected.FORMS.__contains__, compared)


@pytest.mark.parametrize("text", forms.CALLS)
def test_calls_without_samples(text):
    forms.check_call(text)


def test_promotion():
    wrong = {}
    for name, theirs, ours in promotion.functions():
        _, differ = promotion.check(name, theirs, ours)
        if bool(differ) != (name in expected.PAIRS):
            wrong[name] = differ
    assert not wrong


def test_signatures():
    differ = {name: signatures.disagreement(name, theirs, ours) for name, theirs, ours in signatures.pairs()}
    assert {name for name, text in differ.items() if text} == set(signatures.REASONS)


def test_what_is_listed_exists():
    assert set(expected.TYPES) | set(expected.CALLS) <= set(ENTRIES)
    assert set(expected.LAYOUTS) | set(expected.FORMS) | set(expected.DIFFERENT) <= set(FLOAT64)


def test_faults_are_found(monkeypatch):
    """Every part of the comparison sees a fault of its kind."""
    monkeypatch.setitem(database.SPELLING, "sin", lambda x: minigrad.sin(x.double()))
    assert [kind for kind, text in sweep.types("sin", 2) if text] == [k for k in expected.ALL.split() if k != "float64"]
    monkeypatch.setitem(
        database.SPELLING, "sin", lambda x: minigrad.sin(x.contiguous().view(-1)[: x.numel()].view(x.shape))
    )
    layouts.check("sin", 2)
    monkeypatch.setitem(database.SPELLING, "sin", lambda x: minigrad.sin(x) if x.is_contiguous() else minigrad.cos(x))
    with pytest.raises(database.Disagreement, match="turned"):
        layouts.check("sin", 8)
    monkeypatch.setitem(database.SPELLING, "neg", lambda x: x * -1)
    assert any("accepted" in text for kind, text in sweep.types("neg", 2) if kind == "bool")
    monkeypatch.setitem(
        database.SPELLING, "cumsum", lambda x, dim: minigrad.cumsum(x, min(dim, 0) if dim == dim else 0)
    )
    assert any(text for _, text in sweep.bad_calls("cumsum", 1))
    with pytest.raises(database.Disagreement, match="accepted"):
        promotion.check_pair(torch.bitwise_and, lambda a, b: a, torch.ones(1), torch.ones(1))
    assert signatures.disagreement("sum", torch.sum, lambda input: None) == "takes no argument 'dtype'"
    assert refusals.DANGEROUS.isdisjoint(refusals.METHODS)
