"""Pooling: values, indices and gradients, with NaN, -inf and ties, on every instruction set."""

import itertools

import numpy as np
import pytest
import torch

from minigrad.window import Window

from .oracle import CPP, TOLERANCE, close, draw

WINDOWS = [
    Window((2, 2), (2, 2)),
    Window((3, 3), (2, 2), (1, 1)),
    Window((3, 2), (1, 1)),
    Window((2, 2), (2, 2), ceil_mode=True),
    Window((3, 3), (2, 2), (1, 1), ceil_mode=True),
    Window((2, 3), (1, 2), (1, 1), (2, 1)),
    Window((1, 1), (1, 1)),
    Window((5, 1), (3, 1), (2, 0)),
]
SHAPES = [(2, 3, 8, 8), (1, 2, 7, 9), (2, 1, 13, 34), (1, 1, 5, 67), (3, 5, 6, 5)]


def loops(x, window):
    """The definition: the first maximum in scan order, the first NaN before all."""
    n, c, h, w = x.shape
    oh, ow = window.out_size(h, w)
    y, indices = np.empty((n, c, oh, ow), x.dtype), np.empty((n, c, oh, ow), np.int64)
    for image, channel, oy, ox in itertools.product(range(n), range(c), range(oh), range(ow)):
        best, where = -np.inf, None
        for i, j in itertools.product(range(window.kernel[0]), range(window.kernel[1])):
            iy = oy * window.stride[0] - window.padding[0] + i * window.dilation[0]
            ix = ox * window.stride[1] - window.padding[1] + j * window.dilation[1]
            if not (0 <= iy < h and 0 <= ix < w):
                continue
            value = x[image, channel, iy, ix]
            if where is None or (not np.isnan(best) and (value > best or np.isnan(value))):
                best, where = value, iy * w + ix
        y[image, channel, oy, ox], indices[image, channel, oy, ox] = best, where
    return y, indices


def special(shape, dtype):
    """Few different values, many ties, some NaN and infinities."""
    rng = np.random.default_rng(list(shape))
    return rng.choice(
        np.array([0.0, -0.0, 1.0, 2.0, np.nan, -np.inf, np.inf], dtype), shape, p=[0.2, 0.1, 0.2, 0.1, 0.1, 0.2, 0.1]
    )


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_max_pool(isa, dtype, shape, window):
    for x in (draw(shape, dtype), special(shape, dtype), np.full(shape, -np.inf, dtype)):
        y, indices = CPP.max_pool2d(x, window)
        expected, places = loops(x, window)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(indices, places)
        gy = draw(y.shape, dtype, 1)
        gx = CPP.max_pool2d_grad(gy, indices, x.shape)
        scattered = np.zeros((shape[0] * shape[1], shape[2] * shape[3]))
        for plane in range(len(scattered)):
            np.add.at(
                scattered[plane], places.reshape(len(scattered), -1)[plane], gy.reshape(len(scattered), -1)[plane]
            )
        close(gx, scattered.reshape(shape), TOLERANCE[dtype])
        np.testing.assert_array_equal(CPP.max_pool2d_gather(x, indices), expected)


def test_identical_channels_give_identical_outputs(isa, dtype):
    """Wherever a channel falls in the vectors: FAULTS of shipped kernels hide in the tails."""
    plane = special((1, 1, 9, 37), dtype)
    x = np.ascontiguousarray(np.broadcast_to(plane, (3, 7, 9, 37)))
    for window in WINDOWS:
        y, indices = CPP.max_pool2d(x, window)
        for image, channel in itertools.product(range(3), range(7)):
            np.testing.assert_array_equal(y[image, channel], y[0, 0])
            np.testing.assert_array_equal(indices[image, channel], indices[0, 0])


def test_a_window_that_sees_no_cell_names_one(isa, dtype):
    y, indices = CPP.max_pool2d(np.ones((1, 2, 1, 1), dtype), Window((2, 2), (1, 1), (1, 1), (2, 2)))
    assert (y == -np.inf).all()
    assert (indices == 0).all()


def test_indices_outside_the_image_are_left_out(isa):
    indices = np.array([[[[-1, 3], [2**40, 0]]]])
    gx = CPP.max_pool2d_grad(np.ones((1, 1, 2, 2), np.float32), indices, (1, 1, 2, 2))
    np.testing.assert_array_equal(gx, [[[[1, 0], [0, 1]]]])


@pytest.mark.parametrize("window", [w for w in WINDOWS if w.dilation == (1, 1)], ids=str)
@pytest.mark.parametrize("count_pad", [True, False])
@pytest.mark.parametrize("divisor", [None, 3])
def test_avg_pool(isa, dtype, window, count_pad, divisor):
    for shape in SHAPES:
        x = draw(shape, dtype)
        theirs = torch.tensor(x.astype(np.float64), requires_grad=True)
        expected = torch.nn.functional.avg_pool2d(
            theirs, window.kernel, window.stride, window.padding, window.ceil_mode, count_pad, divisor
        )
        y = CPP.avg_pool2d(x, window, count_pad, divisor)
        close(y, expected.detach().numpy(), TOLERANCE[dtype])
        gy = draw(y.shape, dtype, 1)
        (gx,) = torch.autograd.grad(expected, theirs, torch.tensor(gy.astype(np.float64)))
        close(CPP.avg_pool2d_grad(gy, shape, window, count_pad, divisor), gx.numpy(), TOLERANCE[dtype])


def test_empty_batch(dtype):
    window = Window((2, 2), (2, 2))
    y, indices = CPP.max_pool2d(np.empty((0, 3, 4, 4), dtype), window)
    assert y.shape == indices.shape == (0, 3, 2, 2)
    assert CPP.max_pool2d_grad(y, indices, (0, 3, 4, 4)).shape == (0, 3, 4, 4)
    assert CPP.avg_pool2d(np.empty((2, 0, 4, 4), dtype), window).shape == (2, 0, 2, 2)
