"""The loops against PyTorch: an oracle that nobody checks is one more implementation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.testing import conv2d_cases, oracles, pool2d_cases, windows
from minigrad.testing.families import WORDS
from minigrad.testing.sampling import sample
from minigrad.testing.words import NotApplicable

t = torch.from_numpy


def close(expected, actual):
    np.testing.assert_allclose(expected.value, np.asarray(actual), rtol=1e-11, atol=1e-12)


@settings(max_examples=150)
@given(conv2d_cases())
def test_convolution_and_its_gradients(case):
    window, groups = case["window"], case["groups"]
    x, w = t(case["x"]).requires_grad_(), t(case["w"]).requires_grad_()
    b = None if case["b"] is None else t(case["b"])
    y = F.conv2d(x, w, b, window.stride, window.padding, window.dilation, groups)
    y.backward(t(case["gy"]))
    close(oracles.conv2d(case["x"], case["w"], case["b"], window, groups), y.detach())
    close(oracles.conv2d_input_grad(case["gy"], case["w"], case["x_shape"], window, groups), x.grad)
    close(oracles.conv2d_weight_grad(case["gy"], case["x"], case["w_shape"], window, groups), w.grad)
    close(oracles.conv2d_bias_grad(case["gy"]), t(case["gy"]).sum((0, 2, 3)))


def torch_pools(case):
    """PyTorch refuses an image without channels, and padding over half of the undilated kernel."""
    window = case["window"]
    return case["x"].shape[1] > 0 and all(2 * p <= k for p, k in zip(window.padding, window.kernel, strict=True))


@settings(max_examples=150)
@given(st.booleans().flatmap(lambda ties: pool2d_cases(ties=ties)))
def test_max_pool_with_and_without_ties(case):
    if not torch_pools(case):
        return
    window, x = case["window"], t(case["x"]).requires_grad_()
    y, indices = F.max_pool2d(
        x, window.kernel, window.stride, window.padding, window.dilation, window.ceil_mode, return_indices=True
    )
    expected, places = oracles.max_pool2d(case["x"], window)
    np.testing.assert_array_equal(expected.value, y.detach())
    number = ~np.isnan(expected.value)  # of several NaN, PyTorch names the last and minigrad the first
    np.testing.assert_array_equal(places.value[number], indices.numpy()[number])
    if number.all():
        y.backward(t(case["gy"]))
        close(oracles.max_pool2d_grad(case["gy"], places.value, case["x_shape"]), x.grad)
    gathered = t(case["x"]).flatten(2).gather(2, indices.flatten(2)).reshape(indices.shape)
    np.testing.assert_array_equal(oracles.max_pool2d_gather(case["x"], indices.numpy()).value, gathered)


@settings(max_examples=150)
@given(pool2d_cases(average=True))
def test_avg_pool(case):
    if not torch_pools(case):
        return
    window, x, rest = case["window"], t(case["x"]).requires_grad_(), (case["count_include_pad"], case["divisor"])
    y = F.avg_pool2d(x, window.kernel, window.stride, window.padding, window.ceil_mode, *rest)
    y.backward(t(case["gy"]))
    close(oracles.avg_pool2d(case["x"], window, *rest), y.detach())
    close(oracles.avg_pool2d_grad(case["gy"], case["x_shape"], window, *rest), x.grad)


@given(windows())
def test_number_of_places(drawn):
    window, size = drawn
    assert oracles.windows.places(window, *size) == window.out_size(*size)


@pytest.mark.parametrize(
    "name, apply",
    [
        ("relu", torch.relu),
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("softmax", torch.softmax),
        ("log_softmax", torch.log_softmax),
    ],
)
def test_activations_and_their_gradients(name, apply):
    forward, backward = WORDS[name], WORDS[f"{name}_grad"]
    for numbers in sample(forward.family, 40, 0) + sample(forward.family, 40, 0, special=True):
        case = forward.family.case(numbers, "float64")
        rest = [case["axis"]] if "axis" in case.operands else []
        x = t(case["x"]).requires_grad_()
        y = apply(x, *rest)
        np.testing.assert_allclose(forward.expected(case.operands)[0].value, y.detach(), rtol=1e-12, atol=1e-300)
        if not numbers["special"]:
            y.backward(t(case["gy"]))
            np.testing.assert_allclose(backward.expected(case.operands)[0].value, x.grad, rtol=1e-9, atol=1e-12)


def test_cross_entropy_and_its_gradient():
    word = WORDS["cross_entropy"]
    for numbers in sample(word.family, 40, 0):
        case = word.family.case(numbers, "float64")
        x = t(case["x"]).requires_grad_()
        losses = F.cross_entropy(x, t(case["target"]), reduction="none")
        losses.backward(t(case["gy"]))
        close(word.expected(case.operands)[0], losses.detach())
        np.testing.assert_allclose(
            WORDS["cross_entropy_grad"].expected(case.operands)[0].value, x.grad, rtol=1e-9, atol=1e-12
        )


def test_batch_norm_and_its_gradients():
    word = WORDS["batch_norm_grad"]
    for numbers in sample(word.family, 40, 0):
        case = word.family.case(numbers, "float64")
        if case["x"][:, :1].size < 2:
            continue
        leaves = [t(case[name]).requires_grad_() for name in ("x", "w", "b")]
        y = F.batch_norm(leaves[0], None, None, *leaves[1:], training=True, eps=0.1)
        y.backward(t(case["gy"]))
        rtol = 1e-6 if numbers["far"] else 1e-9  # PyTorch's own variance, a thousand away from 0
        np.testing.assert_allclose(
            oracles.batch_norm(*(case[n] for n in ("x", "w", "b", "mean", "inv_std"))).value, y.detach(), rtol, rtol
        )
        for expected, leaf in zip(word.expected(case.operands), leaves, strict=True):
            np.testing.assert_allclose(expected.value, leaf.grad, rtol, 1e-7 if numbers["far"] else 1e-9)


def test_matrix_products():
    for numbers in sample(WORDS["matmul"].family, 60, 0):
        case = WORDS["matmul"].family.case(numbers, "float64")
        close(oracles.matmul(case["a"], case["b"]), t(case["a"]) @ t(case["b"]))
        bias = None if case["bias"] is None else t(case["bias"])
        close(oracles.linear(case["x"], case["w"], case["bias"]), F.linear(t(case["x"]), t(case["w"]), bias))


def stepped(optimiser, params, grads):
    for p, g in zip(params, grads, strict=True):
        p.grad = g
    optimiser.step()


def test_sgd_step():
    word = WORDS["sgd_step"]
    for numbers in sample(word.family, 60, 0):
        case = word.family.case(numbers, "float64")
        params = [t(p.copy()).requires_grad_() for p in case["params"]]
        options = {name: case[name] for name in word.keywords if name != "first"}
        optimiser = torch.optim.SGD(params, **options)
        if case["buffers"] is not None and not case["first"]:
            for p, buffer in zip(params, case["buffers"], strict=True):
                optimiser.state[p]["momentum_buffer"] = t(buffer.copy())
        stepped(optimiser, params, [t(g) for g in case["grads"]])
        found = [p.detach() for p in params]
        if case["buffers"] is not None:
            found += [optimiser.state[p]["momentum_buffer"] for p in params]
        for expected, actual in zip(word.expected(case.operands), found, strict=True):
            close(expected, actual)


def test_adam_step():
    word = WORDS["adam_step"]
    for numbers in sample(word.family, 60, 0):
        case = word.family.case(numbers, "float64")
        params = [t(p.copy()).requires_grad_() for p in case["params"]]
        kind = torch.optim.AdamW if case["decoupled"] else torch.optim.Adam
        optimiser = kind(
            params,
            case["lr"],
            (case["beta1"], case["beta2"]),
            case["eps"],
            case["weight_decay"],
            amsgrad=case["largest"] is not None,
            maximize=case["maximize"],
        )
        for i, p in enumerate(params):
            state = {"step": torch.tensor(float(case["step"] - 1))}
            state |= {"exp_avg": t(case["means"][i].copy()), "exp_avg_sq": t(case["squares"][i].copy())}
            if case["largest"] is not None:
                state["max_exp_avg_sq"] = t(case["largest"][i].copy())
            optimiser.state[p] = state
        stepped(optimiser, params, [t(g) for g in case["grads"]])
        names = (
            ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if case["largest"] is not None else ("exp_avg", "exp_avg_sq")
        )
        found = [p.detach() for p in params] + [optimiser.state[p][name] for name in names for p in params]
        for expected, actual in zip(word.expected(case.operands), found, strict=True):
            close(expected, actual)


def test_fused_gradient_follows_the_winners():
    word = WORDS["conv2d_relu_max_pool2d_grad"]
    compared = 0
    for numbers in sample(word.family, 60, 0):
        case = word.family.case(numbers, "float64")
        if not case["x"].size:
            continue
        window, pool = case["window"], case["pool"]
        leaves = [None if case[n] is None else t(case[n]).requires_grad_() for n in ("x", "w", "b")]
        y = F.conv2d(*leaves, window.stride, window.padding, window.dilation, case["groups"]).relu()
        y = F.max_pool2d(y, pool.kernel, pool.stride, pool.padding, 1, pool.ceil_mode)
        close(WORDS["conv2d_relu_max_pool2d"].expected(case.operands)[0], y.detach())
        y.backward(t(case["gy"]))
        try:
            gradients = word.expected(case.operands)
        except NotApplicable:  # windows that see padding alone are exact ties
            continue
        for expected, leaf in zip(gradients, leaves, strict=True):
            if leaf is not None:
                np.testing.assert_allclose(expected.value, leaf.grad, rtol=1e-9, atol=1e-11)
        compared += 1
    assert compared > 20
