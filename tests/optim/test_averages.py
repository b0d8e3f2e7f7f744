"""Averaged models and their schedule against PyTorch, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import minigrad

KINDS = {
    "mean": lambda u, n: u.AveragedModel(n),
    "mean, own": lambda u, n: u.AveragedModel(n, avg_fn=u.get_swa_avg_fn()),
    "mean of lists": lambda u, n: u.AveragedModel(n, multi_avg_fn=u.get_swa_multi_avg_fn()),
    "forgetting": lambda u, n: u.AveragedModel(n, avg_fn=u.get_ema_avg_fn(0.9)),
    "forgetting, lists": lambda u, n: u.AveragedModel(n, multi_avg_fn=u.get_ema_multi_avg_fn(0.9)),
    "forgetting, buffers": lambda u, n: u.AveragedModel(n, multi_avg_fn=u.get_ema_multi_avg_fn(), use_buffers=True),
    "own": lambda u, n: u.AveragedModel(n, "cpu", lambda a, p, count: 0.3 * a + 0.7 * p),
}


def trained(lib: Any, kind: Any) -> list[Any]:
    lib.manual_seed(0)
    utils, shown = lib.optim.swa_utils, []
    net = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.ReLU(), lib.nn.Linear(4, 1))
    average = kind(utils, net)
    optimizer = lib.optim.SGD(net.parameters(), lr=0.1)
    schedule = utils.SWALR(optimizer, swa_lr=0.02, anneal_epochs=3, anneal_strategy="linear")
    x = lib.randn(8, 3)
    for _ in range(5):
        optimizer.zero_grad()
        loss = (net(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        average.update_parameters(net)
        schedule.step()
        shown += [loss.item(), schedule.get_last_lr()[0], average(x).sum().item()]
    average.eval()
    utils.update_bn([(x, 0), (x * 2, 0)], average)
    assert not average.training and average.module[1].momentum == 0.1
    shown += [average(x).sum().item(), int(average.n_averaged)]
    return shown + [list(average.state_dict())] + [v.double().sum().item() for v in average.state_dict().values()]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_averages(kind: Any) -> None:
    for ours, theirs in zip(trained(minigrad, kind), trained(torch, kind), strict=True):
        assert ours == (theirs if isinstance(theirs, list) else pytest.approx(theirs, rel=1e-5, abs=1e-6))


@pytest.mark.parametrize("options", [{}, {"anneal_epochs": 0}, {"anneal_strategy": "linear"}, {"swa_lr": [0.3, 0.01]}])
def test_rates(options: dict[str, Any]) -> None:
    def rates(lib: Any) -> Any:
        groups = [{"params": [lib.zeros(1, requires_grad=True)], "lr": lr} for lr in (1.0, 0.1)]
        optimizer = lib.optim.SGD(groups, lr=1.0)
        schedule, found = lib.optim.swa_utils.SWALR(optimizer, **{"swa_lr": 0.05, "anneal_epochs": 4, **options}), []
        for _ in range(7):
            found.append(schedule.get_last_lr())
            optimizer.step()
            schedule.step()
        return found

    np.testing.assert_allclose(rates(minigrad), rates(torch), rtol=1e-12)


@pytest.mark.parametrize("lib", [minigrad, torch])
def test_what_is_refused(lib: Any) -> None:
    utils, net = lib.optim.swa_utils, lib.nn.Linear(1, 1)
    optimizer = lib.optim.SGD(net.parameters(), lr=1.0)
    with pytest.raises(ValueError, match="Invalid decay value 2"):
        utils.get_ema_avg_fn(2)
    with pytest.raises(ValueError, match="anneal_strategy must be one of"):
        utils.SWALR(optimizer, 0.1, anneal_strategy="none")
    with pytest.raises(ValueError, match="anneal_epochs must be equal or greater"):
        utils.SWALR(optimizer, 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="must have the same length"):
        utils.SWALR(optimizer, [0.1, 0.2])
    utils.update_bn([lib.ones(1, 1)], net)  # has no layer to update
