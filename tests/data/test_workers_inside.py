"""A worker's life, watched from inside the same process, and the way of batches to the device."""

import multiprocessing
import queue
import random
import threading
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad
import minigrad.utils.data as data
from minigrad.utils.data import fetch, worker
from minigrad.utils.data.worker import RESUME, EndOfStream, Failure, Job, work

Point = namedtuple("Point", "x y")
THREADS = []


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    """Working here seeds every stream of this process."""
    monkeypatch.setattr(worker, "_info", None)
    monkeypatch.setattr(worker, "active_backend", lambda device: SimpleNamespace(set_num_threads=THREADS.append))
    states = minigrad.get_rng_state(), random.getstate(), np.random.get_state()
    yield
    minigrad.set_rng_state(states[0])
    random.setstate(states[1])
    np.random.set_state(states[2])


class Broken:
    def __getitem__(self, i):
        if i == 2:
            raise StopIteration
        raise LookupError("nothing here")


class Three(data.IterableDataset):
    def __iter__(self):
        return iter(range(3))


def answers_to(requests, dataset, init_fn=None, batched=False, done=False):
    """What a worker answers to these requests, until it ends."""
    ours, theirs = multiprocessing.Pipe()
    for request in requests:
        ours.send(request)
    ours.close()  # whatever comes after is the end
    answers, event = queue.Queue(), threading.Event()
    answers.cancel_join_thread = answers.close = lambda: None
    if done:
        event.set()
    work(Job(dataset, batched, data.default_convert, False, init_fn, 40, 2, 3), theirs, answers, event)
    return [answers.get_nowait() for _ in range(answers.qsize())]


def test_a_worker_answers_until_it_is_told_to_stop():
    seen = []
    assert answers_to([(0, 1), (1, 3), None, (2, 2)], range(10, 20), seen.append) == [(0, 11), (1, 13)]
    assert seen == [2]
    info = data.get_worker_info()
    assert (info.id, info.num_workers, info.seed) == (2, 3, 42)
    assert minigrad.initial_seed() == 42
    assert THREADS[-1] == 1


def test_a_worker_ends_when_nobody_can_ask_any_more():
    assert answers_to([(0, 1)], range(10)) == [(0, 1)]


def test_a_worker_skips_what_was_asked_before_the_end():
    assert answers_to([(0, 1), None], range(10), done=True) == []


def test_a_worker_whose_stream_is_over_waits_for_the_next_pass():
    got = answers_to([(i, None) for i in range(6)] + [RESUME, (6, None), None], Three())
    assert got == [(0, 0), (1, 1), (2, 2), (3, EndOfStream(2)), (RESUME, 2), (6, 0)]


def test_failures_are_answers():
    (first, failure), (_, second), *_ = answers_to([(0, 1), (1, 2), RESUME, None], Broken())
    assert first == 0 and failure.kind is LookupError and "nothing here" in failure.text
    assert second.kind is StopIteration
    with pytest.raises(LookupError, match="Caught LookupError in DataLoader worker process 2"):
        failure.reraise()


def test_a_worker_that_cannot_start_says_so_each_time():
    def init(number):
        raise OSError("no such thing")

    got = answers_to([(0, 1), RESUME, (1, 1), None], range(3), init)
    assert [type(answer) for _, answer in got] == [Failure, int, Failure]
    assert got[0][1].kind is OSError


def test_an_interrupted_worker_goes_quietly():
    def interrupt(number):
        raise KeyboardInterrupt

    assert answers_to([(0, 1), None], range(3), interrupt) == []


def test_an_orphan_ends(monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE", 0.01)
    parents = iter([1, 1, 2])
    monkeypatch.setattr(worker.os, "getppid", lambda: next(parents))
    ours, theirs = multiprocessing.Pipe()
    work(Job(range(3), False, data.default_convert, False, None, 40, 0, 1), theirs, queue.Queue(), threading.Event())
    ours.close()


def test_batches_move_to_where_new_tensors_live(monkeypatch):
    moved = []

    def to(tensor, target, non_blocking):
        moved.append(target)
        return "moved"

    x = minigrad.ones(2)
    nested = {"a": [x, (x, 1)], "b": Point(x, "text"), "c": 3.5}
    assert fetch.to_default_device(nested) is nested
    monkeypatch.setattr(fetch, "default_device", lambda: "elsewhere")
    monkeypatch.setattr(minigrad.Tensor, "to", to)
    want = {"a": ["moved", ("moved", 1)], "b": Point("moved", "text"), "c": 3.5}
    assert fetch.to_default_device(nested) == want
    assert moved == ["elsewhere"] * 3
    loader = data.DataLoader(data.TensorDataset(x, x), batch_size=2)
    assert list(loader) == [["moved", "moved"]]
