"""The last layer and the loss in one call."""

from __future__ import annotations

from typing import Any

from minigrad.errors import ShapeError
from minigrad.ops.arithmetic import add
from minigrad.ops.base import Tensor
from minigrad.ops.fused import linear
from minigrad.ops.loss import cross_entropy
from minigrad.ops.shape import reshape


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """cross_entropy(linear(input, linear_weight, linear_bias), target): (N, I) or (I,), weight (C, d1, ..., I) -> ()

    Arguments:
        options: how PyTorch is to save memory; it changes nothing here.

    Raises:
        ShapeError: if sizes do not fit. IndexError: if a target is no class.
    """
    x, w = input.array, linear_weight.array
    if x.ndim not in (1, 2) or w.ndim < 2:
        raise ShapeError(
            "linear_cross_entropy(): Expected input of shape (N, in_features) or (in_features,) and linear_weight of shape "
            f"(C, ..., in_features), but got {list(x.shape)} and {list(w.shape)}"
        )
    logits = linear(input, linear_weight if w.ndim == 2 else reshape(linear_weight, (-1, w.shape[-1])))
    logits = reshape(logits, (*x.shape[:-1], *w.shape[:-1]))  # (N, C, d1, ...)
    if linear_bias is not None:
        logits = add(logits, linear_bias)
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(
        logits, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )
