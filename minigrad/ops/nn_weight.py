"""A weight as the product of its length and its direction."""

from __future__ import annotations

from minigrad.ops.arithmetic import div, mul
from minigrad.ops.base import Tensor
from minigrad.ops.extreme import norm


def norm_except(v: Tensor, dim: int) -> Tensor:
    """The norm over all dimensions but one, which keep size 1; over all of them for -1."""
    if dim == -1:
        return norm(v)
    axes = [i for i in range(v.array.ndim) if i != dim]
    return norm(v, 2, axes, True) if axes else norm(v.unsqueeze(-1), 2, -1, False)


def weight_normed(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """v * g / |v|: Salimans and Kingma, "Weight normalization" (2016)."""
    return mul(v, div(g, norm_except(v, dim)))
