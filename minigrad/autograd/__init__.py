"""Automatic differentiation: the engine, and the doors that PyTorch's users know."""

from importlib import import_module as _import_module
from typing import Any as _Any

from minigrad.autograd.anomaly import detect_anomaly, set_detect_anomaly
from minigrad.autograd.custom import Function, once_differentiable
from minigrad.autograd.engine import backward, grad
from minigrad.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minigrad.autograd.graph import Variable as _Variable


class _AnyTensor(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Variable)


class Variable(metaclass=_AnyTensor):
    """`Variable(tensor)` of old scripts: the tensor, detached; every tensor is an instance."""

    def __new__(cls, data: _Any, requires_grad: bool = False, volatile: bool = False) -> _Any:
        return data.detach().requires_grad_(requires_grad)


def __getattr__(name: str) -> _Any:
    if name == "functional":
        return _import_module("minigrad.autograd.functional")
    raise AttributeError(f"module 'minigrad.autograd' has no attribute {name!r}")


__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]
