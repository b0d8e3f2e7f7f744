"""Samplers, combined datasets and splits: the same numbers in the same order as PyTorch's."""

import itertools

import numpy as np
import pytest
from both_libraries import OURS, Squares, X, Y, agree, pairs

import minigrad
import minigrad.utils.data as data

SAMPLERS = {
    "sequential": lambda lib: lib.data.SequentialSampler(range(9)),
    "random": lambda lib: lib.data.RandomSampler(range(40)),
    "random few": lambda lib: lib.data.RandomSampler(range(40), num_samples=7),
    "random many": lambda lib: lib.data.RandomSampler(range(40), num_samples=100),
    "random exact": lambda lib: lib.data.RandomSampler(range(40), num_samples=80),
    "replacement": lambda lib: lib.data.RandomSampler(range(40), replacement=True),
    "replacement many": lambda lib: lib.data.RandomSampler(range(7), replacement=True, num_samples=100),
    "replacement 64": lambda lib: lib.data.RandomSampler(range(7), replacement=True, num_samples=64),
    "own generator": lambda lib: lib.data.RandomSampler(range(40), generator=lib.generator(1)),
    "own, replacement": lambda lib: lib.data.RandomSampler(range(40), True, 50, lib.generator(1)),
    "subset": lambda lib: lib.data.SubsetRandomSampler([3, 5, 7, 9, 11]),
    "subset own": lambda lib: lib.data.SubsetRandomSampler([3, 5, 7, 9, 11], lib.generator(9)),
    "weights": lambda lib: lib.data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 50),
    "weights once": lambda lib: lib.data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 4, replacement=False),
    "weights own": lambda lib: lib.data.WeightedRandomSampler([1, 2, 3], 5, True, lib.generator(2)),
    "batches": lambda lib: lib.data.BatchSampler(lib.data.RandomSampler(range(10)), 3, False),
    "batches drop": lambda lib: lib.data.BatchSampler(lib.data.RandomSampler(range(10)), 3, True),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers(name):
    def scenario(lib):
        sampler = SAMPLERS[name](lib)
        return [len(sampler), list(sampler), lib.rand(), list(sampler)]

    agree(scenario)


COMBINED = {
    "concat": lambda lib: lib.data.ConcatDataset([range(3), Squares(lambda i: 10 * i, 2), range(5, 6)]),
    "sum": lambda lib: pairs(lib) + pairs(lib),
    "subset": lambda lib: lib.data.Subset(pairs(lib), [4, 2, 2]),
    "subset of subset": lambda lib: lib.data.Subset(lib.data.Subset(pairs(lib), [4, 2, 8, 9]), [3, 1]),
    "subset of plain": lambda lib: lib.data.Subset(range(100), [4, 2, 2]),
    "stack": lambda lib: lib.data.StackDataset(range(4), Squares(lambda i: i * i, 4)),
    "stack named": lambda lib: lib.data.StackDataset(a=range(4), b=Squares(lambda i: i * i, 4)),
}


@pytest.mark.parametrize("name", COMBINED)
def test_combined_datasets(name):
    def scenario(lib):
        dataset = COMBINED[name](lib)
        return [len(dataset), dataset[0], dataset[len(dataset) - 1], list(lib.data.DataLoader(dataset, batch_size=2))]

    agree(scenario)


def test_concat_counts_from_the_end_and_knows_its_end():
    both = data.ConcatDataset([range(3), range(10, 12)])
    assert [both[-1], both[-5]] == [11, 0]
    with pytest.raises(ValueError, match="absolute value of index"):
        both[-6]
    with pytest.raises(IndexError, match="index 5 is out of range for a dataset of length 5"):
        both[5]
    assert list(both) == [0, 1, 2, 10, 11]


@pytest.mark.parametrize("lengths", [[20, 3], [23], [0.5, 0.5], [0.3, 0.3, 0.4], [0.1] * 10])
def test_random_split(lengths):
    def scenario(lib):
        own = lib.data.random_split(range(23), lengths, generator=lib.generator(42))
        shared = lib.data.random_split(pairs(lib), lengths)
        assert all(isinstance(part, lib.data.Subset) for part in shared)
        return [[list(part) for part in own], [list(lib.data.DataLoader(part, 4)) for part in shared]]

    agree(scenario)


def test_random_split_errors():
    with pytest.raises(ValueError, match="Sum of input lengths does not equal the length of the input dataset!"):
        data.random_split(range(5), [2, 2])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        data.random_split(range(5), [-0.5, 1.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        data.random_split(range(1), [0.5, 0.5])


def test_a_subclass_with_its_own_idea_of_a_sample_is_asked():
    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return x, y * 2

    class Shifted(data.Subset):
        def __getitem__(self, index):
            return super().__getitem__(index)[1] + 1

    (_, y) = next(iter(data.DataLoader(Doubled(minigrad.from_numpy(X), minigrad.from_numpy(Y)), batch_size=3)))
    assert y.tolist() == [0, 4, 8]
    y = next(iter(data.DataLoader(Shifted(pairs(OURS), [1, 2]), batch_size=2)))
    assert y.tolist() == [3, 5]


def test_a_batch_shares_no_memory_with_the_data():
    x = X.copy()
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(minigrad.from_numpy(x)), batch_size=23)))
    batch.fill_(7.0)
    np.testing.assert_array_equal(x, X)


def test_datasets_that_fetch_many_at_once_are_asked_for_many():
    class Many(Squares):
        def __getitems__(self, indices):
            return [100 + i for i in indices]

    agree(lambda lib: list(lib.data.DataLoader(Many(None), batch_size=4)))
    agree(lambda lib: list(lib.data.DataLoader(lib.data.Subset(Many(None), [5, 3]), batch_size=4)))


def test_a_sampler_without_end_begins_at_once():
    def scenario(lib):
        loader = lib.data.DataLoader(range(40), 8, sampler=lib.data.RandomSampler(range(40), True, 10**12))
        return list(itertools.islice(loader, 9))

    agree(scenario)
