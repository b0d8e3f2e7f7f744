"""The arrows of the house, read from the source with ast; and how big its rooms are."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"minigrad": ROOT / "minigrad", "minigrad.backends": ROOT / "backends"}


def modules():
    """Dotted name -> path, of everything that is installed."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join((package, *parts))
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(name, late=True):
    """(line, dotted name of the module) for every import in a module; without `late` only those at its top level."""
    tree = ast.parse(MODULES[name].read_text())
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test)
        for node in ast.walk(branch)
    }
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if id(node) in typing_only or (not late and id(node) in inside):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(
                    [*package.split(".")[: len(package.split(".")) - node.level + 1], *([base] if base else [])]
                )
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if inner in MODULES else base


def room(name):
    """Which room of the house a module stands in."""
    parts = name.split(".")
    if (
        name == "minigrad.autograd.functional"
    ):  # jacobians are stacked by an op: it stands above, under the engine's name
        return "functional"
    return parts[1] if len(parts) > 1 else "minigrad"


# Who may import whom, downwards. What is not named here (errors, window, quiet, arrays) knows nobody and may be used by all.
GROUND = {"arrays", "errors", "window", "quiet", "size", "layout", "return_types"}
MAY = {
    "autograd": set(),
    "dtypes": set(),
    "backend": set(),
    "registry": {"backend"},
    "device": {"registry"},
    "random": {"dtypes"},
    "ops": {"autograd", "backend", "registry", "device", "dtypes", "random"},
    "functional": {"autograd", "ops"},
    "surface": {"ops", "dtypes"},
    "handles": {"autograd"},
    "methods": {"ops", "dtypes", "surface"},
    "printing": {"dtypes"},
    "described": {"ops", "autograd", "registry", "device", "dtypes"},
    "tensor": {
        "described",
        "ops",
        "autograd",
        "backend",
        "registry",
        "device",
        "dtypes",
        "printing",
        "handles",
        "methods",
    },
    "creation": {"tensor", "ops", "autograd", "backend", "registry", "device", "dtypes", "random"},
    "backends": {"backend", "registry"},
}


@pytest.mark.parametrize("name", [n for n in MODULES if room(n) in MAY])
def test_arrows(name):
    here = room(name)
    for line, target in imports(name):
        if target.split(".")[0] != "minigrad":
            continue
        there = room(target)
        if here == "tensor" and there == "creation":
            continue  # Tensor(data) and new_tensor build from data: late, and only there
        allowed = MAY[here] | GROUND | {here}
        assert there in allowed, f"{name}:{line} imports {target}: {here} may import {sorted(allowed)}"


@pytest.mark.parametrize(
    "name", [n for n in MODULES if room(n) in ("nn", "optim", "utils", "datasets", "testing", "io")]
)
def test_the_upper_floors_know_no_backend(name):
    for line, target in imports(name):
        assert not target.startswith("minigrad.backends"), f"{name}:{line} imports {target}"


def test_nothing_in_minigrad_imports_backends_statically():
    for name, path in MODULES.items():
        if name.startswith("minigrad.backends"):
            continue
        for line, target in imports(name):
            assert not target.startswith(("minigrad.backends", "backends")), f"{path}:{line}"


def test_the_engine_knows_no_array_library():
    for name in MODULES:
        if room(name) == "autograd":
            for line, target in imports(name):
                assert target.split(".")[0] not in ("numpy", "cupy"), f"{name}:{line}"


def test_array_types_are_known_only_in_backends():
    """Ops may use NumPy for host-side indices and scalars, but no op asks which array library it has."""
    for name, path in MODULES.items():
        if room(name) in ("ops", "nn", "optim"):
            for line, target in imports(name):
                assert target.split(".")[0] != "cupy", f"{path}:{line}"


@pytest.mark.parametrize("name", [n for n in MODULES if room(n) in ("ops", "autograd", "backend", "registry")])
def test_no_late_imports_down_there(name):
    late = set(imports(name)) - set(imports(name, late=False))
    assert not {(line, t) for line, t in late if t.startswith("minigrad")}


def test_inside_backends_modules_import_one_another_relatively():
    for name in MODULES:
        if name.startswith("minigrad.backends"):
            source = MODULES[name].read_text()
            for line, target in imports(name):
                text = source.splitlines()[line - 1].strip()
                if target.startswith("minigrad.backends"):
                    assert text.startswith("from ."), f"{name}:{line}: {text}"
                assert not text.startswith(("import backends", "from backends"))


@pytest.mark.parametrize("name", MODULES)
def test_small_rooms(name):
    count = len(MODULES[name].read_text().splitlines())
    assert count <= 450, f"{MODULES[name]} has {count} lines: a file fits one idea, about 300 to 400"


def test_no_circles_among_top_level_imports():
    graph = {name: {t for _, t in imports(name, late=False) if t in MODULES and t != name} for name in MODULES}
    done, path = set(), []

    def visit(name):
        if name in done:
            return
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        path.append(name)
        for target in sorted(graph[name]):
            if not name.startswith(target + "."):  # a package is above its own modules
                visit(target)
        path.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)


def run(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **options).stdout


def test_import_minigrad_imports_nothing_but_numpy_and_the_standard_library():
    code = """
import sys
import numpy
before = set(sys.modules)
import minigrad
new = {m.split(".")[0] for m in set(sys.modules) - before}
known = {*sys.stdlib_module_names, "minigrad", "numpy"}
heavy = ("minigrad.nn", "minigrad.optim", "minigrad.backends", "minigrad.testing")
print(sorted(m for m in new - known if not m.startswith("_")), [m for m in sys.modules if m.startswith(heavy)])
"""
    assert run(code).strip() == "[] []"


def test_every_public_name_can_be_imported():
    assert run("import minigrad; print([n for n in dir(minigrad) if not hasattr(minigrad, n)])").strip() == "[]"


def test_no_public_name_hides_the_backends():
    import minigrad

    minigrad.get_backend("numpy")
    assert not callable(minigrad.backends)
