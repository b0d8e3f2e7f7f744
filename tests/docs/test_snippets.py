"""Every Python snippet of the documentation runs and prints what its page says; every excerpt is in the source."""

import contextlib
import doctest
import io
import re
import textwrap

import pytest

from docs.pages import ROOT, pages, read

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
    run(page)


def run(page):
    """Run a page's snippets in order, in one namespace, and compare what they print."""
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
            same = doctest.OutputChecker().check_output(want, got, PRINTED)
            assert same, f"{expected} says\n{want}\nbut it is\n{got}"


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
    assert not missing(block)


def missing(block):
    """The part of an excerpt that is not in its file, in this order; a line of three dots stands for any lines."""
    lines = (ROOT / block.source).read_text(encoding="utf-8").splitlines()
    start = 0
    for piece in re.split(r"^\s*\.\.\.\n", block.text, flags=re.M):
        wanted = textwrap.dedent(piece).strip("\n").splitlines()
        for place in range(start, len(lines) - len(wanted) + 1):
            if textwrap.dedent("\n".join(lines[place : place + len(wanted)])).splitlines() == wanted:
                start = place + len(wanted)
                break
        else:
            return piece
    return ""


PAGE = """
```python
def double(x):
    return 2 * x


class Box:
    pass
```

The class goes on:

```python
    def content(self):
        return double(21)
```

```python
print(Box().content(), [0.1 + 0.2])
```

```text
42 [0.3...]
```

<!-- from: minigrad/ops/arithmetic.py -->
```python
class Add(Binary):
    ...
    def forward(self, a: Array, b: Array) -> Array:
        return a + b
```

<!-- not run: it would fail -->
```python
1 / 0
```
"""


def test_a_page_that_is_true(tmp_path):
    page = written(tmp_path, PAGE)
    run(page)
    assert [missing(block) for block in page.blocks if block.source] == [""]


@pytest.mark.parametrize(
    ("true", "false", "error"),
    [
        ("42 [0.3...]", "43 [0.3...]", AssertionError),
        ("2 * x", "3 * x", AssertionError),
        ("<!-- not run: it would fail -->\n", "", ZeroDivisionError),
        ("print(Box()", "print(Bag()", NameError),
    ],
)
def test_a_page_that_is_not(tmp_path, true, false, error):
    with pytest.raises(error):
        run(written(tmp_path, PAGE.replace(true, false)))


def test_an_excerpt_that_is_gone(tmp_path):
    page = written(tmp_path, PAGE.replace("return a + b", "return b + a"))
    assert "return b + a" in missing(page.blocks[4])


def written(folder, text):
    (folder / "page.md").write_text(text, encoding="utf-8")
    return read(folder / "page.md")


def test_the_pages_have_snippets():
    names = {str(page): len(runnable(page)) for page in PAGES}
    for page in ("docs/tour.md", "docs/design.md", "CONTRIBUTING.md"):
        assert names[page], f"no snippet found in {page}"
