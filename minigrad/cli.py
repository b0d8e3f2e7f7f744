"""The command `minigrad`: which backends there are, and whether one is right."""

from __future__ import annotations

import argparse
import sys

from minigrad.registry import list_backends
from minigrad.testing import command


def main(argv: list[str] | None = None) -> int:
    """`minigrad backends`, `minigrad conformance NAME`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="minigrad", description="A mini-PyTorch to read and extend.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("backends", help="list the backends, and why one is not available")
    conformance = commands.add_parser(
        "conformance", help="check a backend against plain loops and the laws of its operations"
    )
    conformance.add_argument(
        "backend", metavar="NAME", help='a registered name, "file.py", "file.py:Class" or "module:Class"'
    )
    command.add_arguments(conformance)
    options = parser.parse_args(argv)
    return _backends() if options.command == "backends" else command.run(options)


def _backends() -> int:
    """Name, device, and whether it can run here."""
    infos = list_backends()
    if not infos:
        return _fail("no backends are installed; from a checkout: pip install -e .")
    width = max(len(info.name) for info in infos)
    for info in infos:
        state = "available" if info.available else f"not available: {info.reason}"
        print(f"{info.name:{width}}  {info.device:6}  {state}")
    return 0


def _fail(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return 2
