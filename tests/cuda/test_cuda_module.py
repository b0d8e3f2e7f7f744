"""minigrad.cuda on the emulated device: what there is, memory, streams, moving tensors, and why it cannot run elsewhere."""

from __future__ import annotations

import builtins
import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import registry
from minigrad.errors import BackendError, DeviceError


@pytest.fixture
def gpu(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`minigrad.cuda` with the emulated device as its only backend for "cuda", and NumPy the default."""
    import minigrad.cuda

    monkeypatch.setitem(registry._loaded, "cuda", cuda)
    with registry.use_backend(cuda), registry.use_backend("numpy"):
        yield minigrad.cuda


def test_what_there_is(gpu: Any) -> None:
    assert gpu.is_available() and gpu.device_count() == 1 and gpu.current_device() == 0
    assert gpu.get_device_capability() == (8, 0)
    assert gpu.get_device_name("cuda:0") == "emulated device"
    gpu.set_device(0)
    gpu.synchronize("cuda")


@pytest.mark.parametrize("device", [1, "cuda:7", "cpu"])
def test_a_device_that_is_not_there(gpu: Any, device: Any) -> None:
    for call in (gpu.set_device, gpu.get_device_name, gpu.synchronize):
        with pytest.raises(DeviceError, match=r"invalid device ordinal|Expected a cuda device"):
            call(device)


def test_memory_is_counted_and_given_back(gpu: Any) -> None:
    before = gpu.memory_allocated()
    x = mg.zeros(1000, device="cuda")
    assert gpu.memory_allocated() == before + 4096
    assert gpu.memory_reserved() >= gpu.memory_allocated()
    del x
    assert gpu.memory_allocated() == before
    gpu.empty_cache()
    assert gpu.memory_reserved() == before
    assert len(gpu.mem_get_info()) == 2


def test_the_peak_of_memory(gpu: Any, monkeypatch: pytest.MonkeyPatch, cupy: Any) -> None:
    from minigrad.cuda import memory

    monkeypatch.setattr(memory._Peak, "counted", None)
    monkeypatch.setattr(memory._Peak, "reserved", 0)
    assert gpu.max_memory_allocated() >= gpu.memory_allocated()  # what was reserved: nobody has counted yet
    try:
        gpu.reset_peak_memory_stats()
        before = gpu.memory_allocated()
        x = mg.zeros(1000, device="cuda")
        y = mg.zeros(1000, device="cuda")
        del x
        assert gpu.max_memory_allocated() == before + 8192 and gpu.memory_allocated() == before + 4096
        reserved = gpu.max_memory_reserved()
        del y
        gpu.empty_cache()
        assert gpu.max_memory_reserved() == reserved > gpu.memory_reserved()
        gpu.reset_peak_memory_stats()
        assert gpu.max_memory_allocated() == before
        assert gpu.memory_stats()["allocated_bytes.all.peak"] == before
    finally:
        cupy.cuda.set_allocator(None)


def test_what_a_device_is(gpu: Any) -> None:
    found = gpu.get_device_properties()
    assert (found.name, found.major, found.minor, found.total_memory) == ("emulated device", 8, 0, 16 << 30)
    assert found.multi_processor_count == 4 and gpu.get_arch_list() == ["sm_80"]


def test_another_device_for_a_while(gpu: Any, cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    monkeypatch.setattr(cupy.cuda.Device, "use", lambda self: used.append(self.id))
    with gpu.device(0):
        assert used == [0]
    assert used == [0, 0]
    for nothing in (None, -1):
        with gpu.device(nothing):
            assert used == [0, 0]
    with pytest.raises(DeviceError, match=r"invalid device ordinal: cuda:3, but there is 1"), gpu.device("cuda:3"):
        pass


def test_the_older_place_of_mixed_precision(gpu: Any) -> None:
    from minigrad.amp import legacy

    assert gpu.amp is legacy
    with pytest.raises(AttributeError, match="has no attribute 'missing'"):
        _ = gpu.missing


def test_a_script_of_pytorch_s_finds_its_way(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first lines of most scripts, and the last ones, under PyTorch's own names."""
    import minigrad.torch

    target = minigrad.torch.Renamed("torch", mg)
    cuda = minigrad.torch.Renamed("torch.cuda", minigrad.cuda)
    device = target.device("cuda" if cuda.is_available() else "cpu")
    x = target.ones(2).pin_memory().to(device, non_blocking=True)
    assert x.is_cuda and x.get_device() == cuda.current_device() == 0 and cuda.device_count() == 1
    cuda.manual_seed_all(0)
    with cuda.device(0), cuda.stream(cuda.Stream()):
        x = x * 2
    cuda.current_stream().synchronize()
    cuda.synchronize()
    assert x.cpu().tolist() == [2, 2] and cuda.max_memory_allocated() >= cuda.memory_allocated() > 0
    cuda.empty_cache()
    cuda.set_stream(cuda.default_stream())
    assert cuda.current_stream() == cuda.default_stream()


def test_streams_and_events(gpu: Any) -> None:
    start, end = gpu.Event(enable_timing=True), gpu.Event(enable_timing=True)
    side = gpu.Stream()
    start.record()
    with gpu.stream(side):
        assert gpu.current_stream() == side != gpu.default_stream()
        x = mg.ones(3, device="cuda") * 2
        side.record_event(end)
    gpu.current_stream().wait_stream(side)
    end.wait()
    end.synchronize()
    assert end.query() and side.query() and start.elapsed_time(end) >= 0
    assert x.tolist() == [2, 2, 2]
    with gpu.stream(None):
        assert gpu.current_stream() == gpu.default_stream()
    with pytest.raises(RuntimeError, match="enable_timing=True"):
        start.elapsed_time(gpu.Event())


def test_tensors_move_and_their_gradients_move_back(gpu: Any) -> None:
    x = mg.tensor([1.0, -2.0], requires_grad=True)
    y = (x.cuda() * 3).relu().cpu().sum()
    y.backward()
    assert x.device.type == "cpu" and x.grad.tolist() == [3, 0]
    assert x.to("cuda").device.type == "cuda"
    with pytest.raises(RuntimeError, match="same device"):
        x.cuda() + x


def test_a_class_out_of_range_is_an_index_error(gpu: Any) -> None:
    x, target = mg.randn(3, 4, device="cuda"), mg.tensor([1, 7, 2], device="cuda")
    from minigrad.ops.loss import cross_entropy

    with pytest.raises(IndexError, match=r"^Target 7 is out of bounds\.$"):
        cross_entropy(x, target).item()
    assert (x + 1).cpu().shape == (3, 4)


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ("nothing installed", r"needs CuPy, which is not installed: pip install 'cupy-cuda13x\[ctk\]'"),
        ("no driver", r"needs an NVIDIA GPU and its driver, .*: cudaErrorInsufficientDriver"),
        ("no device", r"this machine shows none"),
        ("no libraries", r"needs the CUDA libraries .*: pip install"),
    ],
)
def test_one_sentence_says_why_it_cannot_run_and_what_to_install(
    cupy: Any, monkeypatch: pytest.MonkeyPatch, broken: str, text: str
) -> None:
    from minigrad.backends.cuda_backend import CudaBackend

    if broken == "nothing installed":
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "cupy" else find(name, *a))
    elif broken == "no libraries":
        monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs.cublas", None)
    else:

        def count() -> int:
            if broken == "no driver":
                raise cupy.cuda.runtime.CUDARuntimeError("cudaErrorInsufficientDriver: too old")
            return 0

        monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", count)
    reason = CudaBackend.unavailable()
    assert reason is not None and "\n" not in reason
    with pytest.raises(BackendError, match=text):
        CudaBackend()
    monkeypatch.delitem(registry._loaded, "cuda", raising=False)
    with pytest.raises(BackendError, match=text):
        mg.get_backend("cuda")

    import minigrad.cuda

    assert not minigrad.cuda.is_available()
    assert minigrad.cuda.device_count() == minigrad.cuda.memory_allocated() == minigrad.cuda.memory_reserved() == 0
    minigrad.cuda.empty_cache()
    with pytest.raises(BackendError):
        minigrad.cuda.Stream()


def test_out_of_memory_is_a_memory_error(gpu: Any, cupy: Any) -> None:
    pool = cupy.get_default_memory_pool()
    pool.set_limit(size=pool.used_bytes() + 1000)
    try:
        with pytest.raises(MemoryError, match=r"you tried to allocate|Out of memory allocating"):
            mg.zeros(1000, device="cuda")
    finally:
        pool.set_limit(size=0)


def test_importing_minigrad_cuda_needs_no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("minigrad.cuda")]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def guarded(name: str, *args: Any, **kwargs: Any) -> Any:
        assert not name.startswith("cupy")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", guarded)
    importlib.import_module("minigrad.cuda")


def test_host_arrays_are_copied(cuda: Any) -> None:
    host = np.ones(3, "f4")
    device = cuda.from_numpy(host)
    host[0] = 9
    back = cuda.to_numpy(device)
    assert back.tolist() == [1, 1, 1]
    back[0] = 5
    assert cuda.to_numpy(device).tolist() == [1, 1, 1]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignored_classes_through_the_door(gpu: Any, cupy: Any, reduction: str) -> None:
    import torch
    from cupy import _stream

    from minigrad.ops.loss import cross_entropy

    x, target = np.random.default_rng(0).standard_normal((5, 3)), np.array([2, 1, 0, 1, 2])
    ours = mg.tensor(x, device="cuda", requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    device = mg.tensor(target, device="cuda")
    before = _stream.synchronisations
    loss = cross_entropy(ours, device, ignore_index=1, reduction=reduction).sum()
    (grad,) = mg.autograd.grad((loss * loss), ours, create_graph=True)
    assert _stream.synchronisations == before
    (second,) = mg.autograd.grad((grad * grad).sum(), ours)
    want = torch.nn.functional.cross_entropy(theirs, torch.tensor(target), ignore_index=1, reduction=reduction).sum()
    (first,) = torch.autograd.grad(want * want, theirs, create_graph=True)
    (curvature,) = torch.autograd.grad((first * first).sum(), theirs)
    for got, exact in ((loss, want), (grad, first), (second, curvature)):
        np.testing.assert_allclose(got.detach().cpu().numpy(), exact.detach().numpy(), 1e-10, 1e-12)


def test_host_tensors_live_on_beside_a_default_device_that_is_a_gpu(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = registry.Selection("cuda", {"cuda": cuda}, {cuda.array_type: cuda})
    monkeypatch.setattr(registry, "_chosen", alone)
    assert mg.zeros(2).device.type == "cuda"
    state = mg.get_rng_state()
    assert state.device.type == "cpu"
    mg.set_rng_state(state)
