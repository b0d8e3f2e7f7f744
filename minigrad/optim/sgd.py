"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from minigrad.ops.base import wrap
from minigrad.optim.optimizer import Optimizer, by_kind, grads_of, non_negative


class SGD(Optimizer):
    """p -= lr * g, with momentum: v = momentum * v + g, p -= lr * v.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        non_negative(lr=lr)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, group: dict[str, Any], params: list[Any]) -> None:
        """One kernel call for all parameters of a kind."""
        momentum = group["momentum"]
        states = [self.state[p] for p in params] if momentum else []
        firsts = [s.get("momentum_buffer") is None for s in states] if momentum else None
        for backend, first, places in by_kind(params, firsts):
            buffers = None
            if momentum:
                buffers = []
                for i in places:
                    if first:
                        states[i]["momentum_buffer"] = wrap(backend.xp.empty_like(params[i].array))
                    buffers.append(states[i]["momentum_buffer"].array)
            backend.sgd_step(
                [params[i].array for i in places],
                grads_of(params, places),
                buffers,
                lr=float(group["lr"]),
                momentum=momentum,
                dampening=group["dampening"],
                weight_decay=group["weight_decay"],
                nesterov=group["nesterov"],
                maximize=group["maximize"],
                first=bool(first),
            )
