"""What runs in a worker process: seed everything, then answer requests for batches until told to stop.

Requests come through a pipe of the worker's own, answers go into a queue that all share. Requests are
(number, index) pairs, answers (number, data); `RESUME` starts the dataset anew for another epoch, None ends
the process. Worker w of a loader whose base seed is s draws from the streams of seed s + w.
"""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.random import manual_seed
from minigrad.registry import active_backend
from minigrad.utils.data.dataset import IterableDataset
from minigrad.utils.data.fetch import make_fetcher

PATIENCE = 5.0  # seconds between two looks at whether the other side still lives
RESUME = "resume"


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Who a worker process is: its number, how many there are, its seed, its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Who this worker process is; None in the main process."""
    return _info


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """A worker's answer when its copy of an IterableDataset is exhausted."""

    worker: int


class _Unquoted(str):
    """A text that KeyError, which shows the repr of its argument, shows as it is."""

    def __repr__(self) -> str:
        return str(self)


class Failure:
    """An exception on its way from a worker to the main process, with its traceback as text."""

    def __init__(self, error: BaseException, worker: int) -> None:
        self.kind = type(error)
        trace = "".join(traceback.format_exception(error))
        self.text = f"Caught {self.kind.__name__} in DataLoader worker process {worker}.\nOriginal {trace}"

    def reraise(self) -> None:
        """Raise the same kind of exception, or a RuntimeError if it cannot be made from a text."""
        try:
            error = self.kind(_Unquoted(self.text) if issubclass(self.kind, KeyError) else self.text)
        except Exception:
            raise RuntimeError(self.text) from None
        raise error


@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs to know when it starts."""

    dataset: Any
    batched: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    init_fn: Callable[[int], None] | None
    base_seed: int
    worker: int
    num_workers: int


def seed_worker(base_seed: int, worker: int) -> int:
    """Seed this process's streams (minigrad's, Python's, NumPy's) as PyTorch seeds a worker's."""
    seed = base_seed + worker
    random.seed(seed)
    manual_seed(seed)
    # NumPy and Python turn the same crank: equal seeds would give them equal numbers.
    np.random.seed(np.random.SeedSequence([worker, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]).generate_state(4))
    return seed


def work(job: Job, requests: Any, answers: Any, done: Any) -> None:
    """The life of a worker process."""
    global _info
    parent = os.getppid()
    try:
        active_backend("cpu").set_num_threads(1)  # the processes share the cores out among themselves
        seed = seed_worker(job.base_seed, job.worker)
        _info = WorkerInfo(job.worker, job.num_workers, seed, job.dataset)
        broken: Failure | None = None
        fetcher: Any = None
        try:
            if job.init_fn is not None:
                job.init_fn(job.worker)
            fetcher = make_fetcher(job.dataset, job.batched, job.collate_fn, job.drop_last)
        except Exception as error:
            broken = Failure(error, job.worker)
        ended = False
        while True:
            if not requests.poll(PATIENCE):
                if done.is_set() or os.getppid() != parent:  # nobody will ever ask again
                    break
                continue
            request = requests.recv()
            if request is None:
                break
            if request == RESUME:
                answers.put((RESUME, job.worker))
                ended = False
                if broken is None:
                    fetcher = make_fetcher(job.dataset, job.batched, job.collate_fn, job.drop_last)
                continue
            if done.is_set() or ended:
                continue
            number, index = request
            data: Any
            if broken is not None:
                data = broken
            else:
                try:
                    data = fetcher.fetch(index)
                except StopIteration as error:
                    ended = isinstance(job.dataset, IterableDataset)
                    data = EndOfStream(job.worker) if ended else Failure(error, job.worker)
                except Exception as error:
                    data = Failure(error, job.worker)
            answers.put((number, data))
    except (EOFError, KeyboardInterrupt):  # the main process is gone, or says itself that it was interrupted
        pass
    if done.is_set():
        answers.cancel_join_thread()
        answers.close()
