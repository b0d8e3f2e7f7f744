"""One scenario, two libraries: what minigrad gives is compared with what PyTorch gives."""

import collections
import collections.abc
from types import SimpleNamespace

import numpy as np
import torch
import torch.utils.data

import minigrad
import minigrad.utils.data as data

OURS = SimpleNamespace(
    data=data,
    tensor=minigrad.from_numpy,
    rand=lambda: minigrad.rand(1).item(),
    manual_seed=minigrad.manual_seed,
    generator=lambda seed: minigrad.Generator().manual_seed(seed),
    Tensor=minigrad.Tensor,
)
THEIRS = SimpleNamespace(
    data=torch.utils.data,
    tensor=torch.from_numpy,
    rand=lambda: torch.rand(1).item(),
    manual_seed=torch.manual_seed,
    generator=lambda seed: torch.Generator().manual_seed(seed),
    Tensor=torch.Tensor,
)
X = np.arange(23 * 6, dtype=np.float32).reshape(23, 2, 3)
Y = np.arange(23) * 2
Point = collections.namedtuple("Point", "x y")


def plain(value, lib):
    """Nested batches as something that == compares: tensors become (dtype, shape, numbers)."""
    if isinstance(value, lib.Tensor):
        array = value.numpy()
        return "tensor", array.dtype.str, array.shape, array.tolist()
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.tolist()
    if isinstance(value, collections.abc.Mapping):
        return type(value).__name__, {key: plain(value[key], lib) for key in value}
    if isinstance(value, (list, tuple, collections.deque)):
        return type(value).__name__, [plain(v, lib) for v in value]
    return value


def run(scenario, lib):
    lib.manual_seed(77)
    return plain(scenario(lib), lib), lib.rand()


def agree(scenario):
    assert run(scenario, OURS) == run(scenario, THEIRS)


def pairs(lib):
    return lib.data.TensorDataset(lib.tensor(X), lib.tensor(Y))


class Squares:
    """Samples of any shape from a plain class that is no Dataset."""

    def __init__(self, make, length=11):
        self.make, self.length = make, length

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        if not 0 <= i < self.length:
            raise IndexError(i)
        return self.make(i)


LOADERS = {
    "plain": {},
    "batches": {"batch_size": 5},
    "drop_last": {"batch_size": 5, "drop_last": True},
    "exact": {"batch_size": 23, "drop_last": True},
    "shuffle": {"batch_size": 4, "shuffle": True},
    "shuffle drop": {"batch_size": 4, "shuffle": True, "drop_last": True},
    "one by one": {"batch_size": None},
    "one by one shuffled": {"batch_size": None, "shuffle": True},
    "list as sampler": {"batch_size": 2, "sampler": [3, 1, -1, 2]},
    "list as batch sampler": {"batch_sampler": [[3, 1], [2], [5, 5, 5]]},
}


def stream(lib, numbers, length=None):
    class Stream(lib.data.IterableDataset):
        def __iter__(self):
            return iter(numbers)

    if length is not None:
        Stream.__len__ = lambda self: length
    return Stream()
