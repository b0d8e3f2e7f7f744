"""Ways to make a tensor, as scripts write them: the same values, types and random numbers as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import minigrad

CALLS = """
t.normal(0, 0.01, size=(2, 3), requires_grad=True) ; t.normal(0.0, t.ones(3)) ; t.normal(t.zeros(3), 2.0) ; t.normal(t.zeros(3), t.ones(3))
t.full_like(x, 2.0, memory_format=t.preserve_format) ; t.zeros_like(x, memory_format=t.preserve_format)
t.randint_like(x, high=4) ; t.randint_like(x, 4) ; t.randint_like(x, 2, 5) ; t.randint(high=5, size=(3,)) ; t.rand_like(x)
x.new([1, 2]) ; x.new(2, 3).zero_() ; x.new(x.shape).fill_(2) ; x.new() ; x.long().new([1.7]) ; x.double().new((1, 2)) ; x.new(x + 1)
t.asarray([1, 2]) ; t.asarray(x) ; t.asarray(1.5, requires_grad=True) ; t.asarray(x, dtype=t.int64, copy=True) ; t.asarray(True)
"""


@pytest.mark.parametrize("call", [c.strip() for line in CALLS.strip().splitlines() for c in line.split(";")])
def test_makers(call: str) -> None:
    def made(t: Any) -> Any:
        t.manual_seed(5)
        return eval(call, {"t": t, "x": t.tensor([[0.5, -1.0, 2.0]])})

    ours, theirs = made(minigrad), made(torch)
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())
    assert ours.requires_grad == theirs.requires_grad and ours.is_leaf
    assert str(ours.dtype).rpartition(".")[2] == str(theirs.dtype).rpartition(".")[2]


def test_asarray_shares_memory_unless_it_copies() -> None:
    shared, copied = np.zeros(2), np.zeros(2)
    minigrad.asarray(shared)[0] = 1
    minigrad.asarray(copied, copy=True)[0] = 1
    assert shared[0] == 1 and copied[0] == 0
