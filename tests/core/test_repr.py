"""repr(tensor): PyTorch's, letter by letter, but for the name of the package."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import minigrad
from core.compare import ours, theirs

VALUES = [
    0.0, 1.0, -1.0, 1.5, 100.0, 1e-3, 1e-4, 1e-5, 123456.789, 1e8, 1e9, 1e10, 1e-20, 1e30, np.pi, -0.0, 0.1, 999.9999,
    99999.0, 1e5, 1e7, float("nan"), float("inf"), -float("inf"),
]  # fmt: skip


def same(a, b):
    """Equal, if "minigrad" were as short as "torch": a dtype that no longer fits goes to a line of its own."""
    mine, other = (re.sub(r",\n {7}dtype=", ", dtype=", repr(t)) for t in (a, b))
    assert mine == other.replace("torch.", "minigrad.")


@pytest.mark.parametrize("value", VALUES, ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_single_values(value, dtype):
    with np.errstate(all="ignore"):
        for v in (value, [value], [value, 1.0], [value, 2.5, -3.25], [[value, 0.0]]):
            same(*(ns.tensor(v, dtype=getattr(ns, dtype)) for ns in (minigrad, torch)))


@settings(max_examples=400)
@given(st.lists(st.sampled_from([*VALUES, 3.0, 20.0, 7.25, 0.0004, 12345.0]), min_size=1, max_size=8))
def test_mixed_values(values):
    same(ours(np.array(values)), theirs(np.array(values)))


@settings(max_examples=200)
@given(npst.arrays(np.float32, npst.array_shapes(max_dims=4, max_side=5), elements=st.floats(-1e6, 1e6, width=32)))
def test_any_floats(values):
    same(ours(values), theirs(values))


@settings(max_examples=100)
@given(
    npst.arrays(
        st.sampled_from([np.int64, np.int32, np.int8, np.uint8, np.bool_]), npst.array_shapes(max_dims=4, max_side=5)
    )
)
def test_any_whole_numbers(values):
    same(ours(values), theirs(values))


SHAPES = [
    (),
    (0,),
    (0, 3),
    (3, 0),
    (1,),
    (30,),
    (100,),
    (2, 3),
    (2, 3, 4),
    (2, 2, 2, 2),
    (1, 1, 1),
    (3, 50),
    (1001,),
    (40, 40),
    (5, 10, 30),
    (2000, 1),
    (1, 2000),
    (2, 3, 4, 5, 11),
    (7, 1, 200),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int32", "bool", "uint8"])
def test_shapes_and_summaries(shape, dtype):
    count = int(np.prod(shape))
    values = (np.arange(count) * 7919 % 1009 / 8 - 50).reshape(shape)
    same(*(ns.tensor(values).to(getattr(ns, dtype)) for ns in (minigrad, torch)))
    same(*(ns.tensor(np.round(values)).to(getattr(ns, dtype)) for ns in (minigrad, torch)))


def test_what_no_longer_fits_goes_to_the_next_line():
    for count in range(1, 40):
        mine, other = (repr(ns.full((count,), 0.5, requires_grad=True)) for ns in (minigrad, torch))
        assert mine == other
    for digits in range(1, 12):
        text = repr(minigrad.full((6,), 0.5 + 10**digits, dtype=minigrad.float64))
        assert max(map(len, text.splitlines())) <= 80
        head, _, tail = text.partition("dtype=")
        assert head.endswith(", ") or len(head.rstrip(", \n").splitlines()[-1]) + len(", dtype=" + tail) > 80


def test_requires_grad():
    for make in (
        lambda ns: ns.ones(2, requires_grad=True),
        lambda ns: ns.zeros(2, 2, dtype=ns.float64, requires_grad=True),
    ):
        same(make(minigrad), make(torch))


@pytest.mark.parametrize("call", [
    lambda x: x * 2, lambda x: x + 1, lambda x: x.sum(), lambda x: x.mean(), lambda x: x.exp(), lambda x: x[0],
    lambda x: x - 1, lambda x: x / 2, lambda x: x @ x, lambda x: x.relu(), lambda x: x.reshape(-1), lambda x: x.sigmoid(), lambda x: -x,
    lambda x: (x * 1e6).repeat(4, 10),
])  # fmt: skip
def test_grad_fn(call):
    mine, other = (repr(call(ns.ones(2, 2, requires_grad=True))) for ns in (minigrad, torch))
    head, _, tail = mine.partition("grad_fn=<")
    assert head == other.partition("grad_fn=<")[0]
    assert tail.endswith("Backward0>)")


OPTIONS = [
    {"precision": 2},
    {"sci_mode": True},
    {"sci_mode": False},
    {"linewidth": 40},
    {"threshold": 5},
    {"edgeitems": 1, "threshold": 3},
    {"profile": "short"},
    {"profile": "full"},
    {"profile": "default"},
    {"precision": 8, "linewidth": 120},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_print_options(options):
    values = np.arange(60).reshape(3, 20) / 7 - 3
    before = torch._tensor_str.PRINT_OPTS
    saved = {k: getattr(before, k) for k in ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")}
    try:
        minigrad.set_printoptions(**options)
        torch.set_printoptions(**options)
        for v in (values, values * 1e7, np.round(values), values[:1, :4]):
            same(ours(v), theirs(v))
    finally:
        torch.set_printoptions(**saved)


def test_print_options_for_a_block():
    x = minigrad.tensor([1.23456])
    with minigrad.printoptions(precision=1):
        assert repr(x) == "tensor([1.2])"
    assert repr(x) == "tensor([1.2346])"


def test_default_dtype_is_not_named():
    minigrad.set_default_dtype(minigrad.float64)
    assert repr(minigrad.ones(1)) == "tensor([1.])"
    assert repr(minigrad.ones(1, dtype=minigrad.float32)) == "tensor([1.], dtype=minigrad.float32)"


def test_format_and_str():
    x = minigrad.tensor(1.23456)
    assert f"{x:.2f}" == "1.23" and f"{x}" == str(x) == repr(x) == "tensor(1.2346)"
    assert f"{minigrad.tensor(3)}" == "tensor(3)"
