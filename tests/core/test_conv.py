"""conv2d, unfold, fold, im2col: nested loops and PyTorch as oracles, and the laws that hold whatever the numbers."""

import numpy as np
import pytest
import torch.nn.functional as TF
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minigrad
from core import oracles
from core.compare import array, assert_same, ours, theirs
from core.drawing import rng_for
from minigrad import ShapeError
from minigrad.autograd import gradcheck, gradgradcheck
from minigrad.ops import conv

pytestmark = pytest.mark.usefixtures("backend")


@st.composite
def convolutions(draw, small=False):
    """Shapes and options of a convolution that fits."""
    per_axis = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    n, cg, fg = draw(st.integers(0 if not small else 1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel, stride, padding, dilation = per_axis(1, 3), per_axis(1, 3), per_axis(0, 2), per_axis(1, 2)
    least = [max(d * (k - 1) + 1 - 2 * p, 1) for k, p, d in zip(kernel, padding, dilation, strict=True)]
    size = [low + draw(st.integers(0, 2 if small else 5)) for low in least]
    return {
        "x": (n, cg * groups, *size),
        "w": (fg * groups, cg, *kernel),
        "bias": draw(st.booleans()),
        "options": {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
    }


def arrays(case, dtype=np.float64):
    rng = rng_for(case)
    x, w = rng.standard_normal(case["x"]).astype(dtype), rng.standard_normal(case["w"]).astype(dtype)
    return x, w, rng.standard_normal(case["w"][0]).astype(dtype) if case["bias"] else None


@given(convolutions())
def test_forward_is_the_nested_loops_and_pytorchs(case):
    x, w, b = arrays(case)
    y = minigrad.conv2d(ours(x), ours(w), b if b is None else ours(b), **case["options"])
    np.testing.assert_allclose(array(y), oracles.conv2d(x, w, b, **case["options"]), rtol=1e-9, atol=1e-9)
    assert_same(y, TF.conv2d(theirs(x), theirs(w), b if b is None else theirs(b), **case["options"]))


@given(convolutions(), st.sampled_from([np.float32, np.float64]))
def test_gradients_are_pytorchs(case, dtype):
    values = [v for v in arrays(case, dtype) if v is not None]
    grads = []
    for make, function in ((ours, minigrad.conv2d), (theirs, TF.conv2d)):
        args = [make(v, grad=True) for v in values]
        y = function(*args, **case["options"])
        (y * make(np.cos(np.arange(array(y).size, dtype=dtype)).reshape(tuple(y.shape)))).sum().backward()
        grads.append([a.grad for a in args])
    for g, h in zip(*grads, strict=True):
        assert_same(g, h, 1e-9 if dtype is np.float64 else 2e-4)


@given(convolutions(small=True), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_a_gradient_does_not_depend_on_who_else_asks(case, asks):
    values = [v for v in arrays(case) if v is not None]
    assume(any(asks[: len(values)]))
    every = [ours(v, grad=True) for v in values]
    some = [ours(v, grad=ask) for v, ask in zip(values, asks, strict=False)]
    for args in (every, some):
        y = minigrad.conv2d(*args, **case["options"])
        (y * y).sum().backward()
    for a, s in zip(every, some, strict=True):
        if s.requires_grad:
            np.testing.assert_array_equal(array(a.grad), array(s.grad))
        else:
            assert s.grad is None


@settings(max_examples=25)
@given(convolutions(small=True))
def test_gradcheck_twice(case):
    args = [ours(v, grad=True) for v in arrays(case) if v is not None]
    call = lambda *v: minigrad.conv2d(*v, **case["options"])
    assert gradcheck(call, args, fast_mode=True)
    assert gradgradcheck(call, args, fast_mode=True)


@given(convolutions(small=True))
def test_linear_and_adjoint(case):
    """conv(a*x + z, w) = a*conv(x, w) + conv(z, w), and <conv(x, w), g> = <x, dx(g)> = <w, dw(g)>."""
    x, w, _ = arrays(case)
    x, w = ours(x), ours(w)
    z = ours(np.flip(array(x), 2).copy())
    f = lambda v, u=w: minigrad.conv2d(v, u, **case["options"])
    np.testing.assert_allclose(array(f(x * 2.5 + z)), array(f(x) * 2.5 + f(z)), atol=1e-9)
    x.requires_grad_()
    w.requires_grad_()
    y = f(x)
    g = ours(np.sin(np.arange(y.numel(), dtype=np.float64)).reshape(tuple(y.shape)))
    gx, gw = minigrad.autograd.grad(y, [x, w], g)
    inner = (y * g).sum().item()
    assert (x * gx).sum().item() == pytest.approx(inner, abs=1e-8)
    assert (w * gw).sum().item() == pytest.approx(inner, abs=1e-8)


@given(convolutions(small=True))
def test_unfold_and_fold_are_pytorchs_and_adjoint(case):
    x, _, _ = arrays(case)
    o = case["options"]
    geometry = {"kernel_size": case["w"][2:], "dilation": o["dilation"], "padding": o["padding"], "stride": o["stride"]}
    mine, other = ours(x, grad=True), theirs(x, grad=True)
    cols = conv.unfold(mine, **geometry)
    expected = TF.unfold(other, **geometry)
    assert_same(cols, expected)
    weights = np.cos(np.arange(cols.numel(), dtype=np.float64)).reshape(tuple(cols.shape))
    back = conv.fold(ours(weights), x.shape[2:], **geometry)
    assert_same(back, TF.fold(theirs(weights), x.shape[2:], **geometry))
    assert (cols * ours(weights)).sum().item() == pytest.approx((mine * back).sum().item(), abs=1e-9)
    (cols * ours(weights)).sum().backward()
    assert_same(mine.grad, back.detach())
    assert gradgradcheck(lambda v: conv.unfold(v, **geometry), (mine,), fast_mode=True)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch's
@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(5, 7),
    st.sampled_from(["same", "valid"]),
)
def test_padding_by_name(kh, kw, dh, dw, size, name):
    rng = rng_for(kh, kw, dh, dw, size)
    x, w = rng.standard_normal((2, 2, size, 6)), rng.standard_normal((3, 2, kh, kw))
    assume(name == "same" or (dh * (kh - 1) < size and dw * (kw - 1) < 6))
    grads = []
    for make, function in ((ours, minigrad.conv2d), (theirs, TF.conv2d)):
        args = make(x, grad=True), make(w, grad=True)
        y = function(*args, None, 1, name, (dh, dw))
        (y * y).sum().backward()
        grads.append([y.detach(), args[0].grad, args[1].grad])
    for a, b in zip(*grads, strict=True):
        assert_same(a, b)


def test_same_padding_refuses_strides():
    with pytest.raises(ShapeError, match="padding='same' is not supported for strided convolutions"):
        minigrad.conv2d(minigrad.zeros(1, 1, 4, 4), minigrad.zeros(1, 1, 3, 3), None, 2, "same")


def test_unbatched_image():
    x, w, b, _ = (v for v in (*arrays({"x": (2, 5, 6), "w": (4, 2, 3, 3), "bias": True}), None))
    assert_same(
        minigrad.conv2d(ours(x), ours(w), ours(b), padding=1), TF.conv2d(theirs(x), theirs(w), theirs(b), padding=1)
    )


def test_an_empty_batch_has_zero_weight_gradient():
    x, w, b = (
        minigrad.zeros(0, 2, 5, 5),
        minigrad.ones(4, 2, 3, 3, requires_grad=True),
        minigrad.ones(4, requires_grad=True),
    )
    y = minigrad.conv2d(x, w, b)
    assert y.shape == (0, 4, 3, 3)
    y.sum().backward()
    assert not array(w.grad).any() and w.grad.shape == w.shape
    assert not array(b.grad).any() and b.grad.shape == b.shape


def test_batches_may_be_split():
    x, w, _ = arrays({"x": (5, 3, 6, 6), "w": (4, 3, 3, 3), "bias": False})
    whole = minigrad.conv2d(ours(x), ours(w), padding=1)
    parts = [minigrad.conv2d(ours(x[i : i + 1]), ours(w), padding=1) for i in range(5)]
    np.testing.assert_allclose(array(whole), array(minigrad.cat(parts)), rtol=1e-12, atol=1e-12)


def test_non_contiguous_image_and_filters():
    x, w, _ = arrays({"x": (6, 7, 3, 2), "w": (3, 3, 3, 4), "bias": False})
    mine = minigrad.conv2d(ours(x).permute(3, 2, 0, 1), ours(w).permute(3, 0, 1, 2), padding=1)
    assert_same(mine, TF.conv2d(theirs(x).permute(3, 2, 0, 1), theirs(w).permute(3, 0, 1, 2), padding=1))


def test_the_first_layer_computes_no_input_gradient(backend, monkeypatch):
    called = []
    for name in ("conv2d_input_grad", "conv2d_weight_grad", "conv2d_bias_grad"):
        original = getattr(type(backend), name)
        monkeypatch.setattr(type(backend), name, lambda *a, n=name, f=original: (called.append(n), f(*a))[1])
    x, w = minigrad.ones(1, 1, 4, 4), minigrad.ones(1, 1, 3, 3, requires_grad=True)
    minigrad.conv2d(x, w, minigrad.zeros(1)).sum().backward()
    assert called == ["conv2d_weight_grad"]
