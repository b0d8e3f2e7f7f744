"""Derivatives of functions of tensors: vjp, jvp, jacobian, hessian, vhp, hvp, with PyTorch's names and shapes.

A function takes one tensor or a tuple of them, and returns one or a tuple; results come in the same form. Forward mode is
said with reverse mode twice: J v is the gradient, in a dummy u, of the vector-Jacobian product u J (the "double
backward trick"), which needs no rules of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.autograd.engine import grad
from minigrad.autograd.grad_mode import enable_grad
from minigrad.autograd.graph import Variable
from minigrad.errors import GraphError, ShapeError
from minigrad.ops.join import stack

Tensor = Any
Function = Callable[..., Any]


def as_tuple(value: Any, what: str, op: str) -> tuple[bool, tuple[Any, ...]]:
    """Whether a value is a tuple, and the value as one.

    Raises:
        TypeError: if it holds anything but tensors.
    """
    single = not isinstance(value, (tuple, list))
    items = (value,) if single else tuple(value)
    for i, v in enumerate(items):
        if not isinstance(v, Variable):
            where = f"{what} of {op}" if single else f"value at index {i} of the {what} of {op}"
            raise TypeError(f"The {where} must be a Tensor or a tuple of Tensors, but got {type(v).__name__}")
    return not single, items


def fresh(inputs: tuple[Tensor, ...], linked: bool) -> tuple[Tensor, ...]:
    """Stand-ins for inputs, at new places of the graph: linked to the originals, or leaves."""
    return tuple(v.view_as(v) if linked and v.tracked else v.detach().requires_grad_() for v in inputs)


def _evaluated(func: Function, inputs: Any, op: str, linked: bool) -> tuple[Any, Any, bool, Any]:
    """Inputs and outputs as tuples, with whether outputs were one."""
    several_in, given = as_tuple(inputs, "inputs given", op)
    xs = fresh(given, linked)
    several_out, ys = as_tuple(func(*xs), "outputs", op)
    return xs, several_in, several_out, ys


def _weights(v: Any, like: tuple[Tensor, ...], what: str) -> tuple[Tensor, ...]:
    """The given vectors, or 1 for the only number there is."""
    if v is None:
        if len(like) != 1 or like[0].array.size != 1:
            raise GraphError(
                f"The vector v can only be None if the {what} is a single Tensor with one element: pass v explicitly"
            )
        return (like[0].new_ones(like[0].array.shape),)
    _, vs = as_tuple(v, "vector v", what)
    if len(vs) != len(like):
        raise ShapeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}.")
    for i, (a, b) in enumerate(zip(vs, like, strict=True)):
        if a.array.shape != b.array.shape:
            raise ShapeError(
                f"Entry {i}: v has invalid size: should be {list(b.array.shape)} but got {list(a.array.shape)}."
            )
    return vs


def gradients(ys: Any, xs: Any, vs: Any, create_graph: bool, strict: bool = False, op: str = "") -> tuple[Tensor, ...]:
    """sum v dy/dx per x; zeros where nothing depends on x, or an error if `strict`."""
    pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y.tracked]
    if strict and len(pairs) < len(ys):
        raise GraphError(
            f"The output of the user-provided function given to {op} does not depend on its inputs: strict=True"
        )
    found: tuple[Any, ...] = (None,) * len(xs)
    if pairs:
        found = grad(
            [y for y, _ in pairs],
            xs,
            [v for _, v in pairs],
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
    if strict and any(g is None for g in found):
        raise GraphError(f"Output of the user-provided function given to {op} is independent of an input: strict=True")
    return tuple(x.new_zeros(x.array.shape) if g is None else g for g, x in zip(found, xs, strict=True))


def _form(values: Any, several: bool, keep: bool) -> Any:
    """Results as they were asked for: one or a tuple, in the graph or out of it."""
    done = tuple(v if keep else v.detach() for v in values)
    return done if several else done[0]


def vjp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """func(inputs), and v J: the gradient of sum(v * outputs)."""
    with enable_grad():
        xs, several_in, several_out, ys = _evaluated(func, inputs, "vjp", create_graph)
        vs = _weights(v, ys, "output of the function")
        found = gradients(ys, xs, vs, create_graph, strict, "vjp")
    return _form(ys, several_out, create_graph), _form(found, several_in, create_graph)


def jvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """func(inputs), and J v: how the outputs change when the inputs move along v."""
    with enable_grad():
        xs, _, several_out, ys = _evaluated(func, inputs, "jvp", create_graph)
        vs = _weights(v, xs, "input of the function")
        found = pushed(ys, xs, vs, create_graph, strict, "jvp")
    return _form(ys, several_out, create_graph), _form(found, several_out, create_graph)


def pushed(ys: Any, xs: Any, vs: Any, create_graph: bool, strict: bool = False, op: str = "") -> tuple[Tensor, ...]:
    """J v for every output: the derivative of u J in u, along v."""
    us = tuple(y.new_zeros(y.array.shape).requires_grad_() for y in ys)
    back = gradients(ys, xs, us, True, strict, op)
    return gradients(back, us, vs, create_graph)


def _rows(y: Tensor, xs: Any, create_graph: bool, strict: bool) -> tuple[Tensor, ...]:
    """The Jacobian of one output in every input: shapes y.shape + x.shape."""
    rows = []
    for i in range(y.array.size):
        unit = y.new_zeros(y.array.shape)
        unit.array.reshape(-1)[i] = 1
        rows.append(gradients((y,), xs, (unit,), create_graph, strict, "jacobian"))
    return tuple(
        stack([row[k] for row in rows]).reshape((*y.array.shape, *x.array.shape))
        if rows
        else y.new_zeros((*y.array.shape, *x.array.shape))
        for k, x in enumerate(xs)
    )


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """All first derivatives: [output][input] of shape output.shape + input.shape, without the levels that are no tuples.

    Both strategies give the same numbers here, row by row; `vectorize` changes nothing.
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ShapeError(f'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: got {strategy!r}')
    with enable_grad():
        xs, several_in, several_out, ys = _evaluated(func, inputs, "jacobian", create_graph)
        blocks = [_rows(y, xs, create_graph, strict) for y in ys]
    found = tuple(_form(row, several_in, create_graph) for row in blocks)
    return found if several_out else found[0]


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """All second derivatives of a function with one number as its output: [input][input] of shape input.shape + input.shape."""
    several, _ = as_tuple(inputs, "inputs given", "hessian")

    def slope(*xs: Tensor) -> Any:
        found = jacobian(_scalar(func, "hessian"), xs if several else xs[0], create_graph=True, strict=strict)
        if several:
            return tuple(f.reshape(x.array.shape) for f, x in zip(found, xs, strict=True))
        return found.reshape(xs[0].array.shape)

    return jacobian(slope, inputs, create_graph, strict)


def _scalar(func: Function, op: str) -> Function:
    """The function, whose output must be one number."""

    def checked(*xs: Tensor) -> Tensor:
        y = func(*xs)
        if not isinstance(y, Variable) or y.array.size != 1:
            raise GraphError(f"The Tensor returned by the function given to {op} should contain a single element")
        return y

    return checked


def vhp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """func(inputs), and v H: the gradient's derivative, weighted with v."""
    with enable_grad():
        xs, several_in, several_out, ys = _evaluated(_scalar(func, "vhp"), inputs, "vhp", create_graph)
        vs = _weights(v, xs, "input of the function")
        slopes = gradients(ys, xs, tuple(y.new_ones(y.array.shape) for y in ys), True, strict, "vhp")
        found = gradients(slopes, xs, vs, create_graph, strict, "vhp")
    return _form(ys, several_out, create_graph), _form(found, several_in, create_graph)


def hvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """func(inputs), and H v: how the gradient changes when the inputs move along v."""
    with enable_grad():
        xs, several_in, several_out, ys = _evaluated(_scalar(func, "hvp"), inputs, "hvp", create_graph)
        vs = _weights(v, xs, "input of the function")
        slopes = gradients(ys, xs, tuple(y.new_ones(y.array.shape) for y in ys), True, strict, "hvp")
        found = pushed(slopes, xs, vs, create_graph)
    return _form(ys, several_out, create_graph), _form(found, several_in, create_graph)
