"""Forward mode in the words of torch.autograd.forward_ad: tensors that carry a tangent through a computation.

A dual tensor is the primal as a leaf of its own; what follows from it is recorded as always. The tangent of a result is
its Jacobian times the tangents, from reverse mode run twice: g(v) = J.T @ v is linear in v, and its derivative by v is J.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from minigrad.autograd.engine import grad
from minigrad.autograd.grad_mode import enable_grad
from minigrad.autograd.graph import Variable
from minigrad.errors import GraphError, ShapeError


class UnpackedDualTensor(NamedTuple):
    """A tensor's value, and its tangent or None."""

    primal: Any
    tangent: Any


_levels: list[dict[int, tuple[Variable, Variable]]] = []


@contextmanager
def dual_level() -> Iterator[int]:
    """The block in which dual tensors carry their tangents.

    Raises:
        GraphError: inside another one.
    """
    if _levels:
        raise GraphError("Nested forward mode AD is not supported at the moment")
    _levels.append({})
    try:
        yield 0
    finally:
        _levels.pop()


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """The tensor with a tangent of the same shape.

    Raises:
        GraphError: outside dual_level(). ShapeError: if the shapes differ.
    """
    if not _levels:
        raise GraphError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    if tensor.array.shape != tangent.array.shape:
        raise ShapeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. "
            f"Tensor is of size {list(tensor.array.shape)} while the given forward gradient is of size {list(tangent.array.shape)}."
        )
    with enable_grad():
        dual = tensor.view_as(tensor) if tensor.tracked else tensor.detach().requires_grad_()
    _levels[-1][id(dual)] = dual, tangent
    return dual


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """A tensor's value and its tangent: None for what does not follow from a dual tensor, and outside dual_level()."""
    if not _levels or not _levels[-1] or not tensor.tracked:
        return UnpackedDualTensor(tensor, None)
    duals = _levels[-1]
    if id(tensor) in duals:
        return UnpackedDualTensor(tensor, duals[id(tensor)][1])
    inputs = [dual for dual, _ in duals.values()]
    with enable_grad():
        v = tensor.new_zeros(tensor.array.shape).requires_grad_()
        back = grad(tensor, inputs, v, retain_graph=True, create_graph=True, allow_unused=True)
        used = [(g, t) for g, (_, t) in zip(back, duals.values(), strict=True) if g is not None and g.tracked]
        if not used:
            return UnpackedDualTensor(tensor, None if not any(g is not None for g in back) else v.detach())
        further = any(dual.node is not None for dual in inputs)  # the primals themselves want gradients
        (tangent,) = grad(
            [g for g, _ in used], v, [t for _, t in used], retain_graph=True, create_graph=further, allow_unused=True
        )
    return UnpackedDualTensor(tensor, v.detach() if tangent is None else tangent)
