"""Grade a half-finished backend, one operation at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from minigrad.backend import Backend
from minigrad.testing.check import Progress, check_backend
from minigrad.testing.loading import load
from minigrad.testing.report import FOLLOWS, HOLDS, Report

POINTS = {
    "im2col": 20,
    "col2im": 20,
    "conv2d": 20,
    "conv2d_input_grad": 10,
    "conv2d_weight_grad": 10,
    "max_pool2d": 15,
    "max_pool2d_grad": 5,
}
"""The steps of the course, in order, and what each is worth."""

DTYPES = ("float32", "float64")
NOT_STARTED, BEGUN, DONE = "not started", "begun", "done"


@dataclass(frozen=True)
class Step:
    """One operation's grade. laws: whether each holds, for every element type."""

    operation: str
    state: str
    points: int
    out_of: int
    laws: dict[str, bool]
    hint: str = ""
    script: str = ""


@dataclass(frozen=True)
class Grades:
    """A whole backend's grades."""

    backend: str
    steps: list[Step]

    @property
    def points(self) -> int:
        """What has been earned."""
        return sum(step.points for step in self.steps)

    @property
    def out_of(self) -> int:
        """What could be."""
        return sum(step.out_of for step in self.steps)

    @property
    def next(self) -> str:
        """The first operation that is not done, "" if all are."""
        return next((step.operation for step in self.steps if step.state != DONE), "")

    def to_json(self) -> str:
        """Points as JSON."""
        data = {"backend": self.backend, "points": self.points, "of": self.out_of, "next": self.next}
        operations = [{"of" if name == "out_of" else name: v for name, v in vars(step).items()} for step in self.steps]
        return json.dumps({**data, "operations": operations}, indent=2)

    def __str__(self) -> str:
        lines = []
        for step in self.steps:
            held = f"{sum(step.laws.values())} of {len(step.laws)} laws" if step.laws else ""
            lines.append(f"{step.operation:20} {step.state:12} {held:14} {step.points:3} of {step.out_of}")
        lines.append(f"{'':20} {'':12} {'points':14} {self.points:3} of {self.out_of}")
        for step in self.steps:
            if step.operation == self.next:
                lines += ["", f"Next: {step.operation}. {step.hint}", *([step.script] if step.script else [])]
        return "\n".join(lines)


def grade(
    backend: str | Backend | type[Backend],
    operations: Iterable[str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Grades:
    """Grade the operations of the course, or some of them.

    An operation earns its points in proportion to the laws that hold; nothing as long as it does not
    return the right shape, and nothing while it is left to the base class.

    Raises:
        BackendError: if the backend cannot be loaded. ValueError: if an operation is not of the course.
    """
    wanted = list(POINTS) if operations is None else list(operations)
    unknown = [name for name in wanted if name not in POINTS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not an operation of the course: {', '.join(POINTS)}")
    loaded = load(backend)
    steps = [
        _step(loaded.source or loaded.backend, loaded.backend, name, seed, progress)
        for name in POINTS
        if name in wanted
    ]
    return Grades(loaded.name, steps)


def _step(given: Any, backend: Backend, name: str, seed: int, progress: Progress | None) -> Step:
    of = POINTS[name]
    if getattr(type(backend), name) is getattr(Backend, name):
        return Step(name, NOT_STARTED, 0, of, {}, f"Define {name} in your class.")
    report = check_backend(given, seed=seed, operations=[name], dtypes=DTYPES, progress=progress)
    if any(failure.message.startswith(f"{name} is not implemented") for failure in report.everything):
        return Step(name, NOT_STARTED, 0, of, {}, f"Define {name} in your class.")
    laws = _laws(report)
    if report.ok:
        return Step(name, DONE, of, of, laws)
    first = report.failures[0]
    points = 0 if not laws.get("form", False) else of * sum(laws.values()) // len(laws)
    return Step(name, BEGUN, points, of, laws, str(first), first.script)


def _laws(report: Report) -> dict[str, bool]:
    """Which laws hold for every element type. One that only fails because of another operation is not counted."""
    laws: dict[str, bool] = {}
    for cell in report.cells:
        if cell.operation != "arrays" and cell.state != FOLLOWS:
            laws[cell.law] = laws.get(cell.law, True) and cell.state == HOLDS
    return laws
