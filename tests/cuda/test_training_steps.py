"""What a training step costs besides its arithmetic: launches, waits and memory, counted on the emulated device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, registry

F = nn.functional


@pytest.fixture
def gpu(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`minigrad.cuda` with the emulated device as the default one."""
    import minigrad.cuda

    monkeypatch.setitem(registry._loaded, "cuda", cuda)
    with registry.use_backend(cuda):
        yield minigrad.cuda


class Recurrent(nn.Module):
    """Words, an LSTM, and what comes last."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.rnn, self.out = nn.Embedding(9, 6), nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, words: Any) -> Any:
        return self.out(self.rnn(self.table(words))[0][:, -1])


def numbers(*shape: int) -> Any:
    return mg.tensor(np.random.default_rng(0).standard_normal(shape).astype("f4"))


def classes(count: int, *shape: int) -> Any:
    return mg.tensor(np.random.default_rng(1).integers(0, count, shape))


def transformer() -> Any:
    return nn.Sequential(
        nn.Embedding(9, 8), nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), nn.Flatten(), nn.Linear(32, 3)
    )  # fmt: skip


# name -> the model, its input, its target, the loss
STEPS: dict[str, tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any], Any]] = {
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 3)),
        lambda: numbers(4, 1, 8, 8), lambda: classes(3, 4), F.cross_entropy,
    ),
    "log-likelihood": (
        lambda: nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 3), nn.LogSoftmax(1)),
        lambda: numbers(4, 7), lambda: classes(3, 4), F.nll_loss,
    ),
    "smoothed labels": (
        lambda: nn.Sequential(nn.Linear(7, 3)), lambda: numbers(4, 7), lambda: classes(3, 4),
        lambda y, t: F.cross_entropy(y, t, label_smoothing=0.1),
    ),
    "squares": (
        lambda: nn.Sequential(nn.Linear(7, 5), nn.GELU(), nn.LayerNorm(5), nn.Linear(5, 2)),
        lambda: numbers(4, 7), lambda: numbers(4, 2), F.mse_loss,
    ),
    "yes or no": (
        lambda: nn.Sequential(nn.Linear(7, 1), nn.Sigmoid()),
        lambda: numbers(4, 7), lambda: classes(2, 4, 1).float(), F.binary_cross_entropy,
    ),
    "recurrent": (Recurrent, lambda: classes(9, 2, 3), lambda: classes(3, 2), F.cross_entropy),
    "transformer": (transformer, lambda: classes(9, 2, 4), lambda: classes(3, 2), F.cross_entropy),
}  # fmt: skip


def step_of(name: str, make: Any = optim.Adam) -> tuple[Callable[..., Any], Any, Any, Any]:
    model, x, target, loss_of = (part() if i < 3 else part for i, part in enumerate(STEPS[name]))
    optimizer = make(model.parameters(), lr=0.01)

    def step(x: Any, target: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(model(x), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return step, optimizer, x, target


@pytest.mark.parametrize("name", STEPS)
def test_a_step_waits_for_nothing(gpu: Any, cupy: Any, name: str) -> None:
    from cupy import _stream

    step, _, x, target = step_of(name)
    first = step(x, target)
    before = _stream.synchronisations
    for _ in range(3):
        loss = step(x, target)
    assert _stream.synchronisations == before
    assert loss.item() < first.item()
    assert _stream.synchronisations > before  # that is where the waiting is


@pytest.mark.parametrize("name", STEPS)
def test_a_step_can_be_captured(gpu: Any, name: str) -> None:
    mg.manual_seed(0)
    eager, *_ = step_of(name)
    mg.manual_seed(0)
    plain, optimizer, x, target = step_of(name)
    captured = gpu.graph(plain, optimizer, warmup=1)
    for _ in range(4):
        assert captured(x, target).tolist() == eager(x, target).tolist()
    assert captured.captured == 1


def test_a_thousand_steps_use_no_more_memory(gpu: Any) -> None:
    step, optimizer, x, target = step_of("log-likelihood")
    captured = gpu.graph(step, optimizer, warmup=2)
    for run in (step, captured):
        for _ in range(5):
            run(x, target)
        allocated, reserved = gpu.memory_allocated(), gpu.memory_reserved()
        for i in range(500):
            run(x, target)
            assert gpu.memory_allocated() == allocated, i
        assert gpu.memory_reserved() == reserved


def test_few_launches_make_a_captured_step_of_the_seed_net(gpu: Any, cupy: Any) -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4320, 100), nn.ReLU(), nn.Linear(100, 10)
    )  # fmt: skip
    optimizer, criterion = optim.SGD(model.parameters(), lr=0.01), nn.CrossEntropyLoss()

    def step(x: Any, target: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    captured = gpu.graph(step, optimizer, warmup=1)
    x, target = numbers(2, 1, 28, 28), classes(10, 2)
    for _ in range(2):
        captured(x, target)
    (found,) = captured._graphs.values()
    assert found.graph.launches == 11  # of which a twelfth of a step's time each, on a GPU that waits for launches


def test_an_index_out_of_a_table_is_an_error_and_no_harm(gpu: Any) -> None:
    table = nn.Embedding(5, 2)
    out = table(mg.tensor([1, 5]))
    with pytest.raises(IndexError, match=r"index out of range in self: embedding\(\) got 5 for a table of 5 rows"):
        out.tolist()
    assert table(mg.tensor([4])).shape == (1, 2)
    with pytest.raises(IndexError, match="gather\\(\\): index -1 is out of bounds for dimension 1 with size 3"):
        numbers(2, 3).gather(1, mg.tensor([[0], [-1]])).tolist()
    with pytest.raises(IndexError, match="Target 4 is out of bounds"):
        F.nll_loss(numbers(2, 3), mg.tensor([0, 4])).item()
