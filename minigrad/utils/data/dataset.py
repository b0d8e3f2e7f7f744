"""What holds the samples: by number (Dataset) or as a stream (IterableDataset), and ways to combine them.

A dataset may define `__getitems__(indices) -> list of samples`, as in PyTorch, to fetch a batch at once. The
ones here go further where it is safe: `_collated(indices)` gives the batch that `default_collate`
would make of the samples, by one indexing operation instead of one per sample, or None.
"""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from minigrad.creation import from_numpy
from minigrad.random import Generator
from minigrad.random.integers import randperm

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Dataset(Generic[T_co]):
    """Samples by number. Subclasses define `__getitem__` and, nearly always, `__len__`."""

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])

    def _collated(self, indices: Sequence[int]) -> list[Any] | None:
        """The collated batch of these samples, where it can be had without touching each."""
        return None


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """Samples as a stream. Subclasses define `__iter__`.

    With worker processes every worker holds a copy and would yield the whole stream: `get_worker_info()`
    tells `__iter__` which part is its own.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


def row_numbers(indices: Sequence[int]) -> Any:
    """Indices as an integer array, or None if they are anything but plain numbers."""
    try:
        rows = np.asarray(indices)
    except ValueError:
        return None
    return rows if rows.ndim == 1 and rows.dtype.kind in "iu" else None


class TensorDataset(Dataset[tuple[Any, ...]]):
    """Tensors side by side: sample i is the tuple of their i-th rows.

    Raises:
        AssertionError: the tensors do not have the same length.
    """

    def __init__(self, *tensors: Any) -> None:
        if any(tensors[0].size(0) != tensor.size(0) for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].size(0))

    def _collated(self, indices: Sequence[int]) -> list[Any] | None:
        rows = row_numbers(indices)
        if rows is None or type(self).__getitem__ is not TensorDataset.__getitem__:
            return None
        if any(tensor.requires_grad for tensor in self.tensors):
            return None
        return [
            from_numpy(tensor.numpy().take(rows, 0)) if tensor.device.type == "cpu" else tensor[rows]
            for tensor in self.tensors
        ]


class StackDataset(Dataset[Any]):
    """Datasets of one length side by side: a sample is a tuple of samples, or a dict for keyword arguments.

    Raises:
        ValueError: no dataset, both kinds of arguments, or different lengths.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError("StackDataset takes datasets as arguments or as keyword arguments, not both")
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets: tuple[Any, ...] | dict[str, Any] = args or kwargs
        lengths = {len(dataset) for dataset in args or kwargs.values()}
        if len(lengths) > 1:
            raise ValueError(f"Size mismatch between datasets: {sorted(lengths)}")
        self._length = lengths.pop()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {key: dataset[index] for key, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Datasets one after another.

    Raises:
        AssertionError: there is none, or one is a stream.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> T_co:
        if index < 0:
            if -index > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            index += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        if which == len(self.datasets):
            raise IndexError(f"index {index} is out of range for a dataset of length {len(self)}")
        before = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - before]


class ChainDataset(IterableDataset[Any]):
    """Streams one after another. AssertionError when it meets a dataset that is none."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for stream in self._streams():
            yield from stream

    def __len__(self) -> int:
        return sum(len(stream) for stream in self._streams())


class Subset(Dataset[T_co]):
    """Some of a dataset's samples, in a given order."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> list[T_co]:
        if type(self).__getitem__ is not Subset.__getitem__:  # a subclass has its own idea of a sample
            return [self[i] for i in indices]
        chosen = [self.indices[i] for i in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__(chosen)
        return [self.dataset[i] for i in chosen]

    def __len__(self) -> int:
        return len(self.indices)

    def _collated(self, indices: Sequence[int]) -> list[Any] | None:
        cls, inner = type(self), self.dataset
        own = cls.__getitem__ is not Subset.__getitem__ or cls.__getitems__ is not Subset.__getitems__
        if own or not isinstance(inner, Dataset):
            return None
        return inner._collated([self.indices[i] for i in indices])


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Generator | None = None) -> list[Subset[Any]]:
    """Deal a dataset's samples out at random, in parts of given lengths or fractions.

    Fractions that sum to 1 are rounded down, and what is left over goes to the parts one each, from the
    first on. One random permutation is drawn.

    Raises:
        ValueError: the lengths do not sum to the dataset's, or a fraction is outside [0, 1].
    """
    total = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1")
        parts = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(parts)):
            parts[i % len(parts)] += 1
        for i, part in enumerate(parts):
            if not part:
                warnings.warn(
                    f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2
                )
    else:
        parts = list(lengths)  # type: ignore[arg-type]
    if sum(parts) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = randperm(total, generator=generator).tolist()
    ends = itertools.accumulate(parts)
    return [Subset(dataset, order[end - part : end]) for end, part in zip(ends, parts, strict=True)]
