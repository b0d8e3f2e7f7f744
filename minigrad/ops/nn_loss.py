"""Losses beyond cross entropy and mean square."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, div, minimum, mul, neg, sub
from minigrad.ops.base import Array, Grads, Nary, Tensor, backend_of, wrap
from minigrad.ops.elementwise import exp, log, log1p, sqrt
from minigrad.ops.index import gather
from minigrad.ops.logic import where
from minigrad.ops.loss import check_classes, check_reduction, legacy, reduced, warn_sizes
from minigrad.ops.nn_activation import logsigmoid
from minigrad.ops.nn_distance import pairwise_distance
from minigrad.ops.power import absolute, clamp
from minigrad.ops.reduce import sum
from minigrad.ops.shape import reshape, unsqueeze


def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """|input - target|"""
    warn_sizes(input, target)
    losses = absolute(sub(input, target))
    return reduced(
        "l1_loss", losses if weight is None else mul(losses, weight), legacy(reduction, size_average, reduce)
    )


def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """d**2 / (2 * beta) where d = |input - target| is below beta, else d - beta / 2."""
    warn_sizes(input, target)
    if beta < 0:
        raise ShapeError(f"smooth_l1_loss does not support negative values for beta, but got {beta}")
    d = sub(input, target)
    size = absolute(d)
    if beta == 0:
        return reduced("smooth_l1_loss", size, legacy(reduction, size_average, reduce))
    losses = where(wrap(size.array < beta), mul(mul(d, d), 0.5 / beta), sub(size, 0.5 * beta))
    return reduced("smooth_l1_loss", losses, legacy(reduction, size_average, reduce))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """d**2 / 2 where d = |input - target| is at most delta, else delta * (d - delta / 2): Huber (1964)."""
    warn_sizes(input, target)
    if delta <= 0:
        raise ShapeError(f"huber_loss does not support non-positive values for delta, but got {delta}")
    d = sub(input, target)
    size = absolute(d)
    losses = where(wrap(size.array <= delta), mul(mul(d, d), 0.5), mul(sub(size, 0.5 * delta), delta))
    return reduced("huber_loss", losses if weight is None else mul(losses, weight), reduction)


class BinaryCrossEntropy(Nary):
    """-(t * log(x) + (1 - t) * log(1 - x)), the logarithms not below -100."""

    __slots__ = ()

    def forward(self, x: Array, t: Array) -> Array:
        xp = backend_of(x).xp
        return (t - 1) * xp.maximum(xp.log1p(-x), -100) - t * xp.maximum(xp.log(x), -100)

    def backward(self, gy: Tensor) -> Grads:
        x, t = self.inputs
        slope = self.needs[0] and div(sub(x, t), clamp(mul(sub(1, x), x), min=1e-12))
        odds = self.needs[1] and sub(clamp(log1p(neg(x)), min=-100.0), clamp(log(x), min=-100.0))
        return self.needs[0] and mul(gy, slope), self.needs[1] and mul(gy, odds)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-(target * log(input) + (1 - target) * log(1 - input)), input being probabilities.

    Raises:
        ShapeError: if the shapes differ, or an input is no probability.
    """
    if input.array.shape != target.array.shape:
        raise ShapeError(
            f"Using a target size ({_size(target)}) that is different to the input size ({_size(input)}) is deprecated. "
            "Please ensure they have the same size."
        )
    x = input.array
    if x.dtype != target.array.dtype:
        raise DtypeError(f"Found dtype {dtypes.of(target.array)} but expected {dtypes.of(x)}")
    if not backend_of(x).reports_targets and not bool(((x >= 0) & (x <= 1)).all()):  # a GPU would have to be waited for
        raise ShapeError("all elements of input should be between 0 and 1")
    losses = BinaryCrossEntropy().apply(input, target)
    losses = losses if weight is None else mul(losses, weight)
    return reduced("binary_cross_entropy", losses, legacy(reduction, size_average, reduce))


def _size(t: Tensor) -> str:
    return f"minigrad.Size({list(t.array.shape)})"


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """binary_cross_entropy of sigmoid(input), also where sigmoid is 0 or 1.

    Raises:
        ShapeError: if the shapes differ.
    """
    if input.array.shape != target.array.shape:
        raise ShapeError(f"Target size ({_size(target)}) must be the same as input size ({_size(input)})")
    if target.array.dtype.kind in "iub":
        raise DtypeError(
            "binary_cross_entropy_with_logits(): result type cannot be cast to that of argument 'target', "
            f"{dtypes.of(target.array)}"
        )
    log_p = logsigmoid(input)
    if pos_weight is not None:
        log_p = mul(log_p, add(mul(sub(pos_weight, 1), target), 1))
    losses = sub(mul(sub(1, target), input), log_p)
    losses = losses if weight is None else mul(losses, weight)
    return reduced("binary_cross_entropy_with_logits", losses, legacy(reduction, size_average, reduce))


def kl_div(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:  # fmt: skip
    """target * (log(target) - input), input being log-probabilities: the divergence of Kullback and Leibler (1951).

    "batchmean" divides the sum by the batch size.
    """
    if target.array.dtype.kind in "iub":
        raise DtypeError(f"kl_div(): Integral inputs not supported, but argument 'target' is {dtypes.of(target.array)}")
    reduction = legacy(reduction, size_average, reduce)
    if log_target:
        losses = mul(exp(target), sub(target, input))
    else:
        positive = wrap(target.array > 0)
        safe = where(positive, target, 1.0)
        losses = sub(where(positive, mul(target, log(safe)), 0.0), mul(target, input))
    if reduction == "batchmean":
        return div(sum(losses), float(input.array.shape[0])) if input.array.ndim else losses
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=3,
        )
    return reduced("kl_div", losses, reduction)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: Any = None,
    eps: float = 1e-8, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-log of the Poisson probability of target, of which the mean is exp(input), or input without `log_input`."""
    losses = sub(exp(input), mul(target, input)) if log_input else sub(input, mul(target, log(add(input, eps))))
    if full:
        t = target.array
        positive = wrap(t > 1)
        safe = where(positive, target, 1.0)
        stirling = add(sub(mul(safe, log(safe)), safe), mul(log(mul(safe, 2 * math.pi)), 0.5))
        losses = add(losses, where(positive, stirling, 0.0))
    return reduced("poisson_nll_loss", losses, legacy(reduction, size_average, reduce))


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """-log of the normal density of target with mean input and variance var, less a constant unless `full`.

    Raises:
        ShapeError: if var has another shape than input, or input's without its last dimension, or is negative.
    """
    if isinstance(var, float):
        var = input.new_full(input.array.shape, var)
    shape, of_var = input.array.shape, var.array.shape
    if of_var != shape:
        if shape[:-1] == of_var:
            var = unsqueeze(var, -1)
        elif shape[:-1] != of_var[:-1] or of_var[-1] != 1:
            raise ShapeError("var is of incorrect size")
    check_reduction("gaussian_nll_loss", reduction)
    if bool((var.array < 0).any()):
        raise ShapeError("var has negative entry/entries")
    low = var.array < eps
    clipped = add(var, wrap((low * (eps - var.array)).astype(var.array.dtype)))  # the slope is that of var
    d = sub(input, target)
    losses = mul(add(log(clipped), div(mul(d, d), clipped)), 0.5)
    if full:
        losses = add(losses, 0.5 * math.log(2 * math.pi))
    return reduced("gaussian_nll_loss", losses, reduction)


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + exp(-target * input)), target being 1 or -1."""
    if np.broadcast_shapes(input.array.shape, target.array.shape) != input.array.shape:
        raise ShapeError(
            f"soft_margin_loss(): output with shape {list(input.array.shape)} doesn't match argument 'target' of shape "
            f"{list(target.array.shape)}"
        )
    losses = log1p(exp(neg(mul(target, input))))
    return reduced("soft_margin_loss", losses, legacy(reduction, size_average, reduce))


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """input where target is 1, max(0, margin - input) where it is -1."""
    t = target.array
    margin = int(margin) if input.array.dtype.kind in "iu" else margin
    far = where(wrap(t != 1), clamp(sub(margin, input), min=0), 0)
    near = where(wrap(t != -1), input, 0)
    return reduced("hinge_embedding_loss", add(far, near), legacy(reduction, size_average, reduce))


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, -target * (input1 - input2) + margin): target 1 says that input1 should be larger, -1 input2."""
    if not input1.array.ndim == input2.array.ndim == target.array.ndim:
        raise ShapeError(
            f"margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {_size(input1)}, "
            f"input2: {_size(input2)}, target: {_size(target)} "
        )
    losses = clamp(add(mul(neg(target), sub(input1, input2)), margin), min=0.0)
    return reduced("margin_ranking_loss", losses, legacy(reduction, size_average, reduce))


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos where target is 1, max(0, cos - margin) where it is -1: cos of the angle between rows (N, D)."""
    if target.array.ndim == 1 and not input1.array.ndim == input2.array.ndim == 2:
        raise ShapeError(
            "cosine_embedding_loss(): 1D target tensor expects 2D input tensors, but found inputs with sizes "
            f"{list(input1.array.shape)} and {list(input2.array.shape)}."
        )
    tiny = 1e-12
    axis = target.array.ndim
    product = sum(mul(input1, input2), axis)
    size1, size2 = add(sum(mul(input1, input1), axis), tiny), add(sum(mul(input2, input2), axis), tiny)
    cos = div(product, sqrt(mul(size1, size2)))
    t = target.array
    near = where(wrap(t == 1), sub(1, cos), 0.0)
    far = where(wrap(t == -1), clamp(sub(cos, margin), min=0.0), 0.0)
    return reduced("cosine_embedding_loss", add(near, far), legacy(reduction, size_average, reduce))


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, |anchor - positive| - |anchor - negative| + margin), rows (N, D).

    With `swap` the positive's distance to the negative counts if it is smaller: Balntas et al. (2016).
    """
    if margin <= 0:
        raise ShapeError(f"margin must be greater than 0, got {margin}")
    _same_rank("triplet_margin_loss", anchor, positive, negative)
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    return _triplet(near, far, lambda: pairwise_distance(positive, negative, p, eps), margin, swap,
                    legacy(reduction, size_average, reduce))  # fmt: skip


def _same_rank(op: str, anchor: Tensor, positive: Tensor, negative: Tensor) -> None:
    ranks = [v.array.ndim for v in (anchor, positive, negative)]
    if len(set(ranks)) > 1:
        raise ShapeError(
            f"{op}(): The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {ranks[0]}D, positive {ranks[1]}D, and negative {ranks[2]}D inputs"
        )


def _triplet(near: Tensor, far: Tensor, other: Any, margin: float, swap: bool, reduction: str) -> Tensor:
    if swap:
        far = minimum(far, other())
    return reduced("triplet_margin_loss", clamp(add(sub(near, far), margin), min=0.0), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Any = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """triplet_margin_loss with a distance of one's own."""
    _same_rank("triplet_margin_with_distance_loss", anchor, positive, negative)
    if margin <= 0:
        raise ShapeError(f"margin must be greater than 0, got {margin}")
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    return _triplet(near, far, lambda: distance(positive, negative), margin, swap, reduction)


def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over wrong classes of max(0, margin - x[target] + x[class])**p: input (N, C) or (C,), target (N,) or ()"""
    if p not in (1, 2):
        raise ShapeError("only p == 1 and p == 2 supported")
    single = input.array.ndim < 2
    x = reshape(input, (1, -1)) if single else input
    t = target.array.reshape(-1)
    c = x.array.shape[1]
    if len(t) != x.array.shape[0]:
        raise ShapeError(
            f"multi_margin_loss(): target tensor should be 1-D with size equal to the number of input samples "
            f"({x.array.shape[0]}), but got {list(target.array.shape)}"
        )
    check_classes("multi_margin_loss", t, c)
    index = wrap(t.reshape(-1, 1))
    gaps = clamp(sub(add(x, margin), gather(x, 1, index)), min=0.0)
    gaps = gaps if p == 1 else mul(gaps, gaps)
    if weight is not None:
        gaps = mul(gaps, wrap(weight.array[t].reshape(-1, 1)))
    xp = backend_of(x.array).xp
    losses = div(sum(where(wrap(xp.arange(c) == t.reshape(-1, 1)), 0.0, gaps), 1), float(c))
    if single:
        losses = reshape(losses, ())
    return reduced("multi_margin_loss", losses, legacy(reduction, size_average, reduce))


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """For every right class against every wrong one, max(0, 1 - x[right] + x[wrong]), divided by C.

    input (N, C) or (C,); target of the same shape lists the right classes, ended by -1.
    """
    single = input.array.ndim < 2
    x, t = (reshape(input, (1, -1)), target.array.reshape(1, -1)) if single else (input, target.array)
    if x.array.shape != t.shape:
        raise ShapeError(
            f"multilabel_margin_loss(): inconsistent target size: {list(target.array.shape)} for input of size: "
            f"{list(input.array.shape)}"
        )
    xp, c = backend_of(x.array).xp, x.array.shape[1]
    listed = xp.cumprod(t >= 0, axis=1).astype(bool)  # the labels before the first -1
    safe = xp.where(listed, t, 0)
    check_classes("multilabel_margin_loss", safe.reshape(-1), c)
    right = ((safe[:, :, None] == xp.arange(c)) & listed[:, :, None]).any(1)  # (N, C)
    own = gather(x, 1, wrap(safe))  # (N, T)
    gaps = clamp(add(sub(unsqueeze(x, 1), unsqueeze(own, 2)), 1), min=0.0)  # (N, T, C)
    counted = listed[:, :, None] & ~right[:, None, :]
    losses = div(sum(where(wrap(counted), gaps, 0.0), (1, 2)), float(c))
    if single:
        losses = reshape(losses, ())
    return reduced("multilabel_margin_loss", losses, legacy(reduction, size_average, reduce))


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """binary_cross_entropy_with_logits, averaged over the classes in the last dimension."""
    losses = neg(add(mul(target, logsigmoid(input)), mul(sub(1, target), logsigmoid(neg(input)))))
    losses = losses if weight is None else mul(losses, weight)
    axis = input.array.ndim - 1
    count = input.array.shape[axis] if input.array.ndim else 1
    return reduced(
        "multilabel_soft_margin_loss", div(sum(losses, axis), float(count)), legacy(reduction, size_average, reduce)
    )
