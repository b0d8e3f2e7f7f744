"""The forms of an operation: `f(x)`, `x.f()`, `nn.functional.f(x)` and `x.f_()`, wherever PyTorch has them.

The database calls one of them; here its samples go through the others, and calls that it has no samples of stand as text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import database
import torch

import minigrad

# Calls that PyTorch's database has no samples of: evaluated in both libraries, x being a float64 tensor that wants a gradient.
CALLS = (
    "t.chain_matmul(x(2, 3), x(3, 4), x(4, 2))", "t.select_copy(x(3, 4), 1, 2)", "t.split_copy(x(5, 2), 2)",
    "t.split_with_sizes_copy(x(5, 2), [2, 3])", "t.unsafe_split_with_sizes(x(5, 2), [1, 4])", "t.unsafe_chunk(x(5), 2)",
    "(x(1, 3) * 1).squeeze_(0)", "(x(3, 2) * 1).t_()", "(x(3, 2, 4) * 1).transpose_(0, 2)", "(x(3) * 1).unsqueeze_(1)",
    "(x(3, 3) * 1).fill_diagonal_(2.0)", "F.threshold_(x(4) * 1, 0.1, 5.0)", "F.selu_(x(4) * 1)", "F.celu_(x(4) * 1, 0.5)",
    "F.elu_(x(4) * 1, 0.5)", "F.hardtanh_(x(4) * 1, -0.3, 0.3)", "F.leaky_relu_(x(4) * 1, 0.2)", "F.relu_(x(4) * 1)",
    "F.rrelu_(x(4) * 1, 0.1, 0.1)", "t.relu_(x(4) * 1)", "t.sigmoid_(x(4) * 1)", "t.exp_(x(4) * 1)", "t.clamp_(x(4) * 1, -0.1, 0.1)",
    "F.affine_grid(x(2, 2, 3), (2, 1, 3, 4), False)", "F.affine_grid(x(2, 2, 3), (2, 1, 3, 4), True)",
    "F.affine_grid(x(1, 3, 4), (1, 1, 2, 2, 2), False)", "F.fold(x(2, 12, 6), (4, 5), (3, 2), dilation=(1, 2), padding=(0, 0))",
    "F.lp_pool1d(x(2, 3, 8).abs(), 2.0, 3, stride=2)", "F.lp_pool2d(x(1, 2, 6, 6).abs(), 3.0, 2)",
    "F.max_pool1d(x(1, 2, 7), 3, 2, return_indices=True)", "F.max_pool2d(x(1, 2, 7, 5), (3, 2), return_indices=True)",
    "F.adaptive_max_pool2d(x(1, 2, 7, 5), (3, 2), return_indices=True)", "x(3).is_nonzero", "t.is_complex(x(2))",
    "t.is_nonzero(x(1))", "t.result_type(x(2), 3)", "t.result_type(t.ones(2, dtype=t.int8), 3.5)", "x(2, 3).ndimension()",
    "x(2, 3).itemsize", "x(2, 3).nbytes", "x(2, 3).element_size()", "t.promote_types(t.int8, t.float16)",
    "t.can_cast(t.float32, t.int64)", "t.can_cast(t.int64, t.float16)", "t.promote_types(t.uint8, t.int8)",
    "x(2).new_tensor([1, 2])", "x(2).type_as(t.ones(1, dtype=t.float32))", "x(2, 3).numel()", "x(2, 3).size(1)", "x(2, 3).dim()",
    "t.is_floating_point(x(2))", "x(2).is_signed()", "(x(3) * 1).copy_(x(3))", "t.numel(x(4, 2))", "x(2, 3).stride()",
    "t.vmap(lambda v: (v * v).sum())(x(3, 4))", "x(3).tolist()", "x(2, 2).apply_", "t.fill_(x(3) * 1, 2.5)",
)  # fmt: skip
TYPED = ("Float", "Double", "Half", "Int", "Long", "Short", "Char", "Byte", "Bool")

# Operations whose in-place form draws at random, or whose name with an underscore means another thing.
NO_IN_PLACE = database.named("index_put normal fill zero_ resize_ resize_as_ bfloat16 to")


def other_forms(op: Any) -> Iterator[tuple[str, Any, Any, bool]]:
    """(name, PyTorch's, minigrad's, whether in place) of the forms that the database does not call."""
    if "." in op.name or op.name.startswith("_"):
        return
    for name, writes in ((op.name, False), (f"{op.name}_", True)):
        theirs, ours = getattr(torch.Tensor, name, None), getattr(minigrad.Tensor, name, None)
        if callable(theirs) and not (writes and op.name in NO_IN_PLACE):
            yield f"Tensor.{name}", theirs, ours, writes


def check(name: str, limit: int | None = None) -> int:
    """Samples of an entry through its other forms; returns how many calls were compared.

    Raises:
        Disagreement: at the first that differs, or a form that is missing.
    """
    op, count = database.OPERATIONS[name], 0
    for form, theirs, ours, writes in other_forms(op):
        torch.default_generator.manual_seed(0)
        for i, sample in enumerate(
            itertools.islice(op.sample_inputs("cpu", torch.float64, requires_grad=False), limit)
        ):
            if not isinstance(sample.input, torch.Tensor):
                continue
            head, args = database.translated(sample.input, []), database.translated(sample.args, [])
            kwargs = database.translated(sample.kwargs, [])
            try:
                expected = theirs(sample.input.clone() if writes else sample.input, *sample.args, **sample.kwargs)
            except (RuntimeError, TypeError, IndexError, ValueError):
                continue  # a shape or a type that cannot be written in place; an argument that the method does not have
            if ours is None:
                raise database.Disagreement(f"{form} is missing")
            try:
                actual = ours(head, *args, **kwargs)
                for a, b in zip(database.flat(actual), database.flat(expected), strict=True):
                    database.compare(form, a, b)
                if writes:
                    database.compare(f"{form}'s own tensor", head, expected)
            except Exception as error:
                raise database.Disagreement(f"{form}, sample {i}: {type(error).__name__}: {error}") from error
            count += 1
    return count


def evaluate(text: str, library: Any, seed: int = 0) -> tuple[Any, list[Any]]:
    """A call's results and the tensors that it was given."""
    rng, leaves = torch.Generator().manual_seed(seed), []

    def x(*shape: int) -> Any:
        values = torch.rand(shape, dtype=torch.float64, generator=rng) - 0.3
        leaf = (values if library is torch else minigrad.from_numpy(values.numpy().copy())).requires_grad_()
        leaves.append(leaf)
        return leaf

    return eval(text, {"t": library, "F": library.nn.functional, "x": x}), leaves


def check_call(text: str) -> None:
    """A call in both libraries: results and gradients."""
    expected, theirs = evaluate(text, torch)
    actual, ours = evaluate(text, minigrad)
    if not isinstance(expected, torch.Tensor) and callable(expected):
        return
    a, b = database.flat(actual), database.flat(expected)
    for i, (y, z) in enumerate(zip(a, b, strict=True)):
        database.compare(f"{text}: result {i}", y, z)
    pairs = [(y, z) for y, z in zip(a, b, strict=True) if isinstance(z, torch.Tensor) and z.requires_grad]
    if pairs:
        database.check_gradients("gradient", pairs, list(zip(theirs, ours, strict=True)), False)
