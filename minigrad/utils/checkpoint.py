"""Trading time for memory: run a part of a network again during backward instead of keeping what it computed.

Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from minigrad.autograd.engine import grad
from minigrad.autograd.grad_mode import enable_grad, is_grad_enabled
from minigrad.autograd.graph import Op, Port, Variable, stamp
from minigrad.errors import GraphError
from minigrad.func import flatten, unflatten
from minigrad.random import fork_rng, get_rng_state, set_rng_state

Tensor = Any


class Checkpoint(Op):
    """A call that is repeated during backward. Its inputs are the tensors among the arguments and the leaves it uses."""

    __slots__ = ("call", "leaves", "state")

    keeps = False
    fresh = False

    def __init__(self, call: Callable[[], tuple[list[Tensor], list[Tensor]]], leaves: list[Tensor], state: Any) -> None:
        self.call, self.leaves, self.state = call, leaves, state
        self.saved = True  # freed with the graph

    @property
    def name(self) -> str:
        """What messages call this op."""
        return "Checkpoint"

    def backward(self, *gys: Any) -> Any:
        """Run the call again, recorded this time, and differentiate it."""
        if is_grad_enabled():
            raise GraphError(
                "checkpoint() cannot be differentiated twice: leave it out where create_graph=True is needed"
            )
        with fork_rng() if self.state is not None else nullcontext():
            if self.state is not None:
                set_rng_state(self.state)
            with enable_grad():
                stand_ins, outputs = self.call()
        pairs = [(y, g) for y, g in zip(outputs, gys, strict=True) if y.tracked and g is not None]
        wanted = stand_ins + self.leaves
        tracked = [v for v in wanted if v is not None and v.tracked]
        found = iter(grad([y for y, _ in pairs], tracked, [g for _, g in pairs], allow_unused=True))
        return tuple(next(found) if v is not None and v.tracked else None for v in wanted)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Any = None,
    determinism_check: str = "default",
    preserve_rng_state: bool = True,
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), whose intermediate results are thrown away and computed again in backward.

    Random numbers are the same the second time, unless preserve_rng_state is switched off. Gradients flow to the arguments
    and to all leaves that the function uses, such as a module's parameters. `use_reentrant` makes no difference here.

    Raises:
        GraphError: if the function uses a tensor that is neither an argument nor a leaf but requires grad.
    """
    if not is_grad_enabled():
        return function(*args, **kwargs)
    tensors, spec = flatten([args, kwargs])
    state = get_rng_state() if preserve_rng_state else None

    def call() -> tuple[list[Any], Any]:
        stand_ins = [v.detach().requires_grad_(v.tracked) if isinstance(v, Variable) else None for v in tensors]
        values = [v if s is None else s for v, s in zip(tensors, stand_ins, strict=True)]
        positional, named = unflatten(iter(values), spec)
        return stand_ins, function(*positional, **named)

    since = stamp()
    stand_ins, result = call()
    outputs, out_spec = flatten(result)
    recorded = [y for y in outputs if isinstance(y, Variable) and y.tracked]
    if not recorded:
        return result
    leaves = _leaves(recorded, since, [s for s in stand_ins if s is not None])
    places = [i for i, y in enumerate(outputs) if isinstance(y, Variable) and y.tracked]

    def again() -> tuple[list[Any], list[Any]]:
        second, value = call()
        flat = flatten(value)[0]
        return second, [flat[i] for i in places]

    op = Checkpoint(again, leaves, state)
    results = [y.detach() for y in recorded]
    inputs = [v if isinstance(v, Variable) else None for v in tensors] + leaves
    op.record(tuple(inputs), tuple(results))
    for i, y in zip(places, results, strict=True):
        outputs[i] = y
    return unflatten(iter(outputs), out_spec)


def _leaves(outputs: list[Tensor], since: int, own: list[Tensor]) -> list[Tensor]:
    """The leaves below outputs, which were all computed after `since`, without those in `own`."""
    found: dict[int, Tensor] = {}
    seen: set[int] = set()
    stack: list[Any] = [y if y.node is None else y.node for y in outputs]
    mine = {id(v) for v in own}
    while stack:
        node = stack.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Variable):
            if id(node) not in mine:
                found[id(node)] = node
        elif node.order > since:  # time runs downwards: recorded before the call
            raise GraphError(
                "checkpoint(): the function uses a tensor that requires grad and is neither an argument nor a leaf: "
                f"the result of {node.name}. Pass it as an argument."
            )
        else:
            stack.extend([node.op] if isinstance(node, Port) else node.edges)
    return list(found.values())


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True
) -> Any:
    """A chain of modules or functions, cut into segments each of which is checkpointed but the last."""
    parts: Sequence[Any] = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def run(start: int, end: int) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            for part in parts[start:end]:
                x = part(x)
            return x

        return forward

    size = max(len(parts) // segments, 1)
    start = 0
    for _ in range(segments - 1):
        input = checkpoint(run(start, start + size), input, preserve_rng_state=preserve_rng_state)
        start += size
    return run(start, len(parts))(input)
