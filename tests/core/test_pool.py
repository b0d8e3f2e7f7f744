"""Pooling: nested loops and PyTorch as oracles; ties, NaN, -inf and the edges of ceil_mode apart."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from core import oracles
from core.compare import array, assert_same, ours, theirs
from core.drawing import rng_for
from minigrad.autograd import gradcheck, gradgradcheck
from minigrad.ops import pool

pytestmark = pytest.mark.usefixtures("backend")


@st.composite
def poolings(draw, dilated=True, batch=0):
    """Shapes and options of a pooling that fits; float32 has kernels of its own, so both types."""
    per_axis = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))
    kernel, stride = per_axis(1, 4), per_axis(1, 4)
    dilation = per_axis(1, 2) if dilated else (1, 1)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)  # PyTorch stops here when asked for indices
    ceil_mode = draw(st.booleans())
    size = []
    for k, p, d, step in zip(kernel, padding, dilation, stride, strict=True):
        least = next(s for s in range(1, 99) if oracles.places(s, k, step, p, d, ceil_mode))
        if p and d > 1:  # smaller, and a window could straddle the image without seeing it: see the test below
            least = max(least, d)
        size.append(least + draw(st.integers(0, 6)))
    shape = (draw(st.integers(batch, 2)), draw(st.integers(1, 3)), *size)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    return shape, options | ({"dilation": dilation} if dilated else {}), draw(st.sampled_from([np.float32, np.float64]))


def image(shape, dtype, ties=False):
    rng = rng_for(shape, ties)
    x = rng.integers(-2, 3, shape) if ties else rng.permutation(int(np.prod(shape))).reshape(shape) - 7
    return x.astype(dtype)


@settings(max_examples=100)
@given(poolings(), st.booleans())
def test_max_pool(case, ties):
    shape, options, dtype = case
    x = image(shape, dtype, ties)
    mine, other = ours(x, grad=True), theirs(x, grad=True)
    y, indices = minigrad.ops.pool.max_pool2d(mine, **options, return_indices=True)
    expected, where = TF.max_pool2d(other, **options, return_indices=True)
    assert_same(y, expected)
    assert_same(indices, where)
    k, s, p, d, c = (options[n] for n in ("kernel_size", "stride", "padding", "dilation", "ceil_mode"))
    loops, places = oracles.max_pool2d(x, k, s, p, d, c)
    np.testing.assert_array_equal(array(y), loops)
    np.testing.assert_array_equal(array(indices), places)
    weights = np.cos(np.arange(y.numel(), dtype=dtype)).reshape(tuple(y.shape))
    (y * ours(weights)).sum().backward()
    (expected * theirs(weights)).sum().backward()
    assert_same(mine.grad, other.grad, 1e-5)


@settings(max_examples=100)
@given(poolings(dilated=False), st.booleans(), st.sampled_from([None, 1, 5]))
def test_avg_pool(case, count_include_pad, divisor):
    shape, options, dtype = case
    x = image(shape, dtype)
    mine, other = ours(x, grad=True), theirs(x, grad=True)
    extra = {"count_include_pad": count_include_pad, "divisor_override": divisor}
    y, expected = pool.avg_pool2d(mine, **options, **extra), TF.avg_pool2d(other, **options, **extra)
    assert_same(y, expected)
    k, s, p, c = (options[n] for n in ("kernel_size", "stride", "padding", "ceil_mode"))
    np.testing.assert_allclose(
        array(y), oracles.avg_pool2d(x, k, s, p, c, count_include_pad, divisor), rtol=1e-5, atol=1e-5
    )
    weights = np.cos(np.arange(y.numel(), dtype=dtype)).reshape(tuple(y.shape))
    (y * ours(weights)).sum().backward()
    (expected * theirs(weights)).sum().backward()
    assert_same(mine.grad, other.grad, 1e-5)


@settings(max_examples=25)
@given(poolings(batch=1), poolings(dilated=False, batch=1))
def test_gradcheck_twice(largest, mean):
    for (shape, options, _), function in ((largest, pool.max_pool2d), (mean, pool.avg_pool2d)):
        x = ours(image(shape, np.float64) / 3, grad=True)
        call = lambda v, f=function, o=options: f(v, **o)
        assert gradcheck(call, (x,), fast_mode=True)
        assert gradgradcheck(call, (x,), fast_mode=True)


@given(poolings(batch=1), st.lists(st.sampled_from([np.nan, -np.inf, np.inf, 0.0, -0.0]), min_size=1, max_size=6))
def test_max_pool_of_special_values(case, specials):
    shape, options, dtype = case
    x = image(shape, dtype)
    rng = rng_for(shape, len(specials))
    x.reshape(-1)[rng.integers(0, x.size, len(specials))] = specials
    y, indices = pool.max_pool2d(ours(x), **options, return_indices=True)
    k, s, p, d, c = (options[n] for n in ("kernel_size", "stride", "padding", "dilation", "ceil_mode"))
    loops, places = oracles.max_pool2d(x, k, s, p, d, c)
    np.testing.assert_array_equal(array(y), loops)
    np.testing.assert_array_equal(array(indices), places)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_identical_channels_give_identical_outputs(dtype):
    plane = image((1, 1, 9, 11), dtype)
    plane[0, 0, 4, 5] = np.nan
    x = np.repeat(plane, 19, 1)
    for options in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 1, "padding": 1}):
        y, indices = pool.max_pool2d(ours(x), **options, return_indices=True)
        for channel in range(1, 19):
            np.testing.assert_array_equal(array(y)[:, channel], array(y)[:, 0])
            np.testing.assert_array_equal(array(indices)[:, channel], array(indices)[:, 0])


def test_nan_in_a_window_takes_the_gradient():
    x = ours(np.array([[[[1.0, np.nan], [5.0, np.nan]]]], np.float32), grad=True)
    y = pool.max_pool2d(x, 2)
    assert np.isnan(array(y)).all()
    y.sum().backward()
    np.testing.assert_array_equal(array(x.grad), [[[[0, 1], [0, 0]]]])


def test_a_window_of_minus_infinity_names_its_first_cell():
    x = ours(np.full((1, 1, 2, 2), -np.inf, np.float32))
    y, indices = pool.max_pool2d(x, 2, padding=1, return_indices=True)
    assert (array(y) == -np.inf).all()
    np.testing.assert_array_equal(array(indices), [[[[0, 1], [2, 3]]]])


def test_a_dilated_window_that_straddles_the_image():
    x = ours(np.ones((1, 2, 1, 1), np.float32), grad=True)
    y, indices = pool.max_pool2d(x, 2, 1, 1, 2, return_indices=True)
    assert (array(y) == -np.inf).all()
    assert (array(indices) == 0).all()
    y.sum().backward()
    assert x.grad.shape == x.shape


def test_max_unpool_is_pytorchs():
    x = image((2, 3, 6, 6), np.float32)
    y, indices = pool.max_pool2d(ours(x), 2, return_indices=True)
    expected, where = TF.max_pool2d(theirs(x), 2, return_indices=True)
    assert_same(pool.max_unpool2d(y, indices, 2), TF.max_unpool2d(expected, where, 2))
    with pytest.raises(IndexError, match="Found an invalid max index"):
        pool.max_unpool2d(y, indices + 36, 2)


def test_unbatched_and_whole_numbers():
    x = image((3, 6, 6), np.float32)
    assert_same(pool.max_pool2d(ours(x), 2), TF.max_pool2d(theirs(x), 2))
    assert_same(pool.avg_pool2d(ours(x), 2), TF.avg_pool2d(theirs(x), 2))
    whole = np.arange(16).reshape(1, 1, 4, 4)
    assert_same(pool.max_pool2d(ours(whole), 3, 1, 1), TF.max_pool2d(torch.tensor(whole), 3, 1, 1))
