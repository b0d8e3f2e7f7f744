"""Optimiser steps on CUDA: one launch for two dozen tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.backend import Array, Backend

from .cuda_launch import NARROW, THREADS, Launcher, dense

TENSORS = 24  # of one launch, as in cuda_kernels.cu


class MultiTensor(Backend):
    """sgd_step and adam_step over lists of tensors.

    While a graph is being captured, `live` gets the numbers of each call (learning rate, ...) and returns an array on
    the device from which the kernel shall read them, so that a replay can have others. Before a replay, `live` takes
    the new numbers and returns None: nothing is launched then.
    """

    launcher: Launcher
    live: Callable[[list[float]], Array | None] | None = None

    def sgd_step(
        self,
        params: list[Array],
        grads: list[Array],
        buffers: list[Array] | None,
        *,
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
        first: bool = False,
    ) -> None:
        """One step of stochastic gradient descent; writes params and momentum buffers."""
        numbers = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        flags = int(nesterov), int(maximize), int(first)
        self._step("sgd_step", sgd_numbers, numbers, flags, [params, buffers], grads)

    def adam_step(
        self,
        params: list[Array],
        grads: list[Array],
        means: list[Array],
        squares: list[Array],
        largest: list[Array] | None,
        *,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        maximize: bool = False,
    ) -> None:
        """One step of Adam or AdamW; writes params, means, squares and, for AMSGrad, largest."""
        numbers = {
            "step": step, "lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps,
            "weight_decay": weight_decay, "decoupled": decoupled,
        }  # fmt: skip
        self._step("adam_step", adam_numbers, numbers, (int(maximize),), [params, means, squares, largest], grads)

    def _step(
        self,
        name: str,
        work_out: Callable[..., list[float]],
        numbers: dict[str, Any],
        flags: tuple[int, ...],
        written: Sequence[list[Array] | None],
        grads: list[Array],
    ) -> None:
        """Launch for tensors of one element type at a time; arrays with gaps are written through a contiguous copy."""
        values = work_out(**numbers)
        live = None
        if self.live is not None:
            live = self.live(values)
            if live is None:
                return
        fixed = self.xp.cuda.function.CNumpyArray(np.array(values, np.float64))
        params = written[0] or []
        by_type: dict[str, list[int]] = {}
        for i, p in enumerate(params):
            if p.size:
                by_type.setdefault(p.dtype.name, []).append(i)
        for places in by_type.values():
            for start in range(0, len(places), TENSORS):
                chosen = places[start : start + TENSORS]
                columns = [None if column is None else [column[i] for i in chosen] for column in written]
                copies = [c if c is None else [dense(a) for a in c] for c in columns]
                gradients = [dense(grads[i]) for i in chosen]
                self._launch(name, copies, gradients, fixed, live, flags)
                for column, copied in zip(columns, copies, strict=True):
                    for array, copy in zip(column or [], copied or [], strict=True):
                        if copy is not array:
                            array[...] = copy

    def _launch(
        self,
        name: str,
        written: list[list[Array] | None],
        grads: list[Array],
        fixed: Any,
        live: Array | None,
        flags: tuple[int, ...],
    ) -> None:
        params = written[0]
        assert params is not None
        ends = np.cumsum([p.size for p in params])
        total = int(ends[-1])
        table = np.zeros((6, TENSORS), np.int64)  # the struct Tensors: param, grad, first, second, third, end
        for row, column in zip((0, 2, 3, 4), written, strict=False):
            if column is not None:
                table[row, : len(column)] = [a.data.ptr for a in column]
        table[1, : len(grads)] = [g.data.ptr for g in grads]
        table[5, : len(ends)] = ends
        blocks = min(-(-total // THREADS), 2**16)
        packed = self.xp.cuda.function.CNumpyArray(table)
        self.launcher.grid(
            "kernels", name, (blocks,), THREADS, packed, fixed, live, *flags, total, like=params[0], wide=total > NARROW
        )


def sgd_numbers(*, lr: float, momentum: float, dampening: float, weight_decay: float) -> list[float]:
    """The struct SgdNumbers."""
    return [lr, momentum, 1 - dampening, weight_decay]


def adam_numbers(
    *, step: int, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool
) -> list[float]:
    """The struct AdamNumbers."""
    size, root = lr / (1 - beta1**step), (1 - beta2**step) ** 0.5
    return [
        size, root, 1 - beta1, beta2, 1 - beta2, eps,
        0.0 if decoupled else weight_decay, 1 - lr * weight_decay if decoupled else 1.0,
    ]  # fmt: skip
