"""Batch normalisation put into the weights of the layer before it, for models that only predict."""

from __future__ import annotations

import copy
from typing import Any

from minigrad.autograd.grad_mode import no_grad
from minigrad.creation import ones_like, zeros_like
from minigrad.nn.parameter import Parameter
from minigrad.ops.elementwise import rsqrt


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """One convolution that computes bn(conv(x)): both in evaluation mode.

    Raises:
        AssertionError: if one of them is in training mode, or the normalisation keeps no statistics.
    """
    _check(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Any, conv_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any, transpose: bool = False
) -> tuple[Any, Any]:
    """Weight and bias of a convolution (F, C/groups, ...) and of the normalisation behind it as one weight and bias."""
    sizes = [1] * conv_w.array.ndim
    sizes[1 if transpose else 0] = -1
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, sizes)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """One Linear that computes bn(linear(x)): both in evaluation mode, and as many features in both.

    Raises:
        AssertionError: if one of them is in training mode, or the sizes do not fit.
    """
    _check(linear, bn)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError("To fuse, linear.out_features == bn.num_features or bn.num_features == 1")
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Any, linear_b: Any, bn_rm: Any, bn_rv: Any, bn_eps: float, bn_w: Any, bn_b: Any
) -> tuple[Any, Any]:
    """Weight and bias of a Linear (F, C) and of the normalisation behind it as one weight and bias."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _check(layer: Any, bn: Any) -> None:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")


def _fused(w: Any, b: Any, mean: Any, var: Any, eps: float, bn_w: Any, bn_b: Any, sizes: list[int]) -> tuple[Any, Any]:
    with no_grad():
        b = zeros_like(mean) if b is None else b
        bn_w = ones_like(mean) if bn_w is None else bn_w
        bn_b = zeros_like(mean) if bn_b is None else bn_b
        scale = bn_w * rsqrt(var + eps)
        weight = (w * scale.reshape(sizes)).to(w.dtype)
        bias = ((b - mean) * scale + bn_b).to(b.dtype)
    return Parameter(weight, w.tracked), Parameter(bias, b.tracked)
