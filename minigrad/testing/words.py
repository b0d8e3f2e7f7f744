"""A word under test: how it is called, what the loops say, which laws it owes; and how laws fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from minigrad.backend import Array, Backend
from minigrad.testing.cases import Family, Operands, Remembering
from minigrad.testing.tolerance import Expected, Opaque

Oracle = Callable[..., Any]


class LawBroken(AssertionError):
    """A law does not hold; the text says how, in numbers."""


class NotApplicable(Exception):
    """This law says nothing about this case."""


@dataclass(frozen=True)
class Law:
    """One property. `check(backend, word, operands)` raises LawBroken.

    says: one line for people. special: judges ties, NaN and infinities instead of ordinary values.
    large: also judges the family's few large cases. every: takes one case in so many. dtypes: those it
    makes sense for, all if empty. smooth: only holds away from ties and kinks, so values must not be simplified.
    """

    name: str
    says: str
    check: Callable[[Backend, Word, Operands], None]
    special: bool = False
    large: bool = False
    every: int = 1
    dtypes: tuple[str, ...] = ()
    smooth: bool = False


@dataclass(frozen=True)
class Word:
    """One operation of a backend, or (`call`) a sequence of them that is tested like one.

    takes: operands in the order of the call; keywords: those that go by name. asks: the oracle's, where it takes
    others. prepare: makes operands that only the backend itself can make, such as saved winners. writes: lists that
    change in place. rest: operands to write down in a script although the call does not take them.
    split: per axis, which operands may be cut there, and whether results are then joined or added.
    linear: operands that it is linear in, once those in `neutral` have the value given there.
    """

    name: str
    family: Family
    takes: tuple[str, ...]
    oracle: Oracle
    laws: tuple[Law, ...]
    asks: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    prepare: Callable[[Backend, Operands], Operands] | None = None
    writes: tuple[str, ...] = ()
    split: Mapping[int, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    linear: tuple[str, ...] = ()
    neutral: Mapping[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("float32", "float64")
    call: Callable[..., Any] | None = None
    rest: tuple[str, ...] = ()

    def expected(self, operands: Operands) -> tuple[Expected | Opaque | None, ...]:
        """What the loops say."""
        known = operands.answers if isinstance(operands, Remembering) else {}
        if self.name not in known:
            named = {name: operands[name] for name in self.keywords}
            with np.errstate(all="ignore"):
                answer = self.oracle(*(operands[name] for name in self.asks or self.takes), **named)
            known[self.name] = answer if isinstance(answer, tuple) else (answer,)
        return known[self.name]

    def needed(self) -> tuple[str, ...]:
        """Every operand that a try of this word needs."""
        return tuple(dict.fromkeys((*(self.asks or ()), *self.takes, *self.keywords, *self.rest)))


def put(backend: Backend, value: Any) -> Any:
    """A host array, or a list of them, as a fresh one of the backend's; anything else as it is."""
    if isinstance(value, np.ndarray):
        return backend.from_numpy(np.array(value, order="C"))
    return [put(backend, item) for item in value] if isinstance(value, list) else value


def arguments(backend: Backend, word: Word, operands: Operands, placed: Operands | None = None) -> Operands:
    """All that the call takes, on the device. `placed`: arrays that are there already, by operand."""
    names = (*word.takes, *word.keywords)
    ready = dict(placed or {})
    if word.prepare is not None:
        ready = word.prepare(backend, operands) | ready
    return {name: ready[name] if name in ready else put(backend, operands[name]) for name in names}


def call(backend: Backend, word: Word, given: Operands) -> tuple[Array, ...]:
    """Call the word with arguments on the device; for a word that writes, what it has written.

    Raises:
        LawBroken: if the word raises.
    """
    function = getattr(backend, word.name) if word.call is None else partial(word.call, backend)
    try:
        answer = function(*(given[name] for name in word.takes), **{name: given[name] for name in word.keywords})
        backend.synchronize()
    except NotApplicable:
        raise
    except NotImplementedError as error:
        raise LawBroken(f"{word.name} is not implemented: {error}") from error
    except Exception as error:
        raise LawBroken(f"{word.name} raised {type(error).__name__}: {error}") from error
    if word.writes:
        return tuple(array for name in word.writes for array in given[name] or ())
    return answer if isinstance(answer, tuple) else (answer,)


def host(backend: Backend, word: Word, outputs: tuple[Array, ...], like: Any) -> list[Any]:
    """Outputs as host arrays, checked to have the shapes of `like`; None where there is nothing to compare.

    Raises:
        LawBroken: on another number of outputs, or another shape.
    """
    if len(outputs) != len(like):
        raise LawBroken(f"{word.name} returned {_count(len(outputs))}, expected {_count(len(like))}")
    arrays: list[Any] = []
    array_type: Any = backend.array_type
    for i in range(len(like)):
        output: Any = outputs[i]
        expected: Any = like[i]
        if expected is None or isinstance(expected, Opaque):
            if expected is None and output is not None:
                raise LawBroken(f"{label(word, i, like)} must be None, since nobody asked for it")
            arrays.append(None)
            continue
        if not isinstance(output, array_type):
            found, wanted = _class(type(output)), _class(array_type)
            raise LawBroken(f"{label(word, i, like)} is a {found}, expected a {wanted}")
        shape = np.shape(expected.value if isinstance(expected, Expected) else expected)
        if tuple(output.shape) != shape:
            raise LawBroken(f"{label(word, i, like)} has shape {tuple(output.shape)}, expected {shape}")
        arrays.append(np.asarray(backend.to_numpy(output)))
    return arrays


def label(word: Word, i: int, outputs: Any) -> str:
    """How to speak of output number i."""
    if word.writes:
        return f"{word.name}: written array {i}"
    return f"{word.name}: result" if len(outputs) == 1 else f"{word.name}: result {i}"


def _count(n: int) -> str:
    return f"{n} result{'s' if n != 1 else ''}"


def _class(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
