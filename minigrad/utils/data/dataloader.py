"""DataLoader: a dataset, an order, and batches; in this process or from workers.

What a pass draws from the shared stream, and when, is PyTorch's: one base seed as the pass begins,
and then what the sampler draws when its first number is wanted.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.context import BaseContext
from typing import Any, Generic, TypeVar

from minigrad.random import Generator
from minigrad.utils.data.collate import default_collate, default_convert
from minigrad.utils.data.dataset import IterableDataset
from minigrad.utils.data.fetch import make_fetcher, to_default_device
from minigrad.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed

T_co = TypeVar("T_co", covariant=True)


class _Endless:
    """The order of a stream: no numbers, for ever."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class LoaderIterator:
    """One pass over a loader's data. Here in one process; `parallel` makes it of several."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        # A copy: a loader that keeps its iterator would stand in a circle with it, and only the garbage
        # collector, in no useful order, would end the workers.
        self.loader = copy.copy(loader)
        self.numbers = iter(loader._index_sampler)  # draws nothing before its first `next`
        self.base_seed = draw_seed(loader.generator)
        self.yielded = 0
        if loader.num_workers == 0:
            self.fetcher = make_fetcher(loader.dataset, loader._batched, loader.collate_fn, loader.drop_last)

    def __iter__(self) -> LoaderIterator:
        return self

    def __len__(self) -> int:
        return len(self.loader._index_sampler)

    def __next__(self) -> Any:
        data = self.next_data()
        if self.loader._pins:
            from minigrad.cuda.pinned import pinned_batch

            data = pinned_batch(data)
        data = to_default_device(data)
        self.yielded += 1
        told = self.loader._told_length
        if told is not None and self.yielded > told:
            warnings.warn(
                f"Length of IterableDataset {self.loader.dataset} was reported to be {told} "
                f"(when accessing len(dataloader)), but {self.yielded} samples have been fetched.",
                stacklevel=2,
            )
        return data

    def next_data(self) -> Any:
        """The next batch, or StopIteration."""
        return self.fetcher.fetch(next(self.numbers))


class DataLoader(Generic[T_co]):
    """Batches of a dataset, pass after pass.

    Args:
        dataset: samples by number, or an IterableDataset.
        batch_size: samples in a batch; None hands out single samples, converted but not collated.
        shuffle: visit the samples in a new random order in every pass.
        sampler: the order, instead of shuffle: anything that iterates over sample numbers.
        batch_sampler: the batches, instead of all that: anything that iterates over lists of numbers.
        num_workers: processes that fetch batches ahead; 0 fetches in this one.
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.
        pin_memory: put batches into page-locked memory, from where `to("cuda", non_blocking=True)` copies while the host
            goes on; without a GPU a warning says that this is not done. pin_memory_device is not needed.
        drop_last: leave out a last, shorter batch.
        timeout: seconds to wait for a worker; 0 waits as long as it lives.
        worker_init_fn: called in every worker with its number, after seeding.
        multiprocessing_context: a context or the name of a start method.
        generator: draws orders and base seeds instead of the shared stream.
        prefetch_factor: batches that each worker is ahead, 2 by default.
        persistent_workers: keep the workers, and their copies of the dataset, for the next pass.
        in_order: hand out batches in the sampler's order, even if another is ready sooner.

    Raises:
        ValueError: options that contradict each other, or numbers out of range.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        stream = isinstance(dataset, IterableDataset)
        _check_order(stream, batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = _context(multiprocessing_context, num_workers)
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self.generator = generator
        if batch_sampler is not None:
            batch_size = None
        if sampler is None:
            if stream:
                sampler = _Endless()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_collate if batch_sampler is not None else default_convert)
        self._told_length: int | None = None  # what len() said about a stream, which may say otherwise
        self._iterator: Any = None  # with its workers, where they are to be kept
        self._pins = False  # whether the pass that is under way does
        self._sealed = True
        _warn_of_crowd(num_workers)

    def __setattr__(self, name: str, value: Any) -> None:
        fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
        if name in fixed and getattr(self, "_sealed", False):
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def _batched(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._batched else self.sampler

    def __iter__(self) -> Any:
        self._pins = self.pin_memory and _can_pin(self.pin_memory_device)
        if self.num_workers == 0:
            return LoaderIterator(self)
        from minigrad.utils.data.parallel import ParallelIterator

        if not self.persistent_workers:
            return ParallelIterator(self)
        if self._iterator is None:
            self._iterator = ParallelIterator(self)
        else:
            self._iterator.restart(self)
        return self._iterator

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)
        self._told_length = length = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)


def _can_pin(device: str) -> bool:
    """Whether there is a GPU to pin memory for; PyTorch's warning where there is none."""
    import minigrad.cuda

    if device:
        warnings.warn(
            "pin_memory_device is deprecated, the current accelerator will be used as the device,"
            f"ignore pin_memory_device='{device}'.",
            stacklevel=3,
        )
    if minigrad.cuda.is_available():
        return True
    warnings.warn(
        "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be used.",
        stacklevel=3,
    )
    return False


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing, "
            f"but got num_workers={num_workers}"
        )
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, but got timeout={timeout}")
    if num_workers == 0:
        if prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing: "
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
            )
        if persistent:
            raise ValueError("persistent_workers option needs num_workers > 0")
        if timeout:
            raise ValueError(f"timeout option needs num_workers > 0, but got timeout={timeout}")
    elif prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(f"prefetch_factor option should be positive, but got prefetch_factor={prefetch_factor}")


def _check_order(
    stream: bool, batch_size: int | None, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    if stream:
        for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
            if value is not None:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")


def _context(context: str | BaseContext | None, num_workers: int) -> BaseContext | None:
    if context is None:
        return None
    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
            "but got num_workers=0"
        )
    if isinstance(context, str):
        methods = multiprocessing.get_all_start_methods()
        if context not in methods:
            raise ValueError(
                f"multiprocessing_context option should specify a valid start method in {methods!r}, "
                f"but got multiprocessing_context={context!r}"
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the start "
            f"method, but got multiprocessing_context={context}"
        )
    return context


def _warn_of_crowd(num_workers: int) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if num_workers > cores:
        warnings.warn(
            f"This DataLoader will create {num_workers} worker processes in total. Our suggested max number of "
            f"worker in current system is {cores}, which is smaller than what this DataLoader is going to create. "
            "More processes than cores slow one another down.",
            stacklevel=3,
        )
