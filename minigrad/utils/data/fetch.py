"""From sample numbers to a batch, in this process or in a worker, and onto the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from minigrad.registry import default_device
from minigrad.tensor import Tensor
from minigrad.utils.data.collate import default_collate
from minigrad.utils.data.dataset import Dataset, IterableDataset


class MapFetcher:
    """Samples by number. `batched`: the index is a list of numbers, and the samples are collated."""

    def __init__(self, dataset: Any, batched: bool, collate_fn: Callable[[Any], Any], drop_last: bool) -> None:
        self.dataset, self.batched, self.collate_fn = dataset, batched, collate_fn
        # Only the house's own collation is known to give what `_collated` gives.
        self.at_once = batched and collate_fn is default_collate and isinstance(dataset, Dataset)

    def fetch(self, index: Any) -> Any:
        """The data for one index, or one list of them."""
        if not self.batched:
            return self.collate_fn(self.dataset[index])
        if self.at_once:
            batch = self.dataset._collated(index)
            if batch is not None:
                return batch
        many = getattr(self.dataset, "__getitems__", None)
        return self.collate_fn(many(index) if many else [self.dataset[i] for i in index])


class StreamFetcher:
    """Samples as they come; the index only says how many."""

    def __init__(self, dataset: Any, batched: bool, collate_fn: Callable[[Any], Any], drop_last: bool) -> None:
        self.batched, self.collate_fn, self.drop_last = batched, collate_fn, drop_last
        self.stream = iter(dataset)
        self.ended = False

    def fetch(self, index: Any) -> Any:
        """The next samples. StopIteration when there are none, or too few for a batch that may not be short."""
        if self.ended:
            raise StopIteration
        if not self.batched:
            return self.collate_fn(next(self.stream))
        samples = []
        for _ in index:
            try:
                samples.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        if not samples or (self.drop_last and len(samples) < len(index)):
            raise StopIteration
        return self.collate_fn(samples)


def make_fetcher(
    dataset: Any, batched: bool, collate_fn: Callable[[Any], Any], drop_last: bool
) -> MapFetcher | StreamFetcher:
    """The fetcher that belongs to the kind of dataset."""
    kind = StreamFetcher if isinstance(dataset, IterableDataset) else MapFetcher
    return kind(dataset, batched, collate_fn, drop_last)


def to_default_device(data: Any) -> Any:
    """Tensors on the host, in lists, tuples and mappings, moved to where new tensors live.

    Samples are fetched and collated on the host. A program that names no device expects them beside its model,
    which `MINIGRAD_BACKEND` may have put elsewhere.
    """
    target = default_device()
    return data if target == "cpu" else _moved(data, target)


def _moved(data: Any, target: str) -> Any:
    if isinstance(data, Tensor):
        return data.to(target, non_blocking=True)  # it waits unless the loader has pinned the memory
    if isinstance(data, Mapping):
        return {key: _moved(value, target) for key, value in data.items()}
    if isinstance(data, tuple):
        items = [_moved(value, target) for value in data]
        return type(data)(*items) if hasattr(data, "_fields") else tuple(items)
    return [_moved(value, target) for value in data] if isinstance(data, list) else data
