"""python -m minigrad.torch script.py [args]: run a PyTorch script on minigrad."""

from __future__ import annotations

import os
import runpy
import sys

from minigrad.torch import MODULES, install

USAGE = """usage: python -m minigrad.torch script.py [args]   run a PyTorch script on minigrad
       python -m minigrad.torch -m module [args]   run a module
       python -m minigrad.torch --list             print the names that a script can use"""


def listed() -> str:
    """The public names of every module, line by line."""
    import importlib

    lines = []
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        lines.append(f"{name}: {' '.join(n for n in dir(module) if not n.startswith('_'))}")
    return "\n".join(lines)


def main() -> int:
    """Read the command line and run what it names."""
    args = sys.argv[1:]
    if not args or args[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if args else 2
    install()
    if args[0] == "--list":
        print(listed())
        return 0
    if args[0] == "-m":
        if len(args) < 2:
            print(USAGE, file=sys.stderr)
            return 2
        sys.argv = args[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
        return 0
    sys.argv = args
    sys.path.insert(0, os.path.dirname(os.path.abspath(args[0])))
    runpy.run_path(args[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
