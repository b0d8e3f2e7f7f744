"""Steps of every optimiser leave nothing behind: the number of objects stays flat with the collector off."""

from __future__ import annotations

import gc

import pytest

import minigrad
from minigrad import nn


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "NAdam"])
def test_flat(name):
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2))
    optimizer = getattr(minigrad.optim, name)(net.parameters(), lr=1e-3)
    x = minigrad.randn(5, 4)

    def steps(count):
        for _ in range(count):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()

    steps(3)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        steps(100)
        assert len(gc.get_objects()) - before < 50
        assert gc.collect() < 50
    finally:
        gc.enable()
