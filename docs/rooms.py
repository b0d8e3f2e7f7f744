"""Draw the rooms of the house and the arrows between them, from the import statements.

    python docs/rooms.py            writes the picture into docs/design.md
    python docs/rooms.py --check    says whether the picture there is still true

An arrow is an import at the top of a module. One that follows from two others is left out. A circle is an error.
"""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "design.md"
BEGIN, END = "<!-- rooms: written by docs/rooms.py -->", "<!-- end of rooms -->"

# Which modules share a room. The picture leaves out those of SMALL, which every room uses, and front doors, which no room
# uses: `minigrad` itself, the command lines.
ROOMS = {
    "nn": ("nn", "models", "image_models"),
    "func": ("func", "autograd.functional"),  # in PyTorch's place, but made of operations
    "optim": ("optim", "amp"),
    "data": ("datasets", "transforms", "utils", "io"),
    "testing": ("testing",),
    "families": ("special", "linalg", "masked", "distributions"),
    "tensor": ("tensor", "described", "methods", "handles", "size", "creation", "printing", "cuda"),
    "ops": ("ops", "dtypes"),
    "autograd": ("autograd",),
    "random": ("random",),
    "registry": ("registry", "backend", "arrays", "window", "device"),
    "backends": ("backends",),
}
SMALL = ("errors", "quiet", "surface", "layout", "return_types")
SAYS = {
    "nn": "layers, doors, models",
    "func": "derivatives as functions",
    "optim": "steps and schedules",
    "data": "data sets, loaders, files",
    "testing": "the conformance kit",
    "families": "special functions, distributions, ...",
    "tensor": "Tensor and how to make one",
    "ops": "one op, one class",
    "autograd": "the engine",
    "random": "PyTorch's random stream",
    "registry": "what a backend owes, who is active",
    "backends": "numpy, cpp, cuda",
}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name without `minigrad`."""
    found = {}
    for folder in ("minigrad", "backends"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            if parts[0] == "minigrad":
                del parts[0]
            if parts[-1] == "__init__":
                del parts[-1]
            found[".".join(parts)] = path
    return found


def room_of(module: str) -> str | None:
    """The room of a module, or of the package that it belongs to; None where it stands in none."""
    for room, members in ROOMS.items():
        if module in members:
            return room
    return room_of(module.rpartition(".")[0]) if "." in module else None


def imported(module: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of the package that a module imports when it is itself imported."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # only inside a room: `from .numpy_backend import ...`
                base = ".".join(["minigrad", module.partition(".")[0], *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            _, inside, rest = name.partition("minigrad.")
            if inside:
                found.add(rest if rest in known else rest.rpartition(".")[0])
    return found


def arrows() -> dict[str, set[str]]:
    """Room -> the rooms whose modules it imports.

    Raises:
        SystemExit: if a room uses a module that stands in none.
    """
    known = modules()
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module, path in known.items():
        here = room_of(module)
        if here is None:
            continue
        for name in imported(module, path, known):
            there = room_of(name)
            if there is not None:
                found[here] |= {there} - {here}
            elif name and name.partition(".")[0] not in SMALL:
                raise SystemExit(f"minigrad.{module} imports minigrad.{name}, which has no room in docs/rooms.py")
    return found


def without_shortcuts(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out every arrow that a longer way replaces.

    Raises:
        SystemExit: if the rooms import one another in a circle.
    """
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise SystemExit(f"the rooms import one another in a circle: {' -> '.join(error.args[1])}") from error
    reach: dict[str, set[str]] = {}
    for room in order:
        reach[room] = graph[room].union(*(reach[r] for r in graph[room]))
    return {room: {r for r in to if not any(r in reach[other] for other in to)} for room, to in graph.items()}


def picture() -> str:
    """The rooms as a mermaid diagram."""
    lines = ["```mermaid", "flowchart TD"]
    lines += [f'    {room}["{room}<br/><i>{SAYS[room]}</i>"]' for room in ROOMS]
    lines += [f"    {room} --> {to}" for room, tos in without_shortcuts(arrows()).items() for to in sorted(tos)]
    return "\n".join([*lines, "```"])


def main() -> int:
    """Write the picture, or compare it; 1 if it was out of date."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = f"{before}{BEGIN}\n{picture()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        if new != text:
            print("docs/design.md shows other arrows than the code has: run `python docs/rooms.py`", file=sys.stderr)
        return int(new != text)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
