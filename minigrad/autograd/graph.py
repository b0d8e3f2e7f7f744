"""The recorded graph: Variables, the Ops that made them, and what mutation does to both.

Nothing here knows any particular operation or array library. A Variable is an array that remembers
the op that made it (`node`); an Op remembers where each input came from (`edges`). Arrows point
backwards only, never forwards, so there are no reference cycles and a graph dies with its last result.

Time is one counter that runs downwards: an op gets the next number when it is recorded, a shared
memory gets one when it is written to. So "newest first" is an order in which every op comes before
those it depends on, and "was this saved array modified after the op had saved it?" is one comparison.
"""

from __future__ import annotations

import sys
import traceback
import weakref
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.errors import GraphError

Array = Any
Grads = Any  # what Op.backward returns: a Variable or None per input, or the only one without a tuple

stamp = count(-1, -1).__next__


class Clock:
    """When anything was last modified in place, and whether anomaly mode is on."""

    last_write = 0  # older than everything
    anomaly = False


def no_duty() -> None:
    """Nothing is put off."""


class Duties:
    """What must be done before anything is written in place: fusion computes here what it has put off."""

    before_write: Callable[[], None] = no_duty


class Memory:
    """What Variables that share memory also share: when, how often and where it was written to."""

    __slots__ = ("foreign", "stamp", "version", "views", "where")

    def __init__(self) -> None:
        self.stamp = 0
        self.version = 0
        self.where = ""
        self.foreign = False  # somebody else may write here unseen
        self.views: list[weakref.ref[Variable]] | None = None

    def add_view(self, view: Variable) -> None:
        """Remember a view, as long as it lives."""
        views = self.views
        if views is None:
            views = self.views = []
        elif len(views) & (len(views) - 1) == 0 and len(views) >= 32:  # at every doubling, forget those that are gone
            views = self.views = [v for v in views if v() is not None]
        views.append(weakref.ref(view))

    def written(self, name: str) -> None:
        """Note a modification, and the user's line that made it."""
        self.stamp = Clock.last_write = stamp()
        self.version += 1
        self.where = f"{name}() at {user_line()}"


class Variable:
    """An array that can be differentiated. `Tensor` adds the operations as its methods."""

    __slots__ = ("__weakref__", "array", "base", "grad", "hooks", "memory", "node", "replay", "tracked")

    array: Array
    tracked: bool  # whether a gradient flows through here
    node: Any  # the Op (or Port of an Op) that made it; None for a leaf
    grad: Any
    memory: Memory | None  # only once memory is shared or modified
    hooks: dict[int, Callable[[Any], Any]] | None  # of a leaf; other hooks hang on the node
    base: Variable | None  # whose memory a view shows,
    replay: Any  # and the view operations that lead there: (those before or None, class of op, its arguments)

    result_class: ClassVar[type[Variable]]
    order: ClassVar[int] = 0  # a leaf is older than every op

    def __init__(self, array: Array, tracked: bool = False) -> None:
        self.array = array
        self.tracked = tracked
        self.node = None
        self.grad = None
        self.memory = None
        self.hooks = None
        self.base = None
        self.replay = None

    if TYPE_CHECKING:  # operations are hung on in tensor.py, where no checker sees them

        def __getattr__(self, name: str) -> Any: ...

    def shared_memory(self) -> Memory:
        """The record of writes to this array, made when first needed."""
        if self.memory is None:
            self.memory = Memory()
            if self.node is not None and self.node.keeps_output:
                self.node.memory = self.memory
        return self.memory

    def alias(self) -> Variable:
        """Another Variable at the same place of the graph, on the same memory."""
        other = self.result_class.__new__(self.result_class)
        Variable.__init__(other, self.array, self.tracked)
        other.node = self.node
        other.memory = self.shared_memory()
        return other


Variable.result_class = Variable


class Op:
    """One recorded operation: how it is computed, and how it is differentiated.

    Subclasses say `forward(*arrays)` and `backward(gy)`. backward takes and returns Variables and is written with
    operations, so that it can be recorded and differentiated again. In it:
    `self.needs[i]` says whether input i wants a gradient; `self.inputs` are the inputs, if `keeps` says so;
    `self.output()` is the result, if `keeps_output`; `self.saved` is anything else, freed with the graph.
    """

    __slots__ = ("edges", "hooks", "inputs", "memory", "needs", "order", "saved", "shapes", "shown", "where")

    keeps: ClassVar[bool] = True  # backward reads the inputs
    keeps_output: ClassVar[bool] = False  # backward reads the output
    fresh: ClassVar[bool] = True  # backward's results are new arrays, or the incoming gradient itself
    outputs: ClassVar[int] = 1
    torch_name: ClassVar[str] = ""
    titles: ClassVar[dict[str, Any]] = {}  # by name: what a graph shows, or a function of the op that says it

    inputs: Any  # Variables and plain numbers; None once freed
    edges: tuple[Any, ...]  # per input: the node that made it, the leaf itself, or None
    needs: tuple[bool, ...]
    shapes: tuple[Any, ...] | None  # the inputs' shapes, where broadcasting made the output's another
    order: int
    saved: Any
    hooks: dict[int, Callable[[Any], Any]] | None
    memory: Memory | None  # the output's, where the output is kept
    shown: str  # what a graph shows, where the op was told; unset otherwise
    where: str

    def forward(self, *arrays: Array) -> Array:
        """Compute the output from arrays."""
        raise NotImplementedError

    def backward(self, *gys: Any) -> Grads:
        """Compute the inputs' gradients from the output's."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """What messages call this op: PyTorch's name for it where that is another."""
        return self.torch_name or type(self).__name__

    @property
    def title(self) -> str:
        """What is shown of this op as a tensor's grad_fn."""
        title = getattr(self, "shown", None) or self.titles.get(self.name, f"{self.name}Backward0")
        return title if isinstance(title, str) else str(title(self))

    def record(self, inputs: tuple[Any, ...], results: tuple[Variable, ...]) -> None:
        """Put this op into the graph between its inputs and results.

        inputs may hold plain numbers; saved values must be set before.
        """
        self.order = stamp()
        self.hooks = self.memory = self.shapes = None
        edges = [(v if v.node is None else v.node) if isinstance(v, Variable) and v.tracked else None for v in inputs]
        self.edges = tuple(edges)
        self.needs = tuple([edge is not None for edge in edges])
        self.inputs = inputs if self.keeps else ()
        if Clock.anomaly:
            self.where = user_stack()
        if len(results) == 1 and self.outputs == 1:
            results[0].node = self
            results[0].tracked = True
        else:
            for index, result in enumerate(results):
                result.node = Port(self, index, len(results))
                result.tracked = True

    def output(self, cls: type[Variable] | None = None) -> Any:
        """The result that was kept in `saved`, at its place in the graph."""
        cls = cls or Variable.result_class
        y: Any = object.__new__(cls)
        y.array = self.saved
        y.tracked = True
        y.node = self
        y.grad = y.memory = y.hooks = y.base = None
        return y

    def expose(self) -> None:
        """Somebody will ask for this op's output's gradient; for ops that do not always have it."""

    def check_saved(self) -> None:
        """Refuse to differentiate with values that were overwritten since they were saved."""
        for v in self.inputs:
            if isinstance(v, Variable) and v.memory is not None and v.memory.stamp < self.order:
                raise self._stale(v.memory)
        if self.memory is not None and self.memory.stamp < self.order:
            raise self._stale(self.memory)

    def _stale(self, memory: Memory) -> GraphError:
        return GraphError(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"{self.name} had saved a value that is at version {memory.version} now; it was modified by {memory.where}. "
            "Hint: enable anomaly detection to find the operation that failed to compute its gradient, "
            "with minigrad.autograd.set_detect_anomaly(True)."
        )

    def check_alive(self) -> None:
        """Refuse to differentiate through a part of the graph that is gone."""
        if self.inputs is None:
            raise GraphError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have "
                f"already been freed): {self.name} has freed its saved values when backward() ran first. "
                "Specify retain_graph=True if you need to backward through the graph a second time."
            )

    def release(self) -> None:
        """Let go of what backward read; the edges stay."""
        if self.inputs or self.saved is not None:
            self.inputs = None
            self.saved = None

    def __repr__(self) -> str:
        return f"<{self.title} object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """PyTorch's name for the edges: (node, output number) per differentiable input."""
        pairs: list[tuple[Any, int]] = []
        for edge in self.edges:
            if isinstance(edge, Port):
                pairs.append((edge.op, edge.index))
            elif isinstance(edge, Variable):
                pairs.append((AccumulateGrad(edge), 0))
            else:
                pairs.append((edge, 0))
        return tuple(pairs)


class AccumulateGrad:
    """A leaf, as walks over `next_functions` see it; the graph itself holds the leaf."""

    __slots__ = ("variable",)
    next_functions = ()
    order = 0

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self.variable):#x}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return hash(id(self.variable))


class Port:
    """One output of an op that has several: collects that output's gradient for the op."""

    __slots__ = ("hooks", "index", "op", "order", "outputs")

    keeps_output = False

    def __init__(self, op: Op, index: int, outputs: int) -> None:
        self.op = op
        self.index = index
        self.outputs = outputs
        self.order = stamp()
        self.hooks: dict[int, Callable[[Any], Any]] | None = None

    def __repr__(self) -> str:
        return repr(self.op)

    def expose(self) -> None:
        """As an op's."""

    @property
    def name(self) -> str:
        """The op's name."""
        return self.op.name

    @property
    def title(self) -> str:
        """As the op's."""
        return self.op.title

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The op's edges."""
        return self.op.next_functions


def recording(*inputs: Any) -> bool:
    """Whether an operation on these inputs goes into the graph."""
    return is_grad_enabled() and any(v.tracked for v in inputs if isinstance(v, Variable))


_HERE = __file__.rsplit("autograd", 1)[0]


def user_line() -> str:
    """`file:line` of the innermost frame outside this package."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def user_stack() -> str:
    """The traceback of the present line, without the frames of this package."""
    frames = [f for f in traceback.extract_stack() if not f.filename.startswith(_HERE)]
    return "".join(traceback.format_list(frames))
