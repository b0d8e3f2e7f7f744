"""Rows of a table, looked up by number, one by one or summed in bags."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.autograd.grad_mode import no_grad
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import div, mul
from minigrad.ops.base import Array, Grads, Tensor, Unary, backend_of, wrap
from minigrad.ops.extreme import amax
from minigrad.ops.join import stack
from minigrad.ops.logic import where
from minigrad.ops.reduce import sum
from minigrad.ops.shape import narrow, reshape, unsqueeze


class Lookup(Unary):
    """The table's rows that `index` names: (V, D) -> (*index, D). A row `skipped` gets no gradient."""

    __slots__ = ("before", "by_frequency", "index", "skipped")
    keeps = False

    def __init__(self, index: Array, skipped: int | None, by_frequency: bool) -> None:
        self.index, self.skipped, self.by_frequency = index, skipped, by_frequency

    def forward(self, table: Array) -> Array:
        self.before = table.shape
        return backend_of(table).xp.take(table, self.index, 0)

    def backward(self, gy: Tensor) -> Grads:
        index, (rows, _) = self.index, self.before
        xp = backend_of(gy.array).xp
        if self.by_frequency:
            counts = xp.bincount(index.reshape(-1), minlength=rows)
            gy = div(gy, wrap(counts[index][..., None].astype(gy.array.dtype)))
        if self.skipped is not None:
            gy = where(wrap((index == self.skipped)[..., None]), 0.0, gy)
        return LookupGrad(index, self.before).apply(gy)


class LookupGrad(Unary):
    """Every row's gradients summed: (*index, D) -> (V, D), the adjoint of Lookup."""

    __slots__ = ("index", "shape")
    keeps = False

    def __init__(self, index: Array, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape

    def forward(self, gy: Array) -> Array:
        xp, (rows, width) = backend_of(gy).xp, self.shape
        table = xp.zeros(rows * width, gy.dtype)
        cells = self.index.reshape(-1, 1) * width + xp.arange(width)
        xp.add.at(table, cells.reshape(-1), gy.reshape(-1))  # one flat index: NumPy's fast way
        return table.reshape(rows, width)

    def backward(self, gtable: Tensor) -> Grads:
        return Lookup(self.index, None, False).apply(gtable)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of weight that input names: (*) integers, (V, D) -> (*, D)

    The row padding_idx gets no gradient; rows longer than max_norm are shortened in place.

    Raises:
        IndexError: if a number is outside the table. DtypeError: if input is no integer tensor.
    """
    index, table = input.array, weight.array
    if index.dtype.kind not in "iu":
        raise DtypeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{input.dtype} instead (while checking arguments for embedding)"
        )
    if table.ndim != 2:
        raise ShapeError(f"'weight' must be 2-D, but got size {list(table.shape)}")
    rows = table.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise ShapeError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    text = "index out of range in self: embedding() got {} for a table of " + f"{rows} rows"
    if (
        not backend_of(index).report_outside(index, rows, text)
        and index.size
        and (int(index.min()) < 0 or int(index.max()) >= rows)
    ):
        raise IndexError(text.format(int(index.min()) if int(index.min()) < 0 else int(index.max())))
    index = index.astype(np.int64)
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    return Lookup(index, padding_idx, scale_grad_by_freq).apply(weight)


def _shorten(weight: Tensor, index: Array, max_norm: float, norm_type: float) -> None:
    """Scale the named rows down to max_norm, in place."""
    with no_grad():
        xp = backend_of(weight.array).xp
        used = xp.unique(index)
        rows = weight.array[used]
        size = (xp.abs(rows) ** norm_type).sum(1, keepdims=True) ** (1 / norm_type)
        scale = xp.where(size > max_norm, max_norm / (size + 1e-7), 1).astype(rows.dtype)
        weight.array[used] = rows * scale
        weight.shared_memory().written("embedding_renorm_")


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows in every bag: (B, N) integers -> (B, D)

    Or (N,) integers, where offsets (B,) say at which place each bag begins.

    Raises:
        ShapeError: if the arguments do not fit one another.
    """
    if mode not in ("sum", "mean", "max"):
        raise ShapeError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise ShapeError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    if input.array.ndim == 2:
        if offsets is not None:
            raise ShapeError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences."
            )
        n = input.array.shape[1]
        bounds = [(i * n, i * n + n) for i in range(input.array.shape[0])]
        input = reshape(input, -1)
        if per_sample_weights is not None:
            per_sample_weights = reshape(per_sample_weights, -1)
    elif input.array.ndim == 1:
        if offsets is None:
            raise ShapeError("offsets has to be a 1D Tensor but got None")
        starts = offsets.tolist()
        if starts and starts[0] != 0:
            raise ShapeError(
                f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got {starts[0]}"
            )
        ends = [*starts[1:], input.array.shape[0]]
        bounds = list(zip(starts, ends, strict=True))[: len(starts) - 1 if include_last_offset else None]
    else:
        raise ShapeError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.array.ndim}")
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = mul(rows, unsqueeze(per_sample_weights, 1))
    used = (
        np.ones(len(input.array), bool)
        if padding_idx is None
        else input.numpy_array() != padding_idx % weight.array.shape[0]
    )
    return stack([_bag(rows, start, end, used, mode) for start, end in bounds])


def _bag(rows: Tensor, start: int, end: int, used: Any, mode: str) -> Tensor:
    counted = used[start:end]
    if not counted.any():
        return sum(mul(narrow(rows, 0, 0, 0), 0.0), 0)
    part = narrow(rows, 0, start, end - start)
    if not counted.all():
        part = part[wrap(np.flatnonzero(counted))]
    if mode == "max":
        return amax(part, 0)
    total = sum(part, 0)
    return total if mode == "sum" else div(total, float(counted.sum()))
