"""The database's samples with their tensors laid out otherwise: values and gradients must not notice.

Every tensor of a sample keeps its values and comes transposed in memory, as every second element of a larger one, or
expanded from a smaller one; and the first tensor also without elements, where PyTorch then works at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import database
import kinds
import torch


def turned(t: Any) -> Any:
    """The same values with the strides of the reversed order of dimensions."""
    back = list(reversed(range(t.ndim)))
    return t.permute(back).contiguous().permute(back)


def spread(t: Any) -> Any:
    """The same values, as every second element of a larger tensor."""
    wide = t.new_zeros([2 * n for n in t.shape])
    wide[tuple(slice(None, None, 2) for _ in t.shape)] = t
    return wide[tuple(slice(None, None, 2) for _ in t.shape)]


def flat(t: Any) -> Any:
    """The first element everywhere, expanded: a stride of 0 along every dimension."""
    return t[tuple(slice(0, 1) for _ in t.shape)].expand(t.shape) if t.ndim and t.numel() else t


LAYOUTS: dict[str, Callable[[Any], Any]] = {"turned": turned, "spread": spread, "expanded": flat}


def leaves_of(value: Any) -> Iterator[Any]:
    """The tensors in a sample's arguments that want a gradient."""
    if isinstance(value, torch.Tensor):
        if value.requires_grad:
            yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from leaves_of(v)
    elif isinstance(value, list | tuple):
        for v in value:
            yield from leaves_of(v)


def laid_out(value: Any, layout: Callable[[Any], Any], pairs: list[tuple[Any, Any]], ours: bool) -> Any:
    """Arguments whose floating tensors are views in a layout of leaves, which go to `pairs`."""
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.requires_grad:
        if ours:
            leaf = database.translated(value, [])
            pairs.append((value, leaf))
        else:
            leaf = value.detach().clone().requires_grad_()
            pairs.append((leaf, None))
        return layout(leaf * 1)
    if isinstance(value, torch.Tensor):
        return database.translated(value, []) if ours else value
    if isinstance(value, dict):
        return {k: laid_out(v, layout, pairs, ours) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(laid_out(v, layout, pairs, ours) for v in value)
    return database.translated(value, []) if ours else value


def check_sample(function: Any, op: Any, sample: Any, layout: Callable[[Any], Any], second: bool) -> None:
    """One sample in one layout: outputs, gradients, second gradients."""
    whole = (sample.input, sample.args, sample.kwargs)
    mine: list[tuple[Any, Any]] = []
    yours: list[tuple[Any, Any]] = []
    a = laid_out(whole, layout, mine, True)
    b = laid_out(whole, layout, yours, False)
    try:
        expected = op(b[0], *b[1], **b[2])
    except RuntimeError:  # a view that this memory cannot show
        return
    actual = function(a[0], *a[1], **a[2])
    ours, theirs = database.flat(actual), database.flat(expected)
    kinds.compare_all(op, b[0], b[1], b[2], ours, theirs)
    leaves = [(t, m) for (t, _), (_, m) in zip(yours, mine, strict=True)]
    pairs = [
        (x, y)
        for x, y in zip(ours, theirs, strict=True)
        if isinstance(y, torch.Tensor) and y.requires_grad and database.has_derivative(y)
    ]
    if pairs and leaves:
        database.check_gradients("gradient", pairs, leaves, second and op.supports_gradgrad)


def check(name: str, limit: int | None = None, second: bool = False) -> int:
    """An entry's samples in all layouts; returns how many calls were compared.

    Raises:
        Disagreement: at the first that differs.
    """
    op = database.OPERATIONS[name]
    function, count = database.resolve(op.name), 0
    torch.default_generator.manual_seed(0)
    if not op.supports_autograd:
        return 0
    for i, sample in enumerate(itertools.islice(op.sample_inputs("cpu", torch.float64, requires_grad=True), limit)):
        for kind, layout in LAYOUTS.items():
            try:
                check_sample(function, op, sample, layout, second)
            except database.Disagreement as error:
                raise database.Disagreement(f"sample {i}, {kind}: {error}") from error
            count += 1
    return count
