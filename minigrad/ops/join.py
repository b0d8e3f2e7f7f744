"""Putting tensors together and taking them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad import dtypes
from minigrad.errors import ShapeError
from minigrad.ops.base import Array, Grads, Nary, Tensor, Variable, backend_of, cast, normal_axis
from minigrad.ops.shape import Slice, expand, narrow, reshape, shape_of, unsqueeze
from minigrad.ops.titles import shown


class Cat(Nary):
    """Tensors one after the other along a dimension."""

    __slots__ = ("axis", "sizes")
    keeps = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *arrays: Array) -> Array:
        self.sizes = [a.shape[self.axis] for a in arrays]
        return backend_of(arrays[0]).xp.concatenate(arrays, self.axis)

    def backward(self, gy: Tensor) -> Grads:
        grads, start = [], 0
        for size, need in zip(self.sizes, self.needs, strict=True):
            grads.append(narrow(gy, self.axis, start, size) if need else None)
            start += size
        return tuple(grads)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors one after the other along a dimension: sizes elsewhere must be equal."""
    tensors = list(tensors)
    if not tensors:
        raise ShapeError("cat(): expected a non-empty list of Tensors")
    for i, v in enumerate(tensors):
        if not isinstance(v, Variable):
            raise TypeError(f"cat(): expected Tensor as element {i} in argument 0, but got {type(v).__name__}")
        if not v.array.ndim:
            raise ShapeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    kept = [v for v in tensors if v.array.shape != (0,)] or tensors[:1]  # PyTorch skips empty vectors
    axis = normal_axis("cat", dim, kept[0].array.ndim)
    first = kept[0].array.shape
    for i, v in enumerate(kept):
        shape = v.array.shape
        if len(shape) != len(first):
            raise ShapeError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        for d, (m, n) in enumerate(zip(first, shape, strict=True)):
            if d != axis and m != n:
                raise ShapeError(
                    f"Sizes of tensors must match except in dimension {axis}. Expected size {m} but got size {n} "
                    f"for tensor number {i} in the list."
                )
    wanted = dtypes.result_numpy(tuple(v.array for v in tensors))
    return Cat(axis).apply(*[cast(v, wanted) for v in kept])


class Unbind(Slice):
    """Slice under the name that a graph shows."""

    __slots__ = ()


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new dimension."""
    tensors = list(tensors)
    if not tensors:
        raise ShapeError("stack expects a non-empty TensorList")
    first = tensors[0].array.shape
    for i, v in enumerate(tensors):
        if v.array.shape != first:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(v.array.shape)} at entry {i}"
            )
    axis = normal_axis("stack", dim, len(first) + 1)
    return shown(cat([unsqueeze(v, axis) for v in tensors], axis), "StackBackward0")


def split(
    tensor: Tensor, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None
) -> tuple[Tensor, ...]:
    """Parts of one size (the last may be smaller), or of given sizes, along a dimension."""
    if split_size is not None:  # the method's name for it
        split_size_or_sections = split_size
    axis = normal_axis("split", dim, tensor.array.ndim)
    total = tensor.array.shape[axis]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and total):
            raise ShapeError(f"split expects split_size be non-negative, but got split_size={size}")
        sizes = [min(size, total - start) for start in range(0, total, size)] if total else [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != total or min(sizes, default=0) < 0:
            raise ShapeError(
                f"split_with_sizes expects split_sizes to sum exactly to {total} (input tensor's size at dimension {axis}), "
                f"but got split_sizes={sizes}"
            )
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    parts = [narrow(tensor, axis, start, size) for start, size in zip(starts, sizes, strict=True)]
    return tuple(shown(part, "SplitBackward0") for part in parts)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most so many parts of equal size (the last may be smaller)."""
    if chunks < 1:
        raise ShapeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    axis = normal_axis("chunk", dim, input.array.ndim)
    return split(input, max(-(-input.array.shape[axis] // chunks), 1), axis)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension, without it."""
    axis = normal_axis("unbind", dim, input.array.ndim)
    return tuple(Unbind((*(slice(None),) * axis, i, ...)).apply(input) for i in range(input.array.shape[axis]))


def repeat(input: Tensor, *sizes: Any, repeats: Any = None) -> Tensor:
    """The tensor laid out several times along each dimension."""
    times, shape = shape_of("repeat", sizes if repeats is None else (repeats,)), input.array.shape
    if len(times) < len(shape):
        raise ShapeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: "
            f"got {list(times)} for shape {list(shape)}"
        )
    shape = (1,) * (len(times) - len(shape)) + shape
    paired = [n for m, s in zip(times, shape, strict=True) for n in (1, s)]
    wanted = [n for m, s in zip(times, shape, strict=True) for n in (m, s)]
    final = tuple(m * s for m, s in zip(times, shape, strict=True))
    return shown(reshape(expand(reshape(input, paired), wanted), final), "RepeatBackward0")


def tile(input: Tensor, *sizes: Any, dims: Any = None) -> Tensor:
    """As repeat; missing leading counts are 1."""
    times = shape_of("tile", sizes if dims is None else (dims,))
    return repeat(input, (1,) * (input.array.ndim - len(times)) + times)
