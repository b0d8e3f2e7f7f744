"""How an operation is called: `Unary`, `Binary` and `Nary` run forward and record the result.

This is the hot path of small networks, so the two common shapes are written out: no loops, no
closures, no dictionary look-ups. All three do the same four things: take the arrays, silence NumPy's
warnings and compute, wrap the result, and put the op into the graph if a gradient is wanted.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minigrad import dtypes
from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.autograd.graph import Clock, Op, Variable, recording, stamp, user_stack
from minigrad.backend import Array
from minigrad.errors import DeviceError, DtypeError, ShapeError
from minigrad.ops.region import Regions, here
from minigrad.quiet import restore, silence
from minigrad.registry import active_backend, backend_of

Tensor = Any  # a Variable; the class Tensor stands above this floor
Grads = Any
_new = object.__new__
NUMBERS = (bool, int, float, complex)


def wrap(array: Array, cls: type[Variable] | None = None) -> Tensor:
    """A Variable around an array, outside any graph."""
    cls = cls or Variable.result_class
    y: Any = _new(cls)
    y.array = array
    y.tracked = False
    y.node = y.grad = y.memory = y.hooks = y.base = None
    return y


def as_array(result: Any, like: Array) -> Array:
    """NumPy gives scalars where an array without dimensions is meant."""
    return backend_of(like).xp.asarray(result)


class Unary(Op):
    """An op of one tensor. Numbers (axes, exponents) are given to the constructor."""

    __slots__ = ()
    needs = (True,)  # recorded only if its one input wants a gradient

    def apply(self, a: Tensor) -> Tensor:
        """Run the op."""
        try:
            x = a.array
        except AttributeError:
            raise TypeError(f"{self.label}(): argument 'input' must be Tensor, not {type(a).__name__}") from None
        token = silence()
        try:
            out = self.forward(x)
        finally:
            restore(token)
        if out.__class__ is not x.__class__:
            out = as_array(out, x)
        y: Any = _new(a.result_class)
        y.array = out
        y.grad = y.memory = y.hooks = y.base = None
        if a.tracked and is_grad_enabled() and out.dtype.kind not in "iub":
            y.tracked = True
            y.node = self
            self.order = stamp()
            node = a.node
            self.edges = (a if node is None else node,)
            self.inputs = (a,) if self.keeps else ()
            self.saved = out if self.keeps_output else None
            self.hooks = self.memory = self.shapes = None
            if Clock.anomaly:
                self.where = user_stack()
        else:
            y.tracked = False
            y.node = None
        return y

    @property
    def label(self) -> str:
        """The op's name as its function is called."""
        return self.name.lower()


class Binary(Op):
    """An op of two tensors, or of a tensor and a number, that are broadcast to one shape and type."""

    __slots__ = ()
    compares: ClassVar[bool] = False  # the result is boolean and has no gradient
    divides: ClassVar[bool] = False  # integers give floating results
    a_only_for_b: ClassVar[bool] = False  # backward reads a only if b wants a gradient,
    b_only_for_a: ClassVar[bool] = False  # and the other way round: what nobody reads is not kept

    def apply(self, a: Tensor, b: Tensor) -> Tensor:
        """Run the op."""
        kind = b.__class__
        try:
            x = a.array
            if kind is float or kind is int:
                if x.dtype.kind != "f":
                    raise AttributeError
                z, wants_a, wants_b = b, a.tracked, False
            else:
                z = b.array
                if x.dtype is not z.dtype or x.__class__ is not z.__class__ or (self.divides and x.dtype.kind in "iub"):
                    raise AttributeError
                wants_a, wants_b = a.tracked, b.tracked
            cls = a.result_class
        except AttributeError:
            a, b, x, z = self.lift(a, b)
            wants_a = isinstance(a, Variable) and a.tracked
            wants_b = isinstance(b, Variable) and b.tracked
            cls = (a if isinstance(a, Variable) else b).result_class
        token = silence()
        try:
            out = self.forward(x, z)
        except ValueError as error:
            raise broadcast_error(x, z) from error
        finally:
            restore(token)
        if out.__class__ is not x.__class__ and out.__class__ is not z.__class__:
            out = as_array(out, x if hasattr(x, "dtype") else z)
        y: Any = _new(cls)
        y.array = out
        y.grad = y.memory = y.hooks = y.base = None
        if (wants_a or wants_b) and not self.compares and is_grad_enabled():
            y.tracked = True
            y.node = self
            self.order = stamp()
            self.needs = (wants_a, wants_b)
            self.edges = (
                (a if a.node is None else a.node) if wants_a else None,
                (b if b.node is None else b.node) if wants_b else None,
            )
            if self.keeps:
                self.inputs = (
                    None if self.a_only_for_b and not wants_b else a,
                    None if self.b_only_for_a and not wants_a else b,
                )
            else:
                self.inputs = ()
            self.saved = self.hooks = self.memory = None
            if kind is float or kind is int:
                self.shapes = None
            else:
                shape = out.shape
                self.shapes = None if shape == _shape(x) and shape == _shape(z) else (_shape(x), _shape(z))
            if Clock.anomaly:
                self.where = user_stack()
        else:
            y.tracked = False
            y.node = None
        return y

    def lift(self, a: Tensor, b: Tensor) -> tuple[Any, Any, Any, Any]:
        """Bring two operands to one type and device; a number stays a number where NumPy treats it alike."""
        x = a.array if isinstance(a, Variable) else number(a, self.label, "input")
        z = b.array if isinstance(b, Variable) else number(b, self.label, "other")
        if x.__class__ in NUMBERS and z.__class__ in NUMBERS:
            raise TypeError(f"{self.label}(): argument 'input' must be Tensor, not {type(a).__name__}")
        if x.__class__ not in NUMBERS and z.__class__ not in NUMBERS and x.__class__ is not z.__class__:
            # A number in an array without dimensions may stand on the host.
            if not x.ndim and isinstance(x, np.ndarray):
                x, a = x.item(), x.item()
            elif not z.ndim and isinstance(z, np.ndarray):
                z, b = z.item(), z.item()
            else:
                raise device_error(x, z)
        wanted = dtypes.result_numpy((x, z))
        if self.divides and wanted.kind in "iub":
            wanted = dtypes.default_numpy()
        if x.__class__ in NUMBERS:
            a, x = x, fitted(x, wanted)
        elif x.dtype != wanted:
            a = cast(a, wanted)
            x = a.array
        if z.__class__ in NUMBERS:
            b, z = z, fitted(z, wanted)
        elif z.dtype != wanted:
            b = cast(b, wanted)
            z = b.array
        return a, b, x, z

    @property
    def label(self) -> str:
        """The op's name as its function is called."""
        return self.name.lower()


class View(Unary):
    """An op whose result shows its input's memory, where the array library can arrange that.

    The constructor's arguments are kept: after a write to the memory the view is made again from its base.
    """

    __slots__ = ("args",)
    keeps = False

    def __init__(self, *args: Any) -> None:
        self.args = args

    def apply(self, a: Tensor) -> Tensor:
        """Run the op, and let the result know whose memory it shows."""
        y = super().apply(a)
        shown = y.array
        if shown is a.array:
            y.array = shown = shown[...]  # an array object of its own
        owner = getattr(shown, "base", None)
        if owner is not None and (owner is a.array or owner is getattr(a.array, "base", None)):
            y.memory = memory = a.shared_memory()
            if is_grad_enabled():
                y.base = base = a if a.base is None else a.base
                if base.node is not None or not base.tracked:  # nothing is written to a leaf that wants a gradient
                    y.replay = (None if base is a else a.replay, self.__class__, self.args)
                    memory.add_view(y)
        return y


def low_type(*inputs: Any) -> Any:
    """The type in which this thread's autocast wants products of these inputs; None outside of it."""
    region = here.get() if Regions.open else None
    if region is None:
        return None
    first = next((v.array for v in inputs if isinstance(v, Variable)), None)
    return None if first is None else region.low.get(backend_of(first).device)


def mixed(precision: str, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """An op's inputs as autocast wants them: "low" ones in its type, "full" ones in float32. float64 stays."""
    low = low_type(*inputs)
    if low is None:
        return inputs
    wanted = low if precision == "low" else np.dtype(np.float32)
    return tuple(
        _remembered(v, wanted)
        if isinstance(v, Variable) and v.array.dtype.kind in "fV" and v.array.dtype.itemsize != 8
        else v
        for v in inputs
    )


def _remembered(v: Tensor, wanted: Any) -> Tensor:
    """A tensor cast; a leaf that wants a gradient (a weight) only once per region and value."""
    region = here.get()
    if region is None or region.cast is None or v.node is not None or not v.tracked or not is_grad_enabled():
        return cast(v, wanted)
    key = (v, v.array, 0 if v.memory is None else v.memory.version, wanted)
    found = region.cast.get(id(v))
    if found is None or any(a is not b for a, b in zip(found[0], key, strict=True)):
        found = region.cast[id(v)] = (key, cast(v, wanted))
    return found[1]


class Nary(Op):
    """An op of any number of tensors, with one result or several; None and numbers may stand among them."""

    __slots__ = ()
    precision: ClassVar[str] = ""  # what autocast makes of the inputs: "low", "full" or nothing

    def apply(self, *inputs: Any) -> Any:
        """Run the op."""
        if Regions.open and self.precision:
            inputs = mixed(self.precision, inputs)
        arrays = [v.array if isinstance(v, Variable) else v for v in inputs]
        token = silence()
        try:
            out = self.forward(*arrays)
        finally:
            restore(token)
        several = out.__class__ is tuple or out.__class__ is list
        if not several and out.__class__ is not arrays[0].__class__:
            out = as_array(out, arrays[0])
        results = tuple([wrap(array) for array in out]) if several else (wrap(out),)
        if recording(*inputs):
            self.saved = getattr(self, "saved", None) if not self.keeps_output else out
            self.record(inputs, results)
            if several:
                for y in results:  # integer results (indices) have no gradient
                    if y.array.dtype.kind in "iub":
                        y.node, y.tracked = None, False
        return results if several else results[0]

    @property
    def label(self) -> str:
        """The op's name as its function is called."""
        return self.name.lower()


class Cast(Unary):
    """Another element type, the same values as far as they fit."""

    __slots__ = ("before", "wanted")
    keeps = False

    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted

    def forward(self, x: Array) -> Array:
        self.before = x.dtype
        return x.astype(self.wanted)

    def backward(self, gy: Tensor) -> Grads:
        return cast(gy, self.before)


def cast(a: Tensor, wanted: Any) -> Tensor:
    """`a` with elements of a NumPy type; `a` itself if it has it."""
    return a if a.array.dtype == wanted else Cast(wanted).apply(a)


def number(value: Any, op: str, name: str) -> Any:
    """A plain Python number from a number of any kind."""
    if value.__class__ in NUMBERS:
        return value
    if isinstance(value, np.generic):
        return value.item()
    kind: Any
    for kind in NUMBERS:
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"{op}(): argument '{name}' must be Tensor or a number, not {type(value).__name__}")


def fitted(value: Any, wanted: Any) -> Any:
    """A Python number as an array type would hold it, so that NumPy neither widens nor refuses."""
    if wanted.kind == "f" and value.__class__ is not float:
        return float(value)
    if wanted.kind in "iu":
        bits = wanted.itemsize * 8
        value = int(value) % (1 << bits)  # integers wrap around, as in C
        return value - (1 << bits) if wanted.kind == "i" and value >> (bits - 1) else value
    if wanted.kind == "V":  # bfloat16: NumPy would answer a Python float with float32
        return np.asarray(value, wanted)
    return value


def not_tensor(op: str, error: AttributeError, **arguments: Any) -> Exception:
    """What to raise where arguments turned out to have no array: the first that is no tensor, else the error itself."""
    for place, (name, value) in enumerate(arguments.items()):
        if not isinstance(value, Variable):
            return TypeError(
                f"{op}(): argument '{name}' (position {place + 1}) must be Tensor, not {type(value).__name__}"
            )
    return error


def _shape(x: Any) -> tuple[int, ...]:
    return getattr(x, "shape", ())


def broadcast_error(x: Any, z: Any) -> ValueError:
    """PyTorch's words for two shapes that do not go together; the original error where they do."""
    a, b = _shape(x), _shape(z)
    rank = max(len(a), len(b))
    for i, (m, n) in reversed(
        list(enumerate(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)))
    ):
        if m != n and 1 not in (m, n):
            return ShapeError(
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension {i}"
            )
    return ShapeError(f"cannot combine tensors of shapes {list(a)} and {list(b)}")


def device_error(x: Array, z: Array) -> DeviceError:
    """PyTorch's words for arrays on two devices."""
    devices = [backend_of(v).device for v in (x, z)]
    if devices[0] == devices[1]:
        devices = [type(v).__module__ for v in (x, z)]
    return DeviceError(
        "Expected all tensors to be on the same device, but found at least two devices, " + " and ".join(devices) + "!"
    )


def normal_axis(op: str, axis: Any, ndim: int) -> int:
    """A dimension counted from the front.

    Raises:
        IndexError: if the tensor has no such dimension.
    """
    if not hasattr(axis, "__index__") or isinstance(axis, bool):
        raise TypeError(f"{op}(): argument 'dim' must be int, not {type(axis).__name__}")
    axis = axis.__index__()
    room = max(ndim, 1)
    if not -room <= axis < room:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-room}, {room - 1}], but got {axis}) in {op}()"
        )
    return int(axis % room)


def normal_axes(op: str, axes: Any, ndim: int) -> tuple[int, ...]:
    """Several dimensions, or all of them for None or ()."""
    if axes is None or (isinstance(axes, (tuple, list)) and not axes):
        return tuple(range(ndim))
    if not isinstance(axes, (tuple, list)):
        axes = (axes,)
    found = tuple(normal_axis(op, axis, ndim) for axis in axes)
    if len(set(found)) != len(found):
        raise ShapeError(f"{op}(): dim {axes} appears multiple times in the list of dims")
    return tuple(a for a in found if ndim)


def check_same_dtype(op: str, names: tuple[str, str], a: Array, b: Array) -> None:
    """Refuse to mix element types where PyTorch does not promote; autocast brings them together."""
    if a.dtype != b.dtype and low_type(wrap(a)) is None:
        raise DtypeError(
            f"{op}(): {names[0]} and {names[1]} must have the same dtype, but got {dtypes.of(a)} and {dtypes.of(b)}"
        )


__all__ = [
    "Array", "Binary", "Cast", "Grads", "Nary", "Op", "Tensor", "Unary", "Variable", "View",
    "active_backend", "as_array", "backend_of", "broadcast_error", "cast", "check_same_dtype",
    "fitted", "normal_axes", "normal_axis", "not_tensor", "number", "wrap",
]  # fmt: skip
