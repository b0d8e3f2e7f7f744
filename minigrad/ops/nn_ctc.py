"""Connectionist temporal classification: the loss of a label sequence whose places in time are not known.

Source: Graves et al., "Connectionist temporal classification" (2006): the forward variables, in logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops.arithmetic import add, div, neg, sub
from minigrad.ops.base import Tensor, backend_of, wrap
from minigrad.ops.elementwise import exp
from minigrad.ops.extreme import logsumexp
from minigrad.ops.index import gather
from minigrad.ops.join import cat, stack
from minigrad.ops.logic import where
from minigrad.ops.loss import check_reduction
from minigrad.ops.reduce import mean, sum
from minigrad.ops.shape import narrow, squeeze

_NEVER = -1e30  # the logarithm of no probability, kept finite so that its gradient is 0 and not nan


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of all alignments of targets with the time steps.

    log_probs (T, N, C) or (T, C), targets (N, S) or all labels one after the other (sum(target_lengths),). "mean" divides
    each loss by its target's length first. A target that does not fit has an infinite loss, or 0 with `zero_infinity`.

    Raises:
        ShapeError: if lengths, targets and log_probs do not fit one another.
    """
    check_reduction("ctc_loss", reduction)
    single = log_probs.array.ndim == 2
    x = log_probs.unsqueeze(1) if single else log_probs
    steps, n, classes = x.array.shape
    times, lengths = (_numbers(v) for v in (input_lengths, target_lengths))
    if len(times) != n or len(lengths) != n:
        raise ShapeError(f"ctc_loss(): input_lengths and target_lengths must be of size batch_size {n}")
    if times.size and (times.max() > steps or times.min() < 0):
        raise ShapeError(
            f"ctc_loss(): Expected input_lengths to have value at most {steps}, but got value {int(times.max())}"
        )
    if not 0 <= blank < classes:
        raise ShapeError("ctc_loss(): blank must be in label range")
    labels = _rows(targets, lengths, n)
    width = 2 * labels.shape[1] + 1
    extended = np.full((n, width), blank)  # blanks between, before and after the labels
    extended[:, 1::2] = labels
    skips = np.zeros((n, width), bool)  # a label may follow another one without a blank, if it differs
    skips[:, 2:] = (extended[:, 2:] != blank) & (extended[:, 2:] != extended[:, :-2])
    host = backend_of(x.array).from_numpy
    places = wrap(host(extended))
    never = wrap(host(np.full((n, 2), _NEVER, x.array.dtype)))
    can_skip, start = wrap(host(skips)), wrap(host(np.broadcast_to(np.arange(width) < 2, (n, width)).copy()))
    alpha = where(start, gather(x[0], 1, places), _NEVER)
    for t in range(1, int(times.max(initial=1))):
        padded = cat([never, alpha], 1)  # two places to the left, for steps from there
        by_skip = where(can_skip, narrow(padded, 1, 0, width), _NEVER)
        ways = stack([alpha, narrow(padded, 1, 1, width), by_skip])
        moved = add(logsumexp(ways, 0), gather(x[t], 1, places))
        alpha = where(wrap(host((times > t)[:, None])), moved, alpha)
    ends = np.stack([2 * lengths, np.maximum(2 * lengths - 1, 0)], 1)
    last = gather(alpha, 1, wrap(host(ends)))
    none = np.zeros((n, 2), bool)
    none[:, 1] = lengths == 0  # an empty target has one end only
    losses = neg(logsumexp(where(wrap(host(none)), _NEVER, last), 1))
    # PyTorch's gradient takes every row of probabilities to add up to 1, which only a change of all of them can undo: it
    # has exp(x) on top. Behind log_softmax that makes no difference.
    inside = wrap(host((np.arange(steps)[:, None] < times)[:, :, None]))
    total = sum(where(inside, exp(x), 0.0), (0, 2))
    losses = add(losses, sub(total, total.detach()))
    impossible = wrap(losses.array > -_NEVER / 2)
    losses = where(impossible, 0.0 if zero_infinity else float("inf"), losses)
    if reduction == "none":
        return squeeze(losses, 0) if single else losses
    if reduction == "sum":
        return sum(losses)
    return mean(div(losses, wrap(host(np.maximum(lengths, 1).astype(x.array.dtype)))))


def _numbers(values: Any) -> Any:
    return np.asarray(values.tolist() if hasattr(values, "tolist") else values, np.int64).reshape(-1)


def _rows(targets: Tensor, lengths: Any, n: int) -> Any:
    """The labels as a matrix (N, S), whichever way they were given."""
    given = targets.numpy_array().astype(np.int64)
    longest = int(lengths.max(initial=0))
    if given.ndim == 2 and len(given) == n:
        if longest > given.shape[1]:
            raise ShapeError(
                f"ctc_loss(): Expected tensor to have size at least {longest} at dimension 1, but got size {given.shape[1]}"
            )
        return given[:, :longest]
    flat = given.reshape(-1)
    if flat.size < lengths.sum():
        raise ShapeError(f"ctc_loss(): Expected at least {int(lengths.sum())} targets, but got {flat.size}")
    rows = np.zeros((n, longest), np.int64)
    start = 0
    for row, length in zip(rows, lengths, strict=True):
        row[:length] = flat[start : start + length]
        start += length
    return rows
