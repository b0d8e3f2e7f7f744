"""The table of what exists: every name resolves, in every form it claims, lazily."""

import os
import subprocess
import sys

import numpy as np
import pytest

import minigrad
from minigrad import surface
from minigrad.errors import DtypeError, GraphError

NAMES = sorted(surface.ENTRIES)


@pytest.mark.parametrize("name", NAMES)
def test_every_form_exists(name):
    forms = surface.ENTRIES[name].forms
    assert ("f" in forms) == callable(getattr(minigrad, name, None))
    if "p" in forms:
        assert isinstance(getattr(minigrad.Tensor, name), property)
    if "m" in forms:
        assert callable(getattr(minigrad.Tensor, name))
    if "i" in forms:
        assert callable(getattr(minigrad.Tensor, f"{name}_"))
    assert surface.operation(name).__doc__


@pytest.mark.parametrize("name", sorted(surface.ALIASES))
def test_aliases(name):
    assert callable(getattr(minigrad, name))
    if name in set(surface.methods()):
        assert callable(getattr(minigrad.Tensor, name))


def test_the_core_is_not_shadowed():
    core = {name for name in vars(minigrad) if name in surface.ENTRIES}
    for name in core:
        assert plain(surface.operation(name)) is plain(getattr(minigrad, name))


def plain(function):
    """A function without out= and without its arguments' checks."""
    while (
        inner := getattr(function, "__wrapped__", None) or getattr(function, "__globals__", {}).get("compute")
    ) is not None:
        function = inner
    return function


def test_importing_loads_no_operation_of_the_table():
    program = "import minigrad, sys; print([m for m in sys.modules if m.startswith('minigrad.')])"
    env = {**os.environ, "MINIGRAD_BACKEND": "numpy"}
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env).stdout
    assert "'minigrad.ops.arithmetic'" in loaded
    for module in {entry.module for entry in surface.ENTRIES.values()}:
        assert f"'minigrad.{module}'" not in loaded


def test_a_missing_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        minigrad.nonsense
    with pytest.raises(AttributeError, match="nonsense"):
        minigrad.ones(1).nonsense


def test_out_writes_into_the_given_tensor():
    out = minigrad.zeros(3)
    assert minigrad.square(minigrad.tensor([1.0, 2.0, 3.0]), out=out) is out and out.tolist() == [1.0, 4.0, 9.0]
    values, indices = minigrad.zeros(2), minigrad.zeros(2, dtype=minigrad.int64)
    got = minigrad.topk(minigrad.tensor([1.0, 5.0, 3.0]), 2, out=(values, indices))
    assert got.values is values and values.tolist() == [5.0, 3.0] and indices.tolist() == [1, 2]
    small = minigrad.zeros(0)
    assert minigrad.square(minigrad.ones(2, 2), out=small).shape == (2, 2) and small.tolist() == [
        [1.0, 1.0],
        [1.0, 1.0],
    ]


def test_out_refuses_gradients_and_narrower_types():
    x = minigrad.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match="don't support automatic differentiation"):
        minigrad.square(x, out=minigrad.zeros(2))
    with pytest.raises(DtypeError, match="can't be cast to the desired output type"):
        minigrad.exp2(minigrad.ones(2), out=minigrad.zeros(2, dtype=minigrad.int64))


def test_in_place_forms_change_the_tensor_and_the_graph():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    z = y.lerp_(minigrad.tensor([3.0, 4.0]), 0.25)
    assert z is y
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.75, 0.75])
