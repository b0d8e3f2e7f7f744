"""The seeds of this project, each by its own numbers."""

import numpy as np
import pytest
import torch

import minigrad
from core import oracles
from core.compare import array, ours
from minigrad import ShapeError, nn
from minigrad.ops.pool import avg_pool2d, max_pool2d

pytestmark = pytest.mark.usefixtures("backend")


@pytest.mark.parametrize("shape, kernel, pad, expected", [
    ((1, 3, 7, 7), 5, 0, (9, 75)),
    ((10, 3, 7, 7), 5, 0, (90, 75)),
    ((1, 3, 5, 7), 3, 1, (35, 27)),
    ((3, 5, 7), 3, 1, (35, 27)),
])  # fmt: skip
def test_the_books_im2col(shape, kernel, pad, expected):
    x = np.random.default_rng(0).standard_normal(shape)
    cols = minigrad.im2col(ours(x), kernel, kernel, 1, pad)
    assert cols.shape == expected
    np.testing.assert_array_equal(array(cols), oracles.im2col(x.reshape(-1, *shape[-3:]), kernel, kernel, 1, pad))


def test_the_books_col2im_is_the_adjoint():
    rng = np.random.default_rng(0)
    x, c = rng.standard_normal((2, 3, 7, 7)), rng.standard_normal((2 * 4 * 4, 27))
    image = minigrad.col2im(ours(c), (2, 3, 7, 7), 3, 3, 2, 1)
    assert image.shape == (2, 3, 7, 7)
    assert (oracles.im2col(x, 3, 3, 2, 1) * c).sum() == pytest.approx((x * array(image)).sum())


def test_cs231ns_naive_convolution():
    """The course's own example: shapes (2, 3, 4, 4) and (3, 3, 4, 4), stride 2, padding 1, and its published result."""
    x = np.linspace(-0.1, 0.5, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, num=3 * 3 * 4 * 4).reshape(3, 3, 4, 4)
    b = np.linspace(-0.1, 0.2, num=3)
    out, _ = oracles.conv_forward_naive(x, w, b, {"stride": 2, "pad": 1})
    y = minigrad.conv2d(ours(x), ours(w), ours(b), stride=2, padding=1)
    np.testing.assert_allclose(array(y), out, rtol=1e-10)
    assert array(y)[0, 0] == pytest.approx(np.array([[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]]), abs=1e-8)
    assert array(y)[1, 2] == pytest.approx(np.array([[2.36270298, 2.36904306], [2.38090835, 2.38247847]]), abs=1e-8)


@pytest.mark.parametrize("stride, pad", [(1, 1), (2, 1), (1, 0), (3, 2)])
def test_cs231ns_naive_gradients(stride, pad):
    rng = np.random.default_rng(231)
    x, w, b = rng.standard_normal((2, 3, 5, 5)), rng.standard_normal((2, 3, 3, 3)), rng.standard_normal(2)
    out, cache = oracles.conv_forward_naive(x, w, b, {"stride": stride, "pad": pad})
    dout = rng.standard_normal(out.shape)
    tensors = [ours(v, grad=True) for v in (x, w, b)]
    y = minigrad.conv2d(*tensors, stride=stride, padding=pad)
    np.testing.assert_allclose(array(y), out, rtol=1e-10)
    y.backward(ours(dout))
    for t, expected in zip(tensors, oracles.conv_backward_naive(dout, cache), strict=True):
        np.testing.assert_allclose(array(t.grad), expected, rtol=1e-9, atol=1e-10)


def test_a_large_first_layer():
    layer = nn.Conv2d(1, 1, 11, stride=4)
    assert repr(layer) == "Conv2d(1, 1, kernel_size=(11, 11), stride=(4, 4))"
    assert repr(layer) == repr(torch.nn.Conv2d(1, 1, 11, stride=4))
    assert layer(minigrad.zeros(1, 1, 227, 227)).shape == (1, 1, 55, 55)


def test_a_small_net_on_digits():
    x = minigrad.zeros(1, 1, 28, 28)
    y = nn.Conv2d(1, 1, 5)(x)
    assert y.shape == (1, 1, 24, 24)
    assert nn.MaxPool2d(2)(y).shape == (1, 1, 12, 12)


@pytest.mark.parametrize(
    "size, kernel, stride, pad", [(28, 5, 1, 0), (227, 11, 4, 0), (7, 5, 1, 0), (32, 3, 2, 1), (5, 5, 3, 2)]
)
def test_the_output_size_formula(size, kernel, stride, pad):
    expected = (size + 2 * pad - kernel) // stride + 1
    y = minigrad.conv2d(minigrad.zeros(1, 1, size, size), minigrad.zeros(1, 1, kernel, kernel), None, stride, pad)
    assert y.shape == (1, 1, expected, expected)


def test_a_window_that_does_not_fit():
    with pytest.raises(ShapeError, match=r"padded input size per channel: \(4 x 4\)\. Kernel size: \(5 x 5\)"):
        nn.Conv2d(1, 1, 5)(minigrad.zeros(1, 1, 4, 4))
    with pytest.raises(ShapeError, match="Output size is too small"):
        nn.MaxPool2d(5)(minigrad.zeros(1, 1, 4, 4))


def test_max_and_average_pooling():
    x = ours(np.array([[[[1.0, 2, 1, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 4, 0, 1]]]]))
    assert max_pool2d(x, 2).tolist() == [[[[2.0, 3.0], [4.0, 2.0]]]]
    assert avg_pool2d(x, 2).tolist() == [[[[1.0, 1.5], [2.25, 1.0]]]]


class Book:
    """The layers of "Deep Learning from Scratch", chapter 7, in plain NumPy: what nn must agree with."""

    @staticmethod
    def convolution(x, w, b, stride, pad):
        f, _, kh, kw = w.shape
        n, _, h, width = x.shape
        oh, ow = 1 + (h + 2 * pad - kh) // stride, 1 + (width + 2 * pad - kw) // stride
        out = oracles.im2col(x, kh, kw, stride, pad) @ w.reshape(f, -1).T + b
        return out.reshape(n, oh, ow, f).transpose(0, 3, 1, 2)

    @staticmethod
    def pooling(x, size, stride):
        n, c, h, w = x.shape
        oh, ow = 1 + (h - size) // stride, 1 + (w - size) // stride
        cols = oracles.im2col(x, size, size, stride).reshape(-1, size * size)
        return cols.max(1).reshape(n, oh, ow, c).transpose(0, 3, 1, 2)

    @staticmethod
    def affine(x, w, b):
        return x.reshape(len(x), -1) @ w + b

    @staticmethod
    def softmax_with_loss(x, t):
        e = np.exp(x - x.max(1, keepdims=True))
        y = e / e.sum(1, keepdims=True)
        return -np.log(y[np.arange(len(t)), t] + 1e-7).mean(), y


def test_the_books_layers():
    rng = np.random.default_rng(7)
    conv, pool, affine = nn.Conv2d(2, 3, 3, stride=1, padding=1), nn.MaxPool2d(2, 2), nn.Affine(3 * 3 * 3, 5)
    x = rng.standard_normal((4, 2, 6, 6)).astype("f4")
    y = conv(ours(x))
    expected = Book.convolution(x, array(conv.weight), array(conv.bias), 1, 1)
    np.testing.assert_allclose(array(y), expected, rtol=1e-4, atol=1e-5)
    y, expected = pool(y), Book.pooling(expected, 2, 2)
    np.testing.assert_allclose(array(y), expected, rtol=1e-4, atol=1e-5)
    y, expected = affine(y.flatten(1)), Book.affine(expected, array(affine.weight).T, array(affine.bias))
    np.testing.assert_allclose(array(y), expected, rtol=1e-4, atol=1e-5)
    t = rng.integers(0, 5, 4)
    loss, probabilities = Book.softmax_with_loss(expected, t)
    assert nn.CrossEntropyLoss()(y, minigrad.tensor(t)).item() == pytest.approx(loss, rel=1e-4)
    np.testing.assert_allclose(array(nn.Softmax(1)(y)), probabilities, rtol=1e-4, atol=1e-6)


def simple_conv_net(ns):
    """Conv 30@5x5 - ReLU - Pool 2 - Affine 100 - ReLU - Affine 10."""
    linear = getattr(ns.nn, "Affine", ns.nn.Linear)
    return ns.nn.Sequential(
        ns.nn.Conv2d(1, 30, 5), ns.nn.ReLU(), ns.nn.MaxPool2d(2), ns.nn.Flatten(),
        linear(30 * 12 * 12, 100), ns.nn.ReLU(), ns.nn.Dropout(0.2), linear(100, 10),
    )  # fmt: skip


def test_simple_conv_net_learns_as_pytorchs_does():
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((3, 8, 1, 28, 28)).astype("f4"), rng.integers(0, 10, (3, 8))
    losses = []
    for ns in (minigrad, torch):
        ns.manual_seed(1)
        net, loss_of = simple_conv_net(ns), ns.nn.CrossEntropyLoss()
        optimiser = ns.optim.Adam(net.parameters(), lr=1e-3)
        initial = [array(p).copy() for p in net.parameters()]
        history = []
        for x, t in zip(images, labels, strict=True):
            loss = loss_of(net(ns.tensor(x)), ns.tensor(t))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            history.append(loss.item())
        losses.append((initial, history))
    (mine, a), (other, b) = losses
    for p, q in zip(mine, other, strict=True):
        np.testing.assert_array_equal(p, q)
    np.testing.assert_allclose(a, b, rtol=1e-4)
