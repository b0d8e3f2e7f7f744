"""What comes to the door: views, odd memory, other element types, and memory that ends at a guard page."""

import ctypes
import mmap

import numpy as np
import pytest

from minigrad.backend import Backend
from minigrad.backends import _cpp
from minigrad.backends.numpy_backend import NumpyBackend
from minigrad.window import Window

from .oracle import CONVOLUTIONS, CPP, close, conv_case, draw

WINDOW, POOL = Window((3, 3), padding=(1, 1)), Window((2, 2), (2, 2))


def words(x, w, b):
    """Many words on one image, filters and bias: all results in a row."""
    y = CPP.conv2d(x, w, b, WINDOW)
    pooled, indices = CPP.max_pool2d(x, POOL)
    flat = np.ascontiguousarray(x).reshape(len(x), -1)  # a product picks its way by the layout
    fused, winners = CPP.conv2d_relu_max_pool2d(x, w, b, WINDOW, 1, POOL)
    return [
        y,
        CPP.conv2d_input_grad(y, w, x.shape, WINDOW),
        CPP.conv2d_weight_grad(y, x, w.shape, WINDOW),
        CPP.conv2d_bias_grad(x),
        fused,
        *CPP.conv2d_relu_max_pool2d_grad(fused, fused, winners, x, w, WINDOW, 1, POOL, (False, True, True))[1:],
        CPP.im2col(x, WINDOW),
        pooled,
        CPP.max_pool2d_grad(pooled, indices, x.shape),
        CPP.avg_pool2d(x, POOL),
        CPP.matmul(flat, flat.T),
        CPP.linear(flat, flat, b[: len(flat)]),
        CPP.relu(x),
        CPP.relu_grad(x, x),
        CPP.sigmoid(x),
        CPP.tanh(x),
        CPP.softmax(x, 1),
        CPP.log_softmax(x, 3),
        *CPP.cross_entropy(flat, np.arange(len(flat))),
        *CPP.batch_norm_stats(x),
        CPP.batch_norm(x, b[:4], b[:4], b[:4], b[:4]),
    ]


def misaligned(a):
    """The same values one byte off."""
    raw = np.zeros(a.nbytes + 1, np.uint8)
    raw[1:] = np.frombuffer(a.tobytes(), np.uint8)
    return raw[1:].view(a.dtype).reshape(a.shape)


FORMS = {
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "sliced": lambda a: np.repeat(a, 2, -1)[..., ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "misaligned": misaligned,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_layout_gives_the_same_bits(isa, dtype, form):
    arrays = draw((3, 4, 7, 9), dtype), draw((5, 4, 3, 3), dtype, 1), draw((5,), dtype, 2)
    before = [a.copy() for a in arrays]
    formed = [FORMS[form](a) for a in arrays]
    for one, other in zip(words(*formed), words(*arrays), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.dtype(dtype)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_expanded_input(isa):
    x = np.broadcast_to(draw((1, 4, 1, 9)), (3, 4, 7, 9))
    w, b = draw((5, 4, 3, 3)), draw((5,))
    for one, other in zip(words(x, w, b), words(x.copy(), w, b), strict=True):
        np.testing.assert_array_equal(one, other)


def test_outputs_share_no_memory_and_are_writable():
    x, w, b = draw((3, 4, 7, 9)), draw((5, 4, 3, 3)), draw((5,))
    results = words(x, w, b)
    for i, one in enumerate(results):
        assert one.flags.writeable
        assert one.ctypes.data % 64 == 0
        assert not any(np.shares_memory(one, a) for a in (x, w, b))
        assert not any(np.shares_memory(one, other) for other in results[:i])


@pytest.mark.parametrize("dtype", ["float16", "int32", "longdouble"])
def test_other_element_types_are_numpys(dtype):
    x, w = (draw(s).astype(dtype) for s in ((2, 3, 6, 6), (4, 3, 3, 3)))
    numpy = NumpyBackend()
    np.testing.assert_array_equal(CPP.conv2d(x, w, None, WINDOW), numpy.conv2d(x, w, None, WINDOW))
    np.testing.assert_array_equal(CPP.max_pool2d(x, POOL)[0], numpy.max_pool2d(x, POOL)[0])
    np.testing.assert_array_equal(CPP.relu(x), numpy.relu(x))
    np.testing.assert_array_equal(CPP.matmul(x[0, 0], x[0, 1]), np.matmul(x[0, 0], x[0, 1]))


def test_every_word_of_the_contract_that_is_overridden_falls_back():
    """On float16 no kernel runs, so each override must hand over to a definition of the same result."""
    half = Backend.avg_pool2d(NumpyBackend(), draw((1, 2, 4, 4)).astype(np.float16), POOL)
    np.testing.assert_array_equal(CPP.avg_pool2d(draw((1, 2, 4, 4)).astype(np.float16), POOL), half)
    p = np.full((2, 3), 1 / 3, np.float16)
    assert CPP.cross_entropy_grad(np.ones(2, np.float16), p, np.array([0, 1])).dtype == np.float16
    assert CPP.softmax(p, 1).dtype == np.float16
    assert CPP.linear(p, p, None).dtype == np.float16


# ------------------------------------------------------------------ guard pages

libc = ctypes.CDLL(None, use_errno=True)
kept = []  # mappings live until the process ends: arrays look into them


def guarded(a, before=False):
    """A copy that ends (or starts) at a page that nobody may touch."""
    page, size = mmap.PAGESIZE, -(-a.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    region = mmap.mmap(-1, size + 2 * page)
    kept.append(region)
    start = ctypes.addressof(ctypes.c_char.from_buffer(region))
    for fence in (start, start + page + size):
        assert libc.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(page), 0) == 0
    offset = page if before else page + size - a.nbytes
    copy = np.frombuffer(region, a.dtype, a.size, offset).reshape(a.shape)
    copy[...] = a
    return copy


@pytest.mark.parametrize("before", [False, True])
def test_nothing_outside_an_input_is_read(isa, dtype, before):
    x, w, b = (guarded(draw(s, dtype), before) for s in ((3, 4, 7, 9), (5, 4, 3, 3), (5,)))
    words(x, w, b)
    p, g = guarded(draw((37,), dtype), before), guarded(draw((37,), dtype), before)
    CPP.sgd_step([p], [g], None, lr=0.1)
    CPP.adam_step([p], [g], [p.copy()], [abs(g)], None, step=1, lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8)


@pytest.mark.parametrize("algorithm", ["direct", "gemm", "winograd"])
def test_nothing_behind_an_output_or_scratch_is_touched(isa, dtype, algorithm):
    """Every block of the arena ends at a guard page, whatever the kernels use it for."""
    _cpp.set_conv_algorithm(algorithm)
    _cpp.guard_arena(True)
    for case in CONVOLUTIONS:
        x, w, b, window, groups = conv_case(case, dtype)
        x, w, b = (guarded(a) for a in (x, w, b))
        y = CPP.conv2d(x, w, b, window, groups)
        CPP.conv2d_input_grad(guarded(y), w, x.shape, window, groups)
        CPP.conv2d_weight_grad(guarded(y), x, w.shape, window, groups)
        if min(y.shape[2:]) > 1:
            pooled, winners = CPP.conv2d_relu_max_pool2d(x, w, b, window, groups, POOL)
            CPP.conv2d_relu_max_pool2d_grad(pooled, pooled, winners, x, w, window, groups, POOL, (False, True, True))
            CPP.conv2d_relu_max_pool2d_grad(pooled, pooled, winners, x, w, window, groups, POOL, (True, True, True))
    words(guarded(draw((3, 4, 7, 9), dtype)), draw((5, 4, 3, 3), dtype), draw((5,), dtype))
    for m, k, n in ((1, 33, 5), (5, 1, 70), (13, 700, 17), (4, 1030, 40), (100, 70, 33)):
        CPP.linear(guarded(draw((m, k), dtype)), guarded(draw((n, k), dtype)), guarded(draw((n,), dtype)))
        CPP.matmul(guarded(draw((m, k), dtype)), guarded(draw((k, n), dtype)))


def test_a_result_in_both_lives_is_the_same():
    """Guarded blocks change where arrays live, never what is in them."""
    x, w, b = draw((3, 4, 7, 9)), draw((5, 4, 3, 3)), draw((5,))
    plain = words(x, w, b)
    _cpp.guard_arena(True)
    for one, other in zip(words(x, w, b), plain, strict=True):
        np.testing.assert_array_equal(one, other)
    close(plain[0], NumpyBackend().conv2d(x, w, b, WINDOW), 1e-5)
