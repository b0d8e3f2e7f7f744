"""Optimiser steps, one number at a time, as the algorithms are printed in PyTorch's documentation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.testing.tolerance import Expected

Lists = list[Any]


def sgd_step(
    params: Lists,
    grads: Lists,
    buffers: Lists | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> tuple[Expected, ...]:
    """The new params, then the new buffers."""
    new: list[Expected] = []
    kept: list[Expected] = []
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        held = buffers[i].reshape(-1).tolist() if buffers is not None else None
        rows = []
        for k, (p, g) in enumerate(zip(param.reshape(-1).tolist(), grad.reshape(-1).tolist(), strict=True)):
            step, size = (-g if maximize else g) + weight_decay * p, abs(g) + weight_decay * abs(p)
            buffer = buffer_size = 0.0
            if held is not None:
                old = 0.0 if first else momentum * held[k]
                share = 1.0 if first else 1 - dampening
                buffer, buffer_size = old + share * step, abs(old) + share * size
                step = step + momentum * buffer if nesterov else buffer
                size = size + momentum * buffer_size if nesterov else buffer_size
            rows.append((p - lr * step, 10 * (abs(p) + lr * size), buffer, 8 * buffer_size))
        values = np.array(rows, np.float64).reshape(-1, 4).T.reshape(4, *param.shape)
        new.append(Expected(values[0], values[1]))
        if held is not None:
            kept.append(Expected(values[2], values[3]))
    return (*new, *kept)


def adam_step(
    params: Lists,
    grads: Lists,
    means: Lists,
    squares: Lists,
    largest: Lists | None,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> tuple[Expected, ...]:
    """The new params, means, squares and, for AMSGrad, largest.

    1 - beta loses beta / (1 - beta) of its relative accuracy when beta itself is rounded to the
    arrays' type, as a kernel with float arguments does; the scales allow for it.
    """
    lost = 16 + 4 * (beta1 / (1 - beta1) + beta2 / (1 - beta2))
    out: list[list[Expected]] = [[], [], [], []]
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        rows = []
        columns = [a.reshape(-1).tolist() for a in (param, grad, means[i], squares[i])]
        tops = largest[i].reshape(-1).tolist() if largest is not None else [0.0] * param.size
        for p, g, m, v, top in zip(*columns, tops, strict=True):
            g = -g if maximize else g
            size = abs(g)
            if decoupled:
                p = p - lr * weight_decay * p
            else:
                g, size = g + weight_decay * p, size + weight_decay * abs(p)
            new_m, m_size = beta1 * m + (1 - beta1) * g, beta1 * abs(m) + (1 - beta1) * (size + abs(m))
            new_v, v_size = beta2 * v + (1 - beta2) * g * g, beta2 * v + (1 - beta2) * size * size
            top = max(top, new_v)
            second = top if largest is not None else new_v
            below = math.sqrt(second / (1 - beta2**step)) + eps
            rate = lr / (1 - beta1**step) / below
            doubt = v_size / second if second else 0.0  # the relative error of the root is half that of its square
            rows.append((p - rate * new_m, lost * (abs(p) + rate * (m_size + abs(new_m) * doubt)),
                         new_m, lost * m_size, new_v, lost * v_size, top, lost * max(top, v_size)))  # fmt: skip
        values = np.array(rows, np.float64).reshape(-1, 8).T.reshape(8, *param.shape)
        for k in range(4):
            out[k].append(Expected(values[2 * k], values[2 * k + 1]))
    return (*out[0], *out[1], *out[2], *(out[3] if largest is not None else []))
