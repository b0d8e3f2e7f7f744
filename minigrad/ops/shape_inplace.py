"""unsqueeze_ and its like: the tensor itself in another shape, on the same memory."""

from __future__ import annotations

from typing import Any

from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.errors import ShapeError
from minigrad.ops import shape
from minigrad.ops.base import Tensor, backend_of
from minigrad.ops.base import wrap as as_tensor
from minigrad.ops.inplace import check_writable, setitem


def _reshaping(name: str, compute: Any) -> Any:
    """The form of a view operation that changes the tensor instead of returning another one."""

    def method(input: Tensor, *args: Any, **options: Any) -> Tensor:
        recorded = is_grad_enabled() and input.tracked
        check_writable(name, input, recorded)
        result = compute(input.alias() if recorded else input, *args, **options)
        input.array = result.array
        if recorded:
            input.node, input.base, input.replay = result.node, result.base, result.replay
        return input

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"{compute.__doc__} In place."
    return method


squeeze_ = _reshaping("squeeze_", shape.squeeze)
t_ = _reshaping("t_", shape.t)
transpose_ = _reshaping("transpose_", shape.transpose)
unsqueeze_ = _reshaping("unsqueeze_", shape.unsqueeze)


def fill_diagonal_(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """A number on the main diagonal, in place; with `wrap`, of a tall matrix again and again after its last column."""
    x = input.array
    xp = backend_of(x).xp
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise ShapeError("all dimensions of input must be of equal length, and there must be at least two")
    rows, columns = x.shape[0], x.shape[-1]
    step = sum(columns**i for i in range(x.ndim))  # from one diagonal element to the next
    end = x.size if wrap or rows <= columns or x.ndim > 2 else columns * columns
    mask = xp.zeros(x.size, bool)
    mask[:end:step] = True
    setitem(input, as_tensor(mask.reshape(x.shape)), fill_value)
    return input
