"""Whole operations on tensors: first and second gradients through the engine, with the backend under test active.

These rows are named after the functions that users call. The engine says them with the backend's words, so a
broken word shows up here as a consequence.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.autograd import grad
from minigrad.autograd.grad_mode import no_grad
from minigrad.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minigrad.backend import Backend
from minigrad.creation import tensor
from minigrad.errors import ShapeError
from minigrad.ops.activation import log_softmax, relu, sigmoid, softmax, tanh
from minigrad.ops.base import wrap
from minigrad.ops.conv import conv2d
from minigrad.ops.loss import cross_entropy
from minigrad.ops.matmul import linear
from minigrad.ops.norm import batch_norm
from minigrad.ops.pool import avg_pool2d, max_pool2d
from minigrad.registry import use_backend
from minigrad.testing import oracles
from minigrad.testing.cases import Family, Operands
from minigrad.testing.families import activations, convolution, fused, matrices, norm, pooling, rows
from minigrad.testing.laws import VALUES, noise, same_bits
from minigrad.testing.oracles.convolution import Undecided, decided_winners
from minigrad.testing.tolerance import Expected
from minigrad.testing.words import Law, LawBroken, NotApplicable, Oracle, Word

Function = Callable[..., Any]  # tensors, then the other operands, as the table below names them
WHOLE = 40  # with up to so many cells every single one is stepped along; above, one random direction


def _door(
    name: str,
    family: Family,
    tensors: tuple[str, ...],
    others: tuple[str, ...],
    function: Function,
    oracle: Oracle,
    smooth_at: Callable[[Operands], bool] = lambda _: True,
) -> Word:
    """A row of the table. `function` gets the tensors (None where an operand is), then the other operands.

    smooth_at: whether operands are so far from kinks that finite differences mean something.
    """

    def apply(*given: Any) -> Any:
        """The function; what its door refuses (no channels, one value to normalise) is no case."""
        try:
            return function(*given)
        except ShapeError as error:
            raise NotApplicable from error

    def call(backend: Backend, *arrays: Any) -> Any:
        with use_backend(backend), no_grad():
            given = [None if a is None else wrap(a) for a in arrays[: len(tensors)]]
            return apply(*given, *arrays[len(tensors) :]).array

    def prepared(backend: Backend, operands: Operands) -> tuple[Callable[..., Any], list[Any]]:
        """The function of its tensors alone, and those tensors, each of which requires a gradient."""
        arrays = [operands[n] for n in tensors]
        if any(a is not None and not a.size for a in arrays) or not smooth_at(operands):
            raise NotApplicable
        rest = [operands[n] for n in others]
        made = [tensor(a, requires_grad=True) for a in arrays if a is not None]

        def run(*given: Any) -> Any:
            queue = iter(given)
            return apply(*(None if a is None else next(queue) for a in arrays), *rest)

        return run, made

    def first(backend: Backend, word: Word, operands: Operands) -> None:
        with use_backend(backend):
            run, made = prepared(backend, operands)
            _confirm(word, lambda: gradcheck(run, made, fast_mode=_cells(made) > WHOLE))

    def second(backend: Backend, word: Word, operands: Operands) -> None:
        with use_backend(backend):
            run, made = prepared(backend, operands)
            _confirm(word, lambda: gradgradcheck(run, made, fast_mode=_cells(made) > WHOLE // 2))

    def needs(backend: Backend, word: Word, operands: Operands) -> None:
        with use_backend(backend):
            run, made = prepared(backend, operands)
            if len(made) < 2:
                raise NotApplicable
            _independent(backend, word, run, made)

    laws = (
        VALUES_OF_DOORS,
        Law("gradcheck", "every gradient agrees with finite differences", first, every=4, smooth=True),
        Law("second", "the gradient of every gradient agrees with finite differences", second, every=4, smooth=True),
        *(
            [Law("needs", "a gradient does not depend on which others are asked for", needs, every=4)]
            if len(tensors) > 1
            else []
        ),
    )
    return Word(name, family, (*tensors, *others), oracle, laws, call=call, dtypes=("float64",))


VALUES_OF_DOORS = Law(VALUES.name, VALUES.says, VALUES.check, every=4)


def _cells(tensors: list[Any]) -> int:
    return sum(t.numel() for t in tensors)


def _confirm(word: Word, check: Callable[[], Any]) -> None:
    try:
        check()
    except GradcheckError as error:
        raise LawBroken(f"{word.name}: {' '.join(str(error).split())}") from error


def _independent(backend: Backend, word: Word, run: Callable[..., Any], made: list[Any]) -> None:
    """Ask for every subset of the gradients: each must have the bits that it has when all are asked for."""
    y = run(*made)
    seed = tensor(noise(tuple(y.shape), np.float64))
    together = [np.asarray(backend.to_numpy(g.array)).copy() for g in grad(y, made, seed)]
    for asked in itertools.product((True, False), repeat=len(made)):
        chosen = [i for i, wanted in enumerate(asked) if wanted]
        if not 0 < len(chosen) < len(made):
            continue
        inputs = [t.detach().requires_grad_(wanted) for t, wanted in zip(made, asked, strict=True)]
        alone = grad(run(*inputs), [inputs[i] for i in chosen], seed)
        for i, g in zip(chosen, alone, strict=True):
            if not same_bits(np.asarray(backend.to_numpy(g.array)), together[i]):
                raise LawBroken(f"{word.name}: the gradient of input {i} differs when only {chosen} are asked for")


def _conv2d(x: Any, w: Any, b: Any, window: Any, groups: int) -> Any:
    return conv2d(x, w, b, window.stride, window.padding, window.dilation, groups)


def _conv_relu_pool(x: Any, w: Any, b: Any, window: Any, groups: int, pool: Any) -> Any:
    """What an engine may fuse into one kernel, and must differentiate as if it had not."""
    return max_pool2d(relu(_conv2d(x, w, b, window, groups)), pool.kernel, pool.stride, pool.padding, 1, pool.ceil_mode)


def _decided(operands: Operands) -> bool:
    """Whether every maximum is clear by far more than the step of finite differences."""
    y = oracles.conv2d(*(operands[name] for name in ("x", "w", "b", "window", "groups")))
    margin = np.full(y.value.shape, 1e-4 / np.finfo(np.float64).eps)
    try:
        decided_winners(Expected(y.value, margin), operands["pool"], np.float64)
    except Undecided:
        return False
    return True


def _max_pool2d(x: Any, window: Any) -> Any:
    return max_pool2d(x, window.kernel, window.stride, window.padding, window.dilation, window.ceil_mode)


def _avg_pool2d(x: Any, window: Any, count_include_pad: bool, divisor: int | None) -> Any:
    return avg_pool2d(x, window.kernel, window.stride, window.padding, window.ceil_mode, count_include_pad, divisor)


def _batch_norm(x: Any, w: Any, b: Any) -> Any:
    return batch_norm(x, None, None, w, b, training=True, eps=norm.EPS)


def _batch_norm_loops(x: Any, w: Any, b: Any) -> Expected:
    mean, variance = oracles.batch_norm_stats(x)
    inv_std = 1 / np.sqrt(variance.value + norm.EPS)
    exact = oracles.batch_norm(x, w, b, mean.value, inv_std)
    return Expected(exact.value, 4 * x.size * np.asarray(exact.scale))  # the statistics have roundings of their own


def _cross_entropy(x: Any, target: Any) -> Any:
    return cross_entropy(x, wrap(target) if isinstance(target, type(x.array)) else tensor(target), reduction="none")


WORDS = (
    _door("F.conv2d", convolution.FAMILY, ("x", "w", "b"), ("window", "groups"), _conv2d, oracles.conv2d),
    _door(
        "F.max_pool2d",
        pooling.MAXIMUM,
        ("x",),
        ("window",),
        _max_pool2d,
        lambda x, window: oracles.max_pool2d(x, window)[0],
    ),
    _door(
        "F.avg_pool2d",
        pooling.AVERAGE,
        ("x",),
        ("window", "count_include_pad", "divisor"),
        _avg_pool2d,
        oracles.avg_pool2d,
    ),
    _door(
        "F.max_pool2d(F.relu(F.conv2d))",
        fused.FAMILY,
        ("x", "w", "b"),
        ("window", "groups", "pool"),
        _conv_relu_pool,
        lambda *operands: oracles.conv2d_relu_max_pool2d(*operands)[0],
        _decided,
    ),
    _door("F.linear", matrices.FAMILY, ("x", "w", "bias"), (), linear, oracles.linear),
    _door("F.relu", activations.FAMILY, ("x",), (), relu, oracles.relu),
    _door("F.sigmoid", activations.FAMILY, ("x",), (), sigmoid, oracles.sigmoid),
    _door("F.tanh", activations.FAMILY, ("x",), (), tanh, oracles.tanh),
    _door("F.softmax", rows.ROWS, ("x",), ("axis",), softmax, oracles.softmax),
    _door("F.log_softmax", rows.ROWS, ("x",), ("axis",), log_softmax, oracles.log_softmax),
    _door(
        "F.cross_entropy",
        rows.LOSSES,
        ("x",),
        ("target",),
        _cross_entropy,
        lambda x, target: oracles.cross_entropy(x, target)[0],
    ),
    _door("F.batch_norm", norm.FAMILY, ("x", "w", "b"), (), _batch_norm, _batch_norm_loops),
)
