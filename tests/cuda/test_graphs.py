"""Captured steps on the emulated device: the same bits as the steps themselves, and clear words for what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import registry
from minigrad.errors import GraphError
from minigrad.ops.loss import cross_entropy
from minigrad.optim.adam import Adam
from minigrad.optim.sgd import SGD


@pytest.fixture
def gpu(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`minigrad.cuda` with the emulated device as the default one."""
    import minigrad.cuda

    monkeypatch.setitem(registry._loaded, "cuda", cuda)
    with registry.use_backend(cuda):
        yield minigrad.cuda


OPTIMISERS = {
    "sgd": lambda params: SGD(params, lr=0.1, momentum=0.9),
    "adam": lambda params: Adam(params, lr=0.05),
    "amsgrad": lambda params: Adam(params, lr=0.05, amsgrad=True, weight_decay=0.01),
}


class Net:
    """A convolution and a classifier, with the step that trains them."""

    def __init__(self, kind: str) -> None:
        rng = np.random.default_rng(0)
        shapes = [(6, 1, 3, 3), (6,), (4, 54)]
        self.params = [mg.tensor(rng.standard_normal(s).astype("f4") * 0.3, device="cuda") for s in shapes]
        for p in self.params:
            p.requires_grad_()
        self.optimizer = OPTIMISERS[kind](self.params)
        self.ran = 0

    def step(self, x: Any, target: Any) -> Any:
        self.ran += 1
        w, b, classifier = self.params
        self.optimizer.zero_grad()
        hidden = mg.max_pool2d(mg.conv2d(x, w, b).relu(), 2)
        logits = hidden.reshape(len(x.array), -1) @ classifier.T
        loss = cross_entropy(logits, target)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss, "logits": logits}


def batches(count: int, size: int = 5) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(1)
    return [
        (mg.tensor(rng.standard_normal((size, 1, 8, 8)).astype("f4")), mg.tensor(rng.integers(0, 4, size)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("kind", OPTIMISERS)
def test_replays_give_the_same_bits_as_steps(gpu: Any, kind: str) -> None:
    eager, captured = Net(kind), Net(kind)
    step = gpu.graph(captured.step, captured.optimizer, warmup=2)
    for x, target in batches(8):
        want, got = eager.step(x, target), step(x, target)
        assert want["loss"].tolist() == got["loss"].tolist()
        assert want["logits"].tolist() == got["logits"].tolist()
    assert step.captured == 1 and captured.ran == 3 and eager.ran == 8
    for p, q in zip(eager.params, captured.params, strict=True):
        assert p.tolist() == q.tolist()
    ours, theirs = captured.optimizer.state_dict(), eager.optimizer.state_dict()
    assert {k: [str(v) for v in s.values()] for k, s in ours["state"].items()} == {
        k: [str(v) for v in s.values()] for k, s in theirs["state"].items()
    }


def test_a_replay_follows_the_learning_rate(gpu: Any) -> None:
    eager, captured = Net("adam"), Net("adam")
    step = gpu.graph(captured.step, captured.optimizer, warmup=1)
    for i, (x, target) in enumerate(batches(6)):
        for net in (eager, captured):
            net.optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
        assert eager.step(x, target)["loss"].tolist() == step(x, target)["loss"].tolist()


def test_each_shape_has_its_graph(gpu: Any) -> None:
    eager, captured = Net("sgd"), Net("sgd")
    step = gpu.graph(captured.step, captured.optimizer, warmup=1)
    mixed = [b for pair in zip(batches(4), batches(4, size=3), strict=True) for b in pair]
    for x, target in mixed:
        assert eager.step(x, target)["loss"].tolist() == step(x, target)["loss"].tolist()
    assert step.captured == 2
    step.reset()
    assert step.captured == 0


def test_a_step_runs_without_waiting_and_with_flat_memory(gpu: Any, cupy: Any) -> None:
    from cupy import _stream

    net = Net("sgd")
    step = gpu.graph(net.step, net.optimizer, warmup=1)
    data = [(x.cuda(), target.cuda()) for x, target in batches(2)]
    for x, target in data:
        step(x, target)
    before, memory = _stream.synchronisations, gpu.memory_allocated()
    for _ in range(20):
        for x, target in data:
            net.step(x, target)
            step(x, target)
    assert _stream.synchronisations == before
    del x, target
    for x, target in data:
        net.step(x, target)
    assert gpu.memory_allocated() <= memory + 8192


def test_a_bad_class_in_a_replay_is_an_index_error(gpu: Any) -> None:
    net = Net("sgd")
    step = gpu.graph(net.step, net.optimizer, warmup=1)
    (x, target), *_ = batches(1)
    for _ in range(3):
        step(x, target)["loss"].item()
    with pytest.raises(IndexError, match="Target 9"):
        step(x, mg.full((5,), 9, dtype=mg.int64))
        gpu.synchronize()


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (lambda x: x.sum().item(), "asks for values|waits for the GPU"),
        (lambda x: x.cpu(), "asks for values|waits for the GPU"),
        (lambda x: x + mg.tensor([1.0], device="cuda"), "copies from the host|waits for the GPU"),
        (lambda x: x if (x > 0).all() else -x, "asks for values|waits for the GPU"),
    ],
)
def test_what_cannot_be_captured_says_so(gpu: Any, what: Any, text: str) -> None:
    step = gpu.graph(lambda x: (what(x), x * 2)[1], warmup=1)
    x = mg.ones(3, device="cuda")
    step(x)
    with pytest.raises(GraphError, match=text):
        step(x)
    assert (x * 2).tolist() == [2, 2, 2]  # the device goes on


def test_an_optimiser_that_was_not_named(gpu: Any) -> None:
    net = Net("sgd")
    step = gpu.graph(net.step, warmup=1)
    (x, target), *_ = batches(1)
    step(x, target)
    with pytest.raises(GraphError, match=r"name it, as in minigrad\.cuda\.graph\(step, optimizer\)"):
        step(x, target)


def test_the_door_of_cross_entropy_does_not_wait(gpu: Any, cupy: Any) -> None:
    from cupy import _stream

    x, target = mg.randn(3, 4, device="cuda"), mg.tensor([1, 0, 2], device="cuda")
    before = _stream.synchronisations
    cross_entropy(x, target)
    assert _stream.synchronisations == before
