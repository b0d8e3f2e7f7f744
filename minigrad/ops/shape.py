"""Operations that move elements without changing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.base import Array, Grads, Tensor, Unary, View, backend_of, cast, normal_axes, normal_axis

Shape = tuple[int, ...]


class Reshape(View):
    """The same elements in another shape."""

    __slots__ = ("before",)

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        return x.reshape(self.args[0])

    def backward(self, gy: Tensor) -> Grads:
        return Reshape(self.before).apply(gy)


class Permute(View):
    """Dimensions in another order."""

    __slots__ = ()

    def forward(self, x: Array) -> Array:
        return x.transpose(self.args[0])

    def backward(self, gy: Tensor) -> Grads:
        axes = self.args[0]
        return Permute(tuple(sorted(range(len(axes)), key=axes.__getitem__))).apply(gy)


# The same ops under the names that a graph shows.
_AS: dict[str, Any] = {n: type(n, (Reshape,), {"__slots__": ()}) for n in ("Squeeze", "SqueezeAll", "Unsqueeze")}
_AS |= {name: type(name, (Permute,), {"__slots__": ()}) for name in ("T", "Transpose")}


class Expand(View):
    """Repeat along dimensions of size 1, without copying."""

    __slots__ = ("before",)

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        shape = self.args[0]
        size = 1
        for n in shape:
            size *= n
        # Where nothing is repeated a writable view will do; NumPy's broadcast is read-only.
        return x.reshape(shape) if size == x.size else backend_of(x).xp.broadcast_to(x, shape)

    def backward(self, gy: Tensor) -> Grads:
        return sum_to_size(gy, self.before)


class SumTo(Unary):
    """Sum over what broadcasting has repeated: the adjoint of Expand."""

    __slots__ = ("before", "shape")
    keeps = False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        extra = x.ndim - len(self.shape)
        axes = tuple(range(extra)) + tuple(
            extra + i for i, size in enumerate(self.shape) if size == 1 and x.shape[extra + i] != 1
        )
        return x.sum(axes).reshape(self.shape)

    def backward(self, gy: Tensor) -> Grads:
        return expand(gy, self.before)


class Flip(Unary):
    """Elements in reverse order along dimensions."""

    __slots__ = ("axes",)
    keeps = False

    def __init__(self, axes: Shape) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        return backend_of(x).xp.flip(x, self.axes).copy()

    def backward(self, gy: Tensor) -> Grads:
        return Flip(self.axes).apply(gy)


class Roll(Unary):
    """Elements shifted along dimensions; what falls off one end comes in at the other."""

    __slots__ = ("axes", "shifts")
    keeps = False

    def __init__(self, shifts: Any, axes: Any) -> None:
        self.shifts, self.axes = shifts, axes

    def forward(self, x: Array) -> Array:
        return backend_of(x).xp.roll(x, self.shifts, self.axes)

    def backward(self, gy: Tensor) -> Grads:
        back = tuple(-s for s in self.shifts) if isinstance(self.shifts, tuple) else -self.shifts
        return Roll(back, self.axes).apply(gy)


class Pad(Unary):
    """Constant cells around: per dimension (before, after), negative ones cut off."""

    __slots__ = ("value", "widths")
    keeps = False

    def __init__(self, widths: tuple[tuple[int, int], ...], value: float) -> None:
        self.widths, self.value = widths, value

    def forward(self, x: Array) -> Array:
        sizes = [n + a + b for n, (a, b) in zip(x.shape, self.widths, strict=True)]
        y = backend_of(x).xp.full(sizes, self.value, x.dtype)
        inside = tuple(slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(sizes, self.widths, strict=True))
        taken = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, self.widths, strict=True))
        y[inside] = x[taken]
        return y

    def backward(self, gy: Tensor) -> Grads:
        return Pad(tuple((-a, -b) for a, b in self.widths), 0).apply(gy)


class Clone(Unary):
    """A copy."""

    __slots__ = ()
    keeps = False

    def forward(self, x: Array) -> Array:
        return x.copy()

    def backward(self, gy: Tensor) -> Grads:
        return gy


def shape_of(op: str, shape: Sequence[Any]) -> Shape:
    """A shape given as one sequence or as several integers."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    for n in shape:
        if not hasattr(n, "__index__") or isinstance(n, bool):
            raise TypeError(f"{op}(): argument 'shape' must be tuple of ints, but found element {n!r}")
    return tuple([n.__index__() for n in shape])


def reshape(input: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    """The same elements in another shape; one size may be -1 and is inferred.

    Raises:
        ShapeError: if the sizes do not multiply to the number of elements.
    """
    if shape is not None:
        sizes = (shape,)
    wanted = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    try:
        if not wanted or min(wanted) >= -1:  # NumPy would take any negative size for -1
            return Reshape(tuple(wanted)).apply(input)
    except (ValueError, TypeError):  # NumPy refuses; say why in PyTorch's words
        pass
    return Reshape(_inferred(shape_of("reshape", sizes), input.array.shape, input.array.size)).apply(input)


def _inferred(wanted: Shape, before: Shape, count: int) -> Shape:
    known = 1
    unknown = -1
    for i, n in enumerate(wanted):
        if n >= 0:
            known *= n
        elif n == -1 and unknown < 0:
            unknown = i
        elif n == -1:
            raise ShapeError(f"only one dimension can be inferred, but got shape {list(wanted)}")
        else:
            raise ShapeError(f"invalid shape dimension {n} in {list(wanted)}")
    if unknown >= 0 and known == 0:
        raise ShapeError(
            f"cannot reshape tensor of 0 elements into shape {list(wanted)} because the unspecified dimension size -1 "
            "can be any value and is ambiguous"
        )
    if (known != count) if unknown < 0 else (count % known):
        raise ShapeError(f"shape '{list(wanted)}' is invalid for input of size {count}")
    return wanted if unknown < 0 else (*wanted[:unknown], count // known, *wanted[unknown + 1 :])


def view(input: Tensor, *sizes: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """As reshape, on the same memory.

    Raises:
        ShapeError: if that takes a copy.
    """
    sizes = sizes if size is dtype is None else (dtype if size is None else size,)
    if len(sizes) == 1 and isinstance(sizes[0], dtypes.dtype):
        return View_as_dtype(sizes[0].numpy).apply(input)
    wanted = _inferred(shape_of("view", sizes), input.array.shape, input.array.size)
    y = Reshape(wanted).apply(input)
    if y.memory is not input.memory or y.memory is None:
        raise ShapeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
            f"two contiguous subspaces): {list(input.array.shape)} as {list(wanted)}. Use .reshape(...) instead."
        )
    return y


class View_as_dtype(View):
    """The same bytes read as another type; no gradient flows."""

    __slots__ = ()

    def forward(self, x: Array) -> Array:
        return x.view(self.args[0])

    def backward(self, gy: Tensor) -> Grads:
        raise DtypeError("view(): a view of another dtype has no gradient")


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the dimensions from start_dim to end_dim into one."""
    shape = input.array.shape
    first, last = normal_axis("flatten", start_dim, len(shape)), normal_axis("flatten", end_dim, len(shape))
    if first > last:
        raise ShapeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last and shape:
        return input
    joined = 1
    for n in shape[first : last + 1]:
        joined *= n
    return reshape(input, (*shape[:first], joined, *shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split one dimension into several."""
    shape = input.array.shape
    axis = normal_axis("unflatten", dim, len(shape))
    inner = _inferred(tuple(sizes), (shape[axis],), shape[axis])
    return reshape(input, (*shape[:axis], *inner, *shape[axis + 1 :]))


def permute(input: Tensor, *axes_: Any, dims: Any = None) -> Tensor:
    """Dimensions in another order."""
    axes = shape_of("permute", axes_ if dims is None else (dims,))
    if len(axes) != input.array.ndim:
        raise ShapeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {input.array.ndim} is not equal to len(dims) = {len(axes)}"
        )
    return Permute(normal_axes("permute", axes, input.array.ndim) if axes else ()).apply(input)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged."""
    ndim = input.array.ndim
    a, b = normal_axis("transpose", dim0, ndim), normal_axis("transpose", dim1, ndim)
    axes = list(range(ndim))
    if axes:
        axes[a], axes[b] = axes[b], axes[a]
    return _AS["Transpose"](tuple(axes)).apply(input)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors stay as they are."""
    if input.array.ndim > 2:
        raise ShapeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.array.ndim}D")
    return input if input.array.ndim < 2 else _AS["T"]((1, 0)).apply(input)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places, the rest in order."""
    ndim = input.array.ndim
    for name, dims in (("source", source), ("destination", destination)):
        if isinstance(dims, (tuple, list)) and len(dims) != (len(source) if isinstance(source, (tuple, list)) else 1):
            raise ShapeError(
                f"movedim(): Invalid source or destination dims: argument '{name}' is {dims}, the other of another length"
            )
    src, dst = normal_axes("movedim", source, ndim), normal_axes("movedim", destination, ndim)
    if len(src) != len(dst):
        raise ShapeError(f"movedim(): Invalid source or destination dims: {source} and {destination}")
    order = [i for i in range(ndim) if i not in src]
    for d, s in sorted(zip(dst, src, strict=True)):
        order.insert(d, s)
    return Permute(tuple(order)).apply(input)


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without dimensions of size 1: all of them, or those named."""
    shape = input.array.shape
    axes = range(len(shape)) if dim is None else normal_axes("squeeze", dim, len(shape)) if dim != () else ()
    kept = tuple(n for i, n in enumerate(shape) if i not in axes or n != 1)
    return _AS["SqueezeAll" if dim is None else "Squeeze"](kept).apply(input)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With one more dimension of size 1."""
    shape = input.array.shape
    axis = normal_axis("unsqueeze", dim, len(shape) + 1)
    return _AS["Unsqueeze"]((*shape[:axis], 1, *shape[axis:])).apply(input)


def expand(input: Tensor, *given: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Repeat dimensions of size 1 up to a shape, without copying; -1 keeps a size."""
    wanted, before = shape_of("expand", given if size is None else (size,)), input.array.shape
    extra = len(wanted) - len(before)
    if extra < 0:
        raise ShapeError(
            f"expand({list(before)}, size={list(wanted)}): the number of sizes provided ({len(wanted)}) "
            f"must be greater or equal to the number of dimensions in the tensor ({len(before)})"
        )
    sizes = []
    for i, n in enumerate(wanted):
        old = 1 if i < extra else before[i - extra]
        if n == -1 and i >= extra:
            n = old
        if n != old and old != 1:
            raise ShapeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({old}) at non-singleton dimension {i}. "
                f"Target sizes: {list(wanted)}. Tensor sizes: {list(before)}"
            )
        if n < 0:
            raise ShapeError(f"expand(): size {n} is not allowed at dimension {i} of {list(wanted)}")
        sizes.append(n)
    return Expand(tuple(sizes)).apply(input)


def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """As expand."""
    return expand(input, shape)


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Sum over dimensions until the shape is `size`, from which it could be broadcast.

    Raises:
        ShapeError: if `size` cannot be broadcast to the input's shape.
    """
    wanted, before = shape_of("sum_to_size", size), input.array.shape
    if input.array.dtype.kind in "iub":
        input = cast(input, dtypes.int64.numpy)
    if wanted == before:
        return input
    tail = before[len(before) - len(wanted) :]
    if len(wanted) > len(before) or any(m not in (1, n) for m, n in zip(wanted, tail, strict=True)):
        raise ShapeError(f"sum_to_size(): size {list(wanted)} is not expandable to size {list(before)}")
    return SumTo(wanted).apply(input)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` places along a dimension, from `start` on."""
    shape = input.array.shape
    axis = normal_axis("narrow", dim, len(shape))
    start = int(start) + (shape[axis] if start < 0 else 0)
    if length < 0 or not 0 <= start <= shape[axis] - length:
        raise ShapeError(f"start ({start}) + length ({length}) exceeds dimension size ({shape[axis]}).")
    return Slice((*(slice(None),) * axis, slice(start, start + length), ...)).apply(input)


class Slice(View):
    """Basic indexing: numbers, slices, None and Ellipsis."""

    __slots__ = ("before",)

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        return x[self.args[0]]

    def backward(self, gy: Tensor) -> Grads:
        return Unslice(self.args[0], self.before).apply(gy)


class Unslice(Unary):
    """Zeros, with a tensor where the slice was: the adjoint of Slice."""

    __slots__ = ("index", "shape")
    keeps = False

    def __init__(self, index: Any, shape: Shape) -> None:
        self.index, self.shape = index, shape

    def forward(self, x: Array) -> Array:
        y = backend_of(x).xp.zeros(self.shape, x.dtype)
        y[self.index] = x
        return y

    def backward(self, gy: Tensor) -> Grads:
        return Slice(self.index).apply(gy)


def flip(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """Elements in reverse order along dimensions."""
    axes = shape_of("flip", axes if dims is None else (dims,))
    return Flip(normal_axes("flip", axes, input.array.ndim) if axes else ()).apply(input)


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements shifted round along dimensions (of the flat tensor, without any)."""
    for step in shifts if isinstance(shifts, (tuple, list)) else (shifts,):
        if not hasattr(step, "__index__"):
            raise TypeError(f"roll(): argument 'shifts' (position 2) must be tuple of ints, not {type(step).__name__}")
    if isinstance(shifts, (tuple, list)) and not shifts:
        raise ShapeError("roll(): `shifts` required, but got ()")
    if dims is None or (isinstance(dims, (tuple, list)) and not dims):
        shifts = shifts[0] if isinstance(shifts, (tuple, list)) and len(shifts) == 1 else shifts
        return reshape(Roll(shifts, 0).apply(reshape(input, -1)), input.array.shape)
    axes = normal_axes("roll", dims, input.array.ndim)
    steps = tuple(shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
    if len(steps) != len(axes):
        raise ShapeError(f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(axes)}")
    return Roll(steps, axes).apply(input)


def pad(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """Constant cells around the last dimensions: pad = (left, right, top, bottom, ...), the last dimension first."""
    ndim = input.array.ndim
    if len(pad) % 2 or len(pad) > 2 * ndim:
        raise ShapeError(
            f"pad(): padding length {len(pad)} must be even and at most twice the input's {ndim} dimensions"
        )
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)][::-1]
    widths = ((0, 0),) * (ndim - len(pairs)) + tuple(pairs)
    for axis, (n, (a, b)) in enumerate(zip(input.array.shape, widths, strict=True)):
        if n + a + b < 0:
            raise ShapeError(
                f"The input size {n}, plus negative padding {a} and {b}, resulted in a negative output size, "
                f"which is invalid. Check dimension {axis} of your input."
            )
    return Pad(widths, value).apply(input)


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy that differentiates to its original."""
    return Clone().apply(input)


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if its elements lie in order, else a copy. There is one memory format: rows after rows."""
    return input if input.array.flags.c_contiguous else Clone().apply(input)
