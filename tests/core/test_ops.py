"""Every operation of the table, on every backend: values, gradients, layouts, promotion, manners."""

import copy
import itertools

import numpy as np
import pytest
import torch

import minigrad
from core.compare import array, assert_same, listed, ours, theirs
from core.drawing import Draw, rng_for
from core.op_table_nn import NN
from core.op_table_shapes import TABLE as CORE
from minigrad.autograd import gradcheck, gradgradcheck

pytestmark = pytest.mark.usefixtures("backend")
TABLE = [*CORE, *NN]

every = pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
smooth = pytest.mark.parametrize("case", [c for c in TABLE if c.smooth], ids=lambda case: case.name)


def drawn(case, number, dtype=np.float64):
    rng = rng_for(case.name, number)
    return [s.array(rng, dtype) if isinstance(s, Draw) and s.floating else s.array(rng) if isinstance(s, Draw) else s
            for s in case.samples[number]]  # fmt: skip


def samples(case, dtype=np.float64):
    return [drawn(case, i, dtype) for i in range(len(case.samples))]


def tensors(values):
    return [v for v in values if isinstance(v, (minigrad.Tensor, torch.Tensor))]


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_is_pytorchs(case, dtype):
    for values in samples(case, dtype):
        mine = listed(case.call(minigrad, *[ours(v) for v in values]))
        other = listed(case.call(torch, *[theirs(v) for v in values]))
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            assert_same(a, b, what=f"{case.name} {[getattr(v, 'shape', v) for v in values]}")


def gradients(ns, make, case, values):
    """Of all floating inputs, for fixed random weights of all outputs; and the outputs."""
    args = [make(v, grad=True) for v in values]
    outputs = listed(case.call(ns, *args))
    rng = rng_for("weights")
    total = None
    for y in outputs:
        w = rng.uniform(0.5, 1.5, tuple(y.shape))
        if y.requires_grad:
            term = (y * make(np.asarray(w, dtype=array(y).dtype))).sum()
            total = term if total is None else total + term
    if total is not None:
        total.backward()
    return [v.grad for v in tensors(args)], args, outputs


@pytest.mark.parametrize("case", [c for c in TABLE if c.torch_gradient], ids=lambda case: case.name)
def test_gradients_are_pytorchs(case, backend):
    for values in samples(case):
        mine, _, ys = gradients(minigrad, ours, case, values)
        other, _, yt = gradients(torch, theirs, case, values)
        what = f"{case.name} {[getattr(v, 'shape', v) for v in values]}"
        assert [y.requires_grad for y in ys] == [y.requires_grad for y in yt] or not case.smooth, what
        for g, h in zip(mine, other, strict=True):
            if h is None or not h.any():  # PyTorch's zeros and our None mean the same
                assert g is None or not array(g).any(), what
            else:
                assert g is not None, what
                assert isinstance(g.array, backend.array_type), what
                assert_same(g, h, what=what)


@smooth
def test_gradcheck(case):
    for values in samples(case):
        args = [ours(v, grad=True) for v in values]
        call = lambda *a: case.call(minigrad, *a)
        if any(t.requires_grad for t in tensors(args)):
            assert gradcheck(call, args, fast_mode=sum(t.numel() for t in tensors(args)) > 12)


@smooth
def test_gradgradcheck(case):
    for values in samples(case):
        args = [ours(v, grad=True) for v in values]
        call = lambda *a: case.call(minigrad, *a)
        if any(t.requires_grad for t in tensors(args)):
            assert gradgradcheck(call, args, fast_mode=True)


def turned(x):
    """The same tensor with its first dimension the innermost in memory."""
    back = tuple(reversed(range(x.ndim)))
    return x.permute(back).contiguous().permute(back)


def scattered_layouts(v):
    """The same values in other memory layouts."""
    yield np.ascontiguousarray(v.T).T
    wide = np.zeros((*v.shape[:-1], 2 * v.shape[-1]), v.dtype)
    wide[..., ::2] = v
    yield wide[..., ::2]
    tall = np.zeros((v.shape[0] + 2, *v.shape[1:]), v.dtype)
    tall[1:-1] = v
    yield tall[1:-1]


@every
def test_layout_does_not_matter(case, backend):
    for values in samples(case):
        _, _, ys = gradients(minigrad, ours, case, values)
        for layout in range(3):
            args = []
            for v in values:
                if isinstance(v, np.ndarray) and v.ndim and v.dtype.kind == "f":
                    laid_out = list(scattered_layouts(v))[layout]
                    args.append(
                        minigrad.as_tensor(laid_out)
                        if backend.device == "cpu"
                        else ours(v).permute(*range(v.ndim)[::-1]).contiguous().permute(*range(v.ndim)[::-1])
                    )
                else:
                    args.append(ours(v))
            if case.name == "view":  # which refuses some layouts, rightly
                continue
            for y, again in zip(ys, listed(case.call(minigrad, *args)), strict=True):
                assert_same(again, y, 1e-12)


@every
def test_inputs_are_left_alone_and_gradients_share_no_memory(case, backend):
    for values in samples(case):
        before = copy.deepcopy(values)
        grads, args, outputs = gradients(minigrad, ours, case, values)
        for v, t in zip(before, args, strict=True):
            if isinstance(v, np.ndarray):
                np.testing.assert_array_equal(v, array(t))
        if backend.device != "cpu":
            continue
        held = [g.array for g in grads if g is not None]
        for g in grads:
            assert g is None or g.add_(0) is g  # writable: an optimiser may scale it in place
        others = [t.array for t in tensors(args)] + [y.array for y in outputs]
        for a, b in itertools.combinations(held, 2):
            assert not np.shares_memory(a, b)
        for a, b in itertools.product(held, others):
            assert not np.shares_memory(a, b)


@every
def test_errors(case):
    for call, kind, text in case.errors:
        with pytest.raises(kind) as caught:
            result = call(minigrad)
            if isinstance(result, minigrad.Tensor):
                result.tolist()  # a GPU looks at indices when it comes to them, and says so when a value is asked for
        assert text in str(caught.value)
        with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)):
            call(torch)


DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


def of_dtype(ns, dtype, shape):
    """Small positive numbers that every type holds."""
    values = np.arange(1, 1 + int(np.prod(shape))).reshape(shape) % 3 + 1
    return ns.tensor(values.tolist(), dtype=getattr(ns, dtype))


def outcome(call, *args):
    try:
        return listed(call(*args))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        return error


def compare_outcomes(mine, other, what, values=True):
    if isinstance(other, Exception):
        assert isinstance(mine, Exception), f"{what}: PyTorch refuses this: {other}"
        return
    assert not isinstance(mine, Exception), f"{what}: {type(mine).__name__}: {mine}"
    for a, b in zip(mine, other, strict=True):
        assert str(a.dtype).removeprefix("minigrad.") == str(b.dtype).removeprefix("torch."), what
        if values:
            assert_same(a, b, what=what)


binary = pytest.mark.parametrize("case", [c for c in TABLE if c.dtypes == "binary"], ids=lambda case: case.name)


@binary
def test_promotion_of_two(case):
    """All pairs of types, each operand with dimensions or without, or a Python number."""
    for a, b in itertools.product(DTYPES, DTYPES):
        for left, right in (((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())):
            if case.name == "cat" and () in (left, right):
                continue
            mine = outcome(case.call, minigrad, of_dtype(minigrad, a, left), of_dtype(minigrad, b, right))
            other = outcome(case.call, torch, of_dtype(torch, a, left), of_dtype(torch, b, right))
            compare_outcomes(mine, other, f"{case.name} {a}{left} {b}{right}")


OPERATORS = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "//": lambda a, b: a // b, "%": lambda a, b: a % b, "**": lambda a, b: a**b, "==": lambda a, b: a == b,
    "<": lambda a, b: a < b, ">=": lambda a, b: a >= b, "&": lambda a, b: a & b, "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}  # fmt: skip


@pytest.mark.parametrize("sign", OPERATORS)
def test_promotion_with_python_numbers(sign):
    call = OPERATORS[sign]
    for dtype, number, shape in itertools.product(DTYPES, (True, 2, -1, 1.5), ((2,), ())):
        for swapped in (False, True):
            pairs = [(number, of_dtype(ns, dtype, shape))[:: -1 if not swapped else 1] for ns in (minigrad, torch)]
            what = f"{dtype}{shape} {sign} {number} {swapped}"
            compare_outcomes(outcome(call, *pairs[0]), outcome(call, *pairs[1]), what)


ONE_TENSOR = [c for c in TABLE if c.dtypes == "unary" and sum(isinstance(s, Draw) for s in c.samples[0]) == 1]


@pytest.mark.parametrize("case", ONE_TENSOR, ids=lambda case: case.name)
def test_every_dtype_of_one(case):
    for dtype in DTYPES:
        results = []
        for ns in (minigrad, torch):
            args = [of_dtype(ns, dtype, s.shape) if isinstance(s, Draw) else s for s in case.samples[0]]
            results.append(outcome(case.call, ns, *args))
        compare_outcomes(*results, f"{case.name} {dtype}", dtype != "float16" or case.half)


MIXED = {
    "where": lambda ns, a, b: ns.where(ns.tensor([True, False]), a, b),
    "where left": lambda ns, a, b: ns.where(ns.tensor(True), a, b),
    "stack": lambda ns, a, b: ns.stack([a, b]),
    "add_": lambda ns, a, b: a.add_(b),
    "sub_": lambda ns, a, b: a.sub_(b),
    "mul_": lambda ns, a, b: a.mul_(b),
    "div_": lambda ns, a, b: a.div_(b),
    "floor_divide_": lambda ns, a, b: a.floor_divide_(b),
    "pow_": lambda ns, a, b: a.pow_(b),
    "copy_": lambda ns, a, b: a.copy_(b),
    "setitem": lambda ns, a, b: (a.__setitem__(..., b), a)[1],
    "eq_": lambda ns, a, b: a.eq_(b),
    "clamp": lambda ns, a, b: ns.clamp(a, b, b),
    "clamp min": lambda ns, a, b: ns.clamp(a, min=b),
    "masked_fill": lambda ns, a, b: ns.masked_fill(a, ns.tensor([True, False]), b),
    "dot": lambda ns, a, b: a @ b,
}


@pytest.mark.parametrize("name", MIXED)
def test_promotion_elsewhere(name):
    for a, b in itertools.product(DTYPES, DTYPES):
        for left, right in (((2,), (2,)), ((2,), ()), ((), ())):
            pairs = [(ns, of_dtype(ns, a, left), of_dtype(ns, b, right)) for ns in (minigrad, torch)]
            mine, other = (outcome(MIXED[name], *pair) for pair in pairs)
            compare_outcomes(mine, other, f"{name} {a}{left} {b}{right}")


NUMBERS = {
    "clamp": lambda t, n: t.clamp(n, n),
    "clamp max": lambda t, n: t.clamp(max=n),
    "masked_fill": lambda t, n: t.masked_fill(t > 1, n),
    "where": lambda t, n: t.where(t > 1, n),
    "add_": lambda t, n: t.add_(n),
    "mul_": lambda t, n: t.mul_(n),
    "div_": lambda t, n: t.div_(n),
    "fill_": lambda t, n: t.fill_(n),
    "setitem": lambda t, n: (t.__setitem__(..., n), t)[1],
    "fmod": lambda t, n: t.fmod(n),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_promotion_with_numbers_elsewhere(name):
    for dtype, number, shape in itertools.product(DTYPES, (True, 2, -1, 1.5), ((2,), ())):
        mine, other = (outcome(NUMBERS[name], of_dtype(ns, dtype, shape), number) for ns in (minigrad, torch))
        if name.startswith("clamp") and (dtype, number) == ("uint8", -1):  # 255 in PyTorch; refused here
            assert "without overflow" in str(mine)
            continue
        compare_outcomes(mine, other, f"{name} {dtype}{shape} {number}")
