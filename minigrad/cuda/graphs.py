"""CUDA graphs: a whole training step, recorded once and replayed with one launch.

A small network is bound by the time it takes to start its kernels one after another, not by the
kernels. A graph starts all of them at once.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.cuda.device import backend, is_available
from minigrad.errors import GraphError
from minigrad.random import default_generator
from minigrad.tensor import Tensor

MOST_GRAPHS = 16  # of one step, for different shapes; further shapes run as they are
NUMBERS, CALLS = 8, 64  # of a call of an optimiser's kernel, and such calls in one step, at most


def graph(step: Callable[..., Any], optimizer: Any = None, *, warmup: int = 3) -> GraphedStep:
    """A step as a CUDA graph: `step = minigrad.cuda.graph(step, optimizer)`, and call it as before.

    The first calls with inputs of some shape run as they are; then one is captured, and all later ones replay
    it. The results are those of the step itself, bit for bit. What the step does outside the GPU happens only
    when it really runs: it must not ask for a value (`item()`, `print`, `if loss > 1`) or copy from the host. Dropout draws
    a fresh mask for every replay, on the GPU, from a key that the shared generator gives: `manual_seed` repeats it, but it
    is not the mask of an ordinary step. Tensors that the step uses without being given them, the model's parameters for
    one, must stay where they are. The tensors it returns are the same ones in every replay, with new values: clone what
    is to be kept.

    Args:
        step: takes and returns tensors (in tuples, lists, dicts, or None); other arguments are part of the shape.
        optimizer: the optimiser that the step uses, or a list: its learning rate may change between calls, and
            its count of steps goes on.
        warmup: how many calls run before one is captured.

    Raises (when called):
        GraphError: if the step does what cannot be captured; the call is then without effect on the GPU.
    """
    if optimizer is None:
        optimizers: Sequence[Any] = ()
    else:
        optimizers = list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]
    return GraphedStep(step, optimizers, warmup)


make_graphed_step = graph


def is_current_stream_capturing() -> bool:
    """Whether the step that runs now is being captured."""
    return is_available() and backend().capturing


class GraphedStep:
    """What `graph` returns: a callable that replays what it has captured. `captured` says for how many shapes."""

    def __init__(self, step: Callable[..., Any], optimizers: Sequence[Any], warmup: int) -> None:
        self.step = step
        self.optimizers = optimizers
        self.warmup = max(int(warmup), 1)
        self._calls: dict[Any, int] = {}
        self._graphs: dict[Any, _Captured] = {}

    @property
    def captured(self) -> int:
        """How many graphs there are."""
        return len(self._graphs)

    def __call__(self, *inputs: Any) -> Any:
        """The step, captured or not."""
        key = tuple(map(_signature, inputs))
        found = self._graphs.get(key)
        if found is not None:
            return found.replay(inputs)
        self._calls[key] = self._calls.get(key, 0) + 1
        if self._calls[key] <= self.warmup or len(self._graphs) >= MOST_GRAPHS:
            return self.step(*inputs)
        self._graphs[key] = _Captured(self.step, inputs, self.optimizers)
        return self._graphs[key].launch()

    def reset(self) -> None:
        """Forget all graphs and their memory."""
        self._calls.clear()
        self._graphs.clear()


class _Captured:
    """One graph: its inputs and results at fixed addresses, its own memory, and the optimisers' numbers."""

    def __init__(self, step: Callable[..., Any], inputs: Sequence[Any], optimizers: Sequence[Any]) -> None:
        self.backend = backend()
        cuda = self.backend.xp.cuda
        self.inputs = [_fixed(value) for value in inputs]
        self.numbers = _Numbers(self.backend, optimizers)
        self.pool = cuda.MemoryPool()  # nobody else gets its blocks as long as the graph lives
        gc.collect()  # nothing of an earlier step is to be freed in the middle
        stream = cuda.Stream(non_blocking=True)
        stream.wait_event(cuda.get_current_stream().record())
        with stream, cuda.using_allocator(self.pool.malloc), self.backend.capture(*self.numbers.doors):
            stream.begin_capture()
            try:
                results = step(*self.inputs)
            except BaseException as error:
                _abandon(stream)
                if "StreamCapture" in str(error):
                    raise GraphError(
                        "the step cannot be captured as a CUDA graph: it waits for the GPU, which only runs it later. "
                        f"Ask for values outside of the step ({error})"
                    ) from error
                raise
            self.graph = stream.end_capture()
        self.results = _map(lambda t: t.detach(), results)

    def replay(self, inputs: Sequence[Any]) -> Any:
        """Copy the inputs to where the graph reads them, bring the optimisers up to date, and launch."""
        for fixed, value in zip(self.inputs, inputs, strict=True):
            if isinstance(value, Tensor) and value is not fixed:
                self.backend.overwrite(fixed.array, value.array)
        self.numbers.refresh()
        return self.launch()

    def launch(self) -> Any:
        """Run it once."""
        self.numbers.send()
        self.graph.launch()
        self.backend.expect_faults()
        return self.results


class _Numbers:
    """What kernels of a graph read from memory, since it is another in every replay.

    The optimisers' numbers (learning rate, bias correction, ...): at capture the backend asks for a place for those of each
    optimiser kernel. Before every replay the optimisers' own step() runs once more, with `_collect` in that place: it does
    its book-keeping, and instead of a launch there are new numbers. And the key of random numbers, in front of them.
    """

    def __init__(self, backend: Any, optimizers: Sequence[Any]) -> None:
        self.backend = backend
        self.optimizers = optimizers
        self.host = np.zeros(1 + CALLS * NUMBERS, np.int64)
        self.calls = self.host[1:].view(np.float64).reshape(CALLS, NUMBERS)
        self.device = backend.xp.empty(self.host.size, np.int64)
        self.device_calls = self.device[1:].view(np.float64).reshape(CALLS, NUMBERS)
        self.sent: Any = None  # what the device has of it
        self.count = self.seen = self.draws = 0
        self.gradients: list[tuple[Any, Any, Any]] = []

    @property
    def doors(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """What the backend calls at capture: for an optimiser kernel, and for random numbers."""
        return self._place, self._draw

    def _place(self, values: Sequence[float]) -> Any:
        if not self.optimizers:
            raise GraphError("the step uses an optimiser: name it, as in minigrad.cuda.graph(step, optimizer)")
        if self.count == CALLS:
            raise GraphError(f"the step calls its optimisers' kernels more than {CALLS} times")
        if self.count == 0:
            parameters = [p for o in self.optimizers for group in o.param_groups for p in group["params"]]
            self.gradients = [(p, p.grad, p.array) for p in parameters]
        self.calls[self.count, : len(values)] = values
        self.count += 1
        return self.device_calls[self.count - 1]

    def _draw(self) -> tuple[Any, int]:
        self.draws += 1
        return self.device, self.draws - 1

    def _collect(self, values: Sequence[float]) -> None:
        if self.seen < self.count:
            self.calls[self.seen, : len(values)] = values
        self.seen += 1

    def refresh(self) -> None:
        """Let the optimisers count a step and say their numbers.

        Raises:
            GraphError: if a parameter has other memory than the graph writes to, or the optimisers would do something else.
        """
        if not self.count:
            return
        self.seen = 0
        present = [p.grad for p, *_ in self.gradients]
        for p, grad, array in self.gradients:
            if p.array is not array:
                raise GraphError(
                    f"a parameter of shape {list(p.shape)} has been replaced since the step was captured: "
                    "call reset() on the graphed step"
                )
            p.grad = grad
        try:
            with self.backend.replay(self._collect):
                for optimizer in self.optimizers:
                    optimizer.step()
        finally:
            for (p, *_), grad in zip(self.gradients, present, strict=True):
                p.grad = grad
        if self.seen != self.count:
            raise GraphError(
                f"the optimisers' step makes {self.seen} kernel calls, but made {self.count} when it was captured: "
                "their groups have changed; call reset() on the graphed step"
            )

    def send(self) -> None:
        """Bring what has changed to the device, and with random numbers a new key."""
        if self.draws:
            self.host[:1] = default_generator.long_words(1).view(np.int64)
        used = self.host[: 1 + self.count * NUMBERS]
        if (used.size > 1 or self.draws) and (self.sent is None or (used != self.sent).any()):
            self.sent = used.copy()
            self.backend.write_words(self.device, self.sent)


def _abandon(stream: Any) -> None:
    """End a capture that went wrong; CUDA complains about it once more, which says nothing new."""
    try:
        stream.end_capture()
    except RuntimeError:
        return


def _signature(value: Any) -> Any:
    """What a graph is made for: shapes, element types, and everything that is no tensor."""
    if isinstance(value, Tensor):
        return value.array.shape, value.array.dtype.name, value.requires_grad
    return type(value), value


def _fixed(value: Any) -> Any:
    """A copy on the GPU for the graph to read from; what is no tensor stays."""
    if not isinstance(value, Tensor):
        return value
    made: Any = value.detach().to("cuda").clone()
    return made.requires_grad_() if value.requires_grad else made


def _map(call: Callable[[Tensor], Any], value: Any) -> Any:
    """Apply to every tensor in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return call(value)
    if isinstance(value, dict):
        return {k: _map(call, v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_map(call, v) for v in value)
    return value
