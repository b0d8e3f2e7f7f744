"""A weight split into its length and its direction.

Source: Salimans and Kingma, "Weight normalization" (2016).
"""

from __future__ import annotations

from typing import Any

from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops.base import Tensor
from minigrad.ops.nn_weight import norm_except, weight_normed


class WeightNorm:
    """The hook that computes `weight` from `weight_g` and `weight_v` before every forward."""

    def __init__(self, name: str, dim: int) -> None:
        self.name = name
        self.dim = dim

    def compute_weight(self, module: Module) -> Tensor:
        """v * g / |v|"""
        return weight_normed(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    def __call__(self, module: Module, inputs: Any) -> None:
        object.__setattr__(module, self.name, self.compute_weight(module))


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Train a weight's length (`weight_g`, per slice of `dim`) and direction (`weight_v`) instead of itself."""
    hook = WeightNorm(name, -1 if dim is None else dim)
    weight = getattr(module, name)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except(weight.detach(), hook.dim)))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    object.__setattr__(module, name, hook.compute_weight(module))
    handle = module.register_forward_pre_hook(hook)
    object.__setattr__(module, "_weight_norm_" + name, (hook, handle))
    return module


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight a parameter again."""
    found = module.__dict__.pop("_weight_norm_" + name, None)
    if found is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    hook, handle = found
    weight = hook.compute_weight(module).detach()
    handle.remove()
    module.__dict__.pop(name, None)
    del module._parameters[name + "_g"], module._parameters[name + "_v"]
    module.register_parameter(name, Parameter(weight))
    return module
