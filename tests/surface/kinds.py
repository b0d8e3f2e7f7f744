"""The database in every element type: what PyTorch answers, minigrad answers in the same type; what it refuses, minigrad refuses.

An entry's samples are PyTorch's own where it says that it supports the type, and else those of float32 with their tensors
converted, so that refusals are seen, too. Whether a call works is never read from a table: PyTorch is asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import database
import torch
from torch.testing._internal.common_methods_invocations import op_db

TYPES = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
)  # fmt: skip

# Operations whose places of equal elements are nobody's promise, and those whose bytes are rounded by fixed-point numbers.
TIES = ("sort", "argsort", "topk", "kthvalue", "median", "nanmedian", "mode")
RESIZED = ("nn.functional.interpolate", "nn.functional.upsample")

# What may be raised where PyTorch raises: anything that is about the arguments.
REFUSALS = (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError, OverflowError)
ENTRIES = {
    database.label(op): op
    for op in op_db
    if not op.name.startswith(database.FAMILIES)
    and op.name not in database.RANDOM | database.UNSET_MEMORY | database.COMPLEX
    and any(t in op.dtypes for t in TYPES)
}


def short(kind: torch.dtype) -> str:
    """float32 for torch.float32."""
    return str(kind).removeprefix("torch.")


def converted(value: Any, kind: torch.dtype) -> Any:
    """A sample's arguments with the floating tensors among them in another type."""
    if isinstance(value, torch.Tensor):
        return value.to(kind) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {k: converted(v, kind) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(converted(v, kind) for v in value)
    return value


def samples(op: Any, kind: torch.dtype, limit: int | None) -> Iterator[Any]:
    """Samples of an entry in a type, whether PyTorch supports it there or not."""
    torch.default_generator.manual_seed(0)
    if kind in op.dtypes:
        yield from itertools.islice(op.sample_inputs("cpu", kind), limit)
        return
    base = next((t for t in (torch.float32, torch.float64, torch.int64, torch.int32) if t in op.dtypes), None)
    if base is None:
        return
    for sample in itertools.islice(op.sample_inputs("cpu", base), limit or 4):
        yield sample.transform(lambda v: v.to(kind) if isinstance(v, torch.Tensor) and v.dtype == base else v)


def check_sample(function: Any, op: Any, sample: Any) -> str:
    """One call in both libraries: "agree", or "refused" by both.

    Raises:
        Disagreement: if results or refusals differ.
    """
    # Arguments are translated first: an entry may write in place.
    leaves: list[tuple[Any, Any]] = []
    args, kwargs = database.translated(sample.args, leaves), database.translated(sample.kwargs, leaves)
    head = database.translated(sample.input, leaves)
    try:
        expected = op(sample.input, *sample.args, **sample.kwargs)
    except Exception as error:
        refusal = str(error).split("\n")[0]
        try:
            actual = function(head, *args, **kwargs)
        except REFUSALS as ours:
            return f"refused {type(ours).__name__}: {ours} | {type(error).__name__}: {refusal}"
        raise database.Disagreement(f"accepted, but PyTorch: {type(error).__name__}: {refusal}") from None
    actual = function(head, *args, **kwargs)
    ours, theirs = database.flat(actual), database.flat(expected)
    if len(ours) != len(theirs):
        raise database.Disagreement(f"{len(ours)} results instead of {len(theirs)}")
    compare_all(op, sample.input, sample.args, sample.kwargs, ours, theirs)
    return "agree"


def compare_all(op: Any, x: Any, args: Any, kwargs: Any, ours: list[Any], theirs: list[Any]) -> None:
    """Every result beside PyTorch's; places among equals count by what stands there."""
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        places = i == len(theirs) - 1 and (i or op.name == "argsort")
        if op.name in TIES and places and isinstance(b, torch.Tensor) and b.dtype == torch.int64:
            among_equals(op.name, x, args, kwargs, a, b)
        elif op.name.startswith(RESIZED) and isinstance(b, torch.Tensor) and b.dtype == torch.uint8:
            database.compare(f"output {i}", a, b, atol=1)
        else:
            database.compare(f"output {i}", a, b)


def among_equals(name: str, x: Any, args: Any, kwargs: Any, ours: Any, theirs: Any) -> None:
    """Places may differ where the elements there are equal: PyTorch does not say which of them it names."""
    dim = kwargs.get("dim", -1)
    ahead = 1 if name in ("topk", "kthvalue") else 0  # k stands before dim
    dim = next((a for a in args[ahead : ahead + 1] if type(a) is int), dim)
    places = torch.from_numpy(ours.numpy().copy())
    if places.shape != theirs.shape:
        raise database.Disagreement(f"places: shape {list(places.shape)} instead of {list(theirs.shape)}")
    if places.ndim < x.ndim:
        places, theirs = places.unsqueeze(dim), theirs.unsqueeze(dim)
    if x.ndim and not bool((x.gather(dim, places) == x.gather(dim, theirs)).all()):
        raise database.Disagreement("places: other elements stand there")
