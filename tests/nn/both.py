"""Run the same expression on minigrad and on PyTorch from one seed, and compare."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import minigrad
import minigrad.nn.functional as minigrad_functional

PLACES = (
    SimpleNamespace(t=torch, nn=torch.nn, F=torch.nn.functional, is_torch=True),
    SimpleNamespace(t=minigrad, nn=minigrad.nn, F=minigrad_functional, is_torch=False),
)


def array(value: Any) -> Any:
    """A tensor's elements, whatever the library and the graph."""
    return value.detach().cpu().numpy()


def leaves(value: Any) -> list[Any]:
    """All tensors in nested tuples and lists."""
    if value is None:
        return []
    if isinstance(value, (tuple, list)) and not hasattr(value, "array"):
        return [v for item in value for v in leaves(item)]
    return [value]


def evaluate(place: Any, text: str, **names: Any) -> Any:
    """An expression with `t`, `nn` and `F` bound to one library."""
    return eval(text, {"t": place.t, "nn": place.nn, "F": place.F, "inf": float("inf"), **names})


def run(place: Any, build: str, call: str, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """Outputs and gradients of `call`, in which `m` is what `build` says: of inputs named x0, x1, ... and parameters.

    `call` draws its inputs from the seeded generator: `x(2, 3)` is normally distributed and wants a gradient.
    """
    place.t.manual_seed(seed)
    module = evaluate(place, build) if build else None
    inputs: list[Any] = []

    def x(*shape: int) -> Any:
        drawn = place.t.randn(*shape)
        drawn.requires_grad_(True)
        inputs.append(drawn)
        return drawn

    def u(*shape: int) -> Any:
        """Numbers in (0.1, 0.9)."""
        drawn = place.t.rand(*shape) * 0.8 + 0.1
        drawn = drawn.detach().requires_grad_(True)
        inputs.append(drawn)
        return drawn

    def i(high: int, *shape: int) -> Any:
        return place.t.randint(0, high, shape)

    outputs = leaves(evaluate(place, call, m=module, x=x, u=u, i=i))
    floating = [y for y in outputs if y.is_floating_point() and y.requires_grad]
    place.t.manual_seed(seed + 1)
    loss = sum((y * place.t.randn(tuple(y.shape))).sum() for y in floating) if floating else None
    grads = []
    if loss is not None:
        loss.backward()
        parameters = list(module.parameters()) if module is not None else []
        grads = [None if v.grad is None else array(v.grad) for v in inputs + parameters]
    return [array(y) for y in outputs], grads


def compare(build: str, call: str, rtol: float = 1e-5, atol: float = 2e-6) -> None:
    """Assert that both libraries give the same outputs and gradients."""
    (ours, our_grads), (theirs, their_grads) = run(PLACES[1], build, call), run(PLACES[0], build, call)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol, atol)
    assert len(our_grads) == len(their_grads)
    for a, b in zip(our_grads, their_grads, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            scale = max(1.0, float(np.abs(b).max(initial=0)))
            np.testing.assert_allclose(a, b, rtol, atol * scale)


def same_error(text: str, part: str, exception: type[Exception] = Exception) -> None:
    """Assert that both libraries refuse an expression, and that minigrad's words contain `part`."""
    for place in PLACES:
        place.t.manual_seed(0)
        try:
            evaluate(place, text)
        except exception as error:
            if not place.is_torch:
                assert part in str(error), str(error)
        else:
            raise AssertionError(f"{'torch' if place.is_torch else 'minigrad'} accepts {text}")
