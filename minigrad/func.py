"""minigrad.func: functions that make functions: grad, value_and_grad, vjp, jvp, jacobians, vmap, functional_call.

As torch.func. They nest: grad(grad(f)) is the second derivative. `vmap` is a loop over the batch followed by a stack: it
means what PyTorch's means, and is as fast as the loop that it spares you to write.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from minigrad.autograd import functional
from minigrad.autograd.grad_mode import enable_grad
from minigrad.autograd.graph import Variable
from minigrad.errors import GraphError, ShapeError

Tensor = Any
Function = Callable[..., Any]

_depth: ContextVar[int] = ContextVar("minigrad_func_depth", default=0)


@contextmanager
def _level() -> Iterator[bool]:
    """One transform inside another; whether there is an outer one, which will differentiate the results."""
    depth = _depth.get()
    token = _depth.set(depth + 1)
    try:
        with enable_grad():
            yield depth > 0
    finally:
        _depth.reset(token)


# ---------------------------------------------------------------------- nested containers of tensors


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of nested tuples, lists and dicts, and what `unflatten` needs to put them back."""
    if isinstance(tree, dict):
        parts = [flatten(v) for v in tree.values()]
        return [leaf for leaves, _ in parts for leaf in leaves], (type(tree), list(tree), [spec for _, spec in parts])
    if isinstance(tree, (tuple, list)):
        parts = [flatten(v) for v in tree]
        return [leaf for leaves, _ in parts for leaf in leaves], (type(tree), None, [spec for _, spec in parts])
    return [tree], None


def unflatten(leaves: Iterator[Any], spec: Any) -> Any:
    """Nested containers with new leaves."""
    if spec is None:
        return next(leaves)
    kind, keys, specs = spec
    values = [unflatten(leaves, s) for s in specs]
    if keys is not None:
        return kind(zip(keys, values, strict=True))
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


def _map(function: Function, *trees: Any) -> Any:
    flat = [flatten(t) for t in trees]
    return unflatten(iter([function(*leaves) for leaves in zip(*[f[0] for f in flat], strict=True)]), flat[0][1])


def _detached(tree: Any) -> Any:
    def one(v: Any) -> Any:
        return v.detach() if isinstance(v, Variable) else v

    return _map(one, tree)


# ---------------------------------------------------------------------- derivatives


def _grad_and_value(func: Function, argnums: Any, has_aux: bool, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    several = isinstance(argnums, (tuple, list))
    numbers = tuple(n % len(args) if -len(args) <= n < len(args) else n for n in (argnums if several else (argnums,)))
    for n in numbers:
        if n >= len(args):
            raise GraphError(f"Got argnum={n}, but only {len(args)} positional inputs")
    with _level() as inner:
        leaves, spec = flatten([args[n] for n in numbers])
        keep = inner or any(v.tracked for v in leaves)
        xs = functional.fresh(tuple(leaves), True)
        call = list(args)
        for n, value in zip(numbers, unflatten(iter(xs), spec), strict=True):
            call[n] = value
        result = func(*call, **kwargs)
        y: Any
        y, aux = result if has_aux else (result, None)
        if not isinstance(y, Variable) or y.array.ndim:
            shape = list(y.array.shape) if isinstance(y, Variable) else type(y).__name__
            raise GraphError(f"Expected f(*args) to return a scalar tensor, got {shape}")
        found = functional.gradients((y,), xs, (y.new_ones(()),), keep)
    grads = unflatten(iter(found), spec)
    if not keep:
        y, aux, grads = _detached(y), _detached(aux), _detached(grads)
    return (tuple(grads) if several else grads[0]), y, aux


def grad(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """The function that computes d func / d args[argnums]; func returns one number, or (number, aux) with has_aux."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        g, _, aux = _grad_and_value(func, argnums, has_aux, args, kwargs)
        return (g, aux) if has_aux else g

    return wrapped


def grad_and_value(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """The function that computes (gradient, value), or (gradient, (value, aux))."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        g, y, aux = _grad_and_value(func, argnums, has_aux, args, kwargs)
        return g, ((y, aux) if has_aux else y)

    return wrapped


def value_and_grad(func: Function, argnums: Any = 0, has_aux: bool = False) -> Function:
    """The function that computes (value, gradient), or ((value, aux), gradient)."""
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        g, y = both(*args, **kwargs)
        return y, g

    return wrapped


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """func(*primals), and the function that maps a cotangent of its output to those of its inputs."""
    with _level() as inner:
        leaves, spec = flatten(list(primals))
        keep = inner or any(v.tracked for v in leaves)
        xs = functional.fresh(tuple(leaves), True)
        result = func(*unflatten(iter(xs), spec))
        y, aux = result if has_aux else (result, None)
    ys, out_spec = flatten(y)

    def pull(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        vs, given = flatten(cotangents)
        if given != out_spec:
            raise GraphError("Expected the cotangents to have the structure of the function's output")
        with enable_grad():
            found = functional.gradients(ys, xs, vs, keep if create_graph is None else create_graph)
        return tuple(unflatten(iter(found), spec))

    shown = y if keep else _detached(y)
    return (shown, pull, aux if keep else _detached(aux)) if has_aux else (shown, pull)


def jvp(func: Function, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """func(*primals), and how that changes when the primals move along the tangents."""
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple) or len(primals) != len(tangents):
        raise GraphError("jvp(f, primals, tangents): Expected primals and tangents to be tuples of the same length")
    with _level() as inner:
        leaves, spec = flatten(list(primals))
        vs, _ = flatten(list(tangents))
        keep = inner or any(v.tracked for v in (*leaves, *vs))
        xs = functional.fresh(tuple(leaves), True)
        result = func(*unflatten(iter(xs), spec))
        y, aux = result if has_aux else (result, None)
        ys, out_spec = flatten(y)
        moved = unflatten(iter(functional.pushed(ys, xs, vs, keep, strict, "jvp")), out_spec)
    if not keep:
        y, aux, moved = _detached(y), _detached(aux), _detached(moved)
    return (y, moved, aux) if has_aux else (y, moved)


def jacrev(func: Function, argnums: Any = 0, has_aux: bool = False, **ignored: Any) -> Function:
    """The function that computes the Jacobian of func in args[argnums]: shapes output.shape + input.shape."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        several = isinstance(argnums, (tuple, list))
        numbers = tuple(argnums) if several else (argnums,)
        with _level() as inner:
            leaves, spec = flatten([args[n] for n in numbers])
            keep = inner or any(v.tracked for v in leaves)
            xs = functional.fresh(tuple(leaves), True)
            call = list(args)
            for n, value in zip(numbers, unflatten(iter(xs), spec), strict=True):
                call[n] = value
            result = func(*call, **kwargs)
            y, aux = result if has_aux else (result, None)

            def block(one: Tensor) -> Any:
                found = unflatten(iter(functional._rows(one, xs, keep, False)), spec)
                return tuple(found) if several else found[0]

            ys, out_spec = flatten(y)
            found = unflatten(iter([block(one) for one in ys]), out_spec)
        if not keep:
            found, aux = _detached(found), _detached(aux)
        return (found, aux) if has_aux else found

    return wrapped


def jacfwd(func: Function, argnums: Any = 0, has_aux: bool = False, **ignored: Any) -> Function:
    """As jacrev: the same numbers; there is no separate forward mode."""
    return jacrev(func, argnums, has_aux)


def hessian(func: Function, argnums: Any = 0) -> Function:
    """The function that computes the second derivatives of func in args[argnums]."""
    return jacfwd(jacrev(func, argnums), argnums)


# ---------------------------------------------------------------------- batches


def vmap(
    func: Function, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Function:
    """The function that applies func to every slice of its arguments along in_dims and stacks what comes out.

    A loop: differentiable and exact, and no faster than one. in_dims is one number (or None: not sliced) for all arguments
    or a tuple with one per argument, nested as the arguments are.
    """
    from minigrad.ops.join import stack

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = flatten(list(args))
        dims = _dims_of(in_dims, list(args))
        sizes = {v.array.shape[d] for v, d in zip(leaves, dims, strict=True) if d is not None}
        if not sizes:
            raise ShapeError("vmap: at least one input must have a batch dimension that is not None")
        if len(sizes) > 1:
            raise ShapeError(
                f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sorted(sizes)}"
            )
        results = []
        for i in range(sizes.pop()):
            parts = [v if d is None else v.select(d, i) for v, d in zip(leaves, dims, strict=True)]
            results.append(flatten(func(*unflatten(iter(parts), spec), **kwargs)))
        if not results:
            raise ShapeError("vmap: the batch is empty, so the shape of the result is not known")
        out_spec = results[0][1]
        places = _dims_of(out_dims, unflatten(iter(results[0][0]), out_spec))
        joined = [
            stack([leaves[k] for leaves, _ in results], 0).movedim(0, d) if d is not None else results[0][0][k]
            for k, d in enumerate(places)
        ]
        return unflatten(iter(joined), out_spec)

    return wrapped


def _dims_of(dims: Any, tree: Any) -> list[Any]:
    """One dimension (or None) per leaf of a tree."""
    if dims is None or isinstance(dims, int):
        return [dims if isinstance(leaf, Variable) else None for leaf in flatten(tree)[0]]
    parts: Any = list(tree.values()) if isinstance(tree, dict) else tree
    wanted: Any = [dims[k] for k in tree] if isinstance(dims, dict) else dims
    if not isinstance(tree, (tuple, list, dict)) or len(wanted) != len(parts):
        raise ShapeError(f"vmap: the dimensions {dims!r} do not have the structure of the arguments or results")
    return [d for w, p in zip(wanted, parts, strict=True) for d in _dims_of(w, p)]


# ---------------------------------------------------------------------- modules


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Any = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in the places of its parameters and buffers, which stay as they are.

    Raises:
        GraphError: with `strict`, if the names are not just those of the module.
    """
    given: dict[str, Tensor] = {}
    dicts = parameter_and_buffer_dicts
    for d in dicts if isinstance(dicts, Sequence) else (dicts,):
        given.update(d)
    own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    unknown = [name for name in given if name not in own]
    missing = [name for name in own if name not in given]
    if strict and (unknown or missing):
        raise GraphError(f"functional_call(): Unexpected key(s): {unknown}. Missing key(s): {missing}.")
    if unknown:
        raise KeyError(f"functional_call(): {type(module).__name__} has no parameter or buffer {unknown[0]!r}")
    by_tensor = {id(own[name]): value for name, value in given.items()} if tie_weights else {}
    before = []
    try:
        for name, tensor in own.items():
            value = given.get(name, by_tensor.get(id(tensor)))
            if value is None:
                continue
            path, _, last = name.rpartition(".")
            owner = module.get_submodule(path)
            table = owner._parameters if last in owner._parameters else owner._buffers
            before.append((table, last, table[last]))
            table[last] = value
        inputs = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*inputs, **(kwargs or {}))
    finally:
        for table, last, tensor in reversed(before):
            table[last] = tensor


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of models of one kind, each stacked along a new first dimension."""
    from minigrad.ops.join import stack

    if not models:
        raise GraphError("stack_module_state: Expected at least one model, got 0.")
    if len({type(m) for m in models}) > 1:
        raise GraphError("stack_module_state: Expected all models to be of the same class.")

    def stacked(tables: list[dict[str, Tensor]], leaves: bool) -> dict[str, Tensor]:
        found = {name: stack([t[name] for t in tables]).detach() for name in tables[0]}
        return {name: v.requires_grad_() if leaves else v for name, v in found.items()}

    parameters = stacked([dict(m.named_parameters()) for m in models], True)
    return parameters, stacked([dict(m.named_buffers()) for m in models], False)
