"""The documentation as data: pages, their code blocks, and the names they mention."""

import re
from dataclasses import dataclass, field
from os.path import relpath
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [p for p in [ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] if p.exists()]
PAGES += sorted((ROOT / "docs").glob("*.md"))

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w+-]*)[^`]*$")
NOTE = re.compile(r"^ *<!-- (from|not run): (.+?) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block. `source` is the file it quotes, `excuse` says why it is not run."""

    page: Path
    line: int  # of the first line inside the fence, counted from 1
    language: str
    text: str
    source: str = ""
    excuse: str = ""
    follows: bool = False  # nothing but blank lines stands between this and the block before

    def __str__(self):
        return f"{relpath(self.page, ROOT)}:{self.line}"


@dataclass
class Page:
    """A page taken apart: blocks, and the prose between them with its line numbers."""

    path: Path
    blocks: list = field(default_factory=list)
    prose: list = field(default_factory=list)

    def __str__(self):
        return relpath(self.path, ROOT)


def read(path):
    """Take a page apart."""
    page, note, follows = Page(path), ("", ""), False
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        if fence := FENCE.match(line):
            indent, inside = len(fence["indent"]), []
            for _, text in lines:
                if text.strip() == "```":
                    break
                inside.append(text[indent:])
            else:
                raise ValueError(f"{page}:{number}: this fence is never closed")
            kind, said = note
            page.blocks.append(
                Block(path, number + 1, fence["language"], "\n".join(inside) + "\n",
                      said if kind == "from" else "", said if kind == "not run" else "", follows)
            )  # fmt: skip
            note, follows = ("", ""), True
            continue
        if found := NOTE.match(line):
            note = (found[1], found[2])
        elif line.strip():
            note = ("", "")
        if line.strip():
            follows = False
        page.prose.append((number, line))
    return page


def pages():
    """Every page."""
    return [read(path) for path in PAGES]


def commands(block):
    """The commands of a shell block, one per line: what follows a `$`, or every line where no line has one."""
    joined = block.text.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    found = []
    for line in lines:
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        found += [part.strip() for part in re.split(r"&&|;|\|", line) if part.strip()]
    return found
