"""Page-locked memory on the emulated device: copies under way, how long their source lives, and the DataLoader."""

from __future__ import annotations

import gc
import weakref
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import registry
from minigrad.utils.data import DataLoader, TensorDataset


@pytest.fixture
def gpu(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`minigrad.cuda` with the emulated device, and NumPy the default."""
    import minigrad.cuda

    monkeypatch.setitem(registry._loaded, "cuda", cuda)
    with registry.use_backend(cuda), registry.use_backend("numpy"):
        yield minigrad.cuda


@pytest.fixture
def device(cupy: Any) -> Any:
    """The emulated device's counters."""
    from cupy import _stream

    return _stream


def test_a_pinned_tensor_is_a_copy_on_the_host(gpu: Any) -> None:
    x = mg.arange(6.0).reshape(2, 3)
    pinned = x.pin_memory()
    assert pinned.is_pinned() and not x.is_pinned() and pinned.device.type == "cpu"
    assert pinned.tolist() == x.tolist() and pinned.dtype is x.dtype
    x[0, 0] = 9
    assert pinned[0, 0].item() == 0
    assert pinned.pin_memory() is pinned and pinned[1:].is_pinned() and pinned.T.is_pinned()
    assert not (pinned + 1).is_pinned() and not pinned.cuda().is_pinned()
    assert mg.zeros(0).pin_memory().shape == (0,)
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        pinned.cuda().pin_memory()


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64, mg.int64, mg.bool])
def test_non_blocking_reads_page_locked_memory_in_place(gpu: Any, device: Any, dtype: Any) -> None:
    x = mg.arange(12).reshape(3, 4).to(dtype)
    pinned = x.pin_memory()
    waits, copies = device.synchronisations, device.asynchronous_copies
    moved = pinned.to("cuda", non_blocking=True)
    assert (device.synchronisations, device.asynchronous_copies) == (waits, copies + 1)
    assert pinned.cuda(non_blocking=True).tolist() == moved.tolist() == x.tolist() and moved.dtype is dtype
    turned = pinned.T.to("cuda", non_blocking=True)  # gaps: through a page-locked copy
    assert turned.tolist() == x.T.tolist()


def test_without_non_blocking_or_pinning_the_source_may_change_at_once(gpu: Any, device: Any) -> None:
    copies = device.asynchronous_copies
    for x, how in ((mg.ones(3), {"non_blocking": True}), (mg.ones(3).pin_memory(), {})):
        moved = x.to("cuda", **how)
        x.zero_()
        assert moved.tolist() == [1, 1, 1]
    assert device.asynchronous_copies == copies


def test_the_source_lives_until_it_has_been_read(gpu: Any, device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.Event, "done", False)
    x = mg.ones(1000).pin_memory()
    block = weakref.ref(x.array)
    moved = x.to("cuda", non_blocking=True)
    del x
    gc.collect()
    assert block() is not None  # nobody else holds it, and the device has not read it yet
    monkeypatch.setattr(device.Event, "done", True)
    mg.ones(1).pin_memory().to("cuda", non_blocking=True)
    gc.collect()
    assert block() is None
    assert moved.sum().item() == 1000


def test_gradients_come_back_from_a_non_blocking_copy(gpu: Any) -> None:
    x = mg.ones(3).pin_memory().requires_grad_()
    (x.to("cuda", non_blocking=True) * 2).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_loader_pins_its_batches(gpu: Any, device: Any, num_workers: int) -> None:
    x, y = np.arange(12, dtype="f4").reshape(6, 2), np.arange(6)
    dataset = TensorDataset(mg.tensor(x), mg.tensor(y))
    plain = list(DataLoader(dataset, batch_size=4, num_workers=num_workers))
    copies = device.asynchronous_copies
    for (a, b), (c, d) in zip(DataLoader(dataset, 4, num_workers=num_workers, pin_memory=True), plain, strict=True):
        assert a.is_pinned() and b.is_pinned() and not c.is_pinned()
        moved = a.to("cuda", non_blocking=True), b.to("cuda", non_blocking=True)
        assert [v.tolist() for v in moved] == [c.tolist(), d.tolist()]
    assert device.asynchronous_copies == copies + 4


def test_a_loader_takes_its_batches_to_a_default_device_without_waiting(cuda: Any, device: Any) -> None:
    dataset = TensorDataset(mg.from_numpy(np.arange(6.0)))
    with registry.use_backend("numpy"), registry.use_backend(cuda):
        registry._loaded["cuda"] = cuda
        waits, copies = device.synchronisations, device.asynchronous_copies
        batches = [b for (b,) in DataLoader(dataset, 4, pin_memory=True)]
        assert (device.synchronisations, device.asynchronous_copies) == (waits, copies + 2)
        assert [b.device.type for b in batches] == ["cuda", "cuda"] and batches[1].tolist() == [4, 5]


Pair = namedtuple("Pair", "image label")


class Own:
    """A batch class with a method of its own, as PyTorch asks for."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def pin_memory(self) -> Own:
        return Own(self.x.pin_memory())


def test_all_kinds_of_batches_are_pinned(gpu: Any) -> None:
    from minigrad.cuda.pinned import pinned_batch

    x = mg.ones(2)
    batch = {
        "a": x,
        "pair": Pair(x, "seven"),
        "many": [x, (x, 3)],
        "own": Own(x),
        "kept": OrderedDict(k=x),
        "text": "t",
    }
    found = pinned_batch(batch)
    assert found["a"].is_pinned() and found["pair"].image.is_pinned() and found["pair"].label == "seven"
    assert found["many"][0].is_pinned() and found["many"][1][0].is_pinned() and found["many"][1][1] == 3
    assert type(found["many"][1]) is list  # as in PyTorch
    assert found["own"].x.is_pinned() and type(found["kept"]) is OrderedDict and found["kept"]["k"].is_pinned()
    assert found["text"] == "t" and not batch["kept"]["k"].is_pinned()  # type: ignore[index]


def test_words_travel_with_launches(cuda: Any, device: Any) -> None:
    values = np.arange(300, dtype=np.int64) << 40
    to = cuda.xp.zeros(310, np.int64)
    waits = device.synchronisations
    cuda.write_words(to, values)
    assert device.synchronisations == waits
    assert to.get().tolist() == [*values.tolist(), *[0] * 10]


def test_an_array_of_the_device_is_copied_over_another(cuda: Any) -> None:
    to = cuda.xp.zeros((2, 3), "float32")
    cuda.overwrite(to, cuda.from_numpy(np.ones((2, 3), "f4")))
    assert to.get().all()
    cuda.overwrite(to[:0], np.ones((0, 3), "f4"))
