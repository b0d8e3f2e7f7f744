"""Bad calls: PyTorch's own error samples, and good samples with one argument spoilt. What PyTorch refuses, minigrad refuses.

Where PyTorch turns out to accept a spoilt argument, the results are compared instead. A refusal is an exception of the
classes in `kinds.REFUSALS`, with a text that says something about the call: an AttributeError from three floors below is none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import database
import kinds
import torch


def spoilt(value: Any) -> Iterator[Any]:
    """What a user may pass in place of a good argument by mistake."""
    if isinstance(value, torch.Tensor):
        yield from (None, "a", [1.0, "b"])
        if value.is_floating_point():
            yield torch.ones((*value.shape[:-1], value.shape[-1] + 5) if value.ndim else (2, 3), dtype=value.dtype)
            yield value.detach()[None, None, None, None, None, None]
            yield value.detach().to(torch.int64)
        else:
            yield value + 1000 if value.dtype == torch.int64 else value.double()
    elif isinstance(value, bool):
        yield from ("a", 2.5)
    elif isinstance(value, int):
        yield from (1000, -1000, 1.5, "a", None)
    elif isinstance(value, float):
        yield from ("a", [1.0])
    elif isinstance(value, str):
        yield from ("nonsense", 3)
    elif type(value) in (tuple, list) and value and all(type(v) is int for v in value):
        yield from (
            type(value)(other)
            for other in (
                [],
                [1000, *value[1:]],
                [-1000, *value[1:]],
                [*value, 7, 7, 7, 7, 7],
                [1.5] * len(value),
                ["a"],
            )
        )


# Where PyTorch's own check is absent, so that asking it could end the interpreter, or the process's memory.
DANGEROUS = database.named(
    """
    as_strided as_strided_copy as_strided_scatter ones zeros eye full arange linspace logspace new_ones new_zeros new_full
    repeat tile histc histogram nonzero_static combinations vander nn.functional.one_hot bincount repeat_interleave
    nn.functional.ctc_loss nn.functional.max_unpool1d nn.functional.max_unpool2d nn.functional.embedding_bag
    nn.functional.pad nn.functional.interpolate nn.functional.upsample_nearest nn.functional.upsample_bilinear
    constant_pad_nd tril_indices triu_indices scalar_tensor take put index_put
    """
)


# Called by Python's operators, or as a method of the first argument, which is then a tensor whatever the user does.
METHODS = database.named(
    "item slice __getitem__ __radd__ __rdiv__ __rmul__ __rand__ __ror__ __rxor__ __rmatmul__ __rmod__ __rpow__ __rsub__"
)


def bad_calls(op: Any, limit: int) -> Iterator[tuple[str, Any, tuple[Any, ...], dict[str, Any]]]:
    """Calls of an entry that are wrong or may be: a description, the input, arguments and options."""
    if op.error_inputs_func is not None and not op.name.startswith("__r"):
        torch.default_generator.manual_seed(0)
        for case in op.error_inputs("cpu"):
            sample = case.sample_input
            yield "error sample", sample.input, tuple(sample.args), sample.kwargs
    kind = next((t for t in (torch.float64, torch.float32, torch.int64, torch.bool) if t in op.dtypes), None)
    if kind is None or op.name in DANGEROUS | METHODS:
        return
    torch.default_generator.manual_seed(0)
    for sample in itertools.islice(op.sample_inputs("cpu", kind), limit):
        args = (sample.input, *sample.args)
        for i, value in enumerate(args):
            for other in spoilt(value):
                changed = (*args[:i], other, *args[i + 1 :])
                yield f"argument {i} is {shown(other)}", changed[0], changed[1:], sample.kwargs
        for key, value in sample.kwargs.items():
            for other in spoilt(value):
                yield f"{key} is {shown(other)}", args[0], args[1:], {**sample.kwargs, key: other}


def shown(value: Any) -> str:
    """A value for a message."""
    return (
        f"a tensor {list(value.shape)} {kinds.short(value.dtype)}" if isinstance(value, torch.Tensor) else repr(value)
    )


def check_call(
    function: Any, op: Any, head: Any, args: tuple[Any, ...], kwargs: dict[str, Any], wrong_class: bool = False
) -> str:
    """One bad call in both libraries; says how it went."""
    leaves: list[tuple[Any, Any]] = []
    try:
        ours = database.translated((head, *args), leaves)
        named = database.translated(kwargs, leaves)
    except (RuntimeError, TypeError, ValueError, NotImplementedError):  # a device or a rank that NumPy does not have
        return "not ours"
    kept = [a.detach().clone() if isinstance(a, torch.Tensor) else a for a in (head, *args)]
    try:
        expected = op(*kept, **kwargs)
    except Exception as error:
        words = f"{type(error).__name__}: {error}".split("\n")[0][:200]
        try:
            function(*ours, **named)
        except kinds.REFUSALS as ours_error:
            return f"refused {type(ours_error).__name__}: {ours_error} | {words}"
        except Exception as other:
            if type(other) is type(error):  # an AttributeError on both sides, say
                return f"refused {type(other).__name__}: {other} | {words}"
            raise database.Disagreement(f"{type(other).__name__}: {other}, where PyTorch: {words}") from other
        raise database.Disagreement(f"accepted, but PyTorch: {words}") from None
    try:
        actual = function(*ours, **named)
    except TypeError as error:
        if wrong_class:  # PyTorch took what is none for true, or never looked
            return f"stricter: {error}"
        raise
    kinds.compare_all(op, head, args, kwargs, database.flat(actual), database.flat(expected))
    return "agree"
