"""What only a real GPU can show: training there and on the CPU agree, runs repeat bit for bit, captured or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
import minigrad.cuda
from minigrad import nn, optim


def network() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 30, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4320, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def size(batch: int) -> int:
    """Of a batch: the emulated device computes a hundred thousand times slower, and as right with a small one."""
    return 2 if "emulated" in minigrad.cuda.get_device_name() else batch


def losses(backend: str, steps: int, captured: bool = False, batch: int = 32) -> list[float]:
    """The losses of a training, from the same seed and with the same data everywhere."""
    batch, rng = size(batch), np.random.default_rng(0)
    images = rng.standard_normal((steps, batch, 1, 28, 28), dtype=np.float32)
    labels = rng.integers(0, 10, (steps, batch))
    with mg.use_backend(backend):
        mg.manual_seed(0)
        model = network()
        optimizer, criterion = optim.SGD(model.parameters(), lr=0.01, momentum=0.9), nn.CrossEntropyLoss()

        def step(x: Any, t: Any) -> Any:
            optimizer.zero_grad()
            loss = criterion(model(x), t)
            loss.backward()
            optimizer.step()
            return loss

        chosen = minigrad.cuda.graph(step, optimizer) if captured else step
        return [chosen(mg.tensor(x), mg.tensor(t)).item() for x, t in zip(images, labels, strict=True)]


def test_losses_are_those_of_the_cpu(gpu: Any) -> None:
    np.testing.assert_allclose(losses("cuda", 100), losses("numpy", 100), atol=1e-4, rtol=0)


@pytest.mark.parametrize("captured", [False, True])
def test_runs_repeat_bit_for_bit(gpu: Any, captured: bool) -> None:
    assert losses("cuda", 20, captured) == losses("cuda", 20, captured)


def test_captured_steps_are_the_steps(gpu: Any) -> None:
    assert losses("cuda", 20, captured=True) == losses("cuda", 20)


def test_a_thousand_steps_use_no_more_memory(gpu: Any) -> None:
    batch = size(16)
    x, t = mg.randn(batch, 1, 28, 28), mg.zeros(batch, dtype=mg.int64)
    model = network()
    optimizer, criterion = optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    used = []
    for _ in range(1000):
        optimizer.zero_grad()
        criterion(model(x), t).backward()
        optimizer.step()
        used.append(minigrad.cuda.memory_allocated())
    assert max(used[10:]) == used[10]


def test_a_class_out_of_range_does_not_poison_the_context(gpu: Any) -> None:
    loss = nn.CrossEntropyLoss()(mg.randn(3, 4), mg.tensor([0, 9, 1]))
    with pytest.raises(IndexError, match="Target 9"):
        loss.item()
    assert (mg.ones(3) + 1).tolist() == [2, 2, 2]


def test_the_kit_finds_nothing(gpu: Any) -> None:
    from minigrad.testing import check_backend

    report = check_backend(gpu)
    assert report.ok, str(report)
