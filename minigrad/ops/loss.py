"""Losses: cross entropy in one pass, and those made of simpler ops."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.activation import log_softmax, softmax
from minigrad.ops.arithmetic import add, div, mul, neg, sub
from minigrad.ops.base import (
    Array,
    Grads,
    Nary,
    Tensor,
    Variable,
    as_array,
    backend_of,
    low_type,
    mixed,
    not_tensor,
    wrap,
)
from minigrad.ops.index import GatherAlong, gather
from minigrad.ops.logic import where
from minigrad.ops.reduce import Spread, mean, sum
from minigrad.ops.region import Regions
from minigrad.ops.shape import expand, permute, reshape, unsqueeze
from minigrad.ops.titles import shown


class CrossEntropy(Nary):
    """-log softmax(x)[target], row by row: x (N, C), target (N,) -> (N,), or their mean ()"""

    __slots__ = ("average", "ignored", "target")
    precision = "full"

    def __init__(self, target: Array, average: bool, ignored: int | None = None) -> None:
        self.target, self.average, self.ignored = target, average, ignored

    def forward(self, x: Array) -> Array:
        if self.ignored is None:
            losses, self.saved = backend_of(x).cross_entropy(x, self.target)
        else:  # the backend's kernel looks at the targets
            backend: Any = backend_of(x)
            losses, self.saved = backend.cross_entropy(x, self.target, ignore_index=self.ignored)
        return as_array(losses.sum() / losses.dtype.type(len(losses)), x) if self.average else losses

    def backward(self, gy: Tensor) -> Grads:
        spread = Spread((0,), self.target.shape)
        gradient = CrossEntropyGrad(self.target, self.saved, self.ignored)
        if is_grad_enabled():
            return gradient.apply(spread.apply(gy) if self.average else gy, self.inputs[0])
        each = spread.forward(gy.array) if self.average else gy.array  # nobody will differentiate this
        return wrap(gradient.forward(each, self.inputs[0].array))


class MeanCrossEntropy(Nary):
    """The mean over the targets that count, in one kernel, where the backend has one: x (N, C), target (N,) -> ()"""

    __slots__ = ("found", "ignored")
    precision = "full"

    def __init__(self, found: Any, ignored: int) -> None:
        self.found, self.ignored = found, ignored

    @classmethod
    def on_device(cls, x: Tensor, target: Array, ignored: int) -> Tensor | None:
        """The loss; None where the backend has no such kernel, or not for so many."""
        backend: Any = backend_of(x.array)
        if low_type(x) is not None or not hasattr(backend, "cross_entropy_mean"):
            return None
        found = backend.cross_entropy_mean(x.array, target, ignored)
        return None if found is None else cls(found, ignored).apply(x)

    def forward(self, x: Array) -> Array:
        y, self.saved = self.found
        self.found = None
        return y

    def backward(self, gy: Tensor) -> Grads:
        p, target, count = self.saved
        if not is_grad_enabled():
            backend: Any = backend_of(p)
            return wrap(backend.cross_entropy_mean_grad(gy.array, self.saved, self.ignored))
        each = expand(div(gy, wrap(count.astype(p.dtype, copy=False))), target.shape)
        return CrossEntropyGrad(target, p, self.ignored).apply(each, self.inputs[0])


class CrossEntropyGrad(Nary):
    """(softmax(x) - onehot(target)) * gy: gy (N,), x (N, C) -> (N, C)"""

    __slots__ = ("ignored", "probabilities", "target")

    def __init__(self, target: Array, probabilities: Array, ignored: int | None = None) -> None:
        self.target, self.probabilities, self.ignored = target, probabilities, ignored

    def forward(self, gy: Array, x: Array) -> Array:
        backend: Any = backend_of(x)
        if self.ignored is None:
            return backend.cross_entropy_grad(gy, self.probabilities, self.target)
        return backend.cross_entropy_grad(gy, self.probabilities, self.target, ignore_index=self.ignored)

    def backward(self, ggx: Tensor) -> Grads:
        gy, x = self.inputs
        target = self.target
        if self.ignored is not None:  # their rows of the gradient are 0, whatever x and gy
            used = target != self.ignored
            ggx = mul(ggx, wrap(used.reshape(-1, 1).astype(x.array.dtype)))
            target = backend_of(x.array).xp.where(used, target, 0)
        p = softmax(x, 1)
        inner = sum(mul(ggx, p), 1, True)
        g_gy = sub(reshape(inner, -1), reshape(gather(ggx, 1, wrap(target.reshape(-1, 1))), -1))
        return self.needs[0] and g_gy, self.needs[1] and mul(mul(p, sub(ggx, inner)), reshape(gy, (-1, 1)))


def legacy(reduction: str, size_average: Any, reduce: Any) -> str:
    """What PyTorch's old arguments size_average and reduce amount to."""
    if size_average is None and reduce is None:
        return reduction
    warnings.warn("size_average and reduce args will be deprecated, please use reduction instead.", stacklevel=4)
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The softmax-with-loss of the book: -log of the probability that softmax gives to the target.

    input (N, C), (C,) or (N, C, d1, ...); target either class indices (N,), (), (N, d1, ...) or probabilities of
    input's shape. "mean" divides by the targets' total weight.

    Raises:
        IndexError: if a target is outside [0, C) and is not ignore_index.
        DtypeError: if class indices are not integers. ShapeError: if shapes or reduction do not fit.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy(reduction, size_average, reduce)
    check_reduction("cross_entropy", reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ShapeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    try:
        same = input.array.shape == target.array.shape
    except AttributeError as error:
        raise not_tensor("cross_entropy", error, input=input, target=target) from error
    if same and target.array.dtype.kind not in "iub":
        return _with_probabilities(input, target, weight, reduction, label_smoothing)
    x, target_array, shape = _as_rows("cross_entropy", input, target)
    if weight is None and label_smoothing == 0.0 and backend_of(x.array).reports_targets:
        if reduction == "mean":
            averaged = MeanCrossEntropy.on_device(x, target_array, ignore_index)
            if averaged is not None:
                return averaged
        losses = CrossEntropy(target_array.copy(), False, ignore_index).apply(x)
        if reduction != "mean":
            return _reduced(losses, reduction, shape)
        return div(sum(losses), wrap((target_array != ignore_index).sum().astype(x.array.dtype)))
    if weight is None and label_smoothing == 0.0 and _all_count(target_array, x.array.shape[1], ignore_index):
        if reduction == "mean" and target_array.size:
            y = CrossEntropy(target_array, True).apply(x)
            return y if input.array.ndim < 3 else shown(y, "NllLoss2DBackward0")
        losses = CrossEntropy(target_array, False).apply(x)
        title = "NllLossBackward0" if input.array.ndim < 3 else "NllLoss2DBackward0"
        return shown(_reduced(losses, reduction, shape), title)
    log_p = log_softmax(x, 1)
    plain = nll_rows(log_p, target_array, weight, ignore_index)
    losses, weights = plain
    if label_smoothing:
        every = log_p if weight is None else mul(log_p, weight)
        smooth = neg(sum(every, 1))
        used = wrap(target_array != ignore_index)
        smooth = where(used, smooth, 0.0)
        losses = add(mul(losses, 1 - label_smoothing), mul(smooth, label_smoothing / x.array.shape[1]))
    return div(sum(losses), sum(weights)) if reduction == "mean" else _reduced(losses, reduction, shape)


def _with_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    axis = 1 if input.array.ndim > 1 else 0
    classes = input.array.shape[axis]
    if smoothing:
        target = add(mul(target, 1 - smoothing), smoothing / classes)
    log_p = log_softmax(input, axis)
    if weight is not None:
        log_p = mul(log_p, reshape(weight, [classes if i == axis else 1 for i in range(input.array.ndim)]))
    losses = neg(sum(mul(log_p, target), axis))
    if reduction == "mean":
        return div(sum(losses), float(max(losses.array.size, 1)))
    return _reduced(losses, reduction, losses.array.shape)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """-input[target], weighted: input (N, C) log-probabilities, target (N,) class indices."""
    if size_average is not None or reduce is not None:
        reduction = legacy(reduction, size_average, reduce)
    check_reduction("nll_loss", reduction)
    x, target_array, shape = _as_rows("nll_loss", input, target)
    losses, weights = nll_rows(x, target_array, weight, ignore_index)
    y = div(sum(losses), sum(weights)) if reduction == "mean" else _reduced(losses, reduction, shape)
    return shown(y, "NllLossBackward0" if input.array.ndim < 3 else "NllLoss2DBackward0")


def nll_rows(log_p: Tensor, target: Array, weight: Tensor | None, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Weighted losses and weights of every row, 0 where the target is ignored."""
    xp = backend_of(log_p.array).xp
    used = target != ignore_index
    safe = xp.where(used, target, 0)
    check_classes("nll_loss", safe, log_p.array.shape[1])
    if weight is not None and (weight.array.shape != log_p.array.shape[1:2] or weight.array.dtype != log_p.array.dtype):
        raise ShapeError(
            f"nll_loss(): weight tensor should be defined either for all {log_p.array.shape[1]} classes or no classes, in the "
            f"input's dtype, but got weight tensor of shape: {list(weight.array.shape)} and {dtypes.of(weight.array)}"
        )
    row_weights = xp.ones(len(target), log_p.array.dtype) if weight is None else weight.array[safe]
    row_weights = wrap(xp.where(used, row_weights, xp.zeros((), log_p.array.dtype)))
    picked = reshape(GatherAlong(safe.reshape(-1, 1), 1).apply(log_p), -1)
    return where(wrap(used), neg(mul(picked, row_weights)), 0.0), row_weights


def _as_rows(op: str, input: Tensor, target: Tensor) -> tuple[Tensor, Array, tuple[int, ...]]:
    """Images of classes as rows: (N, C, d1, ...) -> (N*d1*..., C), the targets flat, and the losses' shape."""
    x, t = input.array, target.array
    if t.dtype.kind not in "iu":
        raise DtypeError(f"{op}(): expected scalar type Long for class indices, but got target of {dtypes.of(t)}")
    if x.ndim == 1 and t.ndim == 0:
        return unsqueeze(input, 0), t.reshape(1).astype(np.int64), ()
    if x.ndim < 1 or (x.shape[0] != t.shape[0] if t.ndim else True):
        raise ShapeError(
            f"{op}(): Expected input batch_size ({x.shape[0] if x.ndim else 0}) to match target batch_size "
            f"({t.shape[0] if t.ndim else 0})."
        )
    if t.shape != (x.shape[0], *x.shape[2:]):
        raise ShapeError(f"{op}(): Expected target size {[x.shape[0], *x.shape[2:]]}, got {list(t.shape)}")
    if x.ndim > 2:
        c = x.shape[1]
        input = reshape(permute(input, (0, *range(2, x.ndim), 1)), (t.size, c))
    # A device's loss keeps a copy of its own: one launch less.
    return input, t.reshape(-1).astype(np.int64, copy=not backend_of(t).reports_targets), t.shape


def _all_count(target: Array, classes: int, ignore_index: int) -> bool:
    """Whether no target is to be ignored; where all are classes and no class is ignored, one reduction says so.

    Raises:
        IndexError: if none is ignored and one of them is no class.
    """
    plain = _all_classes(target, classes)
    if plain and not 0 <= ignore_index < classes:
        return True
    if (target == ignore_index).any():
        return False
    if not plain:
        check_classes("cross_entropy", target, classes)
    return True


def _all_classes(target: Array, classes: int) -> bool:
    """Whether all targets are in [0, classes). As unsigned numbers, negative ones are the largest."""
    return not target.size or bool(target.view(f"u{target.dtype.itemsize}").max() < classes)


def check_classes(op: str, target: Array, classes: int) -> None:
    """Whether every class index exists.

    Raises:
        IndexError: naming the first one that does not.
    """
    if backend_of(target).report_outside(target, classes, "Target {} is out of bounds."):
        return
    if not _all_classes(target, classes):
        bad = target[(target < 0) | (target >= classes)]
        raise IndexError(f"{op}(): Target {int(bad[0])} is out of bounds: class indices go from 0 to {classes - 1}.")


def check_reduction(op: str, reduction: str) -> None:
    """Whether a reduction is one of PyTorch's three."""
    if reduction not in ("mean", "sum", "none"):
        raise ShapeError(f"{op}(): {reduction} is not a valid value for reduction: expected 'mean', 'sum' or 'none'")


def _reduced(losses: Tensor, reduction: str, shape: tuple[int, ...]) -> Tensor:
    if reduction == "none":
        return reshape(losses, shape)
    return sum(losses) if reduction == "sum" else mean(losses)


# What a graph shows of losses that are one op in PyTorch and several here.
_TITLES = {
    "binary_cross_entropy": "BinaryCrossEntropyBackward0",
    "binary_cross_entropy_with_logits": "BinaryCrossEntropyWithLogitsBackward0",
    "huber_loss": "HuberLossBackward0",
    "mse_loss": "MseLossBackward0",
    "multi_margin_loss": "MultiMarginLossBackward0",
    "multilabel_margin_loss": "MultilabelMarginLossBackward0",
    "smooth_l1_loss": "SmoothL1LossBackward0",
}


def reduced(op: str, losses: Tensor, reduction: str) -> Tensor:
    """The mean, the sum, or the losses themselves."""
    check_reduction(op, reduction)
    y = _reduced(losses, reduction, losses.array.shape)
    return shown(y, _TITLES[op]) if op in _TITLES else y


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target)**2"""
    if size_average is not None or reduce is not None:
        reduction = legacy(reduction, size_average, reduce)
    warn_sizes(input, target)
    if Regions.open:
        input, target = mixed("full", (input, target))
    d = sub(input, target)
    losses = mul(d, d) if weight is None else mul(mul(d, d), weight)
    return reduced("mse_loss", losses, reduction)


def warn_sizes(input: Tensor, target: Tensor) -> None:
    """PyTorch's warning for shapes that will be broadcast, which is seldom what was meant."""
    if not isinstance(target, Variable):
        raise TypeError(f"argument 'target' must be Tensor, not {type(target).__name__}")
    if input.array.shape != target.array.shape:
        warnings.warn(
            f"Using a target size ({list(target.array.shape)}) that is different to the input size ({list(input.array.shape)}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=4,
        )
