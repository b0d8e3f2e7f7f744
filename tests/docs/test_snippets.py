"""Every Python snippet of the documentation runs and prints what its page says; every excerpt is in the source."""

import contextlib
import doctest
import io
import re
import textwrap

import pytest
from docs.pages import ROOT, pages

PAGES = pages()
QUOTED = [block for page in PAGES for block in page.blocks if block.source]
NEEDED = re.compile(r"^\s*(?:import|from) (torch|cupy|sklearn|matplotlib|hypothesis|tqdm)\b", re.M)
PRINTED = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def runnable(page):
    """The page's Python blocks with the output that each announces, if it does."""
    found = []
    for block, after in zip(page.blocks, [*page.blocks, None][1:], strict=True):
        if block.language in ("python", "py", "pycon") and not block.source and not block.excuse:
            expected = after if after is not None and after.follows and after.language in ("text", "output") else None
            found.append((block, expected))
    return found


@pytest.mark.parametrize("page", [p for p in PAGES if runnable(p)], ids=str)
def test_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # what a snippet writes lands here
    namespace = {"__name__": "snippet"}
    for block, expected in runnable(page):
        for name in NEEDED.findall(block.text):
            pytest.importorskip(name)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if block.text.lstrip().startswith(">>>"):
                dialogue(block, namespace)
            else:
                exec(compiled(block, namespace), namespace)
        if expected is not None:
            want, got = expected.text, printed.getvalue()
            assert doctest.OutputChecker().check_output(want, got, PRINTED), (
                f"{expected} says\n{want}\nbut it is\n{got}"
            )


def compiled(block, namespace):
    """A block's code; an indented one goes on with the class that was defined last."""
    text = "\n" * (block.line - 1) + block.text  # so that a traceback shows the page's own line numbers
    if block.text[0] == " ":
        name = [key for key, value in namespace.items() if isinstance(value, type)][-1]
        text = text[1:].replace(block.text, f"class {name}({name}):\n{block.text}")
    return compile(text, str(block.page), "exec")


def dialogue(block, namespace):
    """Run a block of prompts and answers."""
    test = doctest.DocTestParser().get_doctest(block.text, {}, str(block), str(block.page), block.line - 1)
    test.globs = namespace
    said = io.StringIO()
    doctest.DocTestRunner(verbose=False, optionflags=PRINTED).run(test, out=said.write, clear_globs=False)
    assert not said.getvalue(), said.getvalue()


@pytest.mark.parametrize("block", QUOTED, ids=str)
def test_excerpt_is_in_the_source(block):
    lines = (ROOT / block.source).read_text(encoding="utf-8").splitlines()
    start = 0
    for piece in re.split(r"^\s*\.\.\.\n", block.text, flags=re.M):  # a line of three dots stands for any lines
        wanted = textwrap.dedent(piece).strip("\n").splitlines()
        for place in range(start, len(lines) - len(wanted) + 1):
            if textwrap.dedent("\n".join(lines[place : place + len(wanted)])).splitlines() == wanted:
                start = place + len(wanted)
                break
        else:
            pytest.fail(f"{block}: {block.source} no longer has these lines:\n" + "\n".join(wanted))


def test_the_reader_of_pages_sees_what_is_there():
    assert any(block.source for block in QUOTED)
    names = {str(page): len(runnable(page)) for page in PAGES}
    for page in ("docs/tour.md", "docs/design.md", "CONTRIBUTING.md"):
        assert names[page], f"no snippet found in {page}"
