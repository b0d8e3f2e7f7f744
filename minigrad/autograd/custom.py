"""Function: an operation that a user defines, forward and backward, as PyTorch's users write it.

class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gy):
        (x,) = ctx.saved_tensors
        return 2 * x * gy

y = Square.apply(x)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from minigrad.autograd.grad_mode import is_grad_enabled, no_grad
from minigrad.autograd.graph import Op, Port, Variable, recording
from minigrad.errors import GraphError, ShapeError


class Context(Op):
    """What a Function's forward leaves for its backward; also its node in the graph."""

    fresh = False  # a user's backward may return anything, so its results are copied before they are kept

    def __init__(self, function: type[Function]) -> None:
        self.function = function
        self.materialize_grads = True
        self.saved: Any = ()
        self.inputs: Any = ()
        self.dirty: tuple[Variable, ...] = ()
        self.without_grad: tuple[Variable, ...] = ()
        self.needs: tuple[bool, ...] = ()
        self.input_shapes: tuple[Any, ...] = ()
        self.output_shapes: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """The user's class."""
        return self.function.__name__

    @property
    def title(self) -> str:
        """As PyTorch's, without a number."""
        return f"{self.name}Backward"

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """Per argument of forward, whether it wants a gradient."""
        return self.needs

    def save_for_backward(self, *tensors: Variable | None) -> None:
        """Keep tensors for backward; writing to them in between is an error there."""
        self.saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What save_for_backward was given."""
        if self.saved is None:
            self.check_alive()
        return tuple(s.restored(self) if isinstance(s, SavedOutput) else s for s in self.saved)

    def adopt(self, y: Any, args: tuple[Any, ...]) -> Any:
        """The Variable that stands for an output of forward: a new one where forward hands an input through."""
        if not isinstance(y, Variable) or any(y is d for d in self.dirty):
            return y
        if y.tracked or y.node is not None or any(y is a for a in args):
            y = y.alias()
            y.node, y.tracked = None, False
        return y

    def record_call(self, args: tuple[Any, ...], results: list[Any]) -> None:
        """Put the call into the graph; outputs that were saved must not point back at it."""
        self.input_shapes = tuple(a.array.shape if isinstance(a, Variable) else None for a in args)
        self.output_shapes = tuple(y.array.shape if isinstance(y, Variable) else () for y in results)
        self.record(tuple(a.alias() if any(a is d for d in self.dirty) else a for a in args), ())
        self.inputs = ()
        saved = list(self.saved)
        for index, y in enumerate(results):
            if not isinstance(y, Variable) or y.array.dtype.kind not in "fcV" or any(y is n for n in self.without_grad):
                continue
            y.node = self if len(results) == 1 else Port(self, index, len(results))
            y.tracked = True
            saved = [SavedOutput(y, len(results) > 1 and index) if s is y else s for s in saved]
        self.saved = tuple(saved)

    def mark_dirty(self, *tensors: Variable) -> None:
        """Say which inputs forward has written to."""
        self.dirty = tensors
        for t in tensors:
            t.shared_memory().written(self.name)

    def mark_non_differentiable(self, *tensors: Variable) -> None:
        """Say which outputs have no gradient."""
        self.without_grad = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward sees zeros (True) or None for outputs that got no gradient."""
        self.materialize_grads = value

    def check_saved(self) -> None:
        """As for any op; what a user saves is a list of its own."""
        for v in self.saved or ():
            if isinstance(v, Variable | SavedOutput) and v.memory is not None and v.memory.stamp < self.order:
                raise self._stale(v.memory)

    def release(self) -> None:
        """Let go of the saved tensors."""
        if self.saved:
            self.inputs = self.saved = None

    def backward(self, *gys: Any) -> Any:
        """Call the user's backward and check what it returns."""
        if self.materialize_grads and any(g is None for g in gys):
            like = next(g for g in gys if g is not None)
            gys = tuple(like.new_zeros(s) if g is None else g for g, s in zip(gys, self.output_shapes, strict=True))
        returned = self.function.backward(self, *gys)
        grads = returned if isinstance(returned, tuple) else (returned,)
        while len(grads) > len(self.needs) and grads[-1] is None:
            grads = grads[:-1]
        if len(grads) != len(self.needs):
            raise GraphError(
                f"function {self.name}Backward returned an incorrect number of gradients "
                f"(expected {len(self.needs)}, got {len(grads)})"
            )
        checked: list[Any] = []
        for i, (g, need, shape) in enumerate(zip(grads, self.needs, self.input_shapes, strict=True)):
            if g is None or not need:
                checked.append(None)
                continue
            if not isinstance(g, Variable):
                raise TypeError(
                    f"function {self.name}Backward returned {type(g).__name__} at index {i}: expected a Tensor or None"
                )
            if g.array.shape != shape:
                try:
                    g = g.sum_to_size(shape)
                except ShapeError:
                    raise GraphError(
                        f"Function {self.name}Backward returned an invalid gradient at index {i} - "
                        f"got {list(g.array.shape)} but expected shape compatible with {list(shape)}"
                    ) from None
            checked.append(g)
        return tuple(checked)


class SavedOutput:
    """An output of forward that was saved: its array, without the arrow back to its own node."""

    def __init__(self, y: Variable, index: int) -> None:
        self.array, self.cls, self.memory, self.index = y.array, y.result_class, y.shared_memory(), index

    def restored(self, node: Context) -> Variable:
        """The output, at its place in the graph again."""
        y = self.cls.__new__(self.cls)
        Variable.__init__(y, self.array, True)
        y.memory = self.memory
        y.node = node if self.index is False else Port(node, self.index, len(node.output_shapes))
        return y


class Function:
    """Base of user-defined operations: static `forward(ctx, *args)` and `backward(ctx, *grads)`, called by `apply`."""

    generate_vmap_rule: ClassVar[bool] = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; `ctx` first, unless setup_context is defined."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save what backward needs, for a forward that takes no ctx."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Compute one gradient per argument of forward, None where there is none."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward and record it."""
        ctx = Context(cls)
        ctx.needs = tuple(isinstance(a, Variable) and a.tracked for a in args)
        split = cls.setup_context is not Function.setup_context
        with no_grad():
            if split:
                returned = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, returned)
            else:
                returned = cls.forward(ctx, *args, **kwargs)
        several = isinstance(returned, tuple)
        outputs = returned if several else (returned,)
        if not (is_grad_enabled() and any(ctx.needs)):
            return returned
        results = [ctx.adopt(y, args) for y in outputs]
        ctx.record_call(args, results)
        return tuple(results) if several else results[0]


class Once(Op):
    """Stands behind gradients that must not be differentiated again."""

    __slots__ = ()
    keeps = False

    def backward(self, *gys: Any) -> Any:
        """Refuse."""
        raise GraphError("trying to differentiate twice a function that was marked with @once_differentiable")


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a backward that is not written with differentiable operations: a second derivative is refused."""

    @wraps(backward)
    def wrapped(ctx: Any, *gys: Any) -> Any:
        with no_grad():
            returned = backward(ctx, *gys)
        if not recording(*gys):
            return returned
        grads = []
        for g in returned if isinstance(returned, tuple) else (returned,):
            if isinstance(g, Variable):
                node, g = Once(), g.alias()
                node.saved = None
                node.record(gys, (g,))
            grads.append(g)
        return tuple(grads)

    return wrapped
