"""What the documentation names exists: files, links, functions, make targets, commands and their options."""

import builtins
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache

import numpy as np
import pytest

import minigrad
from docs.pages import ROOT, commands, pages
from minigrad.backend import Backend

PAGES = pages()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SHELL = ("console", "bash", "sh", "shell")
TOOLS = {"git", "cd", "cp", "export", "source", "pre-commit", "uv", "nvidia-smi", "ls", "cat"}
SUFFIXES = "py|pyi|md|toml|yaml|cu|cuh|cpp|h|sh|txt"
FILE = re.compile(rf"^[\w./-]*\w\.(?:{SUFFIXES})$")
FOLDER = re.compile(r"^(?:[\w.-]+/)+$")
MADE = ("runs/", ".venv", "build/", "~", "/")  # made by a command, or the reader's own
READERS = re.compile(r"(^|/)(my|mine|your|train\.py)[_.\w]*")
NAMESPACES = {
    "nn": "minigrad.nn", "F": "minigrad.nn.functional", "optim": "minigrad.optim", "ops": "minigrad.ops",
    "autograd": "minigrad.autograd", "datasets": "minigrad.datasets", "registry": "minigrad.registry",
}  # fmt: skip


def code_spans(page):
    """Everything between backticks, with the place where it stands."""
    for number, line in page.prose:
        for span in re.findall(r"`([^`]+)`", line):
            yield f"{page}:{number}", span.strip()


@cache
def sources():
    """Everything the project consists of, as one text; and the names of its files."""
    files = [p for p in ROOT.iterdir() if p.is_file()]
    for folder in ("minigrad", "backends", "cpp", "tests", "examples", "benchmarks", "docs", ".ci"):
        files += [p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    written = (".py", ".pyi", ".h", ".cu", ".cuh", ".cpp")
    code = "\n".join(p.read_text(encoding="utf-8") for p in files if p.suffix in written)
    return code, {p.name for p in files}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_exist(page):
    assert not [f"{where}: {span}" for where, span in code_spans(page) if not present(span, page)]


def present(span, page):
    """Whether a file or folder exists, if the span names one; a bare name may be anywhere."""
    if span.startswith(MADE) or READERS.search(span):
        return True
    if FOLDER.match(span):
        return any((base / span).is_dir() for base in bases(page))
    if FILE.match(span):
        return any((base / span).exists() for base in bases(page)) or ("/" not in span and span in sources()[1])
    return True


def bases(page):
    return ROOT, page.path.parent, ROOT / "minigrad"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page):
    broken = []
    for number, line in page.prose:
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            path = (page.path.parent / file) if file else page.path
            if not path.exists() or (anchor and anchor not in anchors(path)):
                broken.append(f"{page}:{number}: {target}")
    assert not broken


def test_every_page_is_listed():
    listed = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [p.name for p in (ROOT / "docs").glob("*.md") if p.name != "index.md"]
    assert not [name for name in pages if f"({name})" not in listed], "say in docs/index.md who should read it"


def test_the_contract_names_every_word():
    words = ["xp", *(name for name, value in vars(Backend).items() if callable(value) and not name.startswith("_"))]
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert not [word for word in words if not re.search(rf"^\|[^|]*`{word}[`(]", design, re.M)]


def anchors(path):
    """The names under which a page's headings can be reached."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower().replace("`", "")).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_python_names_exist(page):
    assert not [f"{where}: {span}" for where, span in code_spans(page) if not defined(span)]


def defined(span):
    """Whether a name exists, if the span is a dotted name of ours, a call, or a member of a class that we know."""
    if FILE.match(span) or READERS.match(span):
        return True
    if found := re.match(r"^(minigrad|nn|F|optim|ops|autograd|datasets|registry)((?:\.\w+)+)", span):
        return exists(NAMESPACES.get(found[1], found[1]) + found[2])
    found = re.match(r"^(?:\w+\.)*(\w+)\(", span) or re.match(
        r"^(?:Tensor|Op|Variable|Backend|Window|Module)\.(\w+)$", span
    )
    return found is None or known(found[1])


def exists(dotted):
    """Whether a dotted name can be imported and looked up."""
    parts = dotted.split(".")
    for split in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:split]))
        except ImportError:
            continue
        for name in parts[split:]:
            if not hasattr(value, name) and name not in getattr(value, "__annotations__", {}):
                return False
            value = getattr(value, name, None)
        return True
    return False


def known(name):
    """Whether a function of this name is Python's, NumPy's, a tensor's or defined anywhere in the project."""
    spaces = (builtins, np, np.ndarray, minigrad, minigrad.Tensor, str, dict)
    defined = rf"\b(def|class) {name}\b|\b{name} = |^[\w:<>*& ]+\b{name}\("  # the last one is C++
    return any(hasattr(s, name) for s in spaces) or bool(re.search(defined, sources()[0], re.M))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_exist(page):
    wrong = []
    for block in page.blocks:
        if block.language in SHELL and not block.excuse:
            wrong += [f"{block}: {command}: {why}" for command in commands(block) if (why := objection(command))]
    for where, span in code_spans(page):
        if re.match(r"^(make \w|python |pip install|minigrad \w|pytest )", span) and (why := objection(span)):
            wrong.append(f"{where}: {span}: {why}")
    assert not wrong


def objection(command):
    """What is wrong with a command; empty if it could be typed."""
    words = shlex.split(command)
    while words and re.match(r"^\w+=", words[0]):
        name, _, value = words.pop(0).partition("=")
        if name.startswith("MINIGRAD_") and name not in sources()[0]:
            return f"nothing reads the variable {name}"
        if name == "MINIGRAD_BACKEND" and not READERS.match(value) and value not in backends():
            return f"there is no backend {value!r}"
    if not words or words[0] in TOOLS or READERS.match(words[0]):
        return ""
    tool, *rest = words
    tool = tool.removeprefix(".venv/bin/")
    if tool in TOOLS:
        return ""
    if tool == "make":
        return next(
            (f"no such target: {w}" for w in rest if "=" not in w and not w.startswith("-") and w not in targets()), ""
        )
    if tool in ("pip", "pytest", "ruff", "mypy", "minigrad"):
        return {"pip": pip, "minigrad": subcommand}.get(tool, paths)(rest)
    if tool not in ("python", "python3"):
        return f"unknown command {tool!r}"
    return python(rest)


def backends():
    return {info.name for info in minigrad.list_backends()}


@cache
def targets():
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))


def paths(words):
    return next((f"no such path: {w}" for w in words if "/" in w and not (ROOT / w.partition("::")[0]).exists()), "")


def pip(words):
    asked = re.findall(r"\[([\w,]+)\]", " ".join(words))
    extras = [name for group in asked for name in group.split(",")]
    return next((f"no such extra: {e}" for e in extras if e not in PROJECT["optional-dependencies"]), "")


def subcommand(words):
    from minigrad import cli

    if not words or words[0].startswith("-"):
        return ""
    return "" if f'"{words[0]}"' in (ROOT / cli.__file__).read_text() else f"no such command: minigrad {words[0]}"


def python(words):
    if not words or words[0] == "-c":
        return ""
    if words[0] == "-m":
        module, options = words[1], words[2:]
        if module in ("venv", "pip"):
            return ""
        if module == "pytest":
            return paths(options)
        if importlib.util.find_spec(module) is None:
            return f"no such module: {module}"
        text = help_of("-m", module) if module.startswith("minigrad") else ""
    else:
        script, options = words[0], words[1:]
        if READERS.search(script):
            return ""
        if not (ROOT / script).exists():
            return f"no such file: {script}"
        text = (ROOT / script).read_text(encoding="utf-8")
    flags = [w.partition("=")[0] for w in options if w.startswith("--")]
    return next((f"no such option: {flag}" for flag in flags if text and flag not in text), "")


@cache
def help_of(*words):
    done = subprocess.run(
        [sys.executable, *words, "--help"], capture_output=True, text=True, timeout=60, cwd=ROOT.parent
    )
    return done.stdout


def test_the_backends_command_runs():
    from minigrad import cli

    assert cli.main(["backends"]) == 0


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("make trian", "trian"),
        ("python examples/missing.py", "examples/missing.py"),
        ("python examples/train_simple_convnet.py --epoch-count 3", "--epoch-count"),
        ("python -m minigrad.missing", "minigrad.missing"),
        ("pip install -e '.[missing]'", "missing"),
        ("MINIGRAD_BACKEND=missing python x.py", "missing"),
        ("minigrad missing", "missing"),
        ("pytest tests/missing", "tests/missing"),
        ("frobnicate", "frobnicate"),
    ],
)
def test_a_wrong_command_is_seen(command, part):
    assert part in objection(command)


def test_a_wrong_name_is_seen():
    assert not exists("minigrad.no_such_function")
    assert not known("no_such" + "_function")
    assert exists("minigrad.autograd.engine.backward")
    assert known("col2im")
