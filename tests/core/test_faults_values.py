"""Infinities, NaN, ties, odd arrays and odd memory: what comes out, without a crash and without NumPy's warnings."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import minigrad
from core.compare import array, assert_same, ours, theirs
from minigrad import DtypeError
from minigrad.ops.loss import cross_entropy

pytestmark = pytest.mark.usefixtures("backend")
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("size", [1e4, 1e38, -1e38])
def test_23_large_logits_stay_finite(size):
    x = np.array([[size, 0.0, -size], [size, size, size]], np.float32)
    results = []
    for ns, make, loss in ((minigrad, ours, cross_entropy), (torch, theirs, TF.cross_entropy)):
        v = make(x, grad=True)
        y = loss(v, ns.tensor([0, 1]))
        y.backward()
        results.append((y, v.grad, ns.softmax(v, 1), ns.logsumexp(v, 1), v.sigmoid()))
    for a, b in zip(*results, strict=True):
        assert np.isfinite(array(a)).all()
        assert_same(a, b, 1e-6)


def test_24_a_row_of_minus_infinity():
    x = np.full((1, 3), -INF, np.float32)
    assert np.isnan(array(minigrad.softmax(ours(x), 1))).all()
    assert np.isnan(array(minigrad.log_softmax(ours(x), 1))).all()
    assert np.isnan(cross_entropy(ours(x), minigrad.tensor([0])).item())
    assert minigrad.logsumexp(ours(x), 1).item() == -INF


def test_28_ties_are_split_or_not():
    for ns, make in ((minigrad, ours), (torch, theirs)):
        for reduce, expected in (
            (lambda v: v.amax(0), [0.5, 0.5, 0.0]),
            (lambda v: v.max(), [0.5, 0.5, 0.0]),
            (lambda v: v.max(0)[0], [1.0, 0.0, 0.0]),
            (lambda v: ns.maximum(v, v.detach()).sum(), [0.5, 0.5, 0.5]),  # noqa: B023
        ):
            x = make(np.array([2.0, 2.0, 1.0]), grad=True)
            reduce(x).backward()
            assert x.grad.tolist() == expected
    assert minigrad.tensor([1.0, 3.0, 3.0]).argmax().item() == 1


def test_nan_wins_extremes():
    for values in ([1.0, NAN, 3.0, NAN], [NAN, 1.0], [3.0, INF, NAN]):
        for name in ("max", "min", "argmax", "argmin", "amax", "amin"):
            mine, other = (getattr(ns.tensor(values), name)() for ns in (minigrad, torch))
            assert_same(mine, other)
        (v, i), (w, j) = (ns.tensor(values).max(0) for ns in (minigrad, torch))
        assert_same(v, w)
        assert_same(i, j)
        for pair in ((1.0, NAN), (NAN, 1.0), (NAN, NAN)):
            assert np.isnan(minigrad.maximum(*map(minigrad.tensor, pair)).item())
            assert np.isnan(minigrad.minimum(*map(minigrad.tensor, pair)).item())


EDGES = np.array([0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, 1e-45, -1e-45, 1e38, -2.5], np.float32)
FUNCTIONS = (
    "relu abs sqrt log exp log1p expm1 sign reciprocal rsqrt sin cos tanh sigmoid floor round trunc neg square asin "
    "acosh atanh log2"
)


@pytest.mark.parametrize("name", FUNCTIONS.split())
def test_29_values_and_slopes_at_the_edges(name):
    results = []
    for make in (ours, theirs):
        x = make(EDGES, grad=True)
        y = getattr(x, name)()
        y.backward(make(np.ones(EDGES.shape, np.float32)))
        results.append((y, x.grad))
    for a, b in zip(*results, strict=True):
        a, b = array(a), array(b)
        if name in ("relu", "sigmoid", "tanh", "exp"):  # a NaN's own slope is nobody's business
            a, b = a[~np.isnan(EDGES)], b[~np.isnan(EDGES)]
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-45)


def test_29_powers():
    base = np.array([0.0, -2.0, 2.0, INF, NAN, 1.0], np.float32)
    for exponent in (0, 1, 2, -1, 0.5, 3.0, 0.0, -2, INF, NAN):
        results = []
        for make in (ours, theirs):
            x = make(base, grad=True)
            y = x**exponent
            y.sum().backward()
            results.append((y, x.grad))
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(array(a), array(b), rtol=1e-6, err_msg=str(exponent))


def test_division_by_zero_says_nothing():
    x = ours(np.array([1.0, 0.0, -1.0]))
    assert array(x / 0).tolist()[::2] == [INF, -INF]
    assert np.isnan((x / 0)[1].item())
    assert array(1 / x)[1] == INF
    assert array(x // 0).tolist()[::2] == [INF, -INF]
    assert np.isnan(array(x % 0)).all()
    for call in (lambda v: v // 0, lambda v: v % 0, lambda v: v.fmod(0), lambda v: 1 // (v - 1)):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            call(minigrad.arange(3))


def test_30_negative_zero_and_denormals_survive():
    tiny = np.array([1e-45, -0.0, 1.1754944e-38], np.float32)
    for y in (ours(tiny) * 1, ours(tiny) + (-0.0), ours(tiny).clone(), ours(tiny).reshape(3, 1)):
        np.testing.assert_array_equal(array(y).reshape(-1).view(np.int32), tiny.view(np.int32))
    product = ours(np.array([1e-30], np.float32)) * ours(np.array([1e-12], np.float32))
    assert product.item() == pytest.approx(1e-42, rel=1e-2)
    assert np.signbit((ours(tiny) * 2)[1].item())


def test_whole_numbers_wrap_around():
    for ns in (minigrad, torch):
        x = ns.tensor([250, 5], dtype=ns.uint8)
        assert (x + 10).tolist() == [4, 15]
        assert (x * x).tolist() == [36, 25]
        y = ns.tensor([127, -128], dtype=ns.int8)
        assert (y + 1).tolist() == [-128, -127]
        assert (y - 300).tolist() == [83, 84]
        assert (-y).tolist() == [-127, -128] and y.abs().tolist() == [127, -128]


# ---------------------------------------------------------------- NumPy's arrays


def test_35_negative_strides_are_copied():
    a = np.arange(6.0)[::-1]
    assert minigrad.from_numpy(a).tolist() == a.tolist()
    assert minigrad.tensor(a).tolist() == a.tolist()


def test_38_misaligned_and_big_endian_are_made_native():
    raw = np.zeros(33, np.uint8)
    misaligned = raw[1:].view(np.float32)
    misaligned[:] = np.arange(8)
    for make in (minigrad.tensor, minigrad.from_numpy, minigrad.as_tensor):
        assert make(misaligned).tolist() == list(range(8))
        big = np.arange(4, dtype=">f4")
        assert make(big).tolist() == [0, 1, 2, 3] and make(big).dtype is minigrad.float32


@pytest.mark.parametrize("bad", [
    np.array([1, "a"], object), np.array(["a"]), np.array([b"a"]), np.zeros(2, "i4,f4"), np.zeros(2, "M8[s]"),
], ids=["object", "str", "bytes", "structured", "datetime"])  # fmt: skip
def test_39_elements_that_are_no_numbers(bad):
    for make in (minigrad.tensor, minigrad.from_numpy, minigrad.as_tensor):
        with pytest.raises(TypeError, match=r"can.t convert np\.ndarray of type"):
            make(bad)


@pytest.mark.parametrize("bad, kind, text", [
    ([[1, 2], [3]], ValueError, "ragged"),
    ([1, [2, 3]], ValueError, "ragged"),
    ([1, None], TypeError, "not a number among the data: None"),
    (None, TypeError, "argument 'data' must be numbers"),
    ("text", TypeError, "argument 'data' must be numbers"),
    (["text"], TypeError, "not a number among the data"),
    ({"a": 1}, TypeError, "argument 'data' must be numbers"),
    ([2**64], ValueError, "Overflow"),
    (2**63, ValueError, "Overflow"),
    (object(), TypeError, "argument 'data' must be numbers"),
])  # fmt: skip
def test_41_lists_that_are_no_tensors(bad, kind, text):
    with pytest.raises(kind, match=text):
        minigrad.tensor(bad)


def test_42_who_copies_and_who_shares(backend):
    a = np.arange(3.0)
    minigrad.tensor(a)[0] = 9.0
    assert a[0] == 0.0
    minigrad.Tensor([1.0])
    if backend.device == "cpu":
        shared = minigrad.from_numpy(a)
        shared[0] = 5.0
        assert a[0] == 5.0
        a[1] = 7.0
        assert shared[1].item() == 7.0
        assert np.shares_memory(shared.numpy(), a)
        assert np.shares_memory(minigrad.as_tensor(a).numpy(), a)
    x = minigrad.tensor([1.0])
    y = minigrad.tensor(x)
    y[0] = 3.0
    assert x.item() == 1.0


def test_44_the_source_array_may_go():
    x = minigrad.from_numpy(np.arange(1000.0))
    junk = [np.full(1000, NAN) for _ in range(10)]
    assert x.sum().item() == 499500.0
    del junk


def test_numpy_and_back():
    x = minigrad.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Can't call numpy\\(\\) on Tensor that requires grad"):
        x.numpy()
    with pytest.raises(RuntimeError, match="Can't call numpy\\(\\) on Tensor that requires grad"):
        np.asarray(x)
    assert x.detach().cpu().numpy().tolist() == x.numpy(force=True).tolist() == [1.0, 1.0]
    y = minigrad.arange(3).cpu()
    assert np.asarray(y, dtype=np.float32).dtype == np.float32
    assert (np.float32(2.0) * minigrad.ones(2)).tolist() == [2.0, 2.0]
    assert (minigrad.ones(2) + np.float64(2.0)).dtype is minigrad.float32
    for mixed in (lambda: np.arange(3) * y, lambda: y - np.arange(3)):
        with pytest.raises(TypeError, match="must be Tensor or a number, not ndarray"):
            mixed()


def test_58_a_request_beyond_all_memory():
    for make in (minigrad.zeros, minigrad.empty, minigrad.ones, minigrad.randn):
        with pytest.raises(
            MemoryError, match=r"can't allocate memory: you tried to allocate \d+ bytes for shape \[1000000000"
        ):
            make(10**9, 10**6)
    with pytest.raises(MemoryError, match="you tried to allocate 80000000000000000000 bytes"):
        minigrad.zeros(10**10, 10**9, dtype=minigrad.float64)


def test_62_mixed_array_libraries():
    class Foreign(np.ndarray):
        pass

    x = minigrad.ones(2)
    x.array = np.ones(2, np.float32).view(Foreign)
    assert (x + x).tolist() == [2.0, 2.0]


def test_31_whole_numbers_carry_no_gradient():
    with pytest.raises(DtypeError, match="Only Tensors of floating point and complex dtype can require gradients"):
        minigrad.ones(2, dtype=minigrad.int64, requires_grad=True)
