"""Recurrent layers: plain, LSTM and GRU, in several layers and both directions, over padded or packed batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.ops.activation import relu, sigmoid, tanh
from minigrad.ops.arithmetic import add, mul, sub
from minigrad.ops.base import Array, Grads, Nary, Tensor, backend_of, wrap
from minigrad.ops.join import cat, chunk, stack
from minigrad.ops.matmul import linear
from minigrad.ops.nn_dropout import dropout
from minigrad.ops.nn_lstm import LSTMSequence
from minigrad.ops.shape import narrow


class LSTMGates(Nary):
    """gates (N, 4*H) in the order input, forget, cell, output, and cell (N, H) -> hidden (N, H), cell (N, H)

    Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et al. (1999).
    """

    __slots__ = ()

    def forward(self, gates: Array, c: Array) -> tuple[Array, Array]:
        backend = backend_of(gates)
        h = c.shape[1]
        on = backend.sigmoid(gates)  # all four in one pass; the third is written over
        on[:, 2 * h : 3 * h] = backend.tanh(gates[:, 2 * h : 3 * h])
        i, f, g, o = (on[:, k * h : (k + 1) * h] for k in range(4))
        new = f * c
        new += i * g
        t = backend.tanh(new)
        self.saved = (on, t)
        return o * t, new

    def backward(self, gh: Tensor, gc: Tensor) -> Grads:
        gates, c = self.inputs
        if not is_grad_enabled():
            return self._by_arrays(gh, gc, c.array)
        # To be differentiated again, the gates are part of the graph.
        a, b, d, e = chunk(gates, 4, 1)
        i, f, g, o = sigmoid(a), sigmoid(b), tanh(d), sigmoid(e)
        t = tanh(add(mul(f, c), mul(i, g)))
        gh = mul(c, 0.0) if gh is None else gh
        total = mul(mul(gh, o), sub(1, mul(t, t)))
        total = total if gc is None else add(gc, total)
        slopes = (
            mul(mul(total, g), mul(i, sub(1, i))),
            mul(mul(total, c), mul(f, sub(1, f))),
            mul(mul(total, i), sub(1, mul(g, g))),
            mul(mul(gh, t), mul(o, sub(1, o))),
        )
        return cat(slopes, 1), mul(total, f)

    def _by_arrays(self, gh: Tensor, gc: Tensor, c: Array) -> Grads:
        """The same without a graph, in few passes."""
        on, t = self.saved
        h = c.shape[1]
        i, f, g, o = (on[:, k * h : (k + 1) * h] for k in range(4))
        slopes = on - on * on  # of the sigmoids
        total = 0 if gc is None else gc.array
        if gh is None:
            slopes[:, 3 * h :] = 0
        else:
            total = total + gh.array * o * (1 - t * t)
            slopes[:, 3 * h :] *= gh.array * t
        slopes[:, :h] *= total * g
        slopes[:, h : 2 * h] *= total * c
        slopes[:, 2 * h : 3 * h] = total * i * (1 - g * g)
        return wrap(slopes), wrap(total * f)


class Parts(Nary):
    """Neighbouring slices along an axis, of given sizes; backward puts their gradients together in one go."""

    __slots__ = ("axis", "like", "sizes")
    keeps = False

    def __init__(self, sizes: Sequence[int], axis: int) -> None:
        self.sizes, self.axis = sizes, axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        slices, start = [], 0
        lead = (slice(None),) * self.axis
        for n in self.sizes:
            slices.append(x[(*lead, slice(start, start + n))])
            start += n
        self.like = (x.shape, x.dtype, backend_of(x).xp)
        return tuple(slices)

    def backward(self, *gys: Any) -> Grads:
        shape, dtype, xp = self.like
        grads = []
        for g, n in zip(gys, self.sizes, strict=True):
            if g is None:
                g = wrap(xp.zeros((*shape[: self.axis], n, *shape[self.axis + 1 :]), dtype))
            grads.append(g)
        return cat(grads, self.axis)


def parts(x: Tensor, sizes: Sequence[int], axis: int) -> tuple[Tensor, ...]:
    """Slices as `split` gives them, for when all of them will be used."""
    found: tuple[Tensor, ...] = Parts(sizes, axis).apply(x)
    for v in found:
        v.memory = x.shared_memory()
    return found


State = tuple[Tensor, ...]  # (h,), or (h, c) of an LSTM
Step = Callable[[Tensor, State, Sequence[Any]], State]


def _lstm_step(x: Tensor, state: State, weights: Sequence[Any]) -> State:
    h, c = state
    h, c = LSTMGates().apply(add(x, linear(h, weights[1], weights[3])), c)
    return (h if len(weights) < 5 else linear(h, weights[4])), c


def _gru_step(x: Tensor, state: State, weights: Sequence[Any]) -> State:
    """Source: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014)."""
    (h,) = state
    sizes = (h.array.shape[1],) * 3
    xr, xz, xn = parts(x, sizes, 1)
    hr, hz, hn = parts(linear(h, weights[1], weights[3]), sizes, 1)
    z = sigmoid(add(xz, hz))
    n = tanh(add(xn, mul(sigmoid(add(xr, hr)), hn)))
    return (add(mul(sub(h, n), z), n),)


def _tanh_step(x: Tensor, state: State, weights: Sequence[Any]) -> State:
    return (tanh(add(x, linear(state[0], weights[1], weights[3]))),)


def _relu_step(x: Tensor, state: State, weights: Sequence[Any]) -> State:
    return (relu(add(x, linear(state[0], weights[1], weights[3]))),)


STEPS: dict[str, Step] = {"LSTM": _lstm_step, "GRU": _gru_step, "RNN_TANH": _tanh_step, "RNN_RELU": _relu_step}


def cell(mode: str, x: Tensor, state: State, weights: Sequence[Any]) -> State:
    """One step: x (N, I), state (N, H) each, weights (w_ih, w_hh, b_ih, b_hh[, w_hr]) -> the new state."""
    return STEPS[mode](linear(x, weights[0], weights[2]), state, weights)


def _direction(
    step: Step, x: Tensor, sizes: list[int], state: State, weights: Sequence[Any], reverse: bool
) -> tuple[Tensor, State]:
    """One layer in one direction over packed rows: x (sum(sizes), I) -> outputs in the same order, and the last state.

    sizes[t] sequences have a step t; the longest stand first, so those that end are always the last rows.
    """
    if step is _lstm_step and len(weights) == 4 and sizes[-1] == sizes[0]:
        gates = linear(x, weights[0], weights[2])
        gates = gates if weights[3] is None else add(gates, weights[3])
        y, h, c = LSTMSequence(range(len(sizes))[:: -1 if reverse else 1]).apply(gates, *state, weights[1])
        return y, (h, c)
    inputs = parts(linear(x, weights[0], weights[2]), sizes, 0)  # of all steps, computed at once
    outputs: list[Any] = [None] * len(sizes)
    first = state
    ended: list[State] = []  # final states of sequences that ended before, shortest last
    now = tuple(narrow(s, 0, 0, sizes[-1]) for s in state) if reverse and sizes[-1] < len(state[0].array) else state
    for t in reversed(range(len(sizes))) if reverse else range(len(sizes)):
        n, have = sizes[t], len(now[0].array)
        if n > have:  # going backwards, sequences join with their first state
            now = tuple(cat([s, narrow(f, 0, have, n - have)]) for s, f in zip(now, first, strict=True))
        elif n < have:
            ended.append(tuple(narrow(s, 0, n, have - n) for s in now))
            now = tuple(narrow(s, 0, 0, n) for s in now)
        now = step(inputs[t], now, weights)
        outputs[t] = now[0]
    if ended:
        now = tuple(cat(list(rows)) for rows in zip(now, *reversed(ended), strict=True))
    return cat(outputs), now


def recurrent(
    mode: str,
    x: Tensor,
    sizes: list[int],
    state: State,
    weights: list[list[Any]],
    bidirectional: bool,
    dropout_p: float,
    training: bool,
) -> tuple[Tensor, State]:
    """All layers: x (sum(sizes), I) packed by time, state (layers*directions, N, H) each -> (sum(sizes), D*H), state

    weights holds a list per layer and direction. Dropout acts on every layer's output but the last's.
    """
    directions = 2 if bidirectional else 1
    layers = len(weights) // directions
    finals: list[State] = []
    for layer in range(layers):
        outputs = []
        for d in range(directions):
            i = layer * directions + d
            y, last = _direction(STEPS[mode], x, sizes, tuple(s[i] for s in state), weights[i], d == 1)
            outputs.append(y)
            finals.append(last)
        x = outputs[0] if directions == 1 else cat(outputs, 1)
        if dropout_p and training and layer < layers - 1:
            x = dropout(x, dropout_p, training)
    return x, tuple(stack(list(all_)) for all_ in zip(*finals, strict=True))
