"""Losses for very many classes: the last layer belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from minigrad.creation import zeros
from minigrad.errors import ShapeError
from minigrad.nn import functional as F
from minigrad.nn.containers import ModuleList, Sequential
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.ops.activation import log_softmax
from minigrad.ops.base import Tensor
from minigrad.ops.join import cat
from minigrad.ops.logic import where


class ASMoutput(NamedTuple):
    """The log-probability of every target, and their mean with its sign changed."""

    output: Any
    loss: Any


class AdaptiveLogSoftmaxWithLoss(Module):
    """Frequent classes stand in the head; rarer ones in clusters, each a class of the head, with ever smaller layers.

    (N, in_features), (N,) -> output (N,), loss (). Classes must be numbered by falling frequency; `cutoffs` are the
    first classes of the clusters, and cluster i's inner layer has in_features / div_value**(i + 1) features.

    Source: Grave et al., "Efficient softmax approximation for GPUs" (2017).

    Raises:
        ValueError: if the cutoffs are not whole, rising and below n_classes.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            cutoffs != sorted(set(cutoffs))
            or cutoffs[0] <= 0
            or cutoffs[-1] > n_classes - 1
            or any(int(c) != c for c in cutoffs)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, "
                f"where each value is between 1 and n_classes-1, but got {cutoffs}"
            )
        where = {"device": device, "dtype": dtype}
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **where)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            inner, outer = Linear(in_features, hidden, bias=False, **where), Linear(hidden, size, bias=False, **where)
            self.tail.append(Sequential(inner, outer))

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        self.head.reset_parameters()
        for cluster in self.tail:
            for layer in cluster:
                layer.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        """(N, in_features), (N,) -> output (N,), loss ()"""
        x, t = self._batch(input, target)
        bounds = list(zip([0, *self.cutoffs[:-1]], self.cutoffs, strict=True))
        rows = [((t >= low) & (t < high)).nonzero().reshape(-1) for low, high in bounds]
        if sum(len(r) for r in rows) != len(t):
            raise ShapeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{t.min().item()}, {t.max().item()}] were found. "
            )
        classes = t  # of the head: a class of the short list, or the cluster of a rarer one
        output = zeros(len(t), dtype=x.dtype, device=x.device)
        for i, ((low, high), which) in enumerate(zip(bounds[1:], rows[1:], strict=True)):
            classes = where((t >= low) & (t < high), self.shortlist_size + i, classes)
            if len(which):
                inside = log_softmax(self.tail[i](x.index_select(0, which)), 1)
                found = inside.gather(1, (t.index_select(0, which) - low).unsqueeze(1)).squeeze(1)
                output = output.index_add(0, which, found)
        output = output + log_softmax(self.head(x), 1).gather(1, classes.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return ASMoutput(output if target.array.ndim else output.squeeze(0), loss)

    def _batch(self, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Input and target as a batch."""
        rank, shape = target.array.ndim, list(input.array.shape)
        if rank == 1:
            if len(shape) != 2:
                raise ShapeError(f"1D target tensor expects 2D input tensors, but found inputs with size {shape}")
            if shape[0] != len(target):
                raise ShapeError("Input and target should have the same size in the batch dimension.")
            return input, target
        if rank:
            raise ShapeError("0D or 1D target tensor expected, multi-target not supported")
        if len(shape) != 1:
            raise ShapeError(f"0D target tensor expects 1D input tensors, but found inputs with size {shape}")
        return input.unsqueeze(0), target.unsqueeze(0)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: (N, in_features) -> (N, n_classes)"""
        return self._all(input, self.head(input))

    def _all(self, input: Tensor, head: Tensor) -> Tensor:
        logs = log_softmax(head, 1)
        parts = [logs[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            parts.append(log_softmax(cluster(input), 1) + logs[:, self.shortlist_size + i].unsqueeze(1))
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of every row: (N, in_features) -> (N,)"""
        head = self.head(input)
        best = head.argmax(1)
        rare = best >= self.shortlist_size
        if not rare.any():
            return best
        return where(rare, self._all(input, head).argmax(1), best)


@dataclass
class LinearCrossEntropyOptions:
    """How PyTorch computes a LinearCrossEntropyLoss in pieces; accepted for its scripts, and without effect here."""

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


class LinearCrossEntropyLoss(Module):
    """A Linear layer and CrossEntropyLoss on its results: (N, in_features), (N,) or (N, *out_features) -> ()"""

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.num_classes, self.out_features = in_features, num_classes, tuple(out_features)
        self.reduction, self.ignore_index, self.label_smoothing = reduction, ignore_index, label_smoothing
        self.options = options
        self.register_buffer("weight", weight)
        self.linear = Linear(in_features, num_classes * prod(self.out_features), bias=bias, device=device, dtype=dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """(N, in_features), (N, *out_features) -> ()"""
        shape = (self.num_classes, *self.out_features)
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, self.in_features),
            target,
            linear_bias=None if self.linear.bias is None else self.linear.bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, num_classes={self.num_classes}, out_features={self.out_features}, "
            f"bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
