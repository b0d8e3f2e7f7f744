"""Every scheduler against PyTorch, rate by rate."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import minigrad

SCHEDULERS = [
    "StepLR(o, 3, gamma=0.5)",
    "MultiStepLR(o, [2, 5, 5, 9], gamma=0.5)",
    "ConstantLR(o, factor=0.5, total_iters=4)",
    "LinearLR(o, start_factor=0.25, end_factor=0.75, total_iters=6)",
    "ExponentialLR(o, 0.9)",
    "PolynomialLR(o, total_iters=7, power=2.0)",
    "CosineAnnealingLR(o, 5, eta_min=0.01)",
    "CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.01)",
    "LambdaLR(o, lambda epoch: 0.95**epoch)",
    "LambdaLR(o, [lambda epoch: epoch, lambda epoch: 1 / (epoch + 1)])",
    "MultiplicativeLR(o, lambda epoch: 0.95)",
    "OneCycleLR(o, max_lr=0.5, total_steps=21)",
    "OneCycleLR(o, max_lr=[0.5, 1.0], epochs=3, steps_per_epoch=7, anneal_strategy='linear', three_phase=True)",
    "OneCycleLR(o, max_lr=0.5, total_steps=25, cycle_momentum=False, pct_start=0.5)",
    "CyclicLR(o, 0.1, 0.5, step_size_up=4)",
    "CyclicLR(o, 0.1, [0.5, 0.7], step_size_up=3, step_size_down=2, mode='triangular2')",
    "CyclicLR(o, 0.1, 0.5, step_size_up=4, mode='exp_range', gamma=0.9, cycle_momentum=False)",
    "CyclicLR(o, 0.1, 0.5, step_size_up=4, scale_fn=lambda x: 0.5 ** x, scale_mode='iterations')",
    "SequentialLR(o, [ConstantLR(o, 0.1, 3), ExponentialLR(o, 0.9)], [4])",
    "SequentialLR(o, [LinearLR(o, 0.1, total_iters=4), CosineAnnealingLR(o, 10), StepLR(o, 2)], [4, 12])",
    "ChainedScheduler([ConstantLR(o, 0.1, 3), ExponentialLR(o, 0.9)])",
]


def names(t):
    return {name: getattr(t.optim.lr_scheduler, name) for name in dir(t.optim.lr_scheduler) if name[0].isupper()}


def optimizer(t, kind="SGD"):
    p = [t.nn.Parameter(t.ones(2)), t.nn.Parameter(t.ones(3))]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(t.optim, kind)([{"params": p[:1]}, {"params": p[1:], "lr": 0.3}], lr=0.1, **options)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("text", SCHEDULERS)
def test_rates(text, kind):
    ways = []
    for t in (minigrad, torch):
        o = optimizer(t, kind)
        scheduler = eval(text, {**names(t), "o": o})
        rates = []
        for _ in range(20):
            rates.append([(float(g["lr"]), g.get("momentum", 0), *g.get("betas", ())) for g in o.param_groups])
            assert scheduler.get_last_lr() == [g["lr"] for g in o.param_groups]
            o.step()
            scheduler.step()
        ways.append(rates)
    np.testing.assert_allclose(ways[0], ways[1], 1e-12, 1e-15)


@pytest.mark.parametrize("text", SCHEDULERS)
def test_resume(text):
    """A state_dict put into a new scheduler continues the way."""
    ways = []
    for resumed in (False, True):
        o = optimizer(minigrad)
        scheduler = eval(text, {**names(minigrad), "o": o})
        rates = []
        for step in range(14):
            if resumed and step == 6:
                saved, state = scheduler.state_dict(), o.state_dict()
                o = optimizer(minigrad)
                scheduler = eval(text, {**names(minigrad), "o": o})
                o.load_state_dict(state)
                scheduler.load_state_dict(saved)
            o.step()
            scheduler.step()
            rates.append([g["lr"] for g in o.param_groups])
        ways.append(rates)
    assert ways[0] == ways[1]


@pytest.mark.parametrize(
    "options",
    [
        "patience=1",
        "mode='max', patience=0, cooldown=2",
        "patience=1, threshold_mode='abs', threshold=0.3",
        "patience=0, min_lr=[0.05, 0.1]",
    ],
)
def test_plateau(options):
    measures = [3.0, 2.0, 2.0, 2.1, 1.9, 1.95, 1.9, 1.9, 1.9, 2.0, 1.0, 1.0, 1.0, 1.0]
    ways = []
    for t in (minigrad, torch):
        o = optimizer(t)
        scheduler = eval(f"ReduceLROnPlateau(o, {options})", {**names(t), "o": o})
        rates = []
        for measure in measures:
            scheduler.step(measure)
            rates.append(scheduler.get_last_lr())
        ways.append((rates, scheduler.best, scheduler.num_bad_epochs))
    assert ways[0] == ways[1]


ERRORS = [
    ("StepLR(3, 3)", "int is not an Optimizer"),
    ("LambdaLR(o, [lambda e: 1])", "Expected 2 lr_lambdas, but got 1"),
    ("ConstantLR(o, factor=2)", "Constant multiplicative factor expected to be between 0 and 1."),
    ("LinearLR(o, start_factor=0)", "Starting multiplicative factor expected to be greater than 0"),
    ("LinearLR(o, end_factor=2)", "Ending multiplicative factor expected to be between 0 and 1."),
    ("CosineAnnealingWarmRestarts(o, 0)", "Expected positive integer T_0, but got 0"),
    ("CosineAnnealingWarmRestarts(o, 3, T_mult=0)", "Expected integer T_mult >= 1, but got 0"),
    ("CyclicLR(o, 0.1, 0.5, mode='square')", "mode is invalid and scale_fn is None"),
    ("OneCycleLR(o, 0.5)", "You must define either total_steps OR (epochs AND steps_per_epoch)"),
    ("OneCycleLR(o, 0.5, total_steps=0)", "Expected positive integer total_steps, but got 0"),
    ("OneCycleLR(o, 0.5, total_steps=5, pct_start=2.0)", "Expected float between 0 and 1 pct_start, but got 2.0"),
    ("ReduceLROnPlateau(o, factor=1.5)", "Factor should be < 1.0."),
    ("ReduceLROnPlateau(o, mode='low')", "mode low is unknown!"),
    ("ReduceLROnPlateau(o, threshold_mode='low')", "threshold mode low is unknown!"),
    (
        "SequentialLR(o, [StepLR(o, 1)], [3])",
        "Sequential Schedulers expects number of schedulers provided to be one more",
    ),
    ("ChainedScheduler([])", "expects at least one scheduler to be chained, but got no scheduler."),
    ("StepLR(o, 3, last_epoch=3)", "param 'initial_lr' is not specified in param_groups[0]"),
]


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_errors(text, message):
    for t in (minigrad, torch):
        with pytest.raises((ValueError, TypeError, KeyError)) as caught:
            eval(text, {**names(t), "o": optimizer(t)})
        assert message in str(caught.value)
