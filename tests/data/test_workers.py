"""DataLoader with worker processes: PyTorch's batches, in PyTorch's order, from PyTorch's streams."""

import gc
import importlib
import multiprocessing
import os
import random
import time
import warnings

import numpy as np
import pytest
import torch
from both_libraries import LOADERS, Squares, X, Y, agree, pairs

import minigrad
import minigrad.utils.data as data


def init_worker(worker):
    random.random()


class Drawing:
    """Samples that show what a worker's streams are."""

    def __init__(self, rand, info):
        self.rand, self.info = rand, info

    def __len__(self):
        return 12

    def __getitem__(self, i):
        me = self.info()
        return i, me.id, me.num_workers, me.seed % 1000, self.rand(), random.random(), np.random.rand()


def test_workers_draw_as_pytorchs():
    def scenario(lib):
        dataset = Drawing(lib.rand, lib.data.get_worker_info)
        loader = lib.data.DataLoader(dataset, batch_size=2, num_workers=2, worker_init_fn=init_worker, shuffle=True)
        return [list(loader), lib.rand(), list(loader)]

    agree(scenario)
    assert data.get_worker_info() is None


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", LOADERS)
def test_workers_give_the_same_batches(name, workers):
    def scenario(lib):
        loader = lib.data.DataLoader(pairs(lib), num_workers=workers, **LOADERS[name])
        return [len(loader), list(loader), lib.rand()]

    agree(scenario)


@pytest.mark.parametrize("prefetch", [1, 5])
def test_kept_workers(prefetch):
    def scenario(lib):
        loader = lib.data.DataLoader(
            pairs(lib), 4, shuffle=True, num_workers=2, persistent_workers=True, prefetch_factor=prefetch
        )
        first = list(loader)
        broken_off = next(iter(loader))
        return [first, broken_off, list(loader), lib.rand()]

    agree(scenario)


def test_kept_workers_are_the_same_processes():
    loader = data.DataLoader(range(8), num_workers=2, persistent_workers=True)
    iterator = iter(loader)
    pids = [process.pid for process in iterator.workers]
    list(iterator)
    assert [process.pid for process in iter(loader).workers] == pids
    iterator.close()
    with pytest.raises(RuntimeError, match="the workers of this iterator have ended"):
        iter(loader)


class Shared(data.IterableDataset):
    """A stream that the workers share out."""

    def __init__(self, length, info):
        self.length, self.info = length, info

    def __iter__(self):
        me = self.info()
        return iter(range(me.id, self.length, me.num_workers))


@pytest.mark.parametrize("length", [0, 1, 9, 20])
@pytest.mark.parametrize("options", [{}, {"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}])
def test_streams_from_workers(length, options):
    def scenario(lib):
        theirs = type("Shared", (lib.data.IterableDataset,), dict(vars(Shared)))
        dataset = theirs(length, lib.data.get_worker_info)
        kept = lib.data.DataLoader(dataset, num_workers=2, persistent_workers=True, **options)
        return [list(lib.data.DataLoader(dataset, num_workers=2, **options)), list(kept), list(kept)]

    agree(scenario)


five_is_done = multiprocessing.Event()


def wait_for_five(i):
    if i == 0:
        five_is_done.wait(30)
    if i == 5:
        five_is_done.set()
    return i


def test_out_of_order_everything_comes_once():
    loader = data.DataLoader(Squares(wait_for_five), num_workers=2, in_order=False, multiprocessing_context="fork")
    got = [batch.item() for batch in loader]
    assert sorted(got) == list(range(11))
    assert max(got.index(1), got.index(3)) < got.index(0)  # five is asked for when these have come


def fail_at_3(i):
    if i == 3:
        raise KeyError("no three")
    return i


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


def fail_oddly(i):
    raise Odd(1, 2)


def fail_to_start(worker):
    raise ValueError(f"worker {worker} does not like it")


def test_an_exception_in_a_worker_arrives_with_its_traceback():
    loader = data.DataLoader(Squares(fail_at_3), num_workers=2)
    with pytest.raises(KeyError) as caught:
        list(loader)
    assert "Caught KeyError in DataLoader worker process 1.\nOriginal Traceback" in str(caught.value)
    assert "fail_at_3" in str(caught.value)
    with pytest.raises(RuntimeError, match="Caught Odd in DataLoader worker process 0"):
        list(data.DataLoader(Squares(fail_oddly), num_workers=1))
    with pytest.raises(ValueError, match="worker 0 does not like it"):
        list(data.DataLoader(range(3), num_workers=1, worker_init_fn=fail_to_start))


def fall_silent(i):
    time.sleep(60)


def test_a_worker_that_is_too_slow_is_given_up():
    loader = data.DataLoader(Squares(fall_silent), num_workers=1, timeout=0.2)
    iterator = iter(loader)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0.2 seconds"):
        next(iterator)
    iterator.workers[0].terminate()


def drop_dead(i):
    os._exit(7)


def test_a_worker_that_dies_is_noticed(monkeypatch):
    monkeypatch.setattr("minigrad.utils.data.parallel.PATIENCE", 0.2)
    with pytest.raises(
        RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly with exit code\(s\) 7"
    ):
        list(data.DataLoader(Squares(drop_dead), num_workers=1))


def test_workers_end_with_their_pass():
    iterator = iter(data.DataLoader(range(8), num_workers=2))
    next(iterator)
    processes = iterator.workers
    del iterator
    assert not any(process.is_alive() for process in processes)
    iterator = iter(data.DataLoader(range(8), num_workers=2))
    list(iterator)
    assert not any(process.is_alive() for process in iterator.workers)


def test_kept_workers_end_with_their_loader():
    gc.disable()
    try:
        loader = data.DataLoader(range(8), num_workers=2, persistent_workers=True)
        list(loader)
        processes = iter(loader).workers
        assert all(process.is_alive() for process in processes)
        del loader
        assert not any(process.is_alive() for process in processes)
    finally:
        gc.enable()


def test_workers_that_are_spawned():
    dataset = data.TensorDataset(minigrad.from_numpy(X), minigrad.from_numpy(Y))
    loader = data.DataLoader(dataset, batch_size=12, num_workers=1, multiprocessing_context="spawn")
    (x, _), (_, y) = loader
    np.testing.assert_array_equal(x.numpy(), X[:12])
    np.testing.assert_array_equal(y.numpy(), Y[12:])


def test_a_crowd_of_workers_warns():
    with pytest.warns(UserWarning, match="will create 10000 worker processes in total"):
        data.DataLoader(range(3), num_workers=10000)


@pytest.mark.parametrize("device", ["", "cuda"])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_pin_memory_without_a_gpu_warns_in_pytorchs_words(device, num_workers, monkeypatch):
    monkeypatch.setattr(minigrad.cuda, "is_available", lambda: False)
    options = {"pin_memory": True, "pin_memory_device": device, "num_workers": num_workers}
    said = []
    for library in (torch.utils.data, data):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert [int(b) for b in library.DataLoader(range(3), **options)] == [0, 1, 2]
        said.append([str(w.message) for w in caught if "pin_memory" in str(w.message)])
        assert library is not data or all(w.filename == __file__ for w in caught)
    assert said[0] == said[1] and len(said[1]) == 1 + bool(device)


def test_pinning_a_tensor_without_a_gpu(monkeypatch):
    monkeypatch.setattr(importlib.import_module("minigrad.cuda.pinned"), "is_available", lambda: False)
    assert not minigrad.ones(2).is_pinned()
    with pytest.raises(RuntimeError, match=r"^Cannot access accelerator device when none is available"):
        minigrad.ones(2).pin_memory()
