"""Parameter and Buffer: tensors that a Module takes notice of when they become its attributes."""

from __future__ import annotations

from typing import Any

from minigrad.autograd.graph import Variable
from minigrad.creation import empty
from minigrad.tensor import Tensor, check_differentiable


class Parameter(Tensor):
    """A tensor that is trained: assigned to a Module it appears among `parameters()`, on the data's own memory."""

    is_parameter = True

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        array = empty(0).array if data is None else data.array
        if requires_grad:
            check_differentiable(array)
        Variable.__init__(self, array, requires_grad)
        if data is not None and data.node is None:
            self.memory = data.shared_memory()


class Buffer(Tensor):
    """A tensor that is no parameter, but part of a Module's state: a running mean, say."""

    persistent = True

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        Variable.__init__(self, empty(0).array if data is None else data.array)
        self.persistent = persistent


class UninitializedParameter(Parameter):
    """A parameter whose shape is not known yet."""

    def __repr__(self) -> str:
        return "<UninitializedParameter>"
