"""Relatives of Adam: Adamax, NAdam, RAdam."""

from __future__ import annotations

from typing import Any

from minigrad.optim.by_parameter import ByParameter, counter, like
from minigrad.optim.optimizer import betas_in_range, non_negative


class Adamax(ByParameter):
    """Adam by the infinity norm. Source: Kingma and Ba, "Adam" (2014), section 7.1."""

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps)
        betas_in_range(betas)
        non_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """Zeros."""
        state["exp_avg"], state["exp_inf"] = like(p), like(p)

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """x -= lr * m / u"""
        beta1, beta2 = group["betas"]
        mean, largest = state["exp_avg"].array, state["exp_inf"].array
        mean += (1 - beta1) * (g - mean)
        largest *= beta2
        xp.maximum(largest, xp.abs(g) + group["eps"], out=largest)
        x -= float(group["lr"]) / (1 - beta1 ** state["step"].item()) * mean / largest


def _decay(x: Any, g: Any, group: dict[str, Any]) -> None:
    """Decoupled weight decay acts on the parameter itself."""
    if group["weight_decay"] and group["decoupled_weight_decay"]:
        x *= 1 - float(group["lr"]) * group["weight_decay"]


class NAdam(ByParameter):
    """Adam with Nesterov momentum. Source: Dozat, "Incorporating Nesterov momentum into Adam" (2016)."""

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps)
        betas_in_range(betas)
        non_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """Zeros, and the product of the momenta so far."""
        state["mu_product"], state["exp_avg"], state["exp_avg_sq"] = counter(1.0), like(p), like(p)

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """x -= lr * (c1 * g + c2 * m) / sqrt(v)"""
        _decay(x, g, group)
        (beta1, beta2), step, lr = group["betas"], state["step"].item(), float(group["lr"])
        mu = beta1 * (1 - 0.5 * 0.96 ** (step * group["momentum_decay"]))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * group["momentum_decay"]))
        state["mu_product"].array *= mu
        product = state["mu_product"].item()
        mean, square = state["exp_avg"].array, state["exp_avg_sq"].array
        mean += (1 - beta1) * (g - mean)
        square *= beta2
        square += (1 - beta2) * g * g
        root = xp.sqrt(square / (1 - beta2**step)) + group["eps"]
        x -= lr * (1 - mu) / (1 - product) * g / root
        x -= lr * mu_next / (1 - product * mu_next) * mean / root


class RAdam(ByParameter):
    """Adam that waits until its second moment can be trusted.

    Source: Liu et al., "On the variance of the adaptive learning rate and beyond" (2019).
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        non_negative(lr=lr, eps=eps)
        betas_in_range(betas)
        non_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """Zeros."""
        state["exp_avg"], state["exp_avg_sq"] = like(p), like(p)

    def move(self, xp: Any, x: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """x -= lr * m * r / sqrt(v), or x -= lr * m while few gradients were seen"""
        _decay(x, g, group)
        (beta1, beta2), step = group["betas"], state["step"].item()
        mean, square = state["exp_avg"].array, state["exp_avg_sq"].array
        mean += (1 - beta1) * (g - mean)
        square *= beta2
        square += (1 - beta2) * g * g
        correct2 = 1 - beta2**step
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * step * beta2**step / correct2
        move = float(group["lr"]) / (1 - beta1**step) * mean
        if length > 5.0:
            rectify = ((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)) ** 0.5
            move *= correct2**0.5 * rectify / (xp.sqrt(square) + group["eps"])
        x -= move
