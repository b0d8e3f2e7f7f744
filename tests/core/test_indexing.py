"""x[...] and x[...] = v: any index that PyTorch takes, and its refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from core.compare import array, assert_same, ours, theirs
from minigrad import ShapeError

pytestmark = pytest.mark.usefixtures("backend")


@st.composite
def indexings(draw):
    """A shape, and an index into it in terms that both libraries can be given."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)))
    items, axis, vector, dots = [], 0, draw(st.integers(0, 3)), False
    while axis < len(shape):
        size = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "full", "list", "none", "dots", "mask", "stop", "tensor"]))
        if kind == "int" and size:
            items.append(("int", draw(st.integers(-size, size - 1))))
        elif kind == "slice":
            bound = st.one_of(st.none(), st.integers(-5, 5))
            items.append(("slice", (draw(bound), draw(bound), draw(st.one_of(st.none(), st.integers(1, 3))))))
        elif kind in ("list", "tensor") and size:
            places = draw(st.lists(st.integers(-size, size - 1), min_size=vector, max_size=vector))
            items.append((kind, places))
        elif kind == "mask":
            cells = draw(st.lists(st.booleans(), min_size=size, max_size=size))
            if any(k in ("list", "tensor", "mask") for k, _ in items):
                items.append(("slice", (None, None, None)))
            else:
                items.append(("mask", cells))
                vector = sum(cells)
        elif kind == "none":
            items.append(("none", None))
            continue
        elif kind == "dots" and not dots:
            items.append(("dots", None))
            dots = True
            axis = max(axis, len(shape) - draw(st.integers(0, len(shape) - axis))) - 1
            if axis + 1 >= len(shape):
                break
            # what follows the dots indexes the last dimensions
        elif kind == "stop":
            break
        else:
            items.append(("slice", (None, None, None)))
        axis += 1
    return shape, items


def index_for(ns, items):
    built = []
    for kind, value in items:
        if kind == "slice":
            built.append(slice(*value))
        elif kind == "none":
            built.append(None)
        elif kind == "dots":
            built.append(...)
        elif kind == "tensor":
            built.append(ns.tensor(value, dtype=ns.int64))
        elif kind == "mask":
            built.append(ns.tensor(value, dtype=ns.bool))
        else:
            built.append(value)
    return tuple(built)


def attempt(call, *args):
    try:
        return call(*args)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        return error


@settings(max_examples=300)
@given(indexings())
def test_reading(case):
    shape, items = case
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    results = []
    for ns, make in ((minigrad, ours), (torch, theirs)):
        x = make(values, grad=True)
        y = attempt(lambda t, i: t[i], x, index_for(ns, items))
        if isinstance(y, Exception):
            results.append((y, None))
            continue
        if y.numel():
            (y * y).sum().backward()
        results.append((y, x.grad))
    (mine, g), (other, h) = results
    if isinstance(other, Exception):
        assert isinstance(mine, Exception)
    else:
        assert not isinstance(mine, Exception), mine
        assert_same(mine, other)
        if h is not None:
            assert_same(g, h)


@settings(max_examples=300)
@given(indexings(), st.sampled_from(["number", "scalar", "same", "ones", "row"]), st.booleans())
def test_writing(case, what, differentiable):
    shape, items = case
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape) + 1
    part = attempt(lambda: theirs(values)[index_for(torch, items)])
    if isinstance(part, Exception):
        return
    # Where one cell is written twice, who comes last is anybody's guess: equal values leave no doubt.
    once = (
        len(set(array(theirs(np.arange(values.size).reshape(shape))[index_for(torch, items)]).reshape(-1).tolist()))
        == part.numel()
    )
    if not once:
        what = "number"
    results = []
    for ns, make in ((minigrad, ours), (torch, theirs)):
        x = make(values, grad=differentiable)
        y = x * 1.5
        given_value = {
            "number": -3.5,
            "scalar": make(np.array(-2.0)),
            "same": make(np.array(-np.arange(part.numel(), dtype=np.float64).reshape(tuple(part.shape)))),
            "ones": make(np.full((1,) * part.ndim, -1.0)),
            "row": make(np.full(tuple(part.shape)[-1:], -1.0)),
        }[what]
        if differentiable and what != "number":
            given_value.requires_grad_()
        failed = attempt(y.__setitem__, index_for(ns, items), given_value)
        if isinstance(failed, Exception):
            results.append((failed, None, None))
            continue
        if differentiable:
            (y * y).sum().backward()
        results.append((y, x.grad, getattr(given_value, "grad", None)))
    (mine, g, gv), (other, h, hv) = results
    if isinstance(other, Exception):
        assert isinstance(mine, Exception)
        return
    assert not isinstance(mine, Exception), mine
    assert_same(mine, other)
    for a, b in ((g, h), (gv, hv)):
        assert (a is None) == (b is None)
        if b is not None:
            assert_same(a, b)


@pytest.mark.parametrize("call, kind, text", [
    (lambda x: x[5], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
    (lambda x: x[0, -4], IndexError, "index -4 is out of bounds for dimension 1 with size 3"),
    (lambda x: x[0, 0, 0], IndexError, "too many indices for tensor of dimension 2"),
    (lambda x: x[[0, 2]], IndexError, "index 2 is out of bounds for dimension 0 with size 2"),
    (lambda x: x[::-1], ValueError, "step must be greater than zero"),
    (lambda x: x["a"], TypeError, "only integers, slices"),
    (lambda x: x[1.5], TypeError, "only integers, slices"),
    (lambda x: x[minigrad.ones(2)], IndexError, "tensors used as indices must be long, int, byte or bool tensors"),
    (lambda x: x[minigrad.tensor([True, False, True])], IndexError, "The shape of the mask [3] at index 0 does"),
    (lambda x: x.__setitem__(0, minigrad.ones(4)), ShapeError, "cannot be broadcast"),
    (lambda x: x.__setitem__(7, 0.0), IndexError, "index 7 is out of bounds"),
    (lambda x: minigrad.tensor(1.0)[0], IndexError, "too many indices for tensor of dimension 0"),
])  # fmt: skip
def test_refusals(call, kind, text):
    x = minigrad.zeros(2, 3)
    with pytest.raises(kind) as caught:
        call(x)
    assert text in str(caught.value)
    assert not array(x).any()  # nothing half done


def test_views_and_copies():
    x = minigrad.zeros(3, 4)
    x[1:][0, 2:] = 5.0
    x[..., 0].fill_(2.0)
    x[[0, 1]].fill_(9.0)  # of a copy
    assert x.tolist() == [[2, 0, 0, 0], [2, 0, 5, 5], [2, 0, 0, 0]]
    assert x[1:]._base is x and x[1:][0]._base is x and x[[0]]._base is None


def test_augmented_assignment_to_parts():
    for ns in (minigrad, torch):
        x = ns.arange(6.0).reshape(2, 3)
        x[0] += 10
        x[:, 1] *= 2
        x[x > 11] -= 1
        x[[0, 1], [2, 2]] = 0
        assert x.tolist() == [[10, 21, 0], [3, 8, 0]]


def test_iteration_and_unpacking():
    x = minigrad.arange(6).reshape(2, 3)
    first, second = x
    assert first.tolist() == [0, 1, 2] and second.tolist() == [3, 4, 5]
    assert [v.item() for v in first] == [0, 1, 2]
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(minigrad.tensor(1))
    with pytest.raises(TypeError, match="len\\(\\) of a 0-d tensor"):
        len(minigrad.tensor(1))
    assert 4 in x and 9 not in x
