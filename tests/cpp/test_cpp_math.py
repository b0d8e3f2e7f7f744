"""Products, activations, softmax, losses, batch normalisation and optimiser steps against PyTorch and NumPy."""

import copy

import numpy as np
import pytest
import torch

from minigrad.backend import Backend
from minigrad.backends.numpy_backend import NumpyBackend

from .oracle import CPP, TOLERANCE, close, draw

NUMPY = NumpyBackend()
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 1000]


def wide(array):
    """The same values in float64."""
    return torch.tensor(array.astype(np.float64), requires_grad=True)


# ------------------------------------------------------------------ matrices

PRODUCTS = [(m, k, n) for m in (1, 2, 5, 6, 12, 13, 25) for k in (1, 3, 16, 33) for n in (1, 7, 16, 17, 33, 70)]
PRODUCTS += [
    (100, 3000, 20),
    (3, 0, 4),
    (0, 3, 4),
    (7, 5, 0),
    (64, 600, 64),
    (130, 70, 300),
    (4, 1030, 40),
    (300, 260, 10),
]


@pytest.mark.parametrize("turned", ["", "a", "b", "ab"])
def test_matmul(isa, dtype, turned):
    for m, k, n in PRODUCTS:
        a = draw((k, m), dtype).T if "a" in turned else draw((m, k), dtype)
        b = draw((n, k), dtype).T if "b" in turned else draw((k, n), dtype)
        close(CPP.matmul(a, b), a.astype(np.float64) @ b.astype(np.float64), TOLERANCE[dtype])


def test_linear(isa, dtype):
    for m, k, n in PRODUCTS:
        x, w, b = draw((m, k), dtype), draw((n, k), dtype, 1), draw((n,), dtype, 2)
        y = x.astype(np.float64) @ w.T.astype(np.float64)
        close(CPP.linear(x, w, None), y, TOLERANCE[dtype])
        close(CPP.linear(x, w, b), y + b, TOLERANCE[dtype])
        close(CPP.linear_relu(x, w, b), np.maximum(y + b, 0), TOLERANCE[dtype])


def test_linear_gradients(isa, dtype):
    for m, k, n in PRODUCTS:
        x, w, gy = draw((m, k), dtype), draw((n, k), dtype, 1), draw((m, n), dtype, 2)
        y = np.maximum(draw((m, n), dtype, 3), 0)
        for value, g in ((None, gy), (y, np.where(y > 0, gy, 0))):
            g = g.astype(np.float64)
            expected = (g @ w, g.T @ x, g.sum(0))
            for needs in ((True, True, True), (False, True, False), (True, False, False), (False, False, True)):
                got = CPP.linear_grads(gy, x, w, value, needs)
                assert [one is not None for one in got] == list(needs)
                for one, other in zip(got, expected, strict=True):
                    if one is not None:
                        close(one, other, TOLERANCE[dtype])
    with pytest.raises(ValueError, match="linear_grads: the shapes do not fit"):
        CPP.linear_grads(draw((2, 3)), draw((2, 4)), draw((4, 4)), None, (True, True, True))


def test_relu_passes_nan_through_every_product(isa, dtype):
    for m, k, n in ((1, 40, 5), (20, 40, 20), (4, 3000, 4)):
        x, w = draw((m, k), dtype), draw((n, k), dtype, 1)
        x[0, 0] = np.nan
        y = CPP.linear_relu(x, w, None)
        assert np.isnan(y[0]).all()
        assert not np.isnan(y[1:]).any()


def test_matmul_of_other_ranks_and_types_is_numpys():
    a, b = draw((2, 3, 4)), draw((2, 4, 5))
    np.testing.assert_array_equal(CPP.matmul(a, b), np.matmul(a, b))
    a, b = np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(CPP.matmul(a, b), a @ b)
    assert CPP.matmul(draw((2, 3)), draw((3, 4), "float64")).dtype == np.float64
    with pytest.raises(ValueError, match="inner sizes differ"):
        CPP.matmul(draw((2, 3)), draw((4, 5)))


# ------------------------------------------------------------------ activations


def values(length, dtype):
    """Ordinary values, then some that overflow, underflow, and that are not numbers."""
    x = draw((length,), dtype) * np.array(8, dtype)
    odd = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e4, -1e4, 88.9, -88.9, -100.0, 1e-40, -1e-40, 1e-5, 0.3, 0.99, 1.01]
    x[: len(odd)] = odd[:length]
    return x


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("length", LENGTHS)
def test_activations(isa, dtype, name, length):
    x = values(length, dtype)
    y = getattr(CPP, name)(x)
    theirs = getattr(torch, name)(torch.tensor(x.astype(np.float64))).numpy()
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(y, theirs.astype(dtype), rtol=8 * eps, atol=np.finfo(dtype).smallest_subnormal)
    signed = np.signbit(y) == np.signbit(theirs)
    assert (signed | np.isnan(y) | (name == "relu")).all()
    gy, y = draw((length,), dtype, 1), np.nan_to_num(y)
    gradient = getattr(CPP, f"{name}_grad")(gy, y)
    exact = getattr(Backend, f"{name}_grad")(NUMPY, gy.astype(np.float64), y.astype(np.float64))
    np.testing.assert_allclose(gradient, exact, rtol=8 * eps, atol=8 * eps)


def test_activations_keep_shapes_and_broadcast_like_numpy(dtype):
    for shape in ((), (0,), (2, 0, 3), (2, 3, 4)):
        assert CPP.relu(draw(shape, dtype)).shape == shape
    assert CPP.relu_grad(draw((2, 3), dtype), draw((3,), dtype)).shape == (2, 3)


# ------------------------------------------------------------------ softmax and its loss


@pytest.mark.parametrize(
    "shape, axis", [((3, 10), 1), ((3, 10), 0), ((2, 7, 33), 1), ((2, 3, 4, 5), -1), ((4, 1), 1), ((5,), 0)]
)
def test_softmax(isa, dtype, shape, axis):
    x, gy = draw(shape, dtype) * np.array(5, dtype), draw(shape, dtype, 1)
    for ours, gradient, theirs in (
        (CPP.softmax, CPP.softmax_grad, torch.softmax),
        (CPP.log_softmax, CPP.log_softmax_grad, torch.log_softmax),
    ):
        theirs_x = wide(x)
        expected = theirs(theirs_x, axis)
        y = ours(x, axis)
        close(y, expected.detach().numpy(), TOLERANCE[dtype])
        (gx,) = torch.autograd.grad(expected, theirs_x, torch.tensor(gy.astype(np.float64)))
        close(gradient(gy, y, axis), gx.numpy(), TOLERANCE[dtype])


@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_of_extremes(isa, dtype, axis):
    rows = np.array([[1e4, 0, -1e4], [1e38, 1e38, 0], [-np.inf, 0, 1], [-np.inf] * 3, [np.nan, 0, 1]], dtype)
    x = np.ascontiguousarray(rows if axis else rows.T)
    theirs = torch.tensor(x.astype(np.float64))
    np.testing.assert_allclose(CPP.softmax(x, axis), torch.softmax(theirs, axis).numpy(), rtol=1e-5)
    np.testing.assert_allclose(CPP.log_softmax(x, axis), torch.log_softmax(theirs, axis).numpy(), rtol=1e-5)


@pytest.mark.parametrize("classes", [1, 2, 10, 16, 33, 1000])
def test_cross_entropy(isa, dtype, classes):
    x, target = draw((9, classes), dtype), np.arange(9) % classes
    theirs = wide(x)
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(target), reduction="none")
    losses, p = CPP.cross_entropy(x, target)
    close(losses, expected.detach().numpy(), TOLERANCE[dtype])
    close(p, torch.softmax(theirs, 1).detach().numpy(), TOLERANCE[dtype])
    gy = draw((9,), dtype, 1)
    (gx,) = torch.autograd.grad(expected, theirs, torch.tensor(gy.astype(np.float64)))
    close(CPP.cross_entropy_grad(gy, p, target), gx.numpy(), TOLERANCE[dtype])


@pytest.mark.parametrize("label", [7, -1, 2**40])
def test_a_label_out_of_bounds(label):
    with pytest.raises(IndexError, match=f"Target {label} is out of bounds"):
        CPP.cross_entropy(draw((2, 5)), np.array([0, label]))
    with pytest.raises(IndexError, match=f"Target {label} is out of bounds"):
        CPP.cross_entropy_grad(draw((2,)), draw((2, 5)), np.array([label, 0]))


# ------------------------------------------------------------------ batch normalisation


@pytest.mark.parametrize("shape", [(4, 3, 5, 7), (9, 5, 1, 1), (2, 2, 16, 33), (1, 1, 1, 2)])
def test_batch_norm(isa, dtype, shape):
    c = shape[1]
    x, gy = draw(shape, dtype) + np.array(3, dtype), draw(shape, dtype, 1)
    w, b = draw((c,), dtype, 2), draw((c,), dtype, 3)
    mean, variance = CPP.batch_norm_stats(x)
    close(mean, x.astype(np.float64).mean((0, 2, 3)), TOLERANCE[dtype])
    close(variance, x.astype(np.float64).var((0, 2, 3)), TOLERANCE[dtype])
    inv_std = (1 / np.sqrt(variance + 1e-5)).astype(dtype)
    xs, ws, bs = wide(x), wide(w), wide(b)
    expected = torch.nn.functional.batch_norm(xs, None, None, ws, bs, True, 0, 1e-5)
    close(CPP.batch_norm(x, w, b, mean, inv_std), expected.detach().numpy(), TOLERANCE[dtype])
    theirs = torch.autograd.grad(expected, (xs, ws, bs), torch.tensor(gy.astype(np.float64)))
    scale = float(theirs[1].abs().max()) + 1
    for ours, one in zip(CPP.batch_norm_grad(gy, x, w, mean, inv_std), theirs, strict=True):
        np.testing.assert_allclose(ours, one.numpy(), rtol=0, atol=TOLERANCE[dtype] * scale * 20)


# ------------------------------------------------------------------ steps, in place

SGD = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "first": True},
    {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"momentum": 0.5, "dampening": 0.3, "maximize": True},
    {"weight_decay": 0.2, "maximize": True},
]
ADAM = [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled": True}, {"maximize": True}]


def tensors(dtype, seed):
    """Parameters of every tail, and one that is large enough for all threads."""
    return [draw((length,), dtype, seed) for length in [*LENGTHS, 40000]] + [draw((3, 5), dtype, seed)]


def assert_lists_close(ours, theirs, dtype):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize("options", SGD, ids=str)
def test_sgd_step(isa, dtype, options):
    params, grads = tensors(dtype, 0), tensors(dtype, 1)
    buffers = tensors(dtype, 2) if "momentum" in options else None
    theirs, their_buffers, before = copy.deepcopy(params), copy.deepcopy(buffers), copy.deepcopy(grads)
    CPP.sgd_step(params, grads, buffers, lr=0.1, **options)
    Backend.sgd_step(NUMPY, theirs, grads, their_buffers, lr=0.1, **options)
    assert_lists_close(params, theirs, dtype)
    if buffers is not None:
        assert_lists_close(buffers, their_buffers, dtype)
    for one, other in zip(grads, before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("options", ADAM, ids=str)
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam_step(isa, dtype, options, amsgrad):
    state = [tensors(dtype, 0), tensors(dtype, 1), tensors(dtype, 2), [abs(t) for t in tensors(dtype, 3)]]
    state.append([abs(t) for t in tensors(dtype, 4)] if amsgrad else None)
    theirs = copy.deepcopy(state)
    numbers = {"step": 3, "lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, **options}
    CPP.adam_step(*state, **numbers)
    Backend.adam_step(NUMPY, *theirs, **numbers)
    for ours, other in zip(state, theirs, strict=True):
        if ours is not None:
            assert_lists_close(ours, other, dtype)


def test_steps_that_kernels_do_not_serve():
    """A strided or half-precision parameter is stepped by NumPy's definition, in place all the same."""
    for p in (draw((6, 4))[:, ::2], draw((5,)).astype(np.float16)):
        before = p.copy()
        CPP.sgd_step([p, draw((3,))], [np.ones_like(p), draw((3,), seed=1)], None, lr=0.5)
        np.testing.assert_allclose(p, before - 0.5, rtol=1e-3)
    CPP.sgd_step([], [], None, lr=0.1)
