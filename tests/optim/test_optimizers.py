"""Every optimiser against PyTorch: parameters step by step, state_dict, repr, and the texts of errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import minigrad

OPTIMIZERS = [
    "SGD(p, lr=0.1)",
    "SGD(p)",
    "SGD(p, lr=0.1, momentum=0.9)",
    "SGD(p, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1)",
    "SGD(p, lr=0.1, momentum=0.9, nesterov=True, maximize=True)",
    "Adam(p)",
    "Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)",
    "Adam(p, lr=0.1, amsgrad=True, maximize=True)",
    "AdamW(p, lr=0.1)",
    "AdamW(p, lr=0.1, weight_decay=0.3, amsgrad=True)",
    "Adamax(p, lr=0.1, weight_decay=0.1)",
    "NAdam(p, lr=0.1, weight_decay=0.1)",
    "NAdam(p, lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)",
    "RAdam(p, lr=0.1)",
    "RAdam(p, lr=0.1, weight_decay=0.1, decoupled_weight_decay=True, betas=(0.9, 0.6))",
    "RMSprop(p, lr=0.1)",
    "RMSprop(p, lr=0.1, momentum=0.9, centered=True, weight_decay=0.1)",
    "Adagrad(p, lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2)",
    "Adadelta(p, weight_decay=0.1)",
    "ASGD(p, lr=0.1, lambd=0.1, t0=2, weight_decay=0.1)",
    "Rprop(p, lr=0.1)",
]


def place(t):
    return {"optim": t.optim, **{name: getattr(t.optim, name) for name in dir(t.optim) if name[0].isupper()}}


def parameters(t, dtype="float32"):
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (5,), (2, 3, 2)]
    return [t.nn.Parameter(t.tensor(rng.normal(size=s).astype(dtype))) for s in shapes]


def losses(t, p):
    """A bowl with cross terms, whose gradients change sign on the way."""
    return ((p[0] ** 2).sum() + (p[1].sin() * 3).sum() + (p[2] * p[1][0]).sum() + (p[2] ** 4).mean()) * 0.5


def run(t, text, steps, dtype="float32"):
    p = parameters(t, dtype)
    optimizer = eval(text, {**place(t), "p": p})
    for _ in range(steps):
        optimizer.zero_grad()
        losses(t, p).backward()
        optimizer.step()
    return p, optimizer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", OPTIMIZERS)
def test_same_way(text, dtype):
    (a, ours), (b, theirs) = (run(t, text, 12, dtype) for t in (minigrad, torch))
    rtol, atol = (5e-5, 5e-6) if dtype == "float32" else (1e-9, 1e-11)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x.detach().numpy(), y.detach().numpy(), rtol, atol)
    s, u = ours.state_dict(), theirs.state_dict()
    assert s["param_groups"] == u["param_groups"]
    assert s["state"].keys() == u["state"].keys()
    for k in s["state"]:
        assert list(s["state"][k]) == list(u["state"][k])
        for name, value in s["state"][k].items():
            if value is None:
                assert u["state"][k][name] is None
            else:
                np.testing.assert_allclose(value.numpy(), u["state"][k][name].numpy(), max(rtol, 1e-5), atol)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("text", OPTIMIZERS)
def test_resume(text):
    """A state_dict put into another optimiser continues the way exactly."""
    straight, _ = run(minigrad, text, 6)
    p, optimizer = run(minigrad, text, 3)
    again = eval(text, {**place(minigrad), "p": p})
    again.load_state_dict(optimizer.state_dict())
    for _ in range(3):
        again.zero_grad()
        losses(minigrad, p).backward()
        again.step()
    for x, y in zip(p, straight, strict=True):
        np.testing.assert_array_equal(x.detach().numpy(), y.detach().numpy())


@pytest.mark.parametrize(
    "options",
    ["", "history_size=2", "line_search_fn='strong_wolfe'", "max_iter=5, lr=0.3, line_search_fn='strong_wolfe'"],
)
def test_lbfgs(options):
    ways = []
    for t in (minigrad, torch):
        p = [t.nn.Parameter(t.tensor([-1.2, 1.0, 0.5, 2.0], dtype=t.float64))]
        optimizer = eval(f"LBFGS(p, {options})", {**place(t), "p": p})

        def closure(p=p, optimizer=optimizer):
            optimizer.zero_grad()
            x = p[0]
            loss = ((1 - x[:-1]) ** 2).sum() + 10 * ((x[1:] - x[:-1] ** 2) ** 2).sum()
            loss.backward()
            return loss

        values = [optimizer.step(closure).item() for _ in range(5)]
        ways.append((values, p[0].detach().numpy()))
    np.testing.assert_allclose(ways[0][0], ways[1][0], 1e-6, 1e-9)
    np.testing.assert_allclose(ways[0][1], ways[1][1], 1e-6, 1e-9)


def test_groups_and_parameters_without_gradient():
    results = []
    for t in (minigrad, torch):
        p = parameters(t)
        optimizer = t.optim.SGD([{"params": p[:1], "lr": 0.5}, {"params": p[1]}], lr=0.1, momentum=0.9)
        optimizer.add_param_group({"params": p[2:], "weight_decay": 0.1})
        for step in range(4):
            optimizer.zero_grad(set_to_none=step != 2)
            ((p[0] ** 2).sum() + (p[2] ** 2).sum() * step if step else (p[1] ** 2).sum()).backward()
            optimizer.step()
        results.append([v.detach().numpy() for v in p])
        assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.1, 0.1]
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_step_returns_the_closures_loss_and_runs_hooks():
    p = parameters(minigrad)
    optimizer = minigrad.optim.SGD(p, lr=0.1)
    heard = []
    pre = optimizer.register_step_pre_hook(lambda o, args, kwargs: heard.append("pre"))
    optimizer.register_step_post_hook(lambda o, args, kwargs: heard.append("post"))

    def closure():
        optimizer.zero_grad()
        loss = losses(minigrad, p)
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == pytest.approx(losses(minigrad, parameters(minigrad)).item())
    pre.remove()
    optimizer.step()
    assert heard == ["pre", "post", "post"]


def test_a_step_between_forward_and_backward_is_noticed():
    w = minigrad.nn.Parameter(minigrad.ones(3))
    optimizer = minigrad.optim.Adam([w], lr=0.1)
    w.grad = minigrad.ones(3)
    loss = (w * w).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation.*Adam\.step"):
        loss.backward()


ERRORS = [
    ("SGD([], lr=0.1)", "optimizer got an empty parameter list"),
    ("SGD(p[0], lr=0.1)", "params argument given to the optimizer should be an iterable of Tensors or dicts"),
    ("SGD(p, lr=-0.1)", "Invalid learning rate: -0.1"),
    ("SGD(p, lr=0.1, momentum=-1)", "Invalid momentum value: -1"),
    ("SGD(p, lr=0.1, weight_decay=-1)", "Invalid weight_decay value: -1"),
    ("SGD(p, lr=0.1, nesterov=True)", "Nesterov momentum requires a momentum and zero dampening"),
    ("SGD([p[0] * 2], lr=0.1)", "can't optimize a non-leaf Tensor"),
    ("SGD([1], lr=0.1)", "optimizer can only optimize Tensors, but one of the params is"),
    ("SGD([{'params': p}, {'params': p[:1]}], lr=0.1)", "some parameters appear in more than one parameter group"),
    ("Adam(p, lr=-1)", "Invalid learning rate: -1"),
    ("Adam(p, lr=float('nan'))", "Invalid learning rate: nan"),
    ("Adam(p, eps=-1)", "Invalid epsilon value: -1"),
    ("Adam(p, betas=(1.0, 0.9))", "Invalid beta parameter at index 0: 1.0"),
    ("Adam(p, betas=(0.9, -0.1))", "Invalid beta parameter at index 1: -0.1"),
    ("AdamW(p, weight_decay=-1)", "Invalid weight_decay value: -1"),
    ("RMSprop(p, momentum=-1)", "Invalid momentum value: -1"),
    ("RMSprop(p, alpha=-1)", "Invalid alpha value: -1"),
    ("Adagrad(p, lr_decay=-1)", "Invalid lr_decay value: -1"),
    ("Adadelta(p, rho=2)", "Invalid rho value: 2"),
    ("Rprop(p, etas=(2, 3))", "Invalid eta values: 2, 3"),
    ("LBFGS([{'params': p[:1]}, {'params': p[1:]}])", "LBFGS doesn't support per-parameter options (parameter groups)"),
]


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_errors(text, message):
    for t in (minigrad, torch):
        with pytest.raises((ValueError, TypeError)) as caught:
            eval(text, {**place(t), "p": parameters(t)})
        assert message in str(caught.value)


def test_duplicate_parameters_are_refused():
    p = parameters(minigrad)
    with pytest.raises(ValueError, match="some parameters appear more than once in one parameter group"):
        minigrad.optim.SGD([p[0], p[0]], lr=0.1)
    with pytest.raises(TypeError, match="ordered collections"):
        minigrad.optim.SGD([{"params": set(p)}], lr=0.1)


def test_state_of_another_shape_is_refused_and_nothing_loaded():
    optimizer = minigrad.optim.Adam(parameters(minigrad))
    before = optimizer.state_dict()
    other = minigrad.optim.Adam(parameters(minigrad)[:2]).state_dict()
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optimizer.load_state_dict(other)
    with pytest.raises(RuntimeError, match="different number of parameter groups"):
        optimizer.load_state_dict({**other, "param_groups": other["param_groups"] * 2})
    assert optimizer.state_dict() == before


def test_pickle_and_deepcopy():
    import copy
    import pickle

    _, optimizer = run(minigrad, "Adam(p)", 2)
    again = pickle.loads(pickle.dumps(optimizer))
    assert repr(again) == repr(optimizer)
    assert repr(copy.deepcopy(optimizer)) == repr(optimizer)
