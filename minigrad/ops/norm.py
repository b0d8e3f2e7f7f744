"""Batch normalisation."""

from __future__ import annotations

import numpy as np

from minigrad import dtypes
from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, div, mul, sub
from minigrad.ops.base import Array, Grads, Nary, Tensor, backend_of, cast, wrap
from minigrad.ops.power import pow
from minigrad.ops.reduce import sum
from minigrad.ops.shape import reshape
from minigrad.ops.titles import shown


class BatchNorm2d(Nary):
    """(x - mean) / sqrt(var + eps) * w + b with the batch's own mean and variance: x (N, C, H, W), w and b (C,)"""

    __slots__ = ("eps", "mean", "var")

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array, w: Array, b: Array) -> Array:
        backend = backend_of(x)
        self.mean, self.var = backend.batch_norm_stats(x)
        self.saved = 1 / backend.xp.sqrt(self.var + self.eps)
        return backend.batch_norm(x, w, b, self.mean, self.saved)

    def backward(self, gy: Tensor) -> Grads:
        x, w, _ = self.inputs
        if not is_grad_enabled():
            backend = backend_of(gy.array)
            grads = backend.batch_norm_grad(gy.array, x.array, w.array, self.mean, self.saved)
            return tuple(wrap(g) if need else None for g, need in zip(grads, self.needs, strict=True))
        # To be differentiated again, the gradient is said with ops, the statistics included.
        axes = (0, 2, 3)
        n = float(x.array.size // x.array.shape[1])
        centred = sub(x, div(sum(x, axes, True), n))
        inv_std = pow(add(div(sum(mul(centred, centred), axes, True), n), self.eps), -0.5)
        normed = mul(centred, inv_std)
        gb, gw = sum(gy, axes, True), sum(mul(gy, normed), axes, True)
        gx = mul(sub(gy, div(add(gb, mul(normed, gw)), n)), mul(inv_std, reshape(w, (1, -1, 1, 1))))
        return gx, reshape(gw, -1), reshape(gb, -1)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise every channel: (N, C, ...) -> (N, C, ...)

    In training with the batch's statistics, which also move the running ones by `momentum`; else with the running ones.
    Source: Ioffe and Szegedy, "Batch Normalization" (2015).

    Raises:
        ShapeError: in training with one value per channel, or if a parameter has another length than C.
    """
    shape = input.array.shape
    if len(shape) < 2 and (input.array.size or not shape):
        raise ShapeError(f"batch_norm(): expected at least 2 dimensions (N, C, ...), but got {list(shape)}")
    if len(shape) < 2:
        return input.clone()
    c = shape[1]
    for name, v in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if v is not None and v.array.shape != (c,):
            raise ShapeError(
                f"{name} should contain {c} elements not {v.array.size}: batch_norm() got {list(v.array.shape)}"
            )
    if input.array.dtype.char in "eE":  # half precision is computed in float32, as its statistics are
        wide = [v if v is None else cast(v, np.dtype(np.float32)) for v in (input, weight, bias)]
        y = batch_norm(wide[0], running_mean, running_var, wide[1], wide[2], training, momentum, eps)
        return cast(y, input.array.dtype)
    count = input.array.size // max(c, 1)
    if training and count == 1:
        raise ShapeError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    w = input.new_ones(c) if weight is None else weight
    b = input.new_zeros(c) if bias is None else bias
    column = (1, c, *(1,) * (len(shape) - 2))
    if not count:  # an empty batch has no statistics
        return add(mul(input, reshape(w, column)), reshape(b, column))
    if (running_mean is None) != (running_var is None):
        raise ShapeError("batch_norm(): running_mean and running_var must either both be None or neither be None")
    for name, v in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if v is not None and v.array.dtype.kind in "iub":
            raise DtypeError(f"batch_norm(): expected a floating type, but argument '{name}' is {dtypes.of(v.array)}")
    if training or running_mean is None or running_var is None:
        op = BatchNorm2d(eps)
        y = op.apply(reshape(input, (shape[0], c, -1, 1)), w, b)
        if training and running_mean is not None and running_var is not None:
            _move(running_mean, op.mean, momentum)
            _move(running_var, op.var * (count / max(count - 1, 1)), momentum)
        return shown(reshape(y, shape), "NativeBatchNormBackward0")
    scale = mul(w, pow(add(running_var, eps), -0.5))
    shift = sub(b, mul(running_mean, scale))
    return shown(add(mul(input, reshape(scale, column)), reshape(shift, column)), "NativeBatchNormBackward0")


def _move(running: Tensor, batch: Array, momentum: float) -> None:
    """running = (1 - momentum) * running + momentum * batch, in place."""
    running.array[...] = (1 - momentum) * running.array + momentum * batch
    running.shared_memory().written("batch_norm")
