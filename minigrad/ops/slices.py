"""Elements that a mask picks, and whole slices that an index names."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import mul
from minigrad.ops.base import Tensor, Variable, backend_of, cast, fitted, normal_axis, wrap
from minigrad.ops.index import _index_array, _lifted, getitem, scatter_add
from minigrad.ops.logic import where
from minigrad.ops.shape import expand, reshape
from minigrad.ops.titles import shown


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A number where the mask is true, else input."""
    if not isinstance(mask, Variable) or mask.array.dtype.kind != "b":
        raise DtypeError("masked_fill only supports boolean masks")
    if isinstance(value, Variable):
        if value.array.ndim:
            raise ShapeError(
                f"masked_fill only supports a 0-dimensional value tensor, but got tensor with {value.array.ndim} dimension(s)."
            )
        return shown(where(mask, cast(value, input.array.dtype), input), "MaskedFillBackward0")
    wanted = input.array.dtype
    filled = wrap(backend_of(input.array).scalar(fitted(value, wanted), wanted))
    return shown(where(mask, filled, input), "MaskedFillBackward0")


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is true, as a vector."""
    shape = np.broadcast_shapes(input.array.shape, mask.array.shape)
    return getitem(expand(input, shape), expand(mask, shape))


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """input with slices of source added where index says."""
    axis = normal_axis("index_add", dim, input.array.ndim)
    if not input.array.ndim:
        return _lifted(index_add, input, index, source, alpha=alpha)
    where_ = _index_array("index_add", index)
    shape = source.array.shape
    wide = where_.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return scatter_add(input, axis, expand(wrap(wide), shape), source if alpha == 1 else mul(source, alpha))


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """input with whole slices set to a number."""
    axis = normal_axis("index_fill", dim, input.array.ndim)
    if not input.array.ndim:
        return reshape(index_fill(reshape(input, 1), 0, index, value), ())
    mask = backend_of(input.array).xp.zeros(input.array.shape[axis], bool)
    mask[_index_array("index_fill", index)] = True
    shape = [-1 if i == axis else 1 for i in range(input.array.ndim)]
    return masked_fill(input, wrap(mask.reshape(shape)), value)
