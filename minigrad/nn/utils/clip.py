"""Gradients kept within bounds."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from minigrad.autograd.grad_mode import no_grad
from minigrad.creation import tensor
from minigrad.ops.base import Tensor
from minigrad.ops.extreme import norm
from minigrad.ops.join import stack
from minigrad.tensor import Tensor as TensorClass


def _grads(parameters: Any) -> list[Any]:
    listed = [parameters] if isinstance(parameters, TensorClass) else list(parameters)
    return [p.grad for p in listed if p.grad is not None]


@no_grad()
def get_total_norm(
    tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors as if they were one vector."""
    each = [norm(g, norm_type) for g in tensors]
    if not each:
        return tensor(0.0)
    total = norm(stack(each), norm_type)
    if error_if_nonfinite and not abs(total.item()) < float("inf"):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. "
            "To disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients down, in place, so that their common norm is at most max_norm; returns the norm they had."""
    listed = [parameters] if isinstance(parameters, TensorClass) else list(parameters)
    total = get_total_norm(_grads(listed), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(listed, max_norm, total)
    return total


@no_grad()
def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale all gradients down, in place, by max_norm / total_norm, if that is less than 1."""
    scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for g in _grads(parameters):
        g.mul_(scale.to(g.dtype))


def clip_grad_norm(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The older name of clip_grad_norm_."""
    warnings.warn("`clip_grad_norm` is deprecated: use `clip_grad_norm_` instead.", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Cut all gradients off at +-clip_value, in place."""
    for g in _grads(parameters):
        g.clamp_(-float(clip_value), float(clip_value))
