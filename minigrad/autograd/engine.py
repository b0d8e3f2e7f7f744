"""Reverse mode: walk the graph from its results to its leaves, newest op first.

Source: Griewank and Walther, "Evaluating Derivatives" (2008), chapter 3. The walk needs no sorting
pass: an op is always newer than the ops it depends on, so a heap by age is a topological order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any

from minigrad.autograd.grad_mode import set_grad_enabled
from minigrad.autograd.graph import Clock, Op, Port, Variable
from minigrad.errors import GraphError, ShapeError
from minigrad.quiet import restore, silence

Sink = Callable[[Variable, Any, bool], None]


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add d tensors / d leaf to every leaf's `.grad` (only to those of `inputs`, if given).

    Raises:
        GraphError: if a tensor has no graph, is not a scalar and has no gradient given, or if the graph was freed.
        ShapeError: if a given gradient has another shape than its tensor.
    """
    roots = _listed(tensors)
    grads = [None] * len(roots) if grad_tensors is None else _listed(grad_tensors)
    keep = create_graph if retain_graph is None else retain_graph
    seeds = _seeds(roots, grads)
    if inputs is None:
        _walk(seeds, keep, create_graph, _accumulate)
        return
    wanted = _listed(inputs)
    if not wanted:
        raise GraphError("'inputs' argument to 'backward()' cannot be empty.")
    for v, g in zip(wanted, _collect(seeds, wanted, keep, create_graph), strict=True):
        if g is not None:
            _accumulate(v, g, create_graph, fresh=False)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Compute d outputs / d inputs, without touching any `.grad`: one gradient per input. `only_inputs` has no effect, as in PyTorch.

    Raises:
        GraphError: as backward(), and if an input takes no part in the outputs and `allow_unused` is not set.
    """
    if is_grads_batched:
        raise NotImplementedError("grad(): is_grads_batched=True is not supported: call grad() once per gradient")
    roots, wanted = _listed(outputs), _listed(inputs)
    if not wanted:
        raise ValueError("grad requires non-empty inputs.")
    grads = [None] * len(roots) if grad_outputs is None else _listed(grad_outputs)
    for i, v in enumerate(wanted):
        if not v.tracked:
            raise GraphError(
                f"One of the differentiated Tensors does not require grad: grad() input {i} of shape {tuple(v.array.shape)}"
            )
    keep = create_graph if retain_graph is None else retain_graph
    found = _collect(_seeds(roots, grads), wanted, keep, create_graph)
    for i, (v, g) in enumerate(zip(wanted, found, strict=True)):
        if g is None and materialize_grads:
            found[i] = v.new_zeros(v.array.shape)
        elif g is None and not allow_unused:
            raise GraphError(
                f"One of the differentiated Tensors appears to not have been used in the graph: input {i} of grad(). "
                "Set allow_unused=True if this is the desired behavior."
            )
    return tuple(found)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, Variable) else [value]


def _seeds(roots: list[Any], grads: list[Any]) -> list[tuple[Variable, Any]]:
    """Pair every root with the gradient that the walk starts from."""
    if len(roots) != len(grads):
        raise GraphError(f"got {len(roots)} tensors and {len(grads)} gradients")
    seeds = []
    for i, (root, g) in enumerate(zip(roots, grads, strict=True)):
        if not root.tracked:
            raise GraphError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        if g is None:
            if root.array.size != 1:
                raise GraphError(
                    f"grad can be implicitly created only for scalar outputs, but element {i} has shape {tuple(root.array.shape)}"
                )
            g = root.new_ones(root.array.shape)
        elif g.array.shape != root.array.shape:
            raise ShapeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {list(g.array.shape)} "
                f"and output[{i}] has a shape of {list(root.array.shape)}."
            )
        seeds.append((root, g))
    return seeds


def _walk(
    seeds: list[tuple[Variable, Any]],
    keep: bool,
    create_graph: bool,
    sink: Any,
    only: set[Any] | None = None,
    seen: Callable[[Any, Any], None] | None = None,
) -> None:
    """Run every op's backward once, when all gradients of its output are there.

    Leaf gradients go to `sink(leaf, g, create_graph, fresh)`; `seen(node, g)` hears of every node; `only` restricts the walk.
    """
    pending: dict[int, Any] = {}  # a node's age -> the gradient gathered so far
    heap: list[tuple[int, Any]] = []
    owned: set[int] = set()  # ages whose gradient is a sum made here, so it may be added to in place
    hooked: dict[Variable, Any] = {}  # leaves with hooks hear the whole sum, once

    def send(edge: Any, g: Any, fresh: bool) -> None:
        order = edge.order
        if only is not None and edge not in only:
            return
        if not order:
            if edge.hooks:
                hooked[edge] = hooked[edge] + g if edge in hooked else g
            else:
                sink(edge, g, create_graph, fresh)
            return
        if order not in pending:
            pending[order] = g
            heappush(heap, (order, edge))
            return
        before = pending[order]
        if order in owned and before.array.dtype == g.array.dtype:
            before.array += g.array
        else:
            pending[order] = before + g
            if not create_graph:
                owned.add(order)

    token = silence()  # sums of gradients may overflow, without a word as in PyTorch
    try:
        with set_grad_enabled(create_graph):
            for root, g in seeds:
                send(root if root.node is None else root.node, g, False)
            while heap:
                order, node = heappop(heap)
                gy = pending.pop(order)
                if node.hooks:
                    gy = run_hooks(node.hooks, gy)
                if seen is not None:
                    seen(node, gy)
                if only is not None and _ends_here(node, only):
                    continue
                if node.__class__ is Port:
                    op = node.op
                    if op.order not in pending:
                        pending[op.order] = [None] * node.outputs
                        heappush(heap, (op.order, op))
                    pending[op.order][node.index] = gy
                    continue
                if node.inputs is None:
                    node.check_alive()
                if order > Clock.last_write:
                    node.check_saved()
                if only is None and gy.__class__ is not list:
                    gxs = node.backward(gy)
                else:
                    gxs = _differentiate(node, gy, only)
                if not keep and (node.inputs or node.saved is not None):
                    node.release()
                if gxs.__class__ is not tuple:
                    gxs = (gxs,)
                if node.shapes is not None:
                    gxs = [
                        g if g is None or g is False or g.array.shape == s else g.sum_to_size(s)
                        for g, s in zip(gxs, node.shapes, strict=True)
                    ]
                if Clock.anomaly:
                    _check_nan(node, gxs)
                for edge, g in zip(node.edges, gxs, strict=True):
                    if edge is None or g is None or g is False:
                        continue
                    order = edge.order
                    if order and only is None and order not in pending:
                        pending[order] = g  # the usual case, kept out of a function call
                        heappush(heap, (order, edge))
                    else:
                        send(edge, g, not order and node.fresh and _unshared(g, gy, gxs))
            for leaf, g in hooked.items():
                sink(leaf, run_hooks(leaf.hooks, g), create_graph, False)
                if sink is _accumulate:
                    for hook in list((leaf.hooks or {}).values()):
                        if hook.__class__ is AfterAccumulating:
                            hook.hook(leaf)
    finally:
        restore(token)


def _ends_here(node: Any, only: set[Any]) -> bool:
    """Whether a node is wanted for its own gradient alone."""
    return node.op not in only if node.__class__ is Port else not any(e in only for e in node.edges)


def _differentiate(node: Op, gy: Any, only: set[Any] | None) -> Any:
    """Call an op's backward; with `only`, ask for no gradient that leads elsewhere."""
    if only is None or len(node.edges) == 1:
        return node.backward(*gy) if gy.__class__ is list else node.backward(gy)
    before = node.needs
    node.needs = tuple([n and e in only for n, e in zip(before, node.edges, strict=True)])
    try:
        return node.backward(*gy) if gy.__class__ is list else node.backward(gy)
    finally:
        node.needs = before


def _unshared(g: Any, gy: Any, gxs: Any) -> bool:
    """Whether nobody else holds this gradient's memory."""
    array = g.array
    if getattr(array, "base", None).__class__ is array.__class__:
        return False  # a view of something
    if gy.__class__ is not list and array is gy.array:
        return False
    times = 0
    for other in gxs:
        times += other is g
    return times == 1


def _accumulate(leaf: Variable, g: Any, create_graph: bool, fresh: bool) -> None:
    """Add a gradient to a leaf's `.grad`: in place, unless the sum itself is to be differentiated."""
    if leaf.grad is None:
        leaf.grad = g if fresh or create_graph else g.clone()
    elif create_graph:
        leaf.grad = leaf.grad + g
    else:
        leaf.grad.array += g.array
        if leaf.grad.memory is not None:
            leaf.grad.memory.written("backward")


def _collect(seeds: list[tuple[Variable, Any]], wanted: list[Any], keep: bool, create_graph: bool) -> list[Any]:
    """The gradients of `wanted`, leaves or not, computing nothing that leads nowhere near them."""
    places = {v if v.node is None else v.node: None for v in wanted}
    for node in places:
        if node.order:
            node.expose()
    found: dict[Any, Any] = {}

    def leaf(v: Variable, g: Any, create_graph: bool, fresh: bool) -> None:
        found[v] = found[v] + g if v in found else g if fresh or create_graph else g.clone()

    def inner(node: Any, g: Any) -> None:
        if node in places:
            found[node] = g

    _walk(seeds, keep, create_graph, leaf, only=_leading_to(seeds, places), seen=inner)
    return [found.get(v if v.node is None else v.node) for v in wanted]


def _leading_to(seeds: list[tuple[Variable, Any]], places: dict[Any, None]) -> set[Any]:
    """The nodes from which one of `places` can be reached, oldest first so that each asks its edges once."""
    nodes: dict[Any, tuple[Any, ...]] = {}
    stack: list[Any] = [root if root.node is None else root.node for root, _ in seeds]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes[node] = () if isinstance(node, Variable) else (node.op,) if isinstance(node, Port) else node.edges
            stack.extend(e for e in nodes[node] if e is not None)
    useful = {node for node in nodes if node in places}
    for node in sorted((n for n in nodes if not isinstance(n, Variable)), key=lambda n: -n.order):
        if any(e in useful for e in nodes[node]):
            useful.add(node)
    return useful


class AfterAccumulating:
    """A hook that is told of a leaf once its `.grad` is complete, not of the gradient on its way."""

    __slots__ = ("hook",)

    def __init__(self, hook: Callable[[Any], Any]) -> None:
        self.hook = hook

    def __call__(self, g: Any) -> Any:
        """Nothing is changed on the way."""


def run_hooks(hooks: dict[int, Callable[[Any], Any]] | None, g: Any) -> Any:
    """Let each hook look at a gradient, and replace it if it returns one."""
    for hook in list((hooks or {}).values()):
        if hook.__class__ is AfterAccumulating:
            continue
        replaced = hook(g)
        if replaced is not None:
            g = replaced
    return g


def _check_nan(node: Op, gxs: Any) -> None:
    for i, g in enumerate(gxs):
        if isinstance(g, Variable) and bool((g.array != g.array).any()):
            where = getattr(node, "where", "  (recorded before anomaly detection was on)\n")
            raise GraphError(
                f"Function '{node.name}Backward0' returned nan values in its {i}th output. "
                f"The forward call that made it:\n{where}"
            )
