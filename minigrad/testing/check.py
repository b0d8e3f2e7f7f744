"""check_backend: put every law to every operation of a backend."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad.backend import Backend
from minigrad.testing.cases import Case, Numbers, Operands
from minigrad.testing.deck import Deck, deck
from minigrad.testing.families import WORDS
from minigrad.testing.loading import Loaded, load
from minigrad.testing.report import BROKEN, FOLLOWS, HOLDS, UNTRIED, Cell, Failure, Report
from minigrad.testing.script import write_script
from minigrad.testing.shrink import shrink_values, size, smallest
from minigrad.testing.words import Law, LawBroken, NotApplicable, Word

STARTS = 3  # how many failing cases are shrunk; the smallest result is shown

Progress = Callable[[int, int, str], None]


@dataclass
class _Run:
    """What one check carries along."""

    loaded: Loaded
    report: Report
    shrinks: bool
    deck: Deck
    broken: set[str] = field(default_factory=set)
    known: dict[str, list[Numbers]] = field(default_factory=dict)


def check_backend(
    backend: str | Backend | type[Backend],
    thorough: bool = False,
    *,
    seed: int = 0,
    operations: Iterable[str] | None = None,
    dtypes: Iterable[str] | None = None,
    shrink: bool = True,
    stop_at_first: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Check every operation of a backend against plain loops and against the laws.

    backend: a registered name, "file.py:Class", "module:Class", a class or an instance. seed: another
    one draws other cases; the same one repeats a run exactly, and what an operation is tried on does not depend on
    `operations`. progress(done, total, what) is called before each operation and element type.

    Raises:
        BackendError: if the backend cannot be loaded.
        ValueError: if an operation is unknown.
    """
    loaded = load(backend)
    words = _chosen(operations)
    run = _Run(loaded, Report(loaded.name, seed, thorough), shrink, deck(seed, thorough))
    if not _presentable(run):
        return run.report
    kinds = None if dtypes is None else set(dtypes)
    plan = [(word, dtype) for word in words for dtype in word.dtypes if kinds is None or dtype in kinds]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for done, (word, dtype) in enumerate(plan):
            if progress is not None:
                progress(done, len(plan), f"{word.name} {dtype}")
            _check_word(run, word, dtype)
            if stop_at_first and run.report.everything:
                break
    if progress is not None:
        progress(len(plan), len(plan), "")
    return run.report


def check_law(backend: str | Backend | type[Backend], operation: str, law: str, **operands: Any) -> None:
    """Put one law to one operation on the given operands; what the scripts of a report do.

    Raises:
        LawBroken: an AssertionError that says how the law is broken.
    """
    word = WORDS[operation]
    for candidate in word.laws:
        if candidate.name == law:
            with np.errstate(all="ignore"):
                candidate.check(load(backend).backend, word, operands)
            print(f"{operation} keeps the law {law!r} on these operands")
            return
    raise ValueError(f"{operation} owes no law {law!r}; it owes {', '.join(c.name for c in word.laws)}")


def rebuild(operation: str, dtype: str, **numbers: int) -> Operands:
    """The operands that these numbers mean; only those that a try of the operation needs."""
    word = WORDS[operation]
    operands = word.family.case(numbers, dtype).operands
    return {name: operands[name] for name in word.needed() if name in operands}


def _chosen(operations: Iterable[str] | None) -> list[Word]:
    names = set(WORDS) if operations is None else set(operations)
    unknown = names - set(WORDS)
    if unknown:
        raise ValueError(f"no operation is called {', '.join(sorted(unknown))}; there are {', '.join(WORDS)}")
    return [word for name, word in WORDS.items() if name in names]


def _presentable(run: _Run) -> bool:
    """Whether it has what everything else needs: xp, a device, and a way for arrays in and out."""
    backend, problem = run.loaded.backend, ""
    sample_array = np.arange(6, dtype=np.float32).reshape(2, 3)
    if getattr(backend, "xp", None) is None:
        problem = "the class must define `xp`, an array namespace with NumPy's names"
    elif not backend.device:
        problem = "the class must define `device`, where its arrays live"
    else:
        try:
            kind = backend.array_type
            placed = backend.from_numpy(sample_array.copy())
            if not isinstance(placed, kind):
                problem = f"from_numpy makes a {type(placed).__qualname__}, but array_type is {kind.__qualname__}"
            elif not np.array_equal(backend.to_numpy(placed), sample_array):
                problem = "to_numpy(from_numpy(array)) is not the array"
        except Exception as error:
            problem = f"array_type, from_numpy or to_numpy raised {type(error).__name__}: {error}"
    state = BROKEN if problem else HOLDS
    run.report.cells.append(Cell("arrays", "float32", "form", state, 1))
    if problem:
        run.report.everything.append(Failure("arrays", "form", "float32", problem))
    return not problem


def _check_word(run: _Run, word: Word, dtype: str) -> None:
    formless = False
    for law in word.laws:
        if law.dtypes and dtype not in law.dtypes:
            continue
        if dtype == "int64" and law.smooth:
            continue
        if formless:
            run.report.cells.append(Cell(word.name, dtype, law.name, UNTRIED, 0))
            continue
        tried, failure = 0, None
        for case in run.deck.cases(word.family, law, dtype):
            verdict = try_law(run.loaded.backend, word, law, case.operands)
            if verdict == "":
                tried += 1
            elif verdict is not None:
                tried += 1
                failure = _describe(run, word, law, case, verdict)
                break
        state = HOLDS if tried else UNTRIED
        if failure is not None:
            state = FOLLOWS if failure.follows else BROKEN
            run.report.everything.append(failure)
            run.broken.add(word.name)
            formless = law.name == "form"
        run.report.cells.append(Cell(word.name, dtype, law.name, state, tried))


def try_law(backend: Backend, word: Word, law: Law, operands: Operands) -> str | None:
    """ "" if the law holds, how it is broken if not, None if it says nothing about these operands."""
    try:
        law.check(backend, word, operands)
    except NotApplicable:
        return None
    except LawBroken as error:
        return str(error)
    except Exception as error:
        return f"{word.name} cannot be judged: {type(error).__name__}: {error}"
    return ""


def _describe(run: _Run, word: Word, law: Law, case: Case, message: str) -> Failure:
    backend = run.loaded.backend
    others = run.broken - {word.name}
    said = words_called(backend, lambda: try_law(backend, word, law, case.operands)) if others else set()
    follows = tuple(name for name in WORDS if name in said & others)
    if follows or not run.shrinks:
        return Failure(word.name, law.name, case.dtype, message, numbers=case.numbers, follows=follows)

    def fails(operands: Operands) -> bool:
        return bool(try_law(backend, word, law, operands))

    known = run.known.setdefault(word.name, [])
    starts = [word.family.case(numbers, case.dtype) for numbers in known]
    starts = [start for start in starts if fails(start.operands)][:1] or _small_failures(run, word, law, case, fails)
    case = smallest(starts, fails)
    known.append(case.numbers)
    operands = case.operands
    if not law.smooth:
        operands = shrink_values(operands, word.needed(), fails)
    message = (try_law(backend, word, law, operands) or message) + _if_alone(backend, word, law, operands)
    script = write_script(backend, run.loaded.source, case, operands, word, law, message)
    return Failure(word.name, law.name, case.dtype, message, script, case.numbers)


STATE = " (in this run only: a fresh backend keeps the law, so this one carries something over from call to call)"


def _if_alone(backend: Backend, word: Word, law: Law, operands: Operands) -> str:
    """A remark for a failure that a script cannot repeat, because it takes earlier calls."""
    try:
        fresh = type(backend)()
    except Exception:  # it takes arguments, or a device that is in use
        return ""
    return "" if any(try_law(fresh, word, law, operands) for _ in range(3)) else STATE


def _small_failures(run: _Run, word: Word, law: Law, first: Case, fails: Callable[[Operands], bool]) -> list[Case]:
    """The smallest failing cases among those at hand: shrinking can only go down from where it starts."""
    others = sorted(run.deck.cases(word.family, law, first.dtype), key=size)
    found: list[Case] = []
    for case in others:
        if len(found) == STARTS:
            break
        if fails(case.operands):
            found.append(case)
    return found or [first]


def words_called(backend: Backend, run: Callable[[], Any]) -> set[str]:
    """Which of the backend's words are said while `run` runs, by laws, by the engine or by one another."""
    said: set[str] = set()
    before = dict(vars(backend)) if hasattr(backend, "__dict__") else None
    if before is None:
        return said

    def spy(name: str) -> Callable[..., Any]:
        word = getattr(backend, name)

        def listening(*args: Any, **named: Any) -> Any:
            said.add(name)
            return word(*args, **named)

        return listening

    spies = {name: spy(name) for name in WORDS if hasattr(type(backend), name)}
    vars(backend).update(spies)
    try:
        run()
    finally:
        for name in spies:
            vars(backend).pop(name, None)
            if name in before:
                vars(backend)[name] = before[name]
    return said
