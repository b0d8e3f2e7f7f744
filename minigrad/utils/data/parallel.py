"""A pass over a loader's data with worker processes.

Every worker has a pipe for requests; all share one queue of answers. Requests go round the workers, each
`prefetch_factor` ahead; answers that come early wait for their turn. The processes end when the pass does
or the iterator is deleted, unless they are to be kept. The main process needs no thread for all this, so
that its next fork is a clean one.
"""

from __future__ import annotations

import multiprocessing
import queue
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from minigrad.utils.data.dataloader import LoaderIterator
from minigrad.utils.data.worker import PATIENCE, RESUME, EndOfStream, Failure, Job, work

if TYPE_CHECKING:
    from minigrad.utils.data.dataloader import DataLoader


class ParallelIterator(LoaderIterator):
    """One pass from several processes, or, restarted, one after another."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.workers: list[Any] = []
        self.requests: list[Any] = []
        self.closed = False
        super().__init__(loader)
        context: Any = loader.multiprocessing_context or multiprocessing
        self.answers = context.Queue()
        self.done = context.Event()
        for worker in range(loader.num_workers):
            theirs, ours = context.Pipe(duplex=False)
            job = Job(
                loader.dataset,
                loader._batched,
                loader.collate_fn,
                loader.drop_last,
                loader.worker_init_fn,
                self.base_seed,
                worker,
                loader.num_workers,
            )
            process = context.Process(target=work, args=(job, theirs, self.answers, self.done), daemon=True)
            process.start()
            theirs.close()  # else no other process could see that the worker is gone
            self.requests.append(ours)
            self.workers.append(process)
        self._begin()

    def _begin(self) -> None:
        self.alive = [True] * len(self.workers)  # has more to give in this pass
        self.turn = 0  # whose turn it is to be asked
        self.pending: dict[int, int] = {}  # request -> the worker that has it
        self.early: dict[int, Any] = {}  # request -> its answer, which came before its turn
        self.asked = self.wanted = 0  # the next request's number, and the one whose answer comes next
        for _ in range(self.loader.prefetch_factor * len(self.workers)):  # type: ignore[operator]
            self._ask()

    def restart(self, loader: DataLoader[Any]) -> None:
        """Begin another pass with the same workers."""
        if self.closed:
            raise RuntimeError("DataLoader: the workers of this iterator have ended")
        self.loader._told_length = loader._told_length
        for worker in range(len(self.workers)):
            self._send(worker, RESUME)
        waiting = set(range(len(self.workers)))
        while waiting:  # answers of a pass that was broken off are thrown away
            number, data = self._receive()
            if number == RESUME:
                waiting.discard(data)
        self.numbers = iter(self.loader._index_sampler)
        self.yielded = 0
        self._begin()

    def _ask(self) -> None:
        """Send the next index to the next worker that has something to give."""
        if not any(self.alive):
            return
        try:
            index = next(self.numbers)
        except StopIteration:
            return
        count = len(self.workers)
        candidates = [w % count for w in range(self.turn, self.turn + count) if self.alive[w % count]]
        worker = candidates[0]
        if not self.loader.in_order:  # to the one with least to do
            worker = min(candidates, key=list(self.pending.values()).count)
        self.turn = worker + 1
        self._send(worker, (self.asked, index))
        self.pending[self.asked] = worker
        self.asked += 1

    def _send(self, worker: int, request: Any) -> None:
        with suppress(OSError):  # the worker is gone: whoever waits for its answer will notice
            self.requests[worker].send(request)

    def next_data(self) -> Any:
        """The next batch, or StopIteration."""
        while True:
            if self.wanted in self.early:
                data = self.early.pop(self.wanted)
                self.wanted += 1
                return self._deliver(data)
            owner = self.pending.get(self.wanted)
            if owner is None or not self.alive[owner]:  # answered out of order, or never to be answered
                self.pending.pop(self.wanted, None)
                if self.wanted >= self.asked:
                    if not self.loader.persistent_workers:
                        self.close()
                    raise StopIteration
                self.wanted += 1
                continue
            number, data = self._receive()
            self.pending.pop(number, None)
            if isinstance(data, EndOfStream):
                self.alive[data.worker] = False
                self._ask()
            elif number == self.wanted:
                self.wanted += 1
                return self._deliver(data)
            elif not self.loader.in_order:
                return self._deliver(data)
            else:
                self.early[number] = data

    def _deliver(self, data: Any) -> Any:
        self._ask()
        if isinstance(data, Failure):
            data.reraise()
        return data

    def _receive(self) -> Any:
        timeout = self.loader.timeout
        while True:
            try:
                return self.answers.get(timeout=timeout or PATIENCE)
            except queue.Empty:
                dead = [process for process in self.workers if not process.is_alive()]
                if dead:
                    pids = ", ".join(str(process.pid) for process in dead)
                    codes = ", ".join(str(process.exitcode) for process in dead)
                    self.close()
                    raise RuntimeError(
                        f"DataLoader worker (pid(s) {pids}) exited unexpectedly with exit code(s) {codes}"
                    ) from None
                if timeout:
                    raise RuntimeError(f"DataLoader timed out after {timeout} seconds") from None

    def close(self) -> None:
        """End the workers: politely, and after a while by force."""
        if self.closed:
            return
        self.closed = True
        self.done.set()
        for worker in range(len(self.workers)):
            self._send(worker, None)
        for process in self.workers:
            process.join(PATIENCE)
            if process.is_alive():
                process.terminate()
                process.join(PATIENCE)
        for requests in self.requests:
            requests.close()
        self.answers.close()

    def __del__(self) -> None:
        if self.workers and not self.closed and not sys.is_finalizing():  # then multiprocessing has seen to it
            self.close()
