"""Long chains, repeated use, flat memory, threads."""

import gc
import threading
import weakref

import numpy as np
import pytest

import minigrad
from core.compare import array
from minigrad.autograd.graph import Op, Variable

pytestmark = pytest.mark.usefixtures("backend")


def live(*kinds):
    return sum(issubclass(type(o), kinds) for o in gc.get_objects())


def test_a_chain_of_150_000_ops():
    x = minigrad.ones(1, requires_grad=True)
    y = x
    for _ in range(150_000):
        y = y * 1.0
    y.backward()
    assert x.grad.tolist() == [1.0]
    del y


def test_a_chain_of_150_000_ops_dropped_without_backward():
    x = minigrad.ones(1, requires_grad=True)
    y = x
    for _ in range(150_000):
        y = y.sin()
    first = weakref.ref(x)
    del x, y
    assert first() is None


def test_doubling_sixty_times_is_linear():
    x = minigrad.ones(1, dtype=minigrad.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    y.backward(create_graph=True)
    assert x.grad.tolist() == [2.0**60]
    (g,) = minigrad.autograd.grad(y * y, [x])
    assert g.item() == pytest.approx(2.0**121)


def train(steps, seed, dtype=minigrad.float32):
    """A small network by hand, so that nothing but the core is at work."""
    rng = np.random.default_rng(seed)
    new = lambda *shape: minigrad.tensor(rng.standard_normal(shape) * 0.3, dtype=dtype, requires_grad=True)
    filters, weight, bias = new(3, 1, 3, 3), new(12, 4), new(4)
    x = minigrad.tensor(rng.standard_normal((2, 1, 6, 6)), dtype=dtype)
    target = minigrad.tensor(rng.standard_normal((2, 4)), dtype=dtype)
    losses = []
    for _ in range(steps):
        h = minigrad.ops.pool.max_pool2d(minigrad.conv2d(x, filters).relu(), 2)
        loss = ((h.flatten(1) @ weight + bias - target) ** 2).mean()
        loss.backward()
        with minigrad.no_grad():
            for p in (filters, weight, bias):
                p -= 0.05 * p.grad
                p.grad = None
        losses.append(loss.item())
    return losses, [array(p).copy() for p in (filters, weight, bias)]


def test_1000_training_steps_without_the_collector_keep_nothing():
    train(5, 0)
    gc.collect()
    gc.disable()
    try:
        before = live(Variable, Op)
        count = len(gc.get_objects())
        losses, _ = train(1000, 0)
        assert live(Variable, Op) == before
        assert len(gc.get_objects()) - count < 1100  # the losses are floats in one list; nothing else stays
        assert gc.collect() < 50
    finally:
        gc.enable()
    assert losses[-1] < losses[0] / 10


@pytest.mark.parametrize("how", ["create_graph", "in place", "views", "hooks", "function", "error"])
def test_no_reference_cycles(how):
    class Twice(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, gy):
            _ = ctx.saved_tensors
            return gy * 2

    def step():
        x = minigrad.ones(3, dtype=minigrad.float64, requires_grad=True)
        if how == "create_graph":
            (g,) = minigrad.autograd.grad((x**3).sum(), [x], create_graph=True)
            minigrad.autograd.grad(g.sum(), [x])
        elif how == "in place":
            y = x * 2
            y += x
            y[0] = x[1]
            y.exp_().sum().backward()
        elif how == "views":
            y = x * 2
            v = y[1:]
            v *= 3
            w = v[0]
            w += 1
            y.sum().backward()
        elif how == "hooks":
            y = x * 2
            y.retain_grad()
            y.register_hook(lambda g: g * 2)
            y.sum().backward()
        elif how == "function":
            Twice.apply(x).sum().backward()
        else:
            y = (x * x).sum()
            y.backward()
            with pytest.raises(RuntimeError):
                y.backward()
        return weakref.ref(x)

    step()
    gc.collect()
    gc.disable()
    try:
        alive = [step() for _ in range(3)]
        if how == "error":  # the exception's traceback holds frames; they go with the collector
            gc.collect()
        assert [ref() for ref in alive] == [None] * 3
    finally:
        gc.enable()


def test_two_threads_training_two_models_equal_serial_training(backend):
    serial = [train(30, seed) for seed in (1, 2)]
    results = {}

    def work(seed):
        with minigrad.use_backend(backend):
            results[seed] = train(30, seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for seed, (losses, params) in zip((1, 2), serial, strict=True):
        assert results[seed][0] == losses
        for a, b in zip(results[seed][1], params, strict=True):
            np.testing.assert_array_equal(a, b)
