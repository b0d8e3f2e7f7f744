"""Writes docs/surface.md: what of PyTorch's public names minigrad has. Needs PyTorch; run it from the repository root.

python docs/surface.py [--check]     with --check, only says whether the file is up to date
"""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

import torch

import minigrad
from minigrad import surface

TARGET = Path(__file__).with_name("surface.md")
FIGURES = Path(__file__).with_name("surface_figures.txt")  # written by tests/surface/database.py --all --write

# Title, PyTorch's place, minigrad's.
PLACES = (
    ("torch: functions", "torch", "minigrad"),
    ("torch.Tensor: methods and properties", "torch.Tensor", "minigrad.Tensor"),
    ("torch.nn.functional", "torch.nn.functional", "minigrad.nn.functional"),
    ("torch.nn", "torch.nn", "minigrad.nn"),
    ("torch.nn.init", "torch.nn.init", "minigrad.nn.init"),
    ("torch.nn.utils", "torch.nn.utils", "minigrad.nn.utils"),
    ("torch.optim", "torch.optim", "minigrad.optim"),
    ("torch.optim.lr_scheduler", "torch.optim.lr_scheduler", "minigrad.optim.lr_scheduler"),
    ("torch.utils.data", "torch.utils.data", "minigrad.utils.data"),
    ("torch.autograd", "torch.autograd", "minigrad.autograd"),
    ("torch.autograd.functional", "torch.autograd.functional", "minigrad.autograd.functional"),
    ("torch.func", "torch.func", "minigrad.func"),
    ("torch.amp", "torch.amp", "minigrad.amp"),
    ("torch.distributions", "torch.distributions", "minigrad.distributions"),
    ("torch.linalg", "torch.linalg", "minigrad.linalg"),
    ("torch.special", "torch.special", "minigrad.special"),
)
FAMILIES = ("cudnn_", "miopen_", "mkldnn_", "quantize", "fbgemm_", "sparse_", "fake_quantize", "q_", "sym_")


def place(path: str) -> Any:
    """The module or class of a dotted name; None if there is none."""
    head, *rest = path.split(".")
    found: Any = importlib.import_module(head)
    for i, part in enumerate(rest):
        found = getattr(found, part, None)
        if found is None:
            try:
                found = importlib.import_module(".".join([head, *rest[: i + 1]]))
            except ImportError:
                return None
    return found


def public(where: Any) -> list[str]:
    """The names that PyTorch's users see in a place: callables and properties, no modules, no helpers of typing."""
    listed = getattr(where, "__all__", None) if inspect.ismodule(where) and where is not torch else None
    names = []
    for name in listed or dir(where):
        value = getattr(where, name, None) if not isinstance(where, type) else inspect.getattr_static(where, name, None)
        if name.startswith("_") or inspect.ismodule(value) or name.startswith(FAMILIES):
            continue
        if getattr(value, "__module__", "") in ("typing", "collections", "collections.abc", "functools", "types"):
            continue
        if listed or callable(value) or isinstance(value, property) or inspect.isgetsetdescriptor(value):
            names.append(name)
    return sorted(set(names))


def section(title: str, theirs: str, ours: str) -> tuple[str, int, int]:
    """One place: the names that are there and those that are not."""
    names = public(place(theirs))
    here = place(ours)
    there = [n for n in names if here is not None and hasattr(here, n)]
    missing = [n for n in names if n not in there]
    if theirs == "torch":  # of torch itself, classes and switches of its machinery are not what anybody looks for
        missing = [n for n in missing if n[0].islower()]
    total = len(there) + len(missing)
    text = [f"## {title}: {len(there)} of {total}", ""]
    for label, some in (("There", there), ("Not there", missing)):
        if some:
            text += [textwrap.fill(f"**{label}:** " + " ".join(f"`{n}`" for n in some), 140), ""]
    return "\n".join(text), len(there), total


def page() -> str:
    """The whole file."""
    minigrad.set_backend("numpy")
    sections = [section(*row) for row in PLACES]
    lazy = sum(1 for _ in surface.ENTRIES)
    head = f"""# What of PyTorch is there

Written by `docs/surface.py`, which asks both libraries; do not edit it by hand. PyTorch {torch.__version__.split("+")[0]},
of whose public names a few families are left out (quantisation, sparse tensors, vendors' libraries).

A name that is there means what it means in PyTorch: signature, defaults, promotion, results, gradients.
`python tests/surface/database.py --all` holds the functions against PyTorch's own operator database, sample by sample, and a part
of that is among the tests; `tests/surface/expected.py` names what differs and why. {lazy} functions are listed in
`minigrad/surface.py` with the forms they come in; the rest stands in the core.

{FIGURES.read_text().strip()}

| | there | PyTorch's |
|---|---|---|
"""
    rows = "".join(
        f"| {title} | {n} | {total} |\n" for (title, *_), (_, n, total) in zip(PLACES, sections, strict=True)
    )
    return head + rows + "\n" + "\n".join(text for text, *_ in sections)


def main() -> int:
    """Write the file, or check it."""
    text = page().rstrip() + "\n"
    if "--check" in sys.argv:
        return 0 if TARGET.exists() and TARGET.read_text() == text else 1
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
