"""Signatures: what PyTorch's documentation says that a function is called with, ours takes under the same names and defaults.

The signatures of PyTorch's compiled functions stand in the first lines of their documentation; Python can read those of the rest.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

import torch

import minigrad

# What concerns memory's layout and PyTorch's own machinery, not the result.
MACHINERY = {"layout", "pin_memory", "names", "self", "_stacklevel"}
PLACES = (
    ("", torch, minigrad),
    ("Tensor.", torch.Tensor, minigrad.Tensor),
    ("nn.functional.", torch.nn.functional, minigrad.nn.functional),
    ("special.", torch.special, minigrad.special),
)

# Where PyTorch's documentation and its functions differ (tried), or ours do.
UNTRUE = "the documentation's word; the function itself takes ours"
NAMES = {
    UNTRUE: "cumulative_trapezoid kthvalue searchsorted std_mean topk trapezoid true_divide var_mean Tensor.apply_ Tensor.bmm "
    "Tensor.div Tensor.divide Tensor.dot Tensor.dsplit Tensor.floor_divide Tensor.fmod Tensor.frexp Tensor.histogram Tensor.hsplit "
    "Tensor.index_copy Tensor.kthvalue Tensor.masked_scatter Tensor.matmul Tensor.mode Tensor.mul Tensor.multiply Tensor.narrow "
    "Tensor.put Tensor.remainder Tensor.take Tensor.topk Tensor.true_divide Tensor.type_as Tensor.vsplit Tensor.where "
    "special.scaled_modified_bessel_k0 special.scaled_modified_bessel_k1 special.spherical_bessel_j0 set_num_threads "
    "set_num_interop_threads Tensor.resize_as_ amax amin Tensor.amax Tensor.amin norm",
    "the argument is A, as in linalg": "det inverse pinverse",
    "the argument is split_size_or_sections, as the function's": "Tensor.split Tensor.unsafe_split",
    "the dimension is dim, as cat's": "concatenate",
    "takes no out": "matrix_power geqrf",
    "there are no memory formats and no sparse dimensions": "Tensor.dim_order Tensor.to_sparse",
    "there is one format of files": "save",
    "None by default stands for False": "asarray",
    "the arguments are transpose's": "swapaxes Tensor.swapaxes",
    "the device is the first argument, whatever its name": "Tensor.cuda",
}
REASONS = {name: why for why, names in NAMES.items() for name in names.split()}


def documented(function: Any, name: str) -> list[tuple[str, str, Any]] | None:
    """(name, kind, default) of every parameter, from the documentation; kind is "positional", "keyword" or "several"."""
    found = re.search(rf"^\s*(?:Tensor\.)?{name}\((.*?)\)(?:\s*->|\s*$)", function.__doc__ or "", re.M)
    if found is None:
        return None
    text = re.sub(r"\.\.\.", "None", found.group(1)).replace("\\*", "*").replace("-inf", "-1e400")
    try:
        arguments = ast.parse(f"def f({text}): pass").body[0].args  # type: ignore[attr-defined]
    except SyntaxError:
        return None
    return list(parameters(arguments))


def parameters(arguments: ast.arguments) -> Iterator[tuple[str, str, Any]]:
    """The parameters of a parsed signature."""
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[Any] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(plain, defaults, strict=True):
        yield argument.arg, "positional", literal(default)
    if arguments.vararg:
        yield arguments.vararg.arg, "several", inspect.Parameter.empty
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield argument.arg, "keyword", literal(default)


def literal(node: Any) -> Any:
    """A default's value; `empty` where there is none, or none that can be read."""
    if node is None:
        return inspect.Parameter.empty
    try:
        return ast.literal_eval(node)
    except ValueError:
        return inspect.Parameter.empty


def written(function: Any) -> list[tuple[str, str, Any]] | None:
    """(name, kind, default) of a Python function's parameters."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return None
    kinds = {inspect.Parameter.VAR_POSITIONAL: "several", inspect.Parameter.KEYWORD_ONLY: "keyword"}
    return [
        (p.name, kinds.get(p.kind, "positional"), p.default)
        for p in signature.parameters.values()
        if p.kind is not inspect.Parameter.VAR_KEYWORD
    ]


def pairs() -> Iterator[tuple[str, Any, Any]]:
    """All functions that both libraries have, with the names of their places."""
    for prefix, theirs, ours in PLACES:
        for name in sorted(n for n in dir(theirs) if not n.startswith("_")):
            a, b = getattr(theirs, name), getattr(ours, name, None)
            if callable(a) and callable(b) and not isinstance(a, type) and not isinstance(b, type):
                yield prefix + name, a, b


def disagreement(name: str, theirs: Any, ours: Any) -> str | None:
    """What of PyTorch's signature ours lacks; None if nothing, "" if PyTorch's cannot be read."""
    wanted = documented(theirs, name.rpartition(".")[2]) or written(theirs)
    if wanted is None or any(kind == "several" for _, kind, _ in wanted):
        return ""
    signature = inspect.signature(ours)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in signature.parameters.values()):
        return ""
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    mine = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    if name.startswith("Tensor.") and mine:
        mine = mine[1:]
    wanted = [w for w in wanted if w[0] not in MACHINERY]
    mine = [p for p in mine if p.name not in MACHINERY]
    for place, (argument, kind, default) in enumerate(wanted):
        found = next((p for p in mine if p.name == argument), None)
        if found is None:
            if not takes_all:
                return f"takes no argument '{argument}'"
            continue
        if kind == "positional" and (place >= len(mine) or mine[place].name != argument):
            return f"argument '{argument}' is not in place {place + 1}"
        empty = inspect.Parameter.empty
        if (
            default is not empty
            and found.default is not empty
            and found.default != default
            and found.default is not None
        ):
            return f"argument '{argument}' is {found.default!r} by default, not {default!r}"
        if default is not empty and found.default is empty:
            return f"argument '{argument}' must be given, and is {default!r} in PyTorch"
    return None
