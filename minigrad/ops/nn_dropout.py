"""Dropout in its forms. The masks are PyTorch's for the same seed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops.arithmetic import add, mul
from minigrad.ops.base import Array, Tensor, backend_of, wrap
from minigrad.ops.inplace import write
from minigrad.random import distributions


def _check(op: str, p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ShapeError(f"{op}(): dropout probability has to be between 0 and 1, but got {p}")


def _noise(input: Tensor, shape: tuple[int, ...], keep: float) -> Array:
    """On the host, ones with probability `keep`, drawn in the order in which the input's elements lie in memory."""
    x = input.array
    order = list(range(len(shape)))
    if shape == x.shape and not x.flags.c_contiguous:
        order.sort(key=lambda i: -x.strides[i])
    drawn = distributions.bernoulli([shape[i] for i in order], keep, x.dtype)
    return drawn.transpose(np.argsort(order)) if order != sorted(order) else drawn


def _scaled(input: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """input * mask / (1 - p)"""
    if p == 1.0:
        return mul(input, wrap(backend_of(input.array).xp.zeros(shape, input.array.dtype)))
    backend = backend_of(input.array)
    mask = backend.noise(shape, 1 - p, 1 / (1 - p), input.array.dtype)
    if mask is None:
        mask = _noise(input, shape, 1 - p)
        mask /= mask.dtype.type(1 - p)
        mask = backend.from_numpy(mask)
    return mul(input, wrap(mask))


def _finish(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """With `inplace`, the result takes the input's place."""
    if not inplace:
        return result
    return write("dropout_", input, lambda _: result)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeros with probability p and the rest times 1 / (1 - p); outside training, the input.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    Raises:
        ShapeError: if p is no probability.
    """
    _check("dropout", p)
    if p == 0 or not training or not input.array.size:
        return input
    return _finish(input, _scaled(input, input.array.shape, p), inplace)


def feature_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels are dropped together: (N, C, ...)"""
    _check("feature_dropout", p)
    if p == 0 or not training or not input.array.size:
        return input
    shape = input.array.shape
    if len(shape) < 2:
        raise ShapeError("Feature dropout requires at least 2 dimensions in the input")
    return _finish(input, _scaled(input, (*shape[:2], *(1,) * (len(shape) - 2)), p), inplace)


def _dropout_nd(
    op: str, ranks: tuple[int, int], input: Tensor, p: float, training: bool, inplace: bool, single: int = 0
) -> Tensor:
    _check(op, p)
    rank = input.array.ndim
    if rank not in ranks:
        warnings.warn(
            f"{op}: Received a {rank}-D input to {op}, which is deprecated and will result in an error in a future release.",
            stacklevel=3,
        )
    if rank != single:
        return feature_dropout(input, p, training, inplace)
    return feature_dropout(input.unsqueeze(0), p, training).squeeze(0)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels are dropped together: (N, C, L) or (C, L)"""
    return _dropout_nd("dropout1d", (2, 3), input, p, training, inplace, single=2)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels are dropped together: (N, C, H, W); of three dimensions the first counts as N, as in PyTorch."""
    return _dropout_nd("dropout2d", (3, 4), input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Whole channels are dropped together: (N, C, D, H, W) or (C, D, H, W)"""
    return _dropout_nd("dropout3d", (4, 5), input, p, training, inplace, single=4)


_ALPHA = -1.7580993408473766  # minus selu's scale times its alpha: what a unit that is off says


def _alpha(input: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    x = input.array
    if p == 1.0:
        return mul(input, wrap(backend_of(x).xp.zeros(shape, x.dtype)))
    noise = backend_of(x).noise(shape, 1 - p, 1.0, x.dtype)
    if noise is None:
        noise = backend_of(x).from_numpy(_noise(input, shape, 1 - p))
    kind = noise.dtype.type
    a = 1.0 / ((_ALPHA * _ALPHA * p + 1) * (1 - p)) ** 0.5
    shift = (noise - kind(1)) * kind(-_ALPHA * a) + kind(-_ALPHA * a * p)
    noise *= kind(a)
    return add(mul(input, wrap(noise)), wrap(shift))


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean and variance of selu's outputs.

    Source: Klambauer et al., "Self-normalizing neural networks" (2017).
    """
    _check("alpha_dropout", p)
    if p == 0 or not training or not input.array.size:
        return input
    return _finish(input, _alpha(input, input.array.shape, p), inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels: (N, C, ...)"""
    _check("feature_alpha_dropout", p)
    if p == 0 or not training or not input.array.size:
        return input
    shape: Any = input.array.shape
    return _finish(input, _alpha(input, (*shape[:2], *(1,) * (len(shape) - 2)), p), inplace)
