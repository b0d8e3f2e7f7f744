"""Tensor: the engine's Variable with the operations hung on as methods, all in this one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad import dtypes, methods, printing
from minigrad.autograd.engine import backward as run_backward
from minigrad.autograd.graph import Duties, Variable
from minigrad.described import Described
from minigrad.device import backend_for, device
from minigrad.errors import DeviceError, DtypeError, GraphError
from minigrad.handles import GradKeeper, RemovableHandle
from minigrad.ops import (
    arithmetic,
    fused,
    index,
    inplace,
    join,
    logic,
    matmul,
    power,
    shape,
)  # fmt: skip
from minigrad.ops.base import Unary, cast, wrap
from minigrad.ops.titles import shown
from minigrad.registry import backend_of

Array = Any


class Tensor(Described):
    """A multi-dimensional array that records what happens to it and can be differentiated.

    Made with `minigrad.tensor(data)`, `zeros`, `randn`, ...; `Tensor(data)` itself makes default-dtype copies.
    """

    __slots__ = ()
    is_parameter = False
    __array_priority__ = 1000  # NumPy leaves `array * tensor` to us

    def __init__(self, *data: Any) -> None:
        from minigrad.creation import empty, tensor

        sizes = all(isinstance(v, int) for v in data)
        made = empty(*data) if sizes and data else tensor(data[0] if data else [], dtype=dtypes.get_default_dtype())
        super().__init__(made.array)

    # ------------------------------------------------------------------ its place in the graph

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows through here."""
        return self.tracked

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient, or no longer."""
        if requires_grad:
            check_differentiable(self.array)
        elif self.node is not None:
            raise GraphError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a "
                "subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        self.tracked = bool(requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this."""
        return self.node is None

    @property
    def grad_fn(self) -> Any:
        """The operation that made this."""
        node = self.node
        return getattr(node, "op", node)

    @property
    def output_nr(self) -> int:
        """Which output of its operation this is."""
        return getattr(self.node, "index", 0)

    @property
    def _version(self) -> int:
        return 0 if self.memory is None else self.memory.version

    @property
    def _base(self) -> Any:
        return self.base

    def _is_view(self) -> bool:
        return self.base is not None

    @property
    def data(self) -> Tensor:
        """The same memory, outside the graph and its checks."""
        return wrap(self.array, self.result_class)

    @data.setter
    def data(self, value: Tensor) -> None:
        Duties.before_write()
        self.array = value.array

    def detach(self) -> Tensor:
        """The same memory, outside the graph."""
        y = wrap(self.array, self.result_class)
        y.memory = self.shared_memory()
        return y

    def detach_(self) -> Tensor:
        """Leave the graph."""
        self.node, self.tracked = None, False
        return self

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add d self / d leaf to every leaf's `.grad`. `gradient` is d something / d self: needed unless self is a scalar."""
        run_backward(self, gradient, retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHandle:
        """Call `hook(grad)` when this tensor's gradient is known; what it returns, if anything, takes its place."""
        if not self.tracked:
            raise GraphError("cannot register a hook on a tensor that doesn't require gradient")
        where = self if self.node is None else self.node
        if self.node is not None:
            self.node.expose()
        if where.hooks is None:
            where.hooks = {}
        handle = RemovableHandle(where.hooks, hook)
        for key in [key for key in where.hooks if key < 0]:  # what retains the gradient comes last
            where.hooks[key] = where.hooks.pop(key)
        return handle

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is no leaf, as its hooks leave it."""
        if not self.tracked:
            raise GraphError("can't retain_grad on Tensor that has requires_grad=False")
        if self.node is None:
            return
        self.node.expose()
        if self.node.hooks is None:
            self.node.hooks = {}
        key = -1 - self.output_nr  # one keeper per output, however often this is called
        keeper = self.node.hooks.get(key)
        if keeper is None or keeper.tensor() is not self:
            self.node.hooks[key] = GradKeeper(self)

    # ------------------------------------------------------------------ moving and casting

    def to(self, *args: Any, **options: Any) -> Tensor:
        """On another device, or with another dtype; or as another tensor is."""
        where, kind = options.get("device"), options.get("dtype")
        for arg in args:
            if isinstance(arg, Tensor):
                where, kind = arg.device, arg.dtype
            elif isinstance(arg, (str, device)):
                where = arg
            elif isinstance(arg, dtypes.dtype) or arg in (float, int, bool):
                kind = arg
        y = self
        if kind is not None:
            y = cast(y, dtypes.as_numpy(kind, "to"))
        if where is not None:
            y = move(y, device(where), bool(options.get("non_blocking")))
        return y.clone() if options.get("copy") and y is self else y

    def cpu(self, memory_format: Any = None) -> Tensor:
        """On the CPU."""
        return move(self, device("cpu"))

    def cuda(self, device_: Any = None, non_blocking: bool = False) -> Tensor:
        """On the GPU."""
        return move(self, device("cuda" if device_ is None else device_), non_blocking)

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The name of the older constructor of this dtype; or a cast to a dtype, also given as that name or constructor."""
        if dtype is None:
            return f"{dtypes.dtype.library}.{dtypes.constructor(self.dtype)}"
        return self.to(dtype=dtypes.of_constructor(dtype))

    def type_as(self, other: Tensor) -> Tensor:
        """Cast to another tensor's dtype."""
        return self.to(dtype=other.dtype)

    def numpy(self, *, force: bool = False) -> Array:
        """The elements as a NumPy array on the same memory.

        Raises:
            GraphError: if a gradient flows through here; DeviceError, if the memory is a GPU's. `force` copies instead.
        """
        if force:
            return self.detach().cpu().numpy_array()
        if self.tracked:
            raise GraphError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.device.type == "cuda":
            raise DeviceError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
            )
        self.shared_memory().foreign = True
        return self.numpy_array()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(join.unbind(self))

    def __contains__(self, element: Any) -> bool:
        return bool((self == element).any())

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return printing.tensor_repr(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and not self.array.ndim else str(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node is not None:
            raise GraphError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment."
            )
        y = type(self).__new__(type(self))
        Variable.__init__(y, self.array.copy(), self.tracked)
        if self.grad is not None:
            y.grad = self.grad.clone()
        memo[id(self)] = y
        return y

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.numpy_array(), str(self.device), self.tracked)

    # ------------------------------------------------------------------ tensors like this one

    def new_tensor(self, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        """A tensor with new data, of this one's dtype and device."""
        from minigrad.creation import tensor

        return tensor(data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)

    def new_zeros(
        self, *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Zeros, of this tensor's dtype and device."""
        return self._new("zeros", sizes if size is None else (size,), dtype, device, requires_grad)

    def new_ones(
        self, *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Ones, of this tensor's dtype and device."""
        return self._new("ones", sizes if size is None else (size,), dtype, device, requires_grad)

    def new_empty(
        self, *sizes: Any, size: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Memory as it was found, of this tensor's dtype and device."""
        return self._new("empty", sizes if size is None else (size,), dtype, device, requires_grad)

    def new_full(
        self, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """One number everywhere, of this tensor's dtype and device."""
        y = self._new("empty", (size,), dtype, device, False)
        y.array[...] = fill_value
        y.tracked = requires_grad
        return y

    def _new(self, how: str, size: Any, dtype: Any, where: Any, requires_grad: bool) -> Tensor:
        xp = (backend_of(self.array) if where is None else backend_for(where)).xp
        wanted = self.array.dtype if dtype is None else dtypes.as_numpy(dtype, f"new_{how}")
        return make(getattr(xp, how)(shape.shape_of(f"new_{how}", size), wanted), requires_grad)

    # ------------------------------------------------------------------ indexing

    def __getitem__(self, item: Any) -> Tensor:
        return index.getitem(self, item)

    def __setitem__(self, item: Any, value: Any) -> None:
        inplace.setitem(self, item, value)

    # ------------------------------------------------------------------ operators

    __add__ = __radd__ = arithmetic.add
    __mul__ = __rmul__ = arithmetic.mul
    __sub__, __truediv__, __pow__ = arithmetic.sub, arithmetic.div, power.pow
    __floordiv__, __mod__, __matmul__ = arithmetic.floor_divide, arithmetic.remainder, matmul.matmul
    __neg__, __abs__, __invert__ = arithmetic.neg, power.absolute, logic.bitwise_not
    __and__ = __rand__ = logic.bitwise_and
    __or__ = __ror__ = logic.bitwise_or
    __xor__ = __rxor__ = logic.bitwise_xor
    __lt__, __le__, __gt__, __ge__ = logic.lt, logic.le, logic.gt, logic.ge

    def __eq__(self, other: object) -> Any:
        return logic.eq(self, other) if _comparable(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return logic.ne(self, other) if _comparable(other) else NotImplemented

    def __pos__(self) -> Tensor:
        return self

    def __rsub__(self, other: Any) -> Tensor:
        return shown(arithmetic.sub(other, self), "RsubBackward1")

    def __rtruediv__(self, other: Any) -> Tensor:
        return arithmetic.div(other, self)

    def __rpow__(self, other: Any) -> Tensor:
        return power.pow(other, self)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return arithmetic.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Tensor:
        return arithmetic.remainder(other, self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return matmul.matmul(other, self)

    # ------------------------------------------------------------------ properties that are operations

    @property
    def T(self) -> Tensor:
        """The dimensions in reverse order."""
        return shape.Permute(tuple(reversed(range(self.array.ndim)))).apply(self)

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
        return shape.transpose(self, -1, -2)

    def view_as(self, other: Tensor) -> Tensor:
        """view(other.shape)"""
        return shape.view(self, other.array.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """reshape(other.shape)"""
        return shape.reshape(self, other.array.shape)

    def expand_as(self, other: Tensor) -> Tensor:
        """expand(other.shape)"""
        return shape.expand(self, other.array.shape)

    def apply_(self, function: Callable[[Any], Any]) -> Tensor:
        """Replace every element by function(element). Slow."""
        self.array[...] = np.vectorize(function, otypes=[self.array.dtype])(self.numpy_array())
        self.shared_memory().written("apply_")
        return self


Variable.result_class = Tensor
Tensor.result_class = Tensor
fused.install(Tensor)


def make(array: Array, requires_grad: bool = False) -> Tensor:
    """A leaf around an array."""
    y: Tensor = wrap(array, Tensor)
    if requires_grad:
        check_differentiable(array)
        y.tracked = True
    return y


def check_differentiable(array: Array) -> None:
    """Refuse gradients of integers.

    Raises:
        DtypeError: if the elements are neither floating nor complex.
    """
    if array.dtype.kind in "iub":
        raise DtypeError("Only Tensors of floating point and complex dtype can require gradients")


def move(t: Tensor, where: device, non_blocking: bool = False) -> Tensor:
    """A tensor on another device; the gradient travels back. `non_blocking` does not wait for page-locked memory."""
    target = backend_for(where)
    return t if isinstance(t.array, target.array_type) else Move(target, backend_of(t.array), non_blocking).apply(t)


class Move(Unary):
    """The same elements on another device."""

    __slots__ = ("non_blocking", "source", "target")
    keeps = False

    def __init__(self, target: Any, source: Any, non_blocking: bool = False) -> None:
        self.target, self.source, self.non_blocking = target, source, non_blocking

    def apply(self, a: Tensor) -> Tensor:
        """As any unary op; the result's array class is the target's."""
        moved: Tensor = super().apply(a)
        host = self.source.to_numpy(a.array)
        later = self.non_blocking and self.target.is_pinned(host)
        moved.array = self.target.from_pinned(host) if later else self.target.from_numpy(host)
        return moved

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, gy: Tensor) -> Tensor:
        return Move(self.source, self.target).apply(gy)


def _rebuilt(cls: type[Tensor], array: Array, where: str, tracked: bool) -> Tensor:
    y = cls.__new__(cls)
    Variable.__init__(y, backend_for(where).from_numpy(array), tracked)
    return y


def _comparable(other: object) -> bool:
    return isinstance(other, (Variable, bool, int, float, complex, np.generic))


methods.hang_on(Tensor)
