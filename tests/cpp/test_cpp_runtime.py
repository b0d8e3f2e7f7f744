"""Threads, memory, instruction sets: the runtime under the kernels."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigrad.backends import _cpp
from minigrad.window import Window

from .oracle import CONVOLUTIONS, CPP, conv_case, draw
from .test_cpp_inputs import words

POOL = Window((2, 2), (2, 2))


def python(code, **env):
    """Run code in a fresh interpreter; its output."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ, **env}, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ------------------------------------------------------------------ threads


def large_words():
    """Results large enough for several threads: convolutions of all kinds, products, passes, steps."""
    results = []
    for algorithm in ("direct", "gemm", "winograd"):
        _cpp.set_conv_algorithm(algorithm)
        for channels, side, stride in ((3, 32, 1), (16, 24, 1), (8, 21, 2)):
            window = Window((3, 3), (stride, stride), (1, 1))
            x, w, b = draw((12, channels, side, side)), draw((20, channels, 3, 3)), draw((20,))
            y = CPP.conv2d(x, w, b, window)
            results += [y, CPP.conv2d_input_grad(y, w, x.shape, window), CPP.conv2d_weight_grad(y, x, w.shape, window)]
            pooled, winners = CPP.conv2d_relu_max_pool2d(x, w, b, window, 1, POOL)
            needs = (False, True, True)
            grads = CPP.conv2d_relu_max_pool2d_grad(pooled, pooled, winners, x, w, window, 1, POOL, needs)
            results += [pooled, winners, *grads[1:], CPP.conv2d_bias_grad(y), *CPP.batch_norm_stats(y)]
            results += [*CPP.max_pool2d(y, POOL), CPP.avg_pool2d(y, POOL), CPP.relu(y), CPP.softmax(y, 1)]
    for m, k, n in ((100, 4320, 100), (100, 100, 4320), (513, 70, 65), (1, 3000, 500), (3, 500, 3001)):
        results += [CPP.matmul(draw((m, k)), draw((k, n))), CPP.linear(draw((m, k)), draw((n, k)), draw((n,)))]
    p = draw((300_001,))
    CPP.sgd_step([p], [draw((300_001,), seed=1)], None, lr=0.1)
    return [*results, p, *words(draw((3, 4, 7, 9)), draw((5, 4, 3, 3)), draw((5,)))]


def test_any_number_of_threads_gives_the_same_bits(isa):
    _cpp.set_num_threads(1)
    alone = large_words()
    for threads in (2, 3, 5):
        _cpp.set_num_threads(threads)
        for one, other in zip(large_words(), alone, strict=True):
            assert one.tobytes() == other.tobytes()


def test_the_number_of_threads():
    _cpp.set_num_threads(3)
    assert _cpp.num_threads() == 3
    _cpp.set_num_threads(0)
    assert _cpp.num_threads() == 1
    show = "from minigrad.backends import _cpp; print(_cpp.num_threads())"
    assert python(show, OMP_NUM_THREADS="5") == "5"
    assert python(show, OMP_NUM_THREADS="3,2") == "3"
    assert python(show, OMP_NUM_THREADS="nonsense") == str(len(os.sched_getaffinity(0)))


@pytest.mark.parametrize("which", [0, 999])
def test_an_exception_in_any_thread_reaches_python(which):
    _cpp.set_num_threads(4)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="raised in a worker"):
            _cpp.raise_in_worker(1000, which)
    large_words()  # and the pool still works


def test_several_python_threads_at_once():
    _cpp.set_num_threads(2)
    x, w = draw((8, 16, 24, 24)), draw((16, 16, 3, 3))
    expected = CPP.conv2d(x, w, None, Window((3, 3)))
    wrong = []

    def work():
        results = [CPP.conv2d(x, w, None, Window((3, 3))) for _ in range(10)]
        wrong.extend(y for y in results if not np.array_equal(y, expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not wrong


def test_the_gil_is_free_while_a_kernel_runs():
    """A second Python thread counts while one long kernel works."""
    _cpp.set_num_threads(1)
    a = draw((1500, 1500))
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            done.wait(0)

    counter = threading.Thread(target=count)
    counter.start()
    before = counted[0]
    for _ in range(20):
        CPP.matmul(a, a)
        if counted[0] > before + 5:
            break
    done.set()
    counter.join()
    assert counted[0] > before + 5


FORK = """
import os, numpy as np
from minigrad.backends import _cpp
from minigrad.backends.cpp_backend import CppBackend
from minigrad.window import Window
_cpp.set_num_threads(3)
x, w, b = np.ones((16, 16, 24, 24), np.float32), np.ones((16, 16, 3, 3), np.float32), CppBackend()
before = b.conv2d(x, w, None, Window((3, 3)))
child = os.fork()
if child == 0:
    same = np.array_equal(b.conv2d(x, w, None, Window((3, 3))), before)
    os._exit(0 if same else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), np.array_equal(b.conv2d(x, w, None, Window((3, 3))), before))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_computes():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=10, check=False
    )
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_the_interpreter_ends_while_threads_wait_or_work():
    code = """
import threading, numpy as np
from minigrad.backends import _cpp
from minigrad.backends.cpp_backend import CppBackend
_cpp.set_num_threads(4)
a = np.ones((600, 600), np.float32)
CppBackend().matmul(a, a)
def forever():
    while True:
        CppBackend().matmul(a, a)
threading.Thread(target=forever, daemon=True).start()
print("end")
"""
    assert python(code) == "end"


# ------------------------------------------------------------------ memory


def test_a_steady_step_takes_nothing_from_the_system():
    x, w, b = draw((3, 4, 7, 9)), draw((5, 4, 3, 3)), draw((5,))
    words(x, w, b)
    words(x, w, b)
    before = _cpp.memory_stats()
    words(x, w, b)
    after = _cpp.memory_stats()
    assert after["requests"] > before["requests"]
    assert after["fresh"] == before["fresh"]
    assert after["allocated"] == before["allocated"]


def test_memory_stats_and_empty_cache():
    _cpp.empty_cache()
    start = _cpp.memory_stats()
    assert start["reserved"] == start["allocated"]
    y = CPP.relu(np.ones((1 << 20,), np.float32))
    held = _cpp.memory_stats()
    assert held["allocated"] - start["allocated"] == 4 << 20
    assert y.ctypes.data % (2 << 20) == 0
    address = y.ctypes.data
    del y
    y = CPP.relu(np.ones((1 << 20,), np.float32))
    assert y.ctypes.data == address  # the same block again
    del y
    freed = _cpp.memory_stats()
    assert freed["allocated"] == start["allocated"]
    assert freed["reserved"] >= start["reserved"] + (4 << 20)
    assert freed["peak"] >= start["allocated"] + (4 << 20)
    _cpp.empty_cache()
    assert _cpp.memory_stats()["reserved"] == _cpp.memory_stats()["allocated"]
    _cpp.reset_peak_memory()
    assert _cpp.memory_stats()["peak"] == _cpp.memory_stats()["allocated"]


@pytest.mark.parametrize("bytes_", [1, 63, 64, 65, 255, 256, 257, 1000, 4096, 5000, 2**20 + 1])
def test_blocks_are_large_enough_and_aligned(bytes_):
    x = np.ones((bytes_,), np.float64)
    y, z = CPP.relu(x), CPP.relu(x)
    assert y.ctypes.data % 64 == 0
    assert abs(y.ctypes.data - z.ctypes.data) >= x.nbytes
    np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("side", [2**24, 2**31 - 1])
def test_a_request_too_large_is_a_memory_error_with_the_shape(side):
    x = np.broadcast_to(np.float32(1), (1, 1, 1, 1))
    window = Window((1, 1), (1, 1), (side // 2, side // 2))
    size = window.out_size(1, 1)
    w = np.ones((4, 1, 1, 1), np.float32)
    with pytest.raises(MemoryError, match=rf"for shape \(1, 4, {size[0]}, {size[1]}\)"):
        CPP.conv2d(x, w, None, window)
    with pytest.raises(MemoryError, match=r"you tried to allocate .* bytes for shape"):
        CPP.im2col(x, window)
    CPP.relu(x)


# ------------------------------------------------------------------ instruction sets


def test_every_instruction_set_can_be_forced():
    show = "from minigrad.backends import _cpp; print(_cpp.isa())"
    for name in _cpp.isas():
        assert python(show, MINIGRAD_CPU_ISA=name) == name
    assert python(show, MINIGRAD_CPU_ISA="") == _cpp.isas()[-1]


def test_an_instruction_set_that_is_not_there_says_so():
    code = """
try:
    from minigrad.backends import _cpp
except ImportError as error:
    print(error)
"""
    said = python(code, MINIGRAD_CPU_ISA="sse9")
    assert "MINIGRAD_CPU_ISA=sse9" in said
    assert ", ".join(_cpp.isas()) in said
    with pytest.raises(ImportError, match="no such instruction set"):
        _cpp.set_isa("sse9")


def test_the_algorithm_can_be_forced_from_outside():
    case = next(c for c in CONVOLUTIONS if c[1] == 16)
    x, w, b, window, groups = conv_case(case, "float32")
    code = """
import sys, numpy as np
sys.path[:0] = [{root!r}]
from cpp.oracle import CONVOLUTIONS, CPP, conv_case
x, w, b, window, groups = conv_case({case!r}, "float32")
sys.stdout.buffer.write(CPP.conv2d(x, w, b, window, groups).tobytes())
"""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for algorithm in ("gemm", "winograd"):
        _cpp.set_conv_algorithm(algorithm)
        done = subprocess.run(
            [sys.executable, "-c", code.format(root=root, case=case)],
            capture_output=True,
            timeout=60,
            env={**os.environ, "MINIGRAD_CONV": algorithm},
            check=True,
        )
        assert done.stdout == CPP.conv2d(x, w, b, window, groups).tobytes()
