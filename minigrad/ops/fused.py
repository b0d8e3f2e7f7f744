"""Fusion: relu(conv2d(x)), max_pool2d(relu(conv2d(x))) and relu(linear(x)) as one kernel, without anybody noticing.

Where the active backend says that it makes a sequence faster (`Backend.fuses`), conv2d and linear return a tensor whose
elements are *deferred*: it knows its shape and its place in the graph, and computes its elements when somebody looks. If relu or
max_pool2d comes first, the whole sequence runs in one kernel, and what lies between never exists.

Nobody can tell, because
- looking at `.array` computes, whoever looks, and a write to any tensor computes what is still deferred before;
- inputs on foreign memory (`from_numpy`), which NumPy could write to unseen, are copied for a deferred computation;
- the gradient of what lies between can still be asked for (hooks, retain_grad, autograd.grad): the fused op is then
  split, and differentiates in steps.
Off: `set_fusion(False)` or MINIGRAD_FUSION=0.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ref

from minigrad.autograd import engine
from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.autograd.graph import Duties, Op, Variable
from minigrad.ops import activation, conv, matmul, pool
from minigrad.ops.activation import Relu, ReluGrad
from minigrad.ops.base import Array, Grads, Nary, Tensor, backend_of, wrap
from minigrad.ops.conv import Conv2d
from minigrad.ops.matmul import Linear
from minigrad.ops.pool import MaxPool2d, MaxPool2dGrad
from minigrad.quiet import restore, silence
from minigrad.window import Window

_enabled = os.environ.get("MINIGRAD_FUSION", "1") != "0"


def set_fusion(enabled: bool) -> None:
    """Switch fusion on or off, for the whole process."""
    global _enabled
    _enabled = bool(enabled)


@contextmanager
def fusion(enabled: bool) -> Iterator[None]:
    """Switch fusion on or off for the length of a `with` block."""
    before = _enabled
    set_fusion(enabled)
    try:
        yield
    finally:
        set_fusion(before)


# ---------------------------------------------------------------------- deferred tensors


class Plan:
    """How a deferred tensor's elements will be computed, and on what."""

    __slots__ = ("arrays", "inputs", "op", "shape")

    def __init__(
        self, op: FusedOp, inputs: tuple[Any, ...], shape: tuple[int, ...], arrays: list[Array] | None = None
    ) -> None:
        self.op, self.inputs, self.shape = op, inputs, shape
        self.arrays = [_private(v) for v in inputs] if arrays is None else arrays

    def then(self, op: FusedOp, shape: tuple[int, ...]) -> Tensor:
        """A deferred tensor that another step makes of this one, computed on the same inputs."""
        op.absorbs = (self.op, *self.op.absorbs)
        y = deferred(op, self.inputs, shape, self.arrays)
        for inner in op.absorbs:
            inner.absorbed.append(ref(op))
        return y

    def compute(self) -> Array:
        """The elements; what backward needs beside them goes to the op."""
        token = silence()
        try:
            return self.op.forward(*self.arrays)
        finally:
            restore(token)


def _private(v: Any) -> Array:
    """An input's array; a copy of it if NumPy could write to it behind our back."""
    if v is None:
        return None
    return v.array.copy() if v.memory is not None and v.memory.foreign else v.array


_array: Any = vars(Variable)["array"]  # the slot; in a deferred tensor it holds the plan
_waiting: list[ref[Any]] = []
_MANY = 256  # deferred tensors, dead or alive, after which the dead are forgotten
_deferred_class: Any = None


def install(tensor_class: Any) -> None:
    """Make the class of deferred tensors: a Tensor whose `array` computes, once, and which then is an ordinary Tensor."""

    def look(self: Any) -> Array:
        plan = _array.__get__(self)
        array = plan.compute()
        self.array = array
        return array

    def settle(self: Any, array: Array) -> None:
        self.__class__ = tensor_class
        self.array = array

    def shape(self: Any) -> Any:
        return tensor_class.shape.fget.__globals__["Size"](_array.__get__(self).shape)

    global _deferred_class
    _deferred_class = type(
        tensor_class.__name__,
        (tensor_class,),
        {
            "__slots__": (),
            "array": property(look, settle),
            "shape": property(shape),
            "__module__": tensor_class.__module__,
        },
    )
    Duties.before_write = settle_all


def settle_all() -> None:
    """Compute everything that is still deferred."""
    while _waiting:
        y = _waiting.pop()()
        if y is not None and y.__class__ is _deferred_class:
            _ = y.array


def deferred(op: FusedOp, inputs: tuple[Any, ...], shape: tuple[int, ...], arrays: list[Array] | None = None) -> Tensor:
    """A tensor that `op` will compute from `inputs`, at its place in the graph already."""
    y = object.__new__(_deferred_class)
    _array.__set__(y, Plan(op, inputs, shape, arrays))
    y.tracked = False
    y.node = y.grad = y.memory = y.hooks = y.base = None
    if is_grad_enabled():
        for v in inputs:
            if v is not None and v.tracked:
                op.saved = None
                op.record(inputs, (y,))
                break
    _waiting.append(ref(y))
    if len(_waiting) > _MANY:
        _waiting[:] = [link for link in _waiting if link() is not None]
    return y


def plan_of(v: Any) -> Plan | None:
    """The plan of a tensor that is still deferred."""
    return _array.__get__(v) if v.__class__ is _deferred_class else None


def absorbable(v: Any) -> Plan | None:
    """The plan of a tensor that is still deferred, and whose own gradient nobody has asked for."""
    plan = plan_of(v)
    return None if plan is None or plan.op.exposed else plan


# ---------------------------------------------------------------------- the fused ops


class FusedOp(Nary):
    """A sequence in one kernel. `absorbs` are the ops it stands for, newest first; `absorbed` those that swallowed it."""

    __slots__ = ("__weakref__", "absorbed", "absorbs", "cut", "exposed", "relu")
    keeps_output = True

    def __init__(self, relu: bool) -> None:
        self.relu = relu
        self.exposed = False  # somebody wants this op's output's gradient
        self.absorbs: tuple[FusedOp, ...] = ()
        self.absorbed: list[ref[FusedOp]] = []
        self.cut: Any = None  # the inner op whose output's gradient is needed, once somebody asked

    def expose(self) -> None:
        """Somebody wants this op's output's gradient: ops that swallowed it must pass through it, and no more may."""
        self.exposed = True
        for link in self.absorbed:
            outer = link()
            if outer is not None:
                outer.split(self)

    def split(self, inner: FusedOp) -> None:
        """Differentiate only down to an inner op's output, and hand the gradient to it."""
        if getattr(self, "inputs", None) is None or (self.cut is not None and self.cut.order < inner.order):
            return  # freed, or cut nearer already
        self.cut = inner
        self.edges, self.needs = (inner,), (True,)

    def check_saved(self) -> None:
        """Refuse to differentiate with values that were overwritten, as ReLU does; or restore them."""
        memory, self.memory = self.memory, None
        super().check_saved()
        if memory is None or memory.stamp >= self.order or not self.relu:
            return
        self.memory = memory
        self.restore()

    def restore(self) -> None:
        """The output that backward reads was written to: an error, as for an op of its own."""
        super().check_saved()

    def unfused(self, *inputs: Any) -> Tensor:
        """The same with single, differentiable steps."""
        raise NotImplementedError

    def from_cut(self, gy: Tensor) -> Tensor:
        """The gradient of the cut op's output."""
        raise NotImplementedError

    def kernel_grads(self, gy: Array) -> tuple[Any, ...]:
        """The inputs' gradients by the backend's own words."""
        raise NotImplementedError

    def backward(self, gy: Tensor) -> Grads:
        """Split if somebody asked; by single steps if this is to be differentiated again; else the fused kernels."""
        if self.saved is None and self.relu:  # nobody has looked at the elements, yet a gradient came
            self.forward(*[None if v is None else v.array for v in self.inputs])
        if self.cut is not None:
            return self.from_cut(gy)
        if is_grad_enabled():
            wanted = [v for v, need in zip(self.inputs, self.needs, strict=True) if need]
            found = iter(engine.grad(self.unfused(*self.inputs), wanted, gy, create_graph=True))
            return tuple(next(found) if need else None for need in self.needs)
        token = silence()
        try:
            grads = self.kernel_grads(gy.array)
        finally:
            restore(token)
        return tuple([None if g is None else wrap(g) for g in grads])


class FusedConv2d(FusedOp):
    """conv2d, conv2d + relu, or conv2d + relu + max_pool2d."""

    __slots__ = ("groups", "pool", "window")

    @property
    def name(self) -> str:
        """The last step's name."""
        return "MaxPool2DWithIndices" if self.pool is not None else "Relu" if self.relu else "Convolution"

    def __init__(self, window: Window, groups: int, relu: bool = False, pool: Window | None = None) -> None:
        super().__init__(relu)
        self.window, self.groups, self.pool = window, groups, pool

    def forward(self, x: Array, w: Array, b: Array | None) -> Array:
        backend = backend_of(x)
        if self.pool is not None:
            if getattr(self, "inputs", None) is None:  # not in the graph
                return backend.conv2d_relu_max_pool2d_value(x, w, b, self.window, self.groups, self.pool)
            y, winners = backend.conv2d_relu_max_pool2d(x, w, b, self.window, self.groups, self.pool)
            self.saved = (y, winners)
            return y
        if not self.relu:
            return backend.conv2d(x, w, b, self.window, self.groups)
        self.saved = y = backend.conv2d_relu(x, w, b, self.window, self.groups)
        return y

    def restore(self) -> None:
        """Only the fused kernel reads what was pooled, the single op does not: there it may be written to, so here too."""
        if self.pool is None:
            super().restore()
        self.forward(*[None if v is None else v.array for v in self.inputs])
        self.memory = None

    def kernel_grads(self, gy: Array) -> tuple[Any, ...]:
        (x, w, _), backend, needs = self.inputs, backend_of(gy), (self.needs[0], self.needs[1], self.needs[2])
        if self.pool is not None:
            y, winners = self.saved
            return backend.conv2d_relu_max_pool2d_grad(
                gy, y, winners, x.array, w.array, self.window, self.groups, self.pool, needs
            )
        if self.relu:
            gy = backend.relu_grad(gy, self.saved)
        return (
            backend.conv2d_input_grad(gy, w.array, x.array.shape, self.window, self.groups) if needs[0] else None,
            backend.conv2d_weight_grad(gy, x.array, w.array.shape, self.window, self.groups) if needs[1] else None,
            backend.conv2d_bias_grad(gy) if needs[2] else None,
        )

    def unfused(self, *inputs: Any) -> Tensor:
        y = Conv2d(self.window, self.groups).apply(*inputs)
        if self.relu:
            y = Relu().apply(y)
        return y if self.pool is None else MaxPool2d(self.pool).apply(y)[0]

    def from_cut(self, gy: Tensor) -> Tensor:
        if self.pool is None:
            return ReluGrad().apply(gy, self.output())
        x, w, b = (None if v is None else v.array for v in self.inputs)
        backend = backend_of(x)
        before = backend.conv2d_relu(x, w, b, self.window, self.groups)
        y, indices = backend.max_pool2d(before, self.pool)
        if not self.cut.relu:
            gy = ReluGrad().apply(gy, wrap(y))
        return MaxPool2dGrad(indices, before.shape).apply(gy)


class FusedLinear(FusedOp):
    """linear, or linear + relu."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The last step's name."""
        return "Relu" if self.relu else "Addmm"

    def forward(self, x: Array, w: Array, b: Array | None) -> Array:
        if not self.relu:
            return backend_of(x).linear(x, w, b)
        self.saved = y = backend_of(x).linear_relu(x, w, b)
        return y

    def kernel_grads(self, gy: Array) -> tuple[Any, ...]:
        x, w, _ = self.inputs
        needs = (self.needs[0], self.needs[1], self.needs[2])
        return backend_of(gy).linear_grads(gy, x.array, w.array, self.saved if self.relu else None, needs)

    def unfused(self, *inputs: Any) -> Tensor:
        y = Linear().apply(*inputs)
        return Relu().apply(y) if self.relu else y

    def from_cut(self, gy: Tensor) -> Tensor:
        return ReluGrad().apply(gy, self.output())


# ---------------------------------------------------------------------- the doors


class _Conv2d(Conv2d):
    """Conv2d, deferred where that may pay."""

    __slots__ = ()

    def apply(self, *inputs: Any) -> Any:
        x = inputs[0].array
        if not _enabled or "conv2d_relu" not in backend_of(x).fuses or x.dtype.kind != "f":
            return super().apply(*inputs)
        shape = (len(x), len(inputs[1].array), *self.window.out_size(*x.shape[2:]))
        return deferred(FusedConv2d(self.window, self.groups), inputs, shape)


class _Linear(Linear):
    """Linear, deferred where that may pay."""

    __slots__ = ()

    def apply(self, *inputs: Any) -> Any:
        x = inputs[0].array
        if not _enabled or "linear_relu" not in backend_of(x).fuses or x.dtype.kind != "f":
            return super().apply(*inputs)
        return deferred(FusedLinear(False), inputs, (len(x), len(inputs[1].array)))


def relu(input: Tensor) -> Tensor:
    """max(input, 0)"""
    plan = absorbable(input)
    if plan is not None and not plan.op.relu:
        op = plan.op
        after = FusedLinear(True) if isinstance(op, FusedLinear) else FusedConv2d(op.window, op.groups, True)  # type: ignore[attr-defined]
        return plan.then(after, plan.shape)
    return activation.relu(input)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    plan = None if return_indices else absorbable(input)
    if plan is not None and _poolable(plan):
        window = pool.checked_window("max_pool2d", plan.shape, kernel_size, stride, padding, dilation, ceil_mode)
        if not window.can_miss(*plan.shape[2:]):
            op = FusedConv2d(plan.op.window, plan.op.groups, True, window)  # type: ignore[attr-defined]
            return plan.then(op, (*plan.shape[:2], *window.out_size(*plan.shape[2:])))
    return pool.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _poolable(plan: Plan) -> bool:
    """Whether a plan is conv2d + relu, and the backend can go on with a pool."""
    op = plan.op
    return (
        isinstance(op, FusedConv2d)
        and op.relu
        and op.pool is None
        and "conv2d_relu_max_pool2d" in backend_of(plan.arrays[0]).fuses
    )


max_pool2d.__doc__ = pool.max_pool2d.__doc__
conv.default_op = _Conv2d
matmul.default_linear = _Linear
conv2d, linear = conv.conv2d, matmul.linear

__all__ = ["Op", "conv2d", "fusion", "install", "linear", "max_pool2d", "relu", "set_fusion"]
