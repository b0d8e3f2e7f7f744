"""In-place forms: compute, write into the tensor's own memory, and move the tensor to its new place in the graph.

A write through a view also changes what the view's base has recorded, and every other view of it: the base
gets a node that writes the part (WritePart), and live views are made again from the base.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from minigrad import dtypes
from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.autograd.graph import Duties
from minigrad.errors import DtypeError, GraphError, ShapeError
from minigrad.ops.base import NUMBERS, Array, Grads, Nary, Tensor, Variable, backend_of, cast, fitted, wrap
from minigrad.ops.index import SetItem, parse
from minigrad.ops.logic import where


class WritePart(Nary):
    """A base with one view's part replaced. It only stands in the graph: the writing itself is done in place."""

    __slots__ = ("replay",)
    keeps = False

    def __init__(self, replay: Any) -> None:
        self.replay = replay

    def backward(self, gy: Tensor) -> Grads:
        g_base = None
        if self.needs[0]:
            keep = backend_of(gy.array).xp.ones(gy.array.shape, bool)
            part = keep
            for cls, args in steps(self.replay):
                part = cls(*args).forward(part)
            part[...] = False
            g_base = where(wrap(keep), gy, 0.0)
        return g_base, self.needs[1] and replayed(gy, self.replay)


def replayed(v: Tensor, replay: Any) -> Tensor:
    """Apply a chain of view operations."""
    for cls, args in steps(replay):
        v = cls(*args).apply(v)
    return v


def steps(replay: Any) -> list[tuple[Any, Any]]:
    """A chain of view operations as a list, the first one first."""
    found = []
    while replay is not None:
        replay, cls, args = replay
        found.append((cls, args))
    return found[::-1]


def check_writable(name: str, target: Tensor, recorded: bool) -> None:
    """Refuse what cannot be written in place.

    Raises:
        GraphError: for a leaf that requires grad, or a view of one.
        ShapeError: for a tensor several of whose elements are one cell of memory, or whose memory is read-only.
    """
    if recorded:
        base = target.base
        if target.tracked and target.node is None:
            raise GraphError(f"{name}(): a leaf Variable that requires grad is being used in an in-place operation.")
        if base is not None and base.tracked and base.node is None:
            raise GraphError(
                f"{name}(): a view of a leaf Variable that requires grad is being used in an in-place operation."
            )
    strides = getattr(target.array, "strides", ())
    if (
        0 in strides
        and target.array.size
        and any(s == 0 and n > 1 for s, n in zip(strides, target.array.shape, strict=True))
    ):
        raise ShapeError(
            f"{name}(): unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
            "memory location. Please clone() the tensor before performing the operation."
        )
    if not getattr(getattr(target.array, "flags", None), "writeable", True):
        raise ShapeError(f"{name}(): the tensor's memory is read-only, as the array that it was made from. clone() it.")


def write(name: str, target: Tensor, compute: Any, *args: Any, **options: Any) -> Tensor:
    """target = compute(target, *args), in target's memory."""
    recorded = is_grad_enabled() and (
        target.tracked
        or any(v.tracked for v in args if isinstance(v, Variable))
        or any(v.tracked for v in options.values() if isinstance(v, Variable))
    )
    check_writable(name, target, recorded)
    before = target.array
    if recorded:
        old = target.alias()
        result = compute(old, *args, **options)
        link = ref(old)
        del old
        kept = link()
        if kept is not None:  # backward will read the old values, so they must survive
            kept.array, kept.memory = before.copy(), None
    else:
        result = compute(target, *args, **options)
    Duties.before_write()
    after = result.array
    if after.shape != before.shape:
        raise ShapeError(
            f"{name}(): output with shape {list(before.shape)} doesn't match the broadcast shape {list(after.shape)}"
        )
    if after.dtype != before.dtype:
        if not dtypes.can_cast(dtypes.of(after), dtypes.of(before)):
            raise DtypeError(
                f"{name}(): result type {dtypes.of(after)} can't be cast to the desired output type {dtypes.of(before)}"
            )
        result = cast(result, before.dtype)
    before[...] = result.array
    target.shared_memory().written(name)
    if recorded:
        move(target, result)
    return target


def setitem(target: Tensor, index: Any, value: Any) -> None:
    """target[index] = value, with value broadcast to the part."""
    recorded = is_grad_enabled() and (target.tracked or (isinstance(value, Variable) and value.tracked))
    check_writable("setitem", target, recorded)
    backend = backend_of(target.array)
    if not isinstance(value, Variable):
        wanted = target.array.dtype
        if value.__class__ in NUMBERS:
            value = wrap(backend.scalar(fitted(value, wanted), wanted))
        else:
            value = wrap(backend.xp.asarray(value, dtype=wanted))
    value = cast(value, target.array.dtype)
    Duties.before_write()
    basic, advanced = parse(target, index)
    part = target.array[basic]
    try:
        given = value.array
        shape = part.shape if advanced is None else part[advanced].shape
        if given.ndim > len(shape):  # leading dimensions of size 1 may be too many
            given = (
                given.reshape(given.shape[given.ndim - len(shape) :])
                if given.size == given[(0,) * (given.ndim - len(shape))].size
                else given
            )
        if advanced is None:
            part[...] = given
        else:
            part[advanced] = given
    except ValueError as error:
        raise ShapeError(
            f"setitem(): shape mismatch: value tensor of shape {list(value.array.shape)} cannot be broadcast to "
            f"indexing result of shape {list(shape)}"
        ) from error
    old = target.alias() if recorded else None
    target.shared_memory().written("setitem")
    if recorded:
        op = SetItem(basic, advanced, target.array.shape, value.array.shape)
        op.saved = None
        result = wrap(target.array)
        op.record((old, value), (result,))
        move(target, result)


def move(target: Tensor, result: Tensor) -> None:
    """Put target, its base and the base's other views where the result is in the graph."""
    base = target.base
    if base is None:
        base = target
        target.node, target.tracked = result.node, result.tracked
    else:
        op = WritePart(target.replay)
        op.saved = None
        moved = wrap(base.array)
        op.record((base.alias(), result), (moved,))
        base.node, base.tracked = moved.node, True
    for link in list(base.shared_memory().views or ()):
        view = link()
        if view is not None and view.base is base:
            again = replayed(base, view.replay)
            view.node, view.tracked = again.node, again.tracked


def inplace(name: str, compute: Any) -> Any:
    """The in-place form of an operation, as a method."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        return write(name, self, compute, *args, **options)

    method.__name__ = name
    method.__doc__ = f"{compute.__name__}() in place: {compute.__doc__}"
    return method


class Overwrite(Nary):
    """New values for old ones: the gradient goes to the new alone."""

    __slots__ = ()
    keeps = False

    def forward(self, old: Array, new: Array) -> Array:
        return new

    def backward(self, gy: Tensor) -> Grads:
        return None, gy


def fill(target: Tensor, value: Any) -> Tensor:
    """Every element set to one number."""
    wanted = target.array.dtype
    if not isinstance(value, Variable):
        value = wrap(backend_of(target.array).xp.full(target.array.shape, fitted(value, wanted), wanted))
    elif value.array.ndim:
        raise ShapeError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value.array.ndim} dimensions."
        )
    return Overwrite().apply(target, cast(value, wanted).expand(target.array.shape))


def zero(target: Tensor) -> Tensor:
    """Every element set to 0."""
    return fill(target, 0)


def copy(target: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """The elements of another tensor, broadcast and cast."""
    if src.array.__class__ is not target.array.__class__:
        src = src.to(target.device)
    return Overwrite().apply(target, cast(src, target.array.dtype).expand(target.array.shape))
