"""Every word of the CUDA backend, on the emulated device, against PyTorch, loops and the NumPy backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minigrad.backends import cuda_conv, cuda_launch
from minigrad.backends.numpy_backend import NumpyBackend
from minigrad.window import Window

NUMPY = NumpyBackend()
TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "float16": 2e-2}
FLOATS = ("float32", "float64", "float16")

# kernel, stride, padding, dilation; groups; (N, C, H, W); F. Chosen to leave remainders, and to reach every kernel: by
# elements (few filters a group), by tiles, as a plain product, with a window the compiler knows.
CONVS = [
    (Window((3, 3), (1, 1), (1, 1)), 1, (2, 3, 9, 7), 20),
    (Window((3, 3), (2, 2), (1, 1)), 1, (3, 17, 8, 9), 33),
    (Window((5, 5)), 1, (2, 1, 12, 11), 30),
    (Window((2, 3), (2, 1), (0, 2), (2, 1)), 1, (1, 4, 9, 8), 11),
    (Window((3, 2), (3, 2), (1, 0)), 2, (2, 20, 10, 7), 22),
    (Window((3, 3), (1, 2), (1, 1)), 6, (2, 6, 7, 7), 6),
    (Window((3, 3), (2, 1), (0, 1), (1, 2)), 3, (2, 6, 8, 9), 9),
    (Window((1, 1)), 1, (2, 5, 4, 6), 13),
    (Window((1, 1), (2, 2)), 1, (2, 12, 5, 6), 13),
    (Window((2, 2)), 1, (0, 3, 5, 5), 9),
]
POOLS = [
    Window((2, 2), (2, 2)),
    Window((3, 2), (1, 2), (1, 1)),
    Window((3, 3), (2, 2), (1, 1), (1, 1), True),
    Window((2, 2), (1, 2), (0, 1), (2, 3)),
]


def values(seed: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def near(got: Any, want: Any, dtype: str, what: str = "", scale: float = 1) -> None:
    """Compare after a look at shape, element type and memory layout."""
    assert type(got).__module__.startswith("cupy"), what
    assert got.flags.c_contiguous and str(got.dtype) == dtype, what
    want = want.numpy() if isinstance(want, torch.Tensor) else want
    assert got.shape == want.shape, what
    tolerance = TOLERANCE[dtype] * scale
    np.testing.assert_allclose(got.get().astype("f8"), want.astype("f8"), tolerance, tolerance, err_msg=what)


def conv_arrays(case: Any, dtype: str) -> tuple[np.ndarray, ...]:
    window, groups, shape, filters = case
    x, b = values(0, shape, dtype), values(1, (filters,), dtype)
    w = (values(2, (filters, shape[1] // groups, *window.kernel), "f8") * 0.2).astype(dtype)
    return x, w, b, values(3, (shape[0], filters, *window.out_size(*shape[2:])), dtype)


def torch_conv(case: Any, x: np.ndarray, w: np.ndarray, b: np.ndarray, gy: np.ndarray) -> list[torch.Tensor]:
    """Output and gradients in double precision: y, relu(y), gx, gw, gb."""
    window, groups = case[:2]
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, w, b)]
    y = F.conv2d(*tensors, window.stride, window.padding, window.dilation, groups)
    y.backward(torch.tensor(gy, dtype=torch.float64))
    return [y.detach(), y.detach().relu(), *(t.grad for t in tensors)]  # type: ignore[list-item]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CONVS, ids=str)
def test_convolution_and_its_gradients_are_pytorch_s(cuda: Any, case: Any, dtype: str) -> None:
    window, groups, shape, _ = case
    x, w, b, gy = conv_arrays(case, dtype)
    y, rectified, gx, gw, gb = torch_conv(case, x, w, b, gy)
    dx, dw, db, dgy = map(cuda.from_numpy, (x, w, b, gy))
    near(cuda.conv2d(dx, dw, db, window, groups), y, dtype)
    near(cuda.conv2d_relu(dx, dw, db, window, groups), rectified, dtype)
    without = y - torch.tensor(b.astype("f8"))[:, None, None]
    near(cuda.conv2d(dx, dw, None, window, groups), without, dtype)
    near(cuda.conv2d_input_grad(dgy, dw, shape, window, groups), gx, dtype)
    near(cuda.conv2d_weight_grad(dgy, dx, w.shape, window, groups), gw, dtype, scale=10)
    near(cuda.conv2d_bias_grad(dgy), gb, dtype, scale=10)


@pytest.mark.parametrize("tile", cuda_conv.TILES)
@pytest.mark.parametrize("wide", [False, True])
def test_every_tile_and_index_width_gives_the_same(
    cuda: Any, monkeypatch: pytest.MonkeyPatch, tile: tuple[int, int], wide: bool
) -> None:
    case = CONVS[4]
    window, groups, shape, _ = case
    x, w, b, gy = conv_arrays(case, "float32")
    y, _, gx, gw, _ = torch_conv(case, x, w, b, gy)
    monkeypatch.setattr(cuda_conv, "TILES", {tile: 1.0})
    monkeypatch.setattr(cuda_conv, "FEW", 0)
    if wide:
        monkeypatch.setattr(cuda_conv, "NARROW", 0)
        monkeypatch.setattr(cuda_launch, "NARROW", 0)
    dx, dw, db, dgy = map(cuda.from_numpy, (x, w, b, gy))
    near(cuda.conv2d(dx, dw, db, window, groups), y, "float32")
    near(cuda.conv2d_input_grad(dgy, dw, shape, window, groups), gx, "float32")
    near(cuda.conv2d_weight_grad(dgy, dx, w.shape, window, groups), gw, "float32")


@pytest.mark.parametrize("processors", [3, 12, 64])  # one group of parts, and several
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_weight_gradient_s_long_sum_is_cut_into_parts(cuda: Any, dtype: str, processors: int) -> None:
    case = (Window((3, 3)), 1, (16, 9, 14, 14), 10)
    x, w, b, gy = conv_arrays(case, dtype)
    cuda.launcher.processors = processors
    seen: list[int] = []
    parts = cuda._parts
    cuda._parts = lambda *args: (seen.append(parts(*args)[0]), parts(*args))[1]
    got, bias = cuda._weight_grads(cuda.from_numpy(gy), cuda.from_numpy(x), w.shape, case[0], 1, True)
    assert seen[-1] == {3: 6, 12: 24, 64: 36}[processors]
    near(got, torch_conv(case, x, w, b, gy)[3], dtype, scale=10)
    near(bias, gy.astype("f8").sum((0, 2, 3)), dtype, scale=10)
    assert not cuda.launcher._counters.get().any()  # as every launch has to leave them


def test_counters_of_captured_launches_are_nobody_else_s(cuda: Any) -> None:
    from minigrad.backends.cuda_launch import CAPTURED, EAGER, MARKS

    launcher = cuda.launcher
    first, second = launcher.counters(10, True), launcher.counters(10, True)
    assert second.data.ptr == first.data.ptr + 4 * 10 * MARKS
    assert launcher.counters(EAGER // MARKS, False).data.ptr == launcher._counters.data.ptr
    assert launcher.counters(2, False).data.ptr == launcher._counters.data.ptr  # round again
    assert launcher.counters(EAGER, False) is None and launcher.counters(CAPTURED, True) is None


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 3), (100, 70, 33), (40, 500, 10), (300, 9, 40), (130, 130, 130)])
@pytest.mark.parametrize("relu", [False, True])
def test_a_small_linear_layer_takes_a_launch_each_way(
    cuda: Any, shape: tuple[int, int, int], relu: bool, dtype: str
) -> None:
    from cupy import _module

    m, i, o = shape
    arrays = [values(k, s, dtype) for k, s in enumerate(((m, i), (o, i), (o,), (m, o)))]
    x, w, b = (torch.tensor(a.astype("f8"), requires_grad=True) for a in arrays[:3])
    y = F.linear(x, w, b)
    dx, dw, db, dg = map(cuda.from_numpy, arrays)
    before = _module.launches
    got = cuda.linear_relu(dx, dw, db) if relu else cuda.linear(dx, dw, db)
    assert _module.launches == before + 1
    near(got, y.detach().relu() if relu else y.detach(), dtype, scale=10)
    g = torch.tensor(arrays[3].astype("f8"))
    mask = torch.tensor(got.get() > 0) if relu else torch.ones_like(g, dtype=torch.bool)
    y.backward(g * mask)
    for needs in ((True, True, True), (False, True, True), (True, True, False)):
        before = _module.launches
        grads = cuda.linear_grads(dg, dx, dw, got if relu else None, needs)
        assert _module.launches == before + 1
        for grad, tensor, needed in zip(grads, (x, w, b), needs, strict=True):
            assert (grad is not None) == needed
            if needed:
                near(grad, tensor.grad, dtype, scale=10)
    assert cuda.linear_grads(dg, dx, dw, None, (False, False, False)) == (None, None, None)
    near(cuda.linear_grads(dg, dx, dw, got if relu else None, (False, False, True))[2], b.grad, dtype, scale=10)
    assert not cuda.launcher._counters.get().any()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rows", [1, 9, 100])
@pytest.mark.parametrize("ignored", [-100, 2])
def test_the_mean_loss_takes_a_launch_each_way(cuda: Any, rows: int, ignored: int, dtype: str) -> None:
    x, target = values(0, (rows, 11), dtype) * 3, np.random.default_rng(1).integers(0, 11, rows)
    target[0] = 3
    tensor = torch.tensor(x.astype("f8"), requires_grad=True)
    loss = F.cross_entropy(tensor, torch.tensor(target), ignore_index=ignored)
    (loss * 2).backward()
    device = cuda.from_numpy(target)
    got, saved = cuda.cross_entropy_mean(cuda.from_numpy(x), device, ignored)
    device.fill(0)  # the copy is what counts
    near(got, loss.detach(), dtype)
    gy = cuda.from_numpy(np.array(2, dtype))
    near(cuda.cross_entropy_mean_grad(gy, saved, ignored), tensor.grad, dtype)
    cuda.synchronize()
    assert cuda.cross_entropy_mean(cuda.xp.zeros((2**15, 2), dtype), cuda.xp.zeros(2**15, np.int64), -100) is None


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CONVS[:7], ids=str)
@pytest.mark.parametrize("pool", POOLS[:3], ids=str)
def test_conv_relu_pool_in_one_pass(cuda: Any, case: Any, pool: Window, dtype: str) -> None:
    window, groups, *_ = case
    x, w, b, gy = conv_arrays(case, dtype)
    if min(pool.out_size(*gy.shape[2:])) < 1:
        pytest.skip("the pool does not fit")
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, w, b)]
    y = F.conv2d(*tensors, window.stride, window.padding, window.dilation, groups).relu()
    y = F.max_pool2d(y, pool.kernel, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
    g = values(9, tuple(y.shape), dtype)
    y.backward(torch.tensor(g, dtype=torch.float64))
    dx, dw, db, dg = map(cuda.from_numpy, (x, w, b, g))
    got, winners = cuda.conv2d_relu_max_pool2d(dx, dw, db, window, groups, pool)
    near(got, y.detach(), dtype)
    for needs in ((True, True, True), (False, True, False)):
        grads = cuda.conv2d_relu_max_pool2d_grad(dg, got, winners, dx, dw, window, groups, pool, needs)
        for grad, tensor, needed in zip(grads, tensors, needs, strict=True):
            assert (grad is not None) == needed
            if needed and dtype != "float16":  # where rounding decides who wins, gradients differ by whole values
                near(grad, tensor.grad, dtype, scale=10)


@pytest.mark.parametrize("dtype", [*FLOATS, "int64", "uint8"])
@pytest.mark.parametrize("window", [*POOLS, Window((3, 1), (2, 3), (2, 0), (3, 1))], ids=str)
def test_columns_and_their_adjoint(cuda: Any, window: Window, dtype: str) -> None:
    x = (values(0, (2, 3, 8, 7), "f8") * 9).astype(dtype)
    want = NUMPY.im2col(x, window, 1)
    got = cuda.im2col(cuda.from_numpy(x), window, 1)
    assert got.dtype == dtype and (got.get() == want).all()
    back = cuda.col2im(cuda.from_numpy(want), x.shape, window).get()
    np.testing.assert_allclose(back.astype("f8"), NUMPY.col2im(want, x.shape, window).astype("f8"), 2e-3, 1e-2)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("window", POOLS, ids=str)
def test_max_pooling_is_pytorch_s(cuda: Any, window: Window, dtype: str) -> None:
    x = np.round(values(0, (3, 5, 9, 8), dtype), 0)  # ties everywhere
    x[0, 0, 3, 4] = x[2, 1, 0, 0] = np.nan
    x[1, 2] = -np.inf
    tensor = torch.tensor(x.astype("f8"), requires_grad=True)
    where = window.kernel, window.stride, window.padding, window.dilation, window.ceil_mode
    y, places = F.max_pool2d(tensor, *where, return_indices=True)
    g = values(1, tuple(y.shape), dtype)
    y.backward(torch.tensor(g.astype("f8")))
    got, indices = cuda.max_pool2d(cuda.from_numpy(x), window)
    near(got, y.detach(), dtype)
    assert indices.dtype == np.int64 and (indices.get() == places.numpy()).all()
    near(cuda.max_pool2d_grad(cuda.from_numpy(g), indices, x.shape), tensor.grad, dtype)
    near(cuda.max_pool2d_gather(cuda.from_numpy(x), indices), y.detach(), dtype)


def test_many_outputs_may_share_one_winner(cuda: Any) -> None:
    gy = values(0, (1, 2, 30, 30), "float64")
    indices = np.random.default_rng(1).integers(0, 7, gy.shape)
    got = cuda.max_pool2d_grad(cuda.from_numpy(gy), cuda.from_numpy(indices), (1, 2, 3, 4))
    want = np.zeros((2, 12))
    for plane in range(2):
        np.add.at(want[plane], indices[0, plane].ravel(), gy[0, plane].ravel())
    near(got, want.reshape(1, 2, 3, 4), "float64")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("divisor", [None, 3])
@pytest.mark.parametrize("window", POOLS[:3], ids=str)
def test_average_pooling_is_pytorch_s(
    cuda: Any, window: Window, divisor: int | None, counted: bool, dtype: str
) -> None:
    x = values(0, (2, 3, 8, 9), dtype)
    tensor = torch.tensor(x.astype("f8"), requires_grad=True)
    y = F.avg_pool2d(tensor, window.kernel, window.stride, window.padding, window.ceil_mode, counted, divisor)
    g = values(1, tuple(y.shape), dtype)
    y.backward(torch.tensor(g.astype("f8")))
    near(cuda.avg_pool2d(cuda.from_numpy(x), window, counted, divisor), y.detach(), dtype)
    near(cuda.avg_pool2d_grad(cuda.from_numpy(g), x.shape, window, counted, divisor), tensor.grad, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("word", ["relu", "sigmoid", "tanh"])
def test_activations_are_pytorch_s(cuda: Any, word: str, dtype: str) -> None:
    x = np.concatenate([values(0, (300,), dtype) * 4, [0, -0.0, np.inf, -np.inf, np.nan, 1e4, -1e4]]).astype(dtype)
    tensor = torch.tensor(x.astype("f8"), requires_grad=True)
    y = getattr(torch, word)(tensor)
    g = values(1, x.shape, dtype)
    y.backward(torch.tensor(g.astype("f8")))
    got = getattr(cuda, word)(cuda.from_numpy(x))
    near(got, y.detach(), dtype)
    keep = ~np.isnan(x)  # PyTorch's relu sends a gradient to NaN, by its mask; minigrad's words leave that open
    grad = getattr(cuda, f"{word}_grad")(cuda.from_numpy(g[keep]), cuda.from_numpy(got.get()[keep]))
    near(grad, tensor.grad.numpy()[keep], dtype, scale=10)  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("word", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), [((4, 70), 1), ((3, 5, 2), -2), ((33,), 0), ((2, 3, 4), 2), ((3, 1), 0)])
def test_softmax_is_pytorch_s(cuda: Any, word: str, shape: tuple[int, ...], axis: int, dtype: str) -> None:
    x = values(0, shape, dtype)
    tensor = torch.tensor(x.astype("f8"), requires_grad=True)
    y = getattr(torch, word)(tensor, axis)
    g = values(1, shape, dtype)
    y.backward(torch.tensor(g.astype("f8")))
    got = getattr(cuda, word)(cuda.from_numpy(x), axis)
    near(got, y.detach(), dtype)
    near(getattr(cuda, f"{word}_grad")(cuda.from_numpy(g), got, axis), tensor.grad, dtype, scale=10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_survives_what_overflows(cuda: Any, dtype: str) -> None:
    x = np.array([[1e4, -1e4, 0], [1e38, 1e38, -np.inf], [-np.inf] * 3, [0, np.nan, 1]], dtype)
    for word in ("softmax", "log_softmax"):
        near(getattr(cuda, word)(cuda.from_numpy(x), 1), getattr(torch, word)(torch.tensor(x), 1), dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("classes", [1, 10, 100])
def test_cross_entropy_is_pytorch_s(cuda: Any, classes: int, dtype: str) -> None:
    x, target = values(0, (9, classes), dtype) * 3, np.random.default_rng(1).integers(0, classes, 9)
    tensor = torch.tensor(x.astype("f8"), requires_grad=True)
    loss = F.cross_entropy(tensor, torch.tensor(target), reduction="none")
    g = values(2, (9,), dtype)
    loss.backward(torch.tensor(g.astype("f8")))
    got, p = cuda.cross_entropy(cuda.from_numpy(x), cuda.from_numpy(target))
    near(got, loss.detach(), dtype)
    near(cuda.cross_entropy_grad(cuda.from_numpy(g), p, cuda.from_numpy(target)), tensor.grad, dtype)


@pytest.mark.parametrize("ignored", [-100, 1])
def test_an_ignored_class_has_no_loss_and_no_gradient(cuda: Any, ignored: int) -> None:
    x, target = values(0, (4, 3), "float32"), np.array([2, ignored, 0, ignored])
    tensor = torch.tensor(x, requires_grad=True)
    loss = F.cross_entropy(tensor, torch.tensor(target), ignore_index=ignored, reduction="none")
    loss.sum().backward()
    device = cuda.from_numpy(target)
    got, p = cuda.cross_entropy(cuda.from_numpy(x), device, ignore_index=ignored)
    near(got, loss.detach(), "float32")
    near(cuda.cross_entropy_grad(cuda.xp.ones(4, "float32"), p, device, ignored), tensor.grad, "float32")
    cuda.synchronize()


@pytest.mark.parametrize("bad", [-1, 4, 2**40])
def test_a_class_out_of_range_is_an_index_error_and_no_harm(cuda: Any, bad: int) -> None:
    x, target = cuda.from_numpy(values(0, (3, 4), "float32")), cuda.from_numpy(np.array([1, bad, 2]))
    loss, p = cuda.cross_entropy(x, target)
    cuda.cross_entropy_grad(loss, p, target)
    with pytest.raises(IndexError, match=rf"^Target {bad} is out of bounds\.$"):
        cuda.to_numpy(loss)
    assert np.isnan(cuda.to_numpy(loss)).tolist() == [False, True, False]  # said once, and the device goes on
    good, _ = cuda.cross_entropy(x, cuda.from_numpy(np.array([1, 0, 2])))
    assert np.isfinite(cuda.to_numpy(good)).all()
    cuda.cross_entropy(x, target)
    with pytest.raises(IndexError):
        cuda.synchronize()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batch_normalisation_is_pytorch_s(cuda: Any, dtype: str) -> None:
    x, g = values(0, (4, 3, 5, 6), dtype) + 3, values(1, (4, 3, 5, 6), dtype)
    w, b = values(2, (3,), dtype), values(3, (3,), dtype)
    tensors = [torch.tensor(a.astype("f8"), requires_grad=True) for a in (x, w, b)]
    y = F.batch_norm(tensors[0], None, None, tensors[1], tensors[2], training=True)
    y.backward(torch.tensor(g.astype("f8")))
    dx, dw, db, dg = map(cuda.from_numpy, (x, w, b, g))
    mean, variance = cuda.batch_norm_stats(dx)
    near(mean, x.astype("f8").mean((0, 2, 3)), dtype)
    near(variance, x.astype("f8").var((0, 2, 3)), dtype)
    inv_std = 1 / cuda.xp.sqrt(variance + 1e-5)
    near(cuda.batch_norm(dx, dw, db, mean, inv_std), y.detach(), dtype)
    for grad, tensor in zip(cuda.batch_norm_grad(dg, dx, dw, mean, inv_std), tensors, strict=True):
        near(grad, tensor.grad, dtype, scale=10)


@pytest.mark.parametrize("dtype", FLOATS)
def test_linear_with_bias_and_relu(cuda: Any, dtype: str) -> None:
    x, w, b = values(0, (5, 7), dtype), values(1, (3, 7), dtype), values(2, (3,), dtype)
    want = F.linear(*(torch.tensor(a.astype("f8")) for a in (x, w, b)))
    dx, dw, db = map(cuda.from_numpy, (x, w, b))
    near(cuda.linear(dx, dw, db), want, dtype)
    near(cuda.linear_relu(dx, dw, db), want.relu(), dtype)
    near(cuda.linear_relu(dx, dw, None), (want - torch.tensor(b.astype("f8"))).relu(), dtype)


def test_inputs_with_gaps_are_read_rightly_and_left_alone(cuda: Any) -> None:
    wide = values(0, (2, 3, 16, 18), "float32")
    x, pool = wide[:, :, ::2, ::-2], POOLS[1]
    device = cuda.from_numpy(wide)[:, :, ::2, ::-2]
    before = device.get()
    for got, want in zip(cuda.max_pool2d(device, pool), NUMPY.max_pool2d(x, pool), strict=True):
        assert (got.get() == want).all()
    near(cuda.relu(device), np.maximum(x, 0), "float32")
    w, b = values(1, (4, 3, 3, 3), "float32"), values(2, (4,), "float32")
    near(
        cuda.conv2d(device, cuda.from_numpy(w), cuda.from_numpy(b), Window((3, 3))),
        NUMPY.conv2d(x, w, b, Window((3, 3))),
        "float32",
    )
    assert (device.get() == before).all()
