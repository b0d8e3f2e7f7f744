"""Same script, same seed, same numbers as PyTorch: weights, shuffles and masks bit for bit, losses to 1e-4."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import minigrad
from minigrad import nn, optim
from minigrad.utils.data import DataLoader, TensorDataset


class Library(NamedTuple):
    """What a training script takes from a library."""

    m: Any
    nn: Any
    optim: Any
    loader: Any
    dataset: Any


OURS = Library(minigrad, nn, optim, DataLoader, TensorDataset)
THEIRS = Library(torch, torch.nn, torch.optim, torch.utils.data.DataLoader, torch.utils.data.TensorDataset)


def train(lib: Library, dropout: float, optimiser: str, steps: int = 100) -> tuple[list[Any], list[Any], Any]:
    """Initial weights, the labels in the order in which they came, and the losses."""
    m = lib.m
    rng = np.random.default_rng(0)
    t = rng.integers(0, 10, 600)
    # Ten patterns under noise: learnt without jumps, which would blow rounding up to any size in any two libraries.
    x = rng.random((10, 1, 28, 28), dtype=np.float32)[t] * 0.5 + rng.random((600, 1, 28, 28), dtype=np.float32) * 0.5
    m.manual_seed(0)
    model = lib.nn.Sequential(
        lib.nn.Conv2d(1, 30, 5), lib.nn.ReLU(), lib.nn.MaxPool2d(2), lib.nn.Flatten(),
        lib.nn.Linear(4320, 100), lib.nn.ReLU(), lib.nn.Dropout(dropout), lib.nn.Linear(100, 10),
    )  # fmt: skip
    weights = [p.detach().numpy().copy() for p in model.parameters()]
    make = {
        "adam": lambda p: lib.optim.Adam(p, lr=1e-3),
        "sgd": lambda p: lib.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-4),
    }
    optimizer, criterion = make[optimiser](model.parameters()), lib.nn.CrossEntropyLoss()
    loader = lib.loader(lib.dataset(m.tensor(x), m.tensor(t)), batch_size=20, shuffle=True)
    labels, losses = [], []
    while len(losses) < steps:
        for xb, tb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), tb)
            loss.backward()
            optimizer.step()
            labels.append(tb.numpy().copy())
            losses.append(loss.item())
    return weights, labels, np.array(losses)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", ["numpy", "cpp"])
def test_the_seed_network_learns_as_in_pytorch(name: str, dropout: float, optimiser: str) -> None:
    with minigrad.use_backend(name):
        ours = train(OURS, dropout, optimiser)
    theirs = train(THEIRS, dropout, optimiser)
    for a, b in zip(ours[0] + ours[1], theirs[0] + theirs[1], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(ours[2], theirs[2], atol=1e-4)
    assert theirs[2][-1] < theirs[2][0] - 0.1, "the network must have learned something for this to mean much"
