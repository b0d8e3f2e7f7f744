"""Laws between words: adjoints, unfolding, groups, translation, totals, finite differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from minigrad.backend import Backend
from minigrad.testing.cases import Operands
from minigrad.testing.laws import compare, noise, results
from minigrad.testing.tolerance import Expected, deviation, mismatch
from minigrad.testing.words import Law, LawBroken, NotApplicable, Word
from minigrad.window import Window

STEP = float(np.cbrt(np.finfo(np.float64).eps))  # balances truncation (h^2) against rounding (eps / h)
DIFFERENCE = 1e-6
"""Relative error allowed to a central difference. h^2/6 * |f'''| + eps * roundings / h, with h = 6e-6, third
derivatives up to a thousand and a few hundred roundings, stays under 2e-8; a wrong gradient is off by 1."""


def adjoint(forward: Word, operand: str) -> Law:
    """<A v, c> = <v, A* c>, where A is `forward` as a function of one operand and A* the word under test."""

    def check(backend: Backend, word: Word, operands: Operands) -> None:
        v = noise(operands[operand].shape, operands[operand].dtype)
        tried = {**operands, operand: v, **forward.neutral}
        out, back = forward.expected(tried)[0], word.expected(operands)[0]
        assert isinstance(out, Expected)
        assert isinstance(back, Expected)
        left = results(backend, forward, tried, (out,))[0].astype(np.float64)
        right = results(backend, word, operands, (back,))[0].astype(np.float64)
        c, wide = operands[word.takes[0]].astype(np.float64), v.astype(np.float64)
        a, b = float((left * c).sum()), float((wide * right).sum())
        allowed = float(
            (deviation(v.dtype, out.scale) * np.abs(c)).sum() + (deviation(v.dtype, back.scale) * np.abs(wide)).sum()
        )
        own = 1e-12 * float(np.abs(left * c).sum() + np.abs(wide * right).sum())  # the float64 sums made here
        if not abs(a - b) <= allowed + own:
            raise LawBroken(f"<{forward.name}({operand}), c> = {a:.9g}, but <{operand}, {word.name}(c)> = {b:.9g}")

    return Law("adjoint", "the gradient is the adjoint: <A v, c> = <v, A* c>", check, every=2)


def unfold(im2col: Word) -> Law:
    """convolution = im2col times filter matrix, for one group."""

    def check(backend: Backend, word: Word, operands: Operands) -> None:
        x, w, b, window = (operands[name] for name in ("x", "w", "b", "window"))
        if operands["groups"] != 1 or not w.size:
            raise NotApplicable
        cols = {"x": x, "window": window, "fill": 0}
        expected = word.expected(operands)[0]
        assert isinstance(expected, Expected)
        columns = results(backend, im2col, cols, im2col.expected(cols))[0].astype(np.float64)
        product = (w.reshape(len(w), -1).astype(np.float64) @ columns).reshape(expected.value.shape)
        if b is not None:
            product += b.astype(np.float64)[:, None, None]
        problem = mismatch(results(backend, word, operands, (expected,))[0], Expected(product, expected.scale))
        if problem:
            raise LawBroken(f"{word.name} is not im2col times filters: {problem}")

    return Law("unfold", "convolution = im2col times filters", check, every=3)


def _groups(backend: Backend, word: Word, operands: Operands) -> None:
    groups = operands["groups"]
    if groups == 1:
        raise NotApplicable
    expected = word.expected(operands)
    blocks = []
    for g in range(groups):
        block = {**operands, "groups": 1, **{n: _block(n, operands[n], g, groups) for n in word.takes if n in _BLOCKED}}
        blocks.append(results(backend, word, block, word.expected(block))[0])
    joined = np.concatenate(blocks, 0 if word.name == "conv2d_weight_grad" else 1)
    whole = results(backend, word, operands, expected)[0]
    wanted = expected[0]
    assert isinstance(wanted, Expected)
    problem = mismatch(whole, Expected(joined.astype(np.float64), 2 * np.asarray(wanted.scale)))
    if problem:
        raise LawBroken(f"{word.name} with {groups} groups is not its {groups} blocks side by side: {problem}")


_BLOCKED = {"x": 1, "gy": 1, "w": 0, "b": 0, "x_shape": 1, "w_shape": 0}  # the axis that groups divide


def _block(name: str, value: Any, g: int, groups: int) -> Any:
    """Group g's part of an operand."""
    if value is None:
        return None
    axis = _BLOCKED[name]
    if isinstance(value, tuple):
        return (*value[:axis], value[axis] // groups, *value[axis + 1 :])
    return np.ascontiguousarray(np.split(value, groups, axis)[g])


def _translation(backend: Backend, word: Word, operands: Operands) -> None:
    window = replace(operands["window"], padding=(0, 0), ceil_mode=False)
    size = window.out_size(*operands["x"].shape[2:])
    applied = False
    for axis in (0, 1):
        if min(size) < 1 or size[axis] < 2:
            continue
        applied = True
        moved = {**operands, "window": window}
        still = {**moved, "x": np.ascontiguousarray(_from(operands["x"], 2 + axis, window.stride[axis]))}
        expected = word.expected(still)[:1]
        whole = results(backend, word, moved, word.expected(moved))[0]
        part = results(backend, word, still, word.expected(still))[0]
        wanted = expected[0]
        assert isinstance(wanted, Expected)
        problem = mismatch(_from(whole, 2 + axis, 1), Expected(part, 2 * np.asarray(wanted.scale)))
        if problem:
            raise LawBroken(f"{word.name}: moving the image by one stride does not move the result by one: {problem}")
    if not applied:
        raise NotApplicable


def _from(array: Any, axis: int, start: int) -> Any:
    """Without its first cells along an axis."""
    return array.swapaxes(0, axis)[start:].swapaxes(0, axis)


def _total(backend: Backend, word: Word, operands: Operands) -> None:
    gy = operands["gy"]
    if word.name == "avg_pool2d_grad":
        window = operands["window"]
        if window.padding != (0, 0) or window.ceil_mode or operands["divisor"]:
            raise NotApplicable
    (expected,) = word.expected(operands)
    assert isinstance(expected, Expected)
    gx = results(backend, word, operands, (expected,))[0].astype(np.float64)
    sums, incoming = gx.sum((2, 3)), gy.astype(np.float64).sum((2, 3))
    size = np.abs(gy).astype(np.float64).sum((2, 3))
    own = 2 * (gy.shape[2] * gy.shape[3] + 1) * size  # the roundings of the two sums made here
    allowed = deviation(gy.dtype, np.broadcast_to(expected.scale, gx.shape).sum((2, 3)) + own)
    if not (np.abs(sums - incoming) <= allowed).all():
        raise LawBroken(f"{word.name}: the gradients of a plane add up to {sums.tolist()}, not to {incoming.tolist()}")


def differences(
    forward: Callable[[Backend, Operands, Any], Any], of: str, derived: Callable[[Operands], Operands]
) -> Law:
    """<gradient, d> = (L(x + h*d) - L(x - h*d)) / 2h with L = <c, forward(x)>, c the incoming gradient.

    forward: backend, operands and a value of the operand `of` -> host array. derived: operands that follow from it.
    """

    def check(backend: Backend, word: Word, operands: Operands) -> None:
        operands = {**operands, **derived(operands)}
        x, c = operands[of], operands[word.takes[0]]
        if not x.size:
            raise NotApplicable
        d = noise(x.shape, x.dtype)
        gx = results(backend, word, operands, word.expected(operands))[0]
        ahead, behind = (forward(backend, operands, x + sign * STEP * d) for sign in (1, -1))
        numeric = float((c * (ahead - behind)).sum()) / (2 * STEP)
        analytic = float((gx * d).sum())
        allowed = DIFFERENCE * float((np.abs(c) * (1 + np.abs(ahead))).sum() + np.abs(gx * d).sum())
        if not abs(numeric - analytic) <= allowed:
            raise LawBroken(f"{word.name} gives a slope of {analytic:.9g}, finite differences give {numeric:.9g}")

    says = "the gradient is the slope that finite differences measure in float64"
    return Law("differences", says, check, every=2, dtypes=("float64",), smooth=True)


def through(forward: Word, of: str, result: int = 0) -> Callable[[Backend, Operands, Any], Any]:
    """A `forward` for `differences`: call another word with one operand replaced."""

    def run(backend: Backend, operands: Operands, value: Any) -> Any:
        tried = {**operands, of: value}
        return results(backend, forward, tried, forward.expected(tried))[result]

    return run


def _needs(backend: Backend, word: Word, operands: Operands) -> None:
    for needs in itertools.product((True, False), repeat=3):
        tried = {**operands, "needs": needs}
        expected = word.expected(tried)
        try:
            compare(word, results(backend, word, tried, expected), expected)
        except LawBroken as error:
            raise LawBroken(f"with needs={needs}: {error}") from None


def _winners(backend: Backend, word: Word, operands: Operands) -> None:
    expected = word.expected(operands)
    gb = results(backend, word, operands, expected)[2].astype(np.float64)
    y = np.asarray(backend.to_numpy(word.prepare(backend, operands)["y"])) if word.prepare else operands["y"]
    gy = operands["gy"].astype(np.float64)
    incoming, size = (gy * (y > 0)).sum((0, 2, 3)), np.abs(gy).sum((0, 2, 3))
    if not (np.abs(gb - incoming) <= deviation(operands["gy"].dtype, (gy.size + 2) * size)).all():
        raise LawBroken(
            f"{word.name}: the bias gradient is {gb.tolist()}, the incoming gradients add up to {incoming.tolist()}"
        )


def _blind(backend: Backend, word: Word, operands: Operands) -> None:
    x = operands["x"]
    n, c, h, w = x.shape
    # One place, two taps: one column before the image and one behind it.
    tried = {"x": x, "window": Window((1, 2), padding=(0, 1), dilation=(1, w + 1))}
    lowest = -np.inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)
    cells = np.zeros((n, c, h, 1), np.int64)
    wanted = Expected(np.full(cells.shape, lowest, np.float64 if x.dtype.kind == "f" else x.dtype)), Expected(cells)
    y, indices = results(backend, word, tried, wanted)
    compare(word, (y,), wanted[:1], ", where no tap sees the image")
    if ((indices < 0) | (indices >= h * w)).any():
        raise LawBroken(
            f"{word.name}: where no tap sees the image, the index is {indices.min()}, which is no cell of it"
        )


GROUPS = Law("groups", "a grouped convolution is its blocks side by side", _groups, every=2)
TRANSLATION = Law("translation", "moving the image by one stride moves the result by one", _translation, every=3)
BLIND = Law("blind", "a window that sees no cell gives -inf and still names a cell of the image", _blind, every=6)
TOTAL = Law("total", "a pool hands on neither more nor less gradient than came in", _total, every=2)
NEEDS = Law("needs", "a gradient does not depend on which others are asked for", _needs, every=2, smooth=True)
WINNERS = Law("total", "each positive maximum hands on its gradient once", _winners, every=2, smooth=True)
