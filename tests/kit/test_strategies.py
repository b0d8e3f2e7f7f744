"""The strategies draw what they promise, and assert_close is as strict as it says."""

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from minigrad.testing import (
    arrays,
    assert_adjoint,
    assert_close,
    broadcastable_shapes,
    conv2d_cases,
    pool2d_cases,
    strategies,
    windows,
)
from minigrad.testing.tolerance import deviation


def exists(strategy, condition):
    return find(strategy, condition, settings=settings(max_examples=1000, database=None, phases=[Phase.generate]))


@given(arrays())
def test_ordinary_values_are_away_from_ties_and_from_zero(x):
    if x.strides and 0 in x.strides:  # expanded: the same cell again and again
        return
    magnitudes = np.sort(np.abs(x).reshape(-1))
    assert (magnitudes > 0.4 / max(x.size, 1)).all()
    assert (np.diff(magnitudes) > 0.9 / max(x.size, 1)).all()


def test_every_layout_is_drawn():
    big = st.just((3, 4))
    assert (
        exists(arrays(big, layouts=["transposed"]), lambda x: x.flags.f_contiguous and not x.flags.c_contiguous)
        is not None
    )
    assert exists(arrays(big, layouts=["sliced"]), lambda x: x.strides == (64, 16)) is not None
    assert exists(arrays(big, layouts=["negative strides"]), lambda x: x.strides[0] < 0) is not None
    assert exists(arrays(big, layouts=["expanded"]), lambda x: 0 in x.strides) is not None
    assert exists(arrays(big, layouts=["zero-size"]), lambda x: x.size == 0) is not None


@pytest.mark.parametrize(
    "kind, found",
    [
        ("ties", lambda x: len(np.unique(x)) < x.size),
        ("nan", lambda x: np.isnan(x).any()),
        ("infinite", lambda x: np.isposinf(x).any()),
        ("minus infinity", lambda x: np.isneginf(x).any()),
        ("denormal", lambda x: ((x > 0) & (x < np.finfo(x.dtype).tiny)).any()),
        ("huge", lambda x: (np.abs(x) >= 1e4).any()),
        ("signed zeros", lambda x: (np.signbit(x) & (x == 0)).any()),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_special_value_is_drawn(kind, found, dtype):
    drawn = exists(arrays((2, 3), dtype, values=[kind]), found)
    assert drawn.dtype == dtype


@given(broadcastable_shapes(3))
def test_shapes_broadcast(shapes):
    np.broadcast_shapes(*shapes)


def test_shapes_differ():
    assert exists(broadcastable_shapes(), lambda shapes: len(shapes[0]) != len(shapes[1])) is not None
    assert exists(broadcastable_shapes(), lambda shapes: 0 in shapes[0]) is not None


@pytest.mark.parametrize(
    "condition",
    [
        lambda c: c["groups"] > 1 and max(c["window"].stride) > 1,
        lambda c: (c["x_shape"][2] + 2 * c["window"].padding[0] - c["window"].extent[0]) % c["window"].stride[0] > 0,
        lambda c: len(set(c["window"].kernel)) == len(set(c["window"].stride)) == len(set(c["window"].padding)) == 2,
        lambda c: max(c["window"].dilation) > 1 and c["b"] is not None,
        lambda c: c["x_shape"][0] == 0,
        lambda c: c["window"].padding[0] >= c["window"].extent[0],
    ],
    ids=["groups and stride", "remainder", "axes differ", "dilation", "empty batch", "more padding than kernel"],
)
def test_what_breaks_convolutions_is_drawn(condition):
    assert exists(conv2d_cases(), condition) is not None


def test_pools_overhang_and_pad():
    assert exists(pool2d_cases(), lambda c: c["window"].ceil_mode and max(c["window"].padding) > 0) is not None
    assert exists(pool2d_cases(average=True), lambda c: c["divisor"] and not c["count_include_pad"]) is not None
    assert exists(pool2d_cases(ties=True), lambda c: np.isnan(c["x"]).any()) is not None


@given(windows())
def test_windows_fit(drawn):
    window, (h, w) = drawn
    assert min(window.out_size(h, w)) >= 1


def test_convolutions_shrink_to_one_image():
    case = find(conv2d_cases(), lambda case: case["groups"] > 1)
    assert case["x_shape"] == (1, 2, 1, 1)
    assert case["w_shape"] == (2, 1, 1, 1)


def test_lay_out_keeps_the_values():
    x = np.arange(12.0).reshape(3, 4)
    for layout in ("contiguous", "transposed", "sliced", "negative strides"):
        np.testing.assert_array_equal(strategies.lay_out(x, layout), x)


# ---------------------------------------------------------------------- assert_close


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_sums_in_any_order_are_close_and_a_flaw_is_not(dtype):
    rng = np.random.default_rng(0)
    for n in (10, 1000):
        values = rng.standard_normal(n).astype(dtype)
        exact = values.astype(np.float64).sum()
        magnitude = np.abs(values).astype(np.float64).sum()
        one_by_one = np.zeros((), dtype)
        for v in values:
            one_by_one = (one_by_one + v).astype(dtype)
        assert_close(one_by_one, exact, terms=n, magnitude=magnitude)
        wrong = one_by_one + np.asarray(4 * n * np.finfo(dtype).eps * magnitude, dtype)
        with pytest.raises(AssertionError, match="1 of 1 values are wrong"):
            assert_close(wrong, exact, terms=n, magnitude=magnitude)


def test_exactness_where_nothing_is_rounded():
    assert_close(np.array([1, 2]), np.array([1, 2]))
    with pytest.raises(AssertionError, match=r"at \[1\] it is 2, not 3"):
        assert_close(np.array([1, 2]), np.array([1, 3]))
    with pytest.raises(AssertionError, match=r"shape \(2,\), expected \(3,\)"):
        assert_close(np.zeros(2), np.zeros(3))


def test_nan_and_infinity():
    special = np.array([np.nan, np.inf, -np.inf])
    assert_close(special, special)
    for wrong in ([0, np.inf, -np.inf], [np.nan, -np.inf, -np.inf], [np.nan, np.inf, -1e300]):
        with pytest.raises(AssertionError):
            assert_close(np.array(wrong), special)


def test_adjoints():
    matrix = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    v, c = np.ones(3, np.float32), np.arange(4, dtype=np.float32)
    assert_adjoint(lambda x: matrix @ x, lambda y: matrix.T @ y, v, c)
    with pytest.raises(AssertionError, match=r"<forward\(v\), c> = .*, but <v, adjoint\(c\)> = "):
        assert_adjoint(lambda x: matrix @ x, lambda y: 1.01 * (matrix.T @ y), v, c)
    with pytest.raises(AssertionError, match=r"forward: \(3,\) -> \(4,\), but adjoint: \(4,\) -> \(1,\)"):
        assert_adjoint(lambda x: matrix @ x, lambda y: y[:1], v, c)


def test_tensors_are_compared():
    import minigrad

    assert_close(minigrad.tensor([1.0, 2.0]), np.array([1.0, 2.0]))


def test_the_bound_follows_from_eps():
    assert deviation("float32", 0.0) == 0
    assert deviation("float64", 5.0) == pytest.approx(5 * 2.0**-52)
    assert deviation("float32", 5.0) / deviation("float64", 5.0) == pytest.approx(2.0**29)
