"""What came out of a check: a table, the failures with their scripts, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from minigrad.testing.cases import Numbers

HOLDS, BROKEN, FOLLOWS, UNTRIED = "holds", "broken", "follows", "untried"
_SIGNS = {HOLDS: "✓", BROKEN: "✗", FOLLOWS: "~", UNTRIED: "·"}


@dataclass(frozen=True)
class Failure:
    """A law that an operation breaks, with the smallest case that shows it.

    follows: the broken operation or operations that this one is made of; its own definition may be right. Such a
    failure is not shrunk: mend the other first. numbers: the case's sizes and switches.
    """

    operation: str
    law: str
    dtype: str
    message: str
    script: str = ""
    numbers: Numbers = field(default_factory=dict)
    follows: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.operation} ({self.dtype}) breaks the law {self.law!r}: {self.message}"
        return text + (f" [follows from {', '.join(self.follows)}]" if self.follows else "")


@dataclass(frozen=True)
class Cell:
    """One square of the table: an operation, an element type and a law, and on how many cases it was tried."""

    operation: str
    dtype: str
    law: str
    state: str
    cases: int


@dataclass
class Report:
    """The outcome of `check_backend`."""

    backend: str
    seed: int
    thorough: bool
    cells: list[Cell] = field(default_factory=list)
    everything: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every law held."""
        return not self.everything

    @property
    def failures(self) -> list[Failure]:
        """What is broken itself; `everything` also holds what only follows from that."""
        own = [failure for failure in self.everything if not failure.follows]
        return own or self.everything

    @property
    def cases(self) -> int:
        """How many times a law was put to an operation."""
        return sum(cell.cases for cell in self.cells)

    def table(self) -> str:
        """Operation and dtype down, laws across."""
        laws = list(dict.fromkeys(cell.law for cell in self.cells))
        rows: dict[tuple[str, str], dict[str, str]] = {}
        for cell in self.cells:
            rows.setdefault((cell.operation, cell.dtype), {})[cell.law] = _SIGNS[cell.state]
        name = max((len(operation) for operation, _ in rows), default=9)
        kind = max((len(dtype) for _, dtype in rows), default=5)
        lines = [f"{'operation':{name}} {'dtype':{kind}} " + " ".join(f"{law[:4]:4}" for law in laws)]
        before = ""
        for (operation, dtype), cells in rows.items():
            shown = operation if operation != before else ""
            marks = " ".join(f"{cells.get(law, ''):^4}" for law in laws)
            lines.append(f"{shown:{name}} {dtype:{kind}} {marks}".rstrip())
            before = operation
        lines.append("")
        lines.append("✓ holds   ✗ broken   ~ follows from another operation   · could not be tried")
        lines += _wrapped("laws: " + ", ".join(laws))
        return "\n".join(lines)

    def __str__(self) -> str:
        own = [failure for failure in self.failures if not failure.follows]
        dtypes: dict[tuple[str, str], list[str]] = {}
        for failure in own:
            dtypes.setdefault((failure.operation, failure.law), []).append(failure.dtype)
        kind = "thorough" if self.thorough else "quick"
        head = f"backend {self.backend!r}: {self.cases} checks, {kind}, seed {self.seed}"
        if self.ok:
            return f"{self.table()}\n\n{head}: every law holds"
        parts = [self.table(), ""]
        for number, ((operation, law), kinds) in enumerate(dtypes.items(), 1):
            first = next(f for f in own if (f.operation, f.law) == (operation, law))
            parts.append(f"--- {number} of {len(dtypes)}: {operation} breaks the law {law!r} ({', '.join(kinds)})")
            parts.append(first.script or f"{first.message}\n")
        rest = [failure for failure in self.everything if failure.follows]
        if rest:
            names = ", ".join(dict.fromkeys(failure.operation for failure in rest))
            parts.append(f"Also broken, and made of the above: {names}")
        parts.append(f"{head}: broken: {', '.join(dict.fromkeys(f.operation for f in own))}")
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "backend": self.backend,
            "ok": self.ok,
            "seed": self.seed,
            "thorough": self.thorough,
            "checks": self.cases,
            "cells": [vars(cell) for cell in self.cells],
            "failures": [{**vars(failure), "follows": list(failure.follows)} for failure in self.everything],
        }

    def to_json(self) -> str:
        """`as_dict` as text."""
        return json.dumps(self.as_dict(), indent=2)


def _wrapped(text: str, width: int = 110) -> Iterable[str]:
    """Break a line at its spaces."""
    line = ""
    for part in text.split(" "):
        if line and len(line) + len(part) >= width:
            yield line
            line = "     "
        line = f"{line} {part}" if line else part
    yield line
