"""An LSTM's whole way through a batch of sequences as one op: a few array passes per step, one product for the weights.

Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et al. (1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.autograd.engine import grad
from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.ops.activation import sigmoid, tanh
from minigrad.ops.arithmetic import add, mul
from minigrad.ops.base import Array, Grads, Nary, Tensor, backend_of, wrap
from minigrad.ops.join import cat, chunk
from minigrad.ops.matmul import matmul
from minigrad.ops.shape import narrow, transpose


class LSTMSequence(Nary):
    """gates (T*N, 4*H) of the inputs, h and c (N, H), w (4*H, H) -> outputs (T*N, H), last h and c (N, H)

    The gates stand in the order input, forget, cell, output; `route` lists the steps as they are taken.
    """

    __slots__ = ("route",)

    def __init__(self, route: Sequence[int]) -> None:
        self.route = route

    def forward(self, gates: Array, h: Array, c: Array, w: Array) -> tuple[Array, ...]:
        backend, (n, size), steps = backend_of(gates), h.shape, len(self.route)
        xp, wt, cell = backend.xp, w.T, slice(2 * size, 3 * size)
        on = xp.empty((steps, n, 4 * size), gates.dtype)
        before, bent, y = (xp.empty((steps, n, size), gates.dtype) for _ in range(3))
        for t in self.route:
            g = gates[t * n : (t + 1) * n] + backend.matmul(h, wt)
            a = on[t]
            a[...] = backend.sigmoid(g)  # all four in one pass; the third is written over
            a[:, cell] = backend.tanh(g[:, cell])
            before[t] = c
            c = a[:, size : 2 * size] * c
            c += a[:, :size] * a[:, cell]
            bent[t] = backend.tanh(c)
            xp.multiply(a[:, 3 * size :], bent[t], out=y[t])
            h = y[t]
        self.saved = (on, before, bent, y)
        return y.reshape(steps * n, size), h.copy(), c

    def backward(self, gy: Tensor, gh: Tensor, gc: Tensor) -> Grads:
        if is_grad_enabled():
            return self._again((gy, gh, gc))
        (_, h0, _, w), (on, before, bent, y) = self.inputs, self.saved
        backend, (steps, n, size) = backend_of(on), y.shape
        xp = backend.xp
        slopes = on - on * on  # of the sigmoids
        dh: Any = 0 if gh is None else gh.array
        dc: Any = 0 if gc is None else gc.array
        outer = None if gy is None else gy.array.reshape(y.shape)
        for t in reversed(self.route):
            if outer is not None:
                dh = dh + outer[t]
            i, f, g, o = (on[t, :, k * size : (k + 1) * size] for k in range(4))
            s = slopes[t]
            s[:, 3 * size :] *= dh * bent[t]
            total = dc + dh * o * (1 - bent[t] * bent[t])
            s[:, :size] *= total * g
            s[:, size : 2 * size] *= total * before[t]
            s[:, 2 * size : 3 * size] = total * i * (1 - g * g)
            dc = total * f
            dh = backend.matmul(s, w.array)
        flat = slopes.reshape(steps * n, 4 * size)
        g_w = None
        if self.needs[3]:
            previous = xp.empty_like(y)  # the hidden state that each step began with
            previous[self.route[0]] = h0.array
            for a, b in zip(self.route, self.route[1:], strict=False):
                previous[b] = y[a]
            g_w = wrap(backend.matmul(flat.T, previous.reshape(steps * n, size)))
        return wrap(flat), wrap(dh), wrap(dc), g_w

    def _again(self, gys: tuple[Any, ...]) -> Grads:
        """To be differentiated again, the way is walked with ops, and the engine differentiates those."""
        inputs = [v.clone() if v.tracked else v for v in self.inputs]  # places of this op's own in the graph
        gates, h, c, w = inputs
        n = h.array.shape[0]
        outputs: list[Any] = [None] * len(self.route)
        for t in self.route:
            a, b, d, e = chunk(add(narrow(gates, 0, t * n, n), matmul(h, transpose(w, 0, 1))), 4, 1)
            c = add(mul(sigmoid(b), c), mul(sigmoid(a), tanh(d)))
            h = mul(sigmoid(e), tanh(c))
            outputs[t] = h
        known = [(v, g) for v, g in zip((cat(outputs), h, c), gys, strict=True) if g is not None]
        wanted = [v for v, need in zip(inputs, self.needs, strict=True) if need]
        found = iter(grad([v for v, _ in known], wanted, [g for _, g in known], create_graph=True, allow_unused=True))
        return tuple(next(found) if need else None for need in self.needs)
