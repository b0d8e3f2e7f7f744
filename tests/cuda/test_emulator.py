"""The emulated device notices what a real one would punish, and what a real one would let pass in silence."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

SOURCE = r"""
extern "C" __global__ void meet(float* out) {
    if (threadIdx.x < 5) __syncthreads();
    out[threadIdx.x] = 1;
}
extern "C" __global__ void shift(const float* in, float* out, int barrier) {
    HOST_SHARED(float, kept, [64]);
    kept[threadIdx.x] = in[threadIdx.x];
    if (barrier) __syncthreads();
    out[threadIdx.x] = kept[(threadIdx.x + 1) % 64];
}
extern "C" __global__ void total(const float* in, float* out) {
    float value = in[blockIdx.x * 64 + threadIdx.x];
    for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xffffffffu, value, lanes);
    if (threadIdx.x % 32 == 0) out[blockIdx.x * 2 + threadIdx.x / 32] = value;
}
"""


@pytest.fixture
def kernels(cupy: ModuleType) -> Any:
    return cupy.RawModule(code=SOURCE)


def test_a_barrier_that_some_never_reach_is_an_error(cupy: Any, kernels: Any) -> None:
    with pytest.raises(RuntimeError, match="the others never reach"):
        kernels.get_function("meet")((1,), (32,), (cupy.zeros(32, "f4"),))


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_a_missing_barrier_shows(cupy: Any, kernels: Any, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_HOST_ORDER", order)
    given = np.arange(64, dtype="f4")
    out = cupy.empty(64, "f4")
    shift = kernels.get_function("shift")
    shift((1,), (64,), (cupy.asarray(given), out, np.int32(1)))
    assert (out.get() == np.roll(given, -1)).all()
    shift((1,), (64,), (cupy.asarray(given), out, np.int32(0)))
    assert np.isnan(out.get()).any()


def test_lanes_see_one_another(cupy: Any, kernels: Any) -> None:
    given = np.arange(192, dtype="f4")
    out = cupy.empty(6, "f4")
    kernels.get_function("total")((3,), (64,), (cupy.asarray(given), out))
    assert (out.get() == given.reshape(6, 32).sum(1)).all()


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((np.zeros(64, "f4"), np.zeros(64, "f4"), np.int32(1)), "argument 0"),  # host memory
        (("f4", "f8", np.int32(1)), "array of float64"),
        (("f4", "f4", 1), "8 bytes"),
        (("f4", "f4", np.float64(1)), "8 bytes"),
        (("f4", "f4"), "2 arguments for 3"),
    ],
)
def test_arguments_are_checked_against_the_kernel_s_parameters(cupy: Any, kernels: Any, args: Any, text: str) -> None:
    ready = tuple(cupy.zeros(64, a) if isinstance(a, str) else a for a in args)
    with pytest.raises(TypeError, match=text):
        kernels.get_function("shift")((1,), (64,), ready)


@pytest.mark.parametrize(("grid", "block"), [((0,), (32,)), ((1,), (2048,)), ((1, 70000), (32,)), ((1,), (0,))])
def test_launches_that_a_device_refuses(cupy: Any, kernels: Any, grid: Any, block: Any) -> None:
    with pytest.raises(RuntimeError, match="invalid argument"):
        kernels.get_function("meet")(grid, block, (cupy.zeros(2048, "f4"),))


def test_arrays_do_not_mix_with_numpy_s(cupy: Any) -> None:
    device, host = cupy.ones(3), np.ones(3)
    for call in (
        lambda: device + host,
        lambda: host * device,
        lambda: np.asarray(device),
        lambda: cupy.add(device, host),
    ):
        with pytest.raises(TypeError):
            call()
    assert isinstance(device + np.float32(1), cupy.ndarray) and isinstance(2 * device, cupy.ndarray)
    assert cupy.asarray(host).get() is not host
    assert isinstance(device.sum(), cupy.ndarray)


def test_fresh_memory_is_rubbish_and_indices_wrap(cupy: Any) -> None:
    assert np.isnan(cupy.empty(5).get()).all()
    assert cupy.arange(5)[cupy.asarray([7, -1])].get().tolist() == [2, 4]


def test_what_numpy_has_and_cupy_has_not_is_missing(cupy: Any) -> None:
    assert not hasattr(cupy, "errstate") and not hasattr(cupy, "nditer")


def test_nothing_runs_during_a_capture_and_everything_in_a_replay(cupy: Any) -> None:
    x, total = cupy.zeros(3), cupy.zeros(())
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        y = x * 2 + 1
        total += y.sum()
        graph = stream.end_capture()
    assert float(total) == 0 and np.isnan(y.get()).all()
    for start in (1, 5):
        x[...] = start
        total[...] = 0
        graph.launch()
        assert float(total) == 3 * (2 * start + 1)


@pytest.mark.parametrize("ask", [lambda x: float(x), lambda x: x.get(), lambda x: bool(x > 0), lambda x: x[x > 0]])
def test_a_capture_refuses_to_wait_and_is_spoiled(cupy: Any, ask: Any) -> None:
    x = cupy.zeros(())
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        with pytest.raises(RuntimeError, match="StreamCaptureUnsupported"):
            ask(x)
        with pytest.raises(RuntimeError, match="StreamCaptureInvalidated"):
            stream.end_capture()


def test_the_pool_counts_what_is_alive(cupy: Any) -> None:
    pool = cupy.get_default_memory_pool()
    before = pool.used_bytes()
    x = cupy.zeros(1000, "f4")
    view = x[10:]
    assert pool.used_bytes() - before == 4096
    del x
    assert pool.used_bytes() - before == 4096
    del view
    assert pool.used_bytes() == before
