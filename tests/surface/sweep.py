"""The whole comparison with PyTorch, as a command: what was called, what agrees, what differs and why.

python tests/surface/database.py [--second] [--dtypes] [--errors] [--layouts] [--forms] [--promotion] [--signatures] [--all]
                                 [--linalg] [--write] [NAME ...]

Without a switch: results and gradients of every sample in float64. --write puts the summary into docs/surface_figures.txt.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import database
import expected
import forms
import kinds
import layouts
import promotion
import refusals
import signatures
import torch

FIGURES = Path(__file__).parents[2] / "docs" / "surface_figures.txt"
Found = tuple[str, str]  # what was called, and how it differs; "" if it agrees


def said(error: Exception) -> str:
    """An error in one line."""
    kind = "" if isinstance(error, database.Disagreement) else f"{type(error).__name__}: "
    return f"{kind}{error}".replace("\n", " ")[:300]


def attempt(call: Callable[[], Any]) -> str:
    """How a comparison went: "" if it agrees."""
    try:
        call()
    except Exception as error:
        return said(error)
    return ""


def entries(wanted: list[str], table: dict[str, Any], linalg: bool = False) -> Iterator[str]:
    """The names of a table that count and that minigrad has."""
    for name, op in table.items():
        named = not wanted or name in wanted or op.name in wanted
        if named and (wanted or linalg or database.counts(op)) and database.resolve(op.name) is not None:
            yield name


def types(name: str, limit: int | None) -> Iterator[tuple[str, str]]:
    """An entry in every element type: (type, how it differs)."""
    op = kinds.ENTRIES[name]
    function = database.resolve(op.name)
    for kind in kinds.TYPES:
        try:
            samples = list(kinds.samples(op, kind, limit))
        except Exception:  # PyTorch cannot make samples of this type
            continue
        if samples:
            found = (attempt(lambda s=s: kinds.check_sample(function, op, s)) for s in samples)
            yield kinds.short(kind), next((text for text in found if text), "")


def bad_calls(name: str, limit: int) -> Iterator[tuple[str, str]]:
    """An entry's bad calls: (what is wrong, how the libraries differ)."""
    op = kinds.ENTRIES[name]
    function = database.resolve(op.name)
    for what, head, args, kwargs in refusals.bad_calls(op, limit):
        spoilt = " is " in what and "tensor" not in what
        yield what, attempt(lambda h=head, a=args, k=kwargs, s=spoilt: refusals.check_call(function, op, h, a, k, s))


class Section:
    """One part of the comparison, counted."""

    def __init__(self, title: str, unit: str, reasons: dict[str, Any]) -> None:
        self.title, self.unit, self.reasons = title, unit, reasons
        self.calls: Counter[bool] = Counter()
        self.names: set[str] = set()
        self.differ: dict[str, str] = {}

    def add(self, name: str, what: str, text: str) -> None:
        """Count one comparison."""
        self.names.add(name)
        self.calls[not text] += 1
        if text:
            self.differ.setdefault(name, f"{what}: {text}" if what else text)

    def report(self) -> str:
        """Print what differs, and return the summary."""
        for name, text in self.differ.items():
            print(f"  {name}: {text}")
            print(f"      {'listed: ' + reason(self.reasons[name]) if name in self.reasons else 'NOT LISTED'}")
        listed = sum(name in self.reasons for name in self.differ)
        total = sum(self.calls.values())
        counts = "" if total == len(self.names) else f", {self.calls[True]:,} of {total:,} {self.unit}"
        agree = len(self.names) - len(self.differ)
        return (
            f"{self.title}: {agree} of {len(self.names)} agree{counts}; {listed} differ for a reason that is listed"
            + (f", {len(self.differ) - listed} without one" if len(self.differ) > listed else "")
        )


def reason(value: Any) -> str:
    """The words of a table's line."""
    return value if isinstance(value, str) else f"{value[1]} ({value[0]})"


def sections(arguments: list[str]) -> Iterator[Section]:
    """What the switches ask for, compared."""
    wanted = [a for a in arguments if not a.startswith("-")]
    linalg, everything = "--linalg" in arguments, "--all" in arguments

    def asked(switch: str) -> bool:
        return everything or f"--{switch}" in arguments

    second = asked("second")
    title = "results, gradients and second gradients" if second else "results and gradients"
    part = Section(f"{title} (entries)", "samples", expected.DIFFERENT)
    for name in entries(wanted, database.OPERATIONS, linalg):
        part.add(name, "", attempt(lambda n=name: database.check(n, second)))
    yield part
    if asked("dtypes"):
        part = Section("element types (entries)", "pairs of entry and type", expected.TYPES)
        for name in entries(wanted, kinds.ENTRIES, linalg):
            for kind, text in types(name, 8):
                part.add(name, kind, text)
        yield part
    if asked("errors"):
        part = Section("bad calls (entries)", "calls", expected.CALLS)
        for name in entries(wanted, kinds.ENTRIES, linalg):
            for what, text in bad_calls(name, 2):
                part.add(name, what, text)
        yield part
    if asked("layouts"):
        part = Section("transposed, strided, expanded, with gradients (entries)", "samples", expected.LAYOUTS)
        for name in entries(wanted, database.OPERATIONS, linalg):
            part.add(name, "", attempt(lambda n=name: layouts.check(n, 8, second)))
        yield part
    if asked("forms"):
        part = Section("methods and in-place methods (entries)", "entries", expected.FORMS)
        for name in entries(wanted, database.OPERATIONS, linalg):
            part.add(name, "", attempt(lambda n=name: forms.check(n, 8)))
        yield part
        part = Section("calls that the database has no samples of", "calls", {})
        for text in forms.CALLS if not wanted else ():
            part.add(text, "", attempt(lambda t=text: forms.check_call(t)))
        yield part
    if asked("promotion") and not wanted:
        part = Section("operators on all pairs of types, ranks and numbers (operators)", "pairs", expected.PAIRS)
        for name, theirs, ours in promotion.functions():
            count, differ = promotion.check(name, theirs, ours)
            part.calls[True] += count
            part.names.add(name)
            for text in differ:
                part.add(name, "", text)
        yield part
    if asked("signatures") and not wanted:
        part = Section("signatures (functions)", "functions", signatures.REASONS)
        for name, theirs, ours in signatures.pairs():
            text = signatures.disagreement(name, theirs, ours)
            if text != "":
                part.add(name, "", text or "")
        yield part


def missing(arguments: list[str]) -> list[str]:
    """The entries whose function minigrad does not have."""
    wanted = [a for a in arguments if not a.startswith("-")]
    return [
        name
        for name, op in database.OPERATIONS.items()
        if (name in wanted or (not wanted and database.counts(op))) and database.resolve(op.name) is None
    ]


def main(arguments: list[str]) -> None:
    """Compare, print, and if asked write the summary."""
    warnings.simplefilter("ignore")
    lines = []
    for part in sections(arguments):
        print(f"\n{part.title}")
        lines.append(part.report())
        print(lines[-1])
    lost = missing(arguments)
    lines.append(f"missing: {len(lost)} entries" + (f" ({', '.join(lost)})" if lost else ""))
    print("\n" + "\n".join(lines))
    if "--write" in arguments:
        text = "\n".join(f"- {line}" for line in lines)
        FIGURES.write_text(f"Beside PyTorch {torch.__version__.split('+')[0]}, on the CPU:\n\n{text}\n")
