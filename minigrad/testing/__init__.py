"""The conformance kit: write a backend, and know that its gradients are right.

    from minigrad.testing import check_backend

    report = check_backend("mine")      # a registered name, "file.py", a class or an instance
    assert report.ok, report            # the report prints a table and, per failure, a script

The same from a shell: `python -m minigrad.testing --backend mine`. What an operation means is written down
in `minigrad.testing.oracles`, as plain loops; the laws are in `laws`, `structure` and `gradients`;
`mutants` holds broken backends, which the kit must catch. hypothesis, an extra, draws the cases.
"""

from typing import TYPE_CHECKING, Any

from minigrad.autograd.gradcheck import gradcheck, gradgradcheck
from minigrad.testing.check import check_backend, check_law, rebuild
from minigrad.testing.report import Cell, Failure, Report
from minigrad.testing.tolerance import assert_adjoint, assert_close
from minigrad.testing.words import LawBroken

if TYPE_CHECKING:
    from minigrad.testing.strategies import arrays, broadcastable_shapes, conv2d_cases, pool2d_cases, windows

_STRATEGIES = ("arrays", "broadcastable_shapes", "conv2d_cases", "pool2d_cases", "windows")


def __getattr__(name: str) -> Any:
    """Strategies are imported when asked for: they need hypothesis, and the rest of this package does not."""
    if name in _STRATEGIES:
        from minigrad.testing import strategies

        return getattr(strategies, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Cell",
    "Failure",
    "LawBroken",
    "Report",
    "arrays",
    "assert_adjoint",
    "assert_close",
    "broadcastable_shapes",
    "check_backend",
    "check_law",
    "conv2d_cases",
    "gradcheck",
    "gradgradcheck",
    "pool2d_cases",
    "rebuild",
    "windows",
]
