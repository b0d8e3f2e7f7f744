"""Multi-tensor optimiser steps against PyTorch's optimisers, over more tensors than one launch takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch


def parameters(seed: int = 0) -> list[np.ndarray]:
    """60 small tensors of two element types, scalars and an empty one among them."""
    sizes, rng = np.random.default_rng(0), np.random.default_rng(seed)
    shapes = [tuple(sizes.integers(1, 6, sizes.integers(0, 4))) for _ in range(59)] + [(0, 3)]
    return [np.asarray(rng.standard_normal(s), ("float32", "float64")[i % 2]) for i, s in enumerate(shapes)]


def run(cuda: Any, word: str, make: Any, state: int, options: dict[str, Any], steps: int = 3) -> None:
    """The same steps here and in PyTorch, from the same start; `state` counts the arrays beside each parameter."""
    start, gradients = parameters(), [parameters(1 + i) for i in range(steps)]
    rivals = [torch.tensor(p, requires_grad=True) for p in start]
    optimiser = make(rivals)
    params = [cuda.from_numpy(p) for p in start]
    beside: list[Any] = [[cuda.xp.zeros_like(p) for p in params] for _ in range(state)]
    if word == "adam_step" and state == 2:
        beside.append(None)
    for step, grads in enumerate(gradients, 1):
        for rival, g in zip(rivals, grads, strict=True):
            rival.grad = torch.tensor(g)
        optimiser.step()
        counted = {"step": step} if word == "adam_step" else {"first": step == 1}
        device = [cuda.from_numpy(g) for g in grads]
        getattr(cuda, word)(params, device, *(beside or [None]), **options, **counted)
        for before, after in zip(grads, device, strict=True):
            assert (after.get() == before).all()
    for p, rival in zip(params, rivals, strict=True):
        np.testing.assert_allclose(p.get(), rival.detach().numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.2, "maximize": True},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
    ],
    ids=str,
)
def test_sgd_is_pytorch_s(cuda: Any, options: dict[str, Any]) -> None:
    run(cuda, "sgd_step", lambda rivals: torch.optim.SGD(rivals, **options), int("momentum" in options), options)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("extra", [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "maximize": True}], ids=str)
def test_adam_is_pytorch_s(cuda: Any, extra: dict[str, Any], decoupled: bool, amsgrad: bool) -> None:
    make = torch.optim.AdamW if decoupled else torch.optim.Adam
    given = {"weight_decay": 0.0, **extra}
    options = {"lr": 0.05, "beta1": 0.8, "beta2": 0.95, "eps": 1e-8, "decoupled": decoupled, **given}
    run(
        cuda,
        "adam_step",
        lambda rivals: make(rivals, lr=0.05, betas=(0.8, 0.95), eps=1e-8, amsgrad=amsgrad, **given),
        2 + amsgrad,
        options,
    )


def test_parameters_with_gaps_are_written_in_place(cuda: Any) -> None:
    whole = cuda.from_numpy(np.ones((4, 6), "float32"))
    part = whole[:, ::2]
    cuda.sgd_step([part], [cuda.xp.ones((4, 3), "float32")], None, lr=0.5)
    assert (whole.get() == np.tile([0.5, 1], 3)).all()


def test_sixty_tensors_take_few_launches(cuda: Any) -> None:
    from cupy import _module

    params = [cuda.xp.zeros(5, "float32") for _ in range(60)]
    before = _module.launches
    cuda.sgd_step(params, params, None, lr=0.1)
    assert _module.launches - before == 3
