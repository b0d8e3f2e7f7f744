"""The command line of the kit: `python -m minigrad.testing --backend NAME`."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import sys
import time

from minigrad.errors import BackendError
from minigrad.testing.check import Progress, check_backend
from minigrad.testing.course import grade


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a check can be told, the backend apart."""
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument("--quick", action="store_true", help="under a minute (the default)")
    speed.add_argument("--thorough", action="store_true", help="ten times the cases, and larger ones: minutes")
    parser.add_argument("--seed", type=int, default=0, help="draw other cases; the same seed repeats a run (default 0)")
    parser.add_argument("--operation", action="append", metavar="NAME", help="check only this one; may be repeated")
    parser.add_argument(
        "--dtype", action="append", metavar="NAME", help="check only this element type; may be repeated"
    )
    parser.add_argument("--course", action="store_true", help="grade a half-finished backend, operation by operation")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def main(argv: list[str] | None = None) -> int:
    """0 if every law holds, 1 if not, 2 if the backend cannot be loaded."""
    parser = argparse.ArgumentParser(
        prog="python -m minigrad.testing",
        description="Prove a backend's values, gradients and second gradients, or print the smallest input that fails.",
    )
    parser.add_argument(
        "--backend",
        required=True,
        metavar="NAME",
        help='a registered name, "file.py", "file.py:Class" or "module:Class"',
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(options: argparse.Namespace) -> int:
    """Do what the parsed options say."""
    with contextlib.suppress(OSError):  # a stream without a file descriptor
        faulthandler.enable()  # a kernel that crashes at least says where
    progress = progress_bar() if sys.stderr.isatty() else None
    try:
        if options.course:
            grades = grade(options.backend, options.operation, options.seed, progress)
            print(grades.to_json() if options.json else grades)
            return 0 if not grades.next else 1
        report = check_backend(
            options.backend,
            options.thorough,
            seed=options.seed,
            operations=options.operation,
            dtypes=options.dtype,
            progress=progress,
        )
    except (BackendError, ImportError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.to_json() if options.json else report)
    return 0 if report.ok else 1


def progress_bar(width: int = 30) -> Progress:
    """A bar on the standard error stream that redraws itself."""
    started = time.monotonic()

    def show(done: int, total: int, what: str) -> None:
        filled = width * done // max(total, 1)
        seconds = time.monotonic() - started
        line = f"[{'#' * filled}{'.' * (width - filled)}] {done}/{total} {seconds:4.0f} s  {what}"
        sys.stderr.write("\r" + line[:110].ljust(110) + ("\r" + " " * 110 + "\r" if done == total else ""))
        sys.stderr.flush()

    return show
