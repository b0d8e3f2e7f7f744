"""Convolution and its gradients: all instruction sets, algorithms and shapes against PyTorch in float64."""

import itertools

import numpy as np
import pytest

from minigrad.backend import Backend
from minigrad.backends import _cpp
from minigrad.backends.numpy_backend import NumpyBackend
from minigrad.window import Window

from .oracle import CONVOLUTIONS, CPP, TOLERANCE, close, conv_case, draw, torch_conv

ALGORITHMS = ["auto", "direct", "gemm", "winograd"]


@pytest.fixture(params=ALGORITHMS)
def algorithm(request):
    _cpp.set_conv_algorithm(request.param)
    return request.param


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_forward_and_gradients(isa, algorithm, dtype, case):
    x, w, b, window, groups = conv_case(case, dtype)
    y, gradients = torch_conv(x, w, b, window, groups)
    tolerance = TOLERANCE[dtype]
    close(CPP.conv2d(x, w, b, window, groups), y, tolerance)
    close(CPP.conv2d(x, w, None, window, groups), y - b.astype(np.float64)[:, None, None], tolerance)
    close(CPP.conv2d_relu(x, w, b, window, groups), np.maximum(y, 0), tolerance)
    gy = draw(y.shape, dtype, 3)
    gx, gw, gb = gradients(gy)
    close(CPP.conv2d_input_grad(gy, w, x.shape, window, groups), gx, tolerance)
    close(CPP.conv2d_weight_grad(gy, x, w.shape, window, groups), gw, tolerance)
    close(CPP.conv2d_bias_grad(gy), gb, tolerance)


def test_nested_loops_say_the_same(isa, algorithm):
    window = Window((3, 3), (1, 1), (1, 1))
    x, w = draw((1, 2, 5, 6)), draw((3, 2, 3, 3))
    y = np.zeros((1, 3, 5, 6))
    for f, oy, ox, c, i, j in itertools.product(range(3), range(5), range(6), range(2), range(3), range(3)):
        iy, ix = oy + i - 1, ox + j - 1
        if 0 <= iy < 5 and 0 <= ix < 6:
            y[0, f, oy, ox] += float(x[0, c, iy, ix]) * float(w[f, c, i, j])
    close(CPP.conv2d(x, w, None, window), y, 1e-5)


@pytest.mark.parametrize("channels", [12, 16, 32, 64])
def test_winograd_keeps_its_promise_of_accuracy(isa, channels):
    """Relative error under 1e-4 of float64, forward and both gradients."""
    _cpp.set_conv_algorithm("winograd")
    window = Window((3, 3), padding=(1, 1))
    x, w, b = draw((4, channels, 14, 15)), draw((channels + 3, channels, 3, 3)), draw((channels + 3,))
    y, gradients = torch_conv(x, w, b, window, 1)
    gy = draw(y.shape, seed=5)
    gx, gw, _ = gradients(gy)
    close(CPP.conv2d(x, w, b, window), y, 1e-4)
    close(CPP.conv2d_input_grad(gy, w, x.shape, window), gx, 1e-4)
    close(CPP.conv2d_weight_grad(gy, x, w.shape, window), gw, 1e-4)


def test_an_unknown_algorithm():
    with pytest.raises(ValueError, match="auto, direct, gemm or winograd, but got fft"):
        _cpp.set_conv_algorithm("fft")


@pytest.mark.parametrize("stride", [1, 2])
def test_empty_batch(dtype, stride):
    window = Window((3, 3), (stride, stride), (1, 1))
    x, w, b = draw((0, 3, 8, 8), dtype), draw((4, 3, 3, 3), dtype), draw((4,), dtype)
    y = CPP.conv2d(x, w, b, window)
    size = window.out_size(8, 8)
    assert y.shape == (0, 4, *size)
    assert CPP.conv2d_input_grad(y, w, x.shape, window).shape == x.shape
    np.testing.assert_array_equal(CPP.conv2d_weight_grad(y, x, w.shape, window), np.zeros(w.shape))
    np.testing.assert_array_equal(CPP.conv2d_bias_grad(y), np.zeros(4))
    pooled, winners = CPP.conv2d_relu_max_pool2d(x, w, b, window, 1, Window((2, 2), (2, 2)))
    needs = (True, True, True)
    gx, gw, gb = CPP.conv2d_relu_max_pool2d_grad(
        pooled, pooled, winners, x, w, window, 1, Window((2, 2), (2, 2)), needs
    )
    assert gx.shape == x.shape
    assert not gw.any()
    assert not gb.any()


@pytest.mark.parametrize("case", CONVOLUTIONS[:6], ids=str)
def test_im2col_and_col2im(isa, dtype, case):
    x, _, _, window, _ = conv_case(case, dtype)
    numpy = NumpyBackend()
    for fill in (0.0, -np.inf, 2.5):
        np.testing.assert_array_equal(CPP.im2col(x, window, fill), numpy.im2col(x, window, fill))
    cols = draw(CPP.im2col(x, window).shape, dtype, 4)
    close(CPP.col2im(cols, x.shape, window), numpy.col2im(cols.astype(np.float64), x.shape, window), TOLERANCE[dtype])


# ------------------------------------------------------------------ fused with ReLU and pool

POOLS = [
    Window((2, 2), (2, 2)),
    Window((3, 3), (2, 2), (1, 1)),
    Window((2, 2), (2, 2), ceil_mode=True),
    Window((2, 3), (1, 2), dilation=(2, 1)),
]
NEEDS = [(True, True, True), (False, True, True), (False, False, True), (True, False, False)]


@pytest.mark.parametrize("pool", POOLS, ids=str)
@pytest.mark.parametrize("case", [c for c in CONVOLUTIONS if min(c[2:4]) > 6 and c[6] != (2, 3)], ids=str)
def test_fused_equals_its_parts(isa, algorithm, dtype, case, pool):
    x, w, b, window, groups = conv_case(case, dtype)
    y, winners = CPP.conv2d_relu_max_pool2d(x, w, b, window, groups, pool)
    middle = CPP.conv2d_relu(x, w, b, window, groups)
    parts, indices = CPP.max_pool2d(middle, pool)
    np.testing.assert_array_equal(y, parts)  # the same arithmetic: the same bits
    np.testing.assert_array_equal(CPP.conv2d_relu_max_pool2d_value(x, w, b, window, groups, pool), y)
    gy = draw(y.shape, dtype, 7)
    g = CPP.max_pool2d_grad(CPP.relu_grad(gy, y), indices, middle.shape)
    expected = (
        CPP.conv2d_input_grad(g, w, x.shape, window, groups),
        CPP.conv2d_weight_grad(g, x, w.shape, window, groups),
        CPP.conv2d_bias_grad(g),
    )
    for needs in NEEDS:
        got = CPP.conv2d_relu_max_pool2d_grad(gy, y, winners, x, w, window, groups, pool, needs)
        for one, other, wanted in zip(got, expected, needs, strict=True):
            assert (one is not None) == wanted
            if wanted:
                close(one, other, TOLERANCE[dtype])


@pytest.mark.parametrize("filters", [7, 13, 16, 30, 33, 64])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 13), (2, 12, 7), (4, 6, 40)], ids=str)
def test_filters_as_lanes(isa, dtype, shape, filters):
    """Few taps and a 2x2 pool: odd sizes, filters that fill their vectors and others, two groups, NaN and infinity."""
    pool = Window((2, 2), (2, 2))
    for groups, window in ((1, Window((3, 3), (1, 1), (1, 1))), (2, Window((2, 3), (1, 2), dilation=(2, 1)))):
        x = draw((3, shape[0] * groups, *shape[1:]), dtype)
        w, b = draw((filters * groups, shape[0], *window.kernel), dtype, 2), draw((filters * groups,), dtype, 3)
        x[0, 0, 2, 3], x[1, 0, 3, 2] = np.nan, np.inf
        y, winners = CPP.conv2d_relu_max_pool2d(x, w, b, window, groups, pool)
        middle = CPP.conv2d_relu(x, w, b, window, groups)
        parts, indices = CPP.max_pool2d(middle, pool)
        np.testing.assert_array_equal(y, parts)
        np.testing.assert_array_equal(CPP.conv2d_relu_max_pool2d_value(x, w, b, window, groups, pool), y)
        height, width = middle.shape[2:]
        corner = 2 * width * np.arange(y.shape[2])[:, None] + 2 * np.arange(y.shape[3])
        places = corner + winners // 2 * width + winners % 2
        np.testing.assert_array_equal(places[parts > 0], indices[parts > 0])
        assert height >= 2 * y.shape[2]


def test_a_pool_window_too_large_for_a_byte_falls_back():
    x, w, pool = draw((1, 1, 40, 40)), draw((2, 1, 3, 3)), Window((17, 17), (17, 17))
    y, winners = CPP.conv2d_relu_max_pool2d(x, w, None, Window((3, 3)), 1, pool)
    assert winners.dtype == np.int64
    gw = CPP.conv2d_relu_max_pool2d_grad(y, y, winners, x, w, Window((3, 3)), 1, pool, (False, True, False))[1]
    theirs = Backend.conv2d_relu_max_pool2d_grad(
        NumpyBackend(), y, y, winners, x, w, Window((3, 3)), 1, pool, (False, True, False)
    )[1]
    close(gw, theirs, 1e-5)


def test_wrong_shapes_are_refused():
    x, w, window = draw((1, 3, 8, 8)), draw((4, 2, 3, 3)), Window((3, 3))
    with pytest.raises(ValueError, match="channels, filters and groups do not fit"):
        CPP.conv2d(x, w, None, window)
    w = draw((4, 3, 3, 3))
    with pytest.raises(ValueError, match="the window is not the filters'"):
        CPP.conv2d(x, w, None, Window((5, 5)))
    with pytest.raises(ValueError, match="b must have 4 values"):
        CPP.conv2d(x, w, draw((3,)), window)
    with pytest.raises(ValueError, match="the window does not fit into the padded image"):
        CPP.conv2d(draw((1, 3, 2, 2)), w, None, window)
    with pytest.raises(ValueError, match="gy has another shape than the output"):
        CPP.conv2d_weight_grad(draw((1, 4, 5, 5)), x, w.shape, window)
    with pytest.raises(ValueError, match="the columns are not those of x_shape and window"):
        CPP.col2im(draw((1, 27, 30)), x.shape, window)
