"""Laws that every word owes, whatever it computes: form, values, layouts, inputs, repetition, splitting, linearity."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from minigrad.backend import Array, Backend
from minigrad.testing.cases import Operands
from minigrad.testing.layouts import LAYOUTS, Guarded
from minigrad.testing.tolerance import Expected, mismatch
from minigrad.testing.values import spread
from minigrad.testing.words import Law, LawBroken, NotApplicable, Word, arguments, call, host, label


def noise(shape: Any, dtype: Any) -> Any:
    """The same ordinary values every time, for the second operand that some laws need."""
    return spread(tuple(shape), dtype, np.random.default_rng(20))


def results(backend: Backend, word: Word, operands: Operands, like: Any, placed: Operands | None = None) -> list[Any]:
    """Call with fresh copies of the operands and bring the results to the host."""
    return host(backend, word, call(backend, word, arguments(backend, word, operands, placed)), like)


def dtype_of(word: Word, operands: Operands) -> Any:
    """The element type of a word's inputs."""
    for name in word.needed():
        value = operands.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            return value.dtype
    return np.dtype(np.int64)


# ---------------------------------------------------------------------- form and values


def _form(backend: Backend, word: Word, operands: Operands) -> None:
    expected = word.expected(operands)
    outputs = call(backend, word, arguments(backend, word, operands))
    host(backend, word, outputs, expected)  # number, library and shape
    floating = dtype_of(word, operands)
    for i, (output, wanted) in enumerate(zip(outputs, expected, strict=True)):
        if not isinstance(wanted, Expected):
            continue
        dtype = np.int64 if wanted.value.dtype.kind == "i" else floating
        found = np.asarray(backend.to_numpy(output)).dtype
        if found != dtype:
            raise LawBroken(f"{label(word, i, outputs)} has dtype {found}, expected {np.dtype(dtype)}")
        if not word.writes and not _contiguous(output):
            raise LawBroken(f"{label(word, i, outputs)} is not C-contiguous")


def _contiguous(array: Array) -> bool:
    flags = getattr(array, "flags", None)
    if flags is not None and hasattr(flags, "c_contiguous"):
        return bool(flags.c_contiguous)
    return bool(array.is_contiguous()) if hasattr(array, "is_contiguous") else True


def _values(backend: Backend, word: Word, operands: Operands) -> None:
    expected = word.expected(operands)
    compare(word, results(backend, word, operands, expected), expected)


def compare(word: Word, actual: Any, expected: Any, note: str = "") -> None:
    """Every result within its bound.

    Raises:
        LawBroken: with the first wrong place.
    """
    for i, (array, wanted) in enumerate(zip(actual, expected, strict=True)):
        if isinstance(wanted, Expected):
            problem = mismatch(array, wanted)
            if problem:
                raise LawBroken(f"{label(word, i, expected)}: {problem}{note}")


def _layouts(backend: Backend, word: Word, operands: Operands) -> None:
    plain = word.expected(operands)
    for name in (*word.takes, *word.keywords):
        for kind, layout in LAYOUTS.items():
            value = operands.get(name)
            changed, placed = value, None
            if isinstance(value, np.ndarray):
                changed, placed = layout(backend, value)
            elif (
                isinstance(value, list) and value and isinstance(value[0], np.ndarray) and kind in ("sliced", "offset")
            ):
                placed = [layout(backend, item)[1] for item in value]
            if placed is None:
                continue
            tried = {**operands, name: changed}
            expected = plain if changed is value else word.expected(tried)
            try:
                compare(word, results(backend, word, tried, expected, {name: placed}), expected)
            except LawBroken as error:
                raise LawBroken(f"with {name} {kind} in memory: {error}") from None


# ---------------------------------------------------------------------- memory


def _inputs(backend: Backend, word: Word, operands: Operands) -> None:
    guards = {
        name: Guarded(backend, operands[name])
        for name in (*word.takes, *word.keywords)
        if isinstance(operands.get(name), (np.ndarray, list))
    }
    outputs = call(backend, word, arguments(backend, word, operands, {n: g.inside for n, g in guards.items()}))
    for name, guard in guards.items():
        if guard.overrun():
            raise LawBroken(f"{word.name} wrote outside of {name}")
        if name not in word.writes and guard.changed():
            raise LawBroken(f"{word.name} wrote into its input {name}")
    if word.writes:
        return
    arrays: list[Any] = [y for y in outputs if isinstance(y, backend.array_type)]
    for i, y in enumerate(arrays):
        try:
            y[...] = i + 1
        except Exception as error:
            raise LawBroken(f"{label(word, i, outputs)} cannot be written: {type(error).__name__}: {error}") from error
    for name, guard in guards.items():
        if guard.changed():
            raise LawBroken(f"a result of {word.name} shares memory with its input {name}")
    for i, y in enumerate(arrays):
        if not bool((np.asarray(backend.to_numpy(y)) == i + 1).all()):
            raise LawBroken(f"two results of {word.name} share memory")


def _repeat(backend: Backend, word: Word, operands: Operands) -> None:
    expected = word.expected(operands)
    outputs = call(backend, word, arguments(backend, word, operands))
    first = [None if y is None else y.copy() for y in host(backend, word, outputs, expected)]
    call(backend, word, arguments(backend, word, _others(operands)))
    for i, (before, after) in enumerate(zip(first, host(backend, word, outputs, expected), strict=True)):
        if before is not None and not same_bits(before, after):
            raise LawBroken(f"{label(word, i, expected)} changed when {word.name} was called again with other inputs")
    again = results(backend, word, operands, expected)
    for i, (before, after) in enumerate(zip(first, again, strict=True)):
        if before is not None and not same_bits(before, after):
            raise LawBroken(f"{label(word, i, expected)} differs between two calls with the same inputs")


def _others(operands: Operands) -> Operands:
    """Other numbers of the same shapes; integers stay what they are, since they may be indices."""

    def other(value: Any) -> Any:
        if isinstance(value, list):
            return [other(item) for item in value]
        return value[::-1].copy() + 1 if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value

    return {name: other(value) for name, value in operands.items()}


def same_bits(a: Any, b: Any) -> bool:
    """Equal to the last bit, NaN included."""
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def _threads(backend: Backend, word: Word, operands: Operands) -> None:
    expected = word.expected(operands)
    alone = results(backend, word, operands, expected)

    def again(_: int) -> list[Any]:
        return results(backend, word, operands, expected)

    _same(word, alone, list(_two_threads().map(again, range(4))), "differs when two threads call at once")
    count_threads, set_threads = (getattr(backend, name, None) for name in ("num_threads", "set_num_threads"))
    if count_threads is None or set_threads is None:
        return
    before = count_threads()
    try:
        for count in (1, 2, 3):
            set_threads(count)
            _same(word, alone, [again(0)], f"differs between {before} threads and {count}")
    finally:
        set_threads(before)


@cache
def _two_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, "minigrad-testing")


def _same(word: Word, alone: list[Any], others: list[list[Any]], how: str) -> None:
    for other in others:
        for i, (a, b) in enumerate(zip(alone, other, strict=True)):
            if a is not None and not same_bits(a, b):
                raise LawBroken(f"{label(word, i, alone)} {how}")


# ---------------------------------------------------------------------- algebra


def _split(backend: Backend, word: Word, operands: Operands) -> None:
    expected = word.expected(operands)
    for axis, (names, how) in word.split.items():
        size = _size(operands[names[0]], axis)
        if size < 2:
            continue
        parts = [
            {**operands, **{name: _cut(operands[name], axis, size, span) for name in names}}
            for span in ((0, size // 2), (size // 2, size))
        ]
        halves = [results(backend, word, part, word.expected(part)) for part in parts]
        for i, wanted in enumerate(expected):
            if isinstance(wanted, Expected):
                pair = halves[0][i], halves[1][i]
                whole = np.concatenate(pair, axis) if how == "join" else pair[0].astype(np.float64) + pair[1]
                problem = mismatch(
                    whole.astype(halves[0][i].dtype), Expected(wanted.value, 2 * np.asarray(wanted.scale))
                )
                if problem:
                    raise LawBroken(f"{word.name} in two parts along axis {axis} of {names[0]}: {problem}")
    if all(_size(operands[names[0]], axis) < 2 for axis, (names, _) in word.split.items()):
        raise NotApplicable


def _size(value: Any, axis: int) -> int:
    return int((value if isinstance(value, tuple) else value.shape)[axis])


def _cut(value: Any, axis: int, whole: int, span: tuple[int, int]) -> Any:
    """Part of an operand, or of a shape, along an axis that has `whole` parts."""
    size = _size(value, axis)
    start, stop = (edge * size // whole for edge in span)
    if isinstance(value, tuple):
        return (*value[:axis], stop - start, *value[axis + 1 :])
    return np.ascontiguousarray(value.swapaxes(0, axis)[start:stop].swapaxes(0, axis))


def _linear(backend: Backend, word: Word, operands: Operands) -> None:
    for name in word.linear:
        if operands[name] is None:
            continue
        plain = {**operands, **word.neutral}
        x = plain[name]
        other = noise(x.shape, x.dtype)
        tried = [{**plain, name: value} for value in (x, other, (x + 2 * other).astype(x.dtype))]
        expected = [word.expected(t)[0] for t in tried]
        a, b, both = (
            results(backend, word, t, (e,))[0].astype(np.float64) for t, e in zip(tried, expected, strict=True)
        )
        scale = sum(
            np.asarray(e.scale) * k for e, k in zip(expected, (1, 2, 1), strict=True) if isinstance(e, Expected)
        )
        # x + 2*other is itself rounded once, which the scale of the sum covers
        value = (a + 2 * b).astype(x.dtype)
        problem = mismatch(value, Expected(both, scale + 2 * np.abs(both) + 2 * (np.abs(a) + 2 * np.abs(b))))
        if problem:
            raise LawBroken(f"{word.name} is not linear in {name}: f(x) + 2*f(x') against f(x + 2*x'): {problem}")


# ---------------------------------------------------------------------- the laws themselves

FORM = Law("form", "returns new C-contiguous arrays of the right library, shape and dtype", _form, every=2)
VALUES = Law("values", "agrees with plain loops in float64", _values, large=True)
SPECIAL = Law("special", "ties, NaN, infinities and denormals come out as defined", _values, special=True)
LAYOUTS_LAW = Law(
    "layouts", "transposed, sliced, reversed, expanded and unaligned inputs give the same", _layouts, every=3
)
INPUTS = Law("inputs", "inputs are neither written nor shared, and nothing is written outside", _inputs, every=2)
REPEAT = Law("repeat", "the same call gives the same bits, and earlier results stay", _repeat, every=3, large=True)
THREADS = Law(
    "threads", "the same bits for any number of threads, and for two callers at once", _threads, every=20, large=True
)
SPLIT = Law("split", "halves of a batch or of the channels give the halves of the result", _split, every=3)
LINEAR = Law("linear", "f(x + 2*y) = f(x) + 2*f(y)", _linear, every=3, smooth=True)

EVERY = (FORM, VALUES, LAYOUTS_LAW, INPUTS, REPEAT, THREADS)
