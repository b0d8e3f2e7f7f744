"""Activations that overwrite their input, under the names that end in an underscore."""

from __future__ import annotations

import functools
from typing import Any

from minigrad.ops import nn_activation
from minigrad.ops.base import Tensor


def _overwriting(function: Any) -> Any:
    @functools.wraps(function)
    def inplace(input: Tensor, *args: Any, **options: Any) -> Tensor:
        return function(input, *args, inplace=True, **options)

    inplace.__doc__ = f"{function.__doc__} The result takes the input's place."
    return inplace


relu_, elu_, selu_, celu_ = map(
    _overwriting, (nn_activation.relu_nn, nn_activation.elu, nn_activation.selu, nn_activation.celu)
)
leaky_relu_, hardtanh_ = _overwriting(nn_activation.leaky_relu), _overwriting(nn_activation.hardtanh)
threshold_, rrelu_ = _overwriting(nn_activation.threshold), _overwriting(nn_activation.rrelu)
