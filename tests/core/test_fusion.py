"""Fusion changes no value, no gradient and no hook: PyTorch, which fuses nothing here, is the judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as torch_functional

import minigrad
from minigrad.backends.numpy_backend import NumpyBackend
from minigrad.ops import fused


class Fusing(NumpyBackend):
    """The reference, which claims to fuse everything and says what it was asked for."""

    name = "fusing"
    fuses = frozenset({"conv2d_relu", "conv2d_relu_max_pool2d", "linear_relu"})

    def __init__(self) -> None:
        self.calls: list[str] = []

    def conv2d_relu_max_pool2d(self, *args: Any) -> Any:
        self.calls.append("conv2d_relu_max_pool2d")
        return super().conv2d_relu_max_pool2d(*args)

    def conv2d_relu(self, *args: Any) -> Any:
        self.calls.append("conv2d_relu")
        return super().conv2d_relu(*args)

    def linear_relu(self, *args: Any) -> Any:
        self.calls.append("linear_relu")
        return super().linear_relu(*args)


@pytest.fixture
def fusing() -> Iterator[Fusing]:
    backend = Fusing()
    with minigrad.use_backend(backend), fused.fusion(True):
        yield backend


def gradients(lib: Any, watched: str, second: bool, bias: bool = True) -> list[Any]:
    """conv - relu - pool - linear - relu, with gradients of inputs, parameters and what is watched in between."""
    rng = np.random.default_rng(0)

    def leaf(*shape: int) -> Any:
        return lib.tensor(rng.standard_normal(shape), requires_grad=True)

    x, w, b, w2, b2 = leaf(2, 2, 8, 8), leaf(3, 2, 3, 3), leaf(3), leaf(5, 27), leaf(5)
    f = torch_functional if lib is torch else fused
    conv = f.conv2d(x, w, b if bias else None)
    relu = f.relu(conv)
    pool = f.max_pool2d(relu, 2)
    linear = f.linear(pool.reshape(2, -1), w2, b2 if bias else None)
    between = {"c": conv, "r": relu, "p": pool, "l": linear}
    for name in watched:
        between[name].retain_grad()
    y = f.relu(linear)
    loss = (y * y * y).sum()
    if second:
        loss = sum((g * g).sum() for g in lib.autograd.grad(loss, [x, w, w2], create_graph=True))
    loss.backward()
    leaves = [x, w, w2, *([b] if bias else [])]
    return [t.grad.detach().numpy() for t in leaves + [between[name] for name in watched]]


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("watched", ["", "c", "r", "cr", "rc", "p", "l", "crpl"])
@pytest.mark.parametrize("bias", [False, True])
def test_gradients_are_those_of_single_steps(fusing: Fusing, watched: str, second: bool, bias: bool) -> None:
    for ours, theirs in zip(
        gradients(minigrad, watched, second, bias), gradients(torch, watched, second, bias), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert fusing.calls[0] == "conv2d_relu_max_pool2d"
    assert ("linear_relu" in fusing.calls) == ("l" not in watched), "what has a hook is computed by itself"


def test_the_gradient_of_what_lies_between_can_be_asked_for_later(fusing: Fusing) -> None:
    x, w = minigrad.randn(1, 1, 5, 5), minigrad.randn(2, 1, 3, 3, requires_grad=True)
    conv = minigrad.conv2d(x, w)
    y = minigrad.relu(conv).sum()
    (g,) = minigrad.autograd.grad(y, [conv])
    np.testing.assert_array_equal(g.numpy(), (conv > 0).float().numpy())


def test_deferred_values_are_those_of_the_time_of_the_call(fusing: Fusing) -> None:
    x, w = minigrad.randn(1, 1, 5, 5), minigrad.randn(2, 1, 3, 3)
    expected = minigrad.conv2d(x.clone(), w.clone()).numpy().copy()
    y = minigrad.conv2d(x, w)
    assert fused.plan_of(y) is not None
    x.add_(1)
    assert fused.plan_of(y) is None
    np.testing.assert_array_equal(y.numpy(), expected)


def test_numpy_cannot_write_behind_a_deferred_tensor(fusing: Fusing) -> None:
    array = np.ones((1, 1, 4, 4), np.float32)
    x, w = minigrad.from_numpy(array), minigrad.ones(1, 1, 2, 2)
    y = minigrad.conv2d(x, w)
    array[...] = 7
    np.testing.assert_array_equal(y.numpy(), np.full((1, 1, 3, 3), 4, np.float32))


def test_a_deferred_tensor_is_a_tensor(fusing: Fusing) -> None:
    y = minigrad.conv2d(minigrad.ones(1, 1, 4, 4), minigrad.ones(1, 1, 2, 2))
    assert isinstance(y, minigrad.Tensor) and y.shape == (1, 1, 3, 3)
    assert fused.plan_of(y) is not None, "asking for the shape must not compute"
    assert y.tolist() == [[[[4.0] * 3] * 3]]
    assert type(y) is minigrad.Tensor


def test_a_saved_input_that_was_overwritten_is_noticed(fusing: Fusing) -> None:
    x, w = minigrad.randn(1, 1, 5, 5), minigrad.randn(2, 1, 3, 3, requires_grad=True)
    y = minigrad.max_pool2d(minigrad.relu(minigrad.conv2d(x, w)), 2).sum()
    with minigrad.no_grad():
        x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


WRITES = {
    "itself": lambda lib, y: y.mul_(3),
    "a view": lambda lib, y: y.view(-1).mul_(3),
    "a view that is left": lambda lib, y: y.flatten(1).t().add_(1),
    "an operator": lambda lib, y: y.__iadd__(lib.ones(1)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_was_pooled_may_be_written_to(fusing: Fusing, write: Any) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 2, 8, 8)), rng.standard_normal((3, 2, 3, 3))

    def gradient(lib: Any, f: Any) -> Any:
        weight = lib.tensor(w, requires_grad=True)
        y = write(lib, f.max_pool2d(f.relu(f.conv2d(lib.tensor(x), weight)), 2))
        (y * y * y).sum().backward()
        return weight.grad.numpy()

    np.testing.assert_allclose(gradient(minigrad, fused), gradient(torch, torch_functional), rtol=1e-12)
    assert "conv2d_relu_max_pool2d" in fusing.calls


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("first", ["conv2d", "linear"])
def test_what_relu_gave_may_not(fusing: Fusing, first: str, write: Any) -> None:
    w = minigrad.ones((3, 2, 3, 3) if first == "conv2d" else (3, 2), requires_grad=True)
    y = minigrad.relu(getattr(fused, first)(minigrad.ones((2, 2, 5, 5) if first == "conv2d" else (2, 2)), w))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        write(minigrad, y).sum().backward()


def test_off_by_one_switch(fusing: Fusing) -> None:
    with fused.fusion(False):
        y = minigrad.relu(minigrad.conv2d(minigrad.ones(1, 1, 4, 4), minigrad.ones(1, 1, 2, 2)))
    assert fused.plan_of(y) is None and fusing.calls == []


def test_backends_that_fuse_nothing_defer_nothing() -> None:
    with minigrad.use_backend("numpy"):
        assert fused.plan_of(minigrad.conv2d(minigrad.ones(1, 1, 4, 4), minigrad.ones(1, 1, 2, 2))) is None
