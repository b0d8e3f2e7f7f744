"""Averages of a model's parameters over its training, and the learning rate that goes with them.

Sources: Izmailov et al., "Averaging weights leads to wider optima and better generalization" (2018); Polyak and
Juditsky, "Acceleration of stochastic approximation by averaging" (1992).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from minigrad.autograd.grad_mode import no_grad
from minigrad.creation import tensor
from minigrad.dtypes import int64
from minigrad.nn.module import Module
from minigrad.nn.normalization import _BatchNorm
from minigrad.optim.lr_stairs import LRScheduler
from minigrad.optim.optimizer import Optimizer

Average = Callable[[Any, Any, Any], Any]


def get_swa_avg_fn() -> Average:
    """The mean of all models so far: (average, model's, how many are in it) -> the next average"""

    def swa_update(averaged: Any, current: Any, num_averaged: Any) -> Any:
        return averaged + (current - averaged) / (num_averaged + 1)

    return no_grad()(swa_update)


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The mean that forgets: decay * average + (1 - decay) * model's

    Raises:
        ValueError: if decay is not in [0, 1].
    """
    _check_decay(decay)

    def ema_update(averaged: Any, current: Any, num_averaged: Any) -> Any:
        return decay * averaged + (1 - decay) * current

    return no_grad()(ema_update)


def get_swa_multi_avg_fn() -> Callable[[Any, Any, Any], None]:
    """get_swa_avg_fn for lists of tensors, in place."""

    def swa_update(averaged: Any, current: Any, num_averaged: Any) -> None:
        for a, c in zip(averaged, current, strict=True):
            a.lerp_(c, 1 / (int(num_averaged) + 1))

    return no_grad()(swa_update)


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], None]:
    """get_ema_avg_fn for lists of tensors, in place.

    Raises:
        ValueError: if decay is not in [0, 1].
    """
    _check_decay(decay)

    def ema_update(averaged: Any, current: Any, num_averaged: Any) -> None:
        for a, c in zip(averaged, current, strict=True):
            if a.is_floating_point():
                a.lerp_(c, 1 - decay)
            else:
                a.copy_(a * decay + c * (1 - decay))

    return no_grad()(ema_update)


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


class AveragedModel(Module):
    """A copy of a model, whose parameters are averages over those that `update_parameters` was shown.

    Arguments:
        avg_fn: (average, model's, how many) -> the next average; the plain mean unless one is given.
        multi_avg_fn: the same for lists, in place.
        use_buffers: whether buffers are averaged as well; else they are the model's last ones.
    """

    n_averaged: Any

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Callable[[Any, Any, Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model says."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take a model's present parameters into the average."""
        with no_grad():
            ours, theirs = list(_averaged(self.module, self.use_buffers)), list(_averaged(model, self.use_buffers))
            ours = [p.detach() for p in ours]
            theirs = [p.detach().to(a.device) for a, p in zip(ours, theirs, strict=True)]
            if int(self.n_averaged) == 0:
                for a, p in zip(ours, theirs, strict=True):
                    a.copy_(p)
            elif self.multi_avg_fn is not None:
                self.multi_avg_fn(ours, theirs, self.n_averaged)
            else:
                average = self.avg_fn or get_swa_avg_fn()
                for a, p in zip(ours, theirs, strict=True):
                    a.copy_(average(a, p, self.n_averaged.to(a.device)))
            if not self.use_buffers:
                for b, given in zip(self.module.buffers(), model.buffers(), strict=True):
                    b.detach().copy_(given.detach())
            self.n_averaged += 1


def _averaged(model: Module, buffers: bool) -> Iterable[Any]:
    return chain(model.parameters(), model.buffers()) if buffers else model.parameters()


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's BatchNorm layers anew, in one pass over data."""
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if not layers:
        return
    before, was_training = [m.momentum for m in layers], model.training
    for m in layers:
        m.reset_running_stats()
        m.momentum = None
    model.train()
    with no_grad():
        for batch in loader:
            x = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(x if device is None else x.to(device))
    for m, momentum in zip(layers, before, strict=True):
        m.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Goes from the present rates to `swa_lr` within `anneal_epochs`, and stays there.

    Raises:
        ValueError: if the strategy is neither "cos" nor "linear", or anneal_epochs is negative or no integer.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        rates = swa_lr if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(optimizer.param_groups)
        if len(rates) != len(optimizer.param_groups):
            raise ValueError(
                f"swa_lr must have the same length as optimizer.param_groups: swa_lr has {len(rates)}, "
                f"optimizer.param_groups has {len(optimizer.param_groups)}"
            )
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How far the way to swa_lr has been gone after so many steps."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Any]:
        """The rates of all groups; the first ones are found back from the present ones, which others may have changed."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        gone, share = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            goal = group["swa_lr"]
            first = goal if gone == 1 else (group["lr"] - gone * goal) / (1 - gone)
            rates.append(goal * share + first * (1 - share))
        return rates


__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn", "update_bn",
]  # fmt: skip
