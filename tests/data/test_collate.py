"""Collation and conversion: what becomes a tensor, and of which type."""

import collections
import collections.abc

import numpy as np
import pytest
from both_libraries import Point, Squares, agree, pairs

import minigrad
import minigrad.utils.data as data
from minigrad.utils.data.collate import collate


class Frozen(collections.abc.Mapping):
    """A mapping that cannot be made of another."""

    def __init__(self, i, j):
        self.i = i

    def __getitem__(self, key):
        return {"i": self.i}[key]

    def __iter__(self):
        return iter(["i"])

    def __len__(self):
        return 1


class Items(Frozen):
    """One that can."""

    def __init__(self, items):
        self.i = items["i"]


SAMPLES = {
    "int": lambda i: i,
    "float": lambda i: i / 3,
    "bool": lambda i: i % 2 == 0,
    "str": lambda i: f"s{i}",
    "bytes": lambda i: b"b",
    "array": lambda i: np.full((2, 3), i),
    "float16 array": lambda i: np.full(2, i, np.float16),
    "scalar array": lambda i: np.array(i * 1.5),
    "numpy float32": lambda i: np.float32(i),
    "numpy int16": lambda i: np.int16(i),
    "numpy bool": lambda i: np.bool_(i % 2),
    "tuple": lambda i: (i, i / 2),
    "list": lambda i: [i, np.float32(i)],
    "dict": lambda i: {"x": np.full(2, i), "y": i, "z": {"deep": [i, "s"]}},
    "ordered dict": lambda i: collections.OrderedDict(b=i, a=(i, i)),
    "default dict": lambda i: collections.defaultdict(list, a=i),
    "named tuple": lambda i: Point(i, np.float64(i)),
    "nested": lambda i: ((i, [i, (i, {"k": i})]), "t"),
    "frozen mapping": lambda i: Frozen(i, i),
    "mapping": lambda i: Items({"i": i}),
    "deque": lambda i: collections.deque([i, 2 * i]),
    "empty tuple": lambda i: (),
    "range": lambda i: range(i, i + 3),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_collation(name):
    agree(lambda lib: list(lib.data.DataLoader(Squares(SAMPLES[name]), batch_size=4)))
    agree(lambda lib: list(lib.data.DataLoader(Squares(SAMPLES[name]), batch_size=None)))


def test_collation_of_tensors_keeps_the_graph():
    a, b = minigrad.ones(2, requires_grad=True), minigrad.ones(2)
    batch = data.default_collate([a, b])
    batch.sum().backward()
    assert batch.shape == (2, 2) and a.grad.tolist() == [1, 1]
    tracked = data.TensorDataset(minigrad.ones(3, 2, requires_grad=True))
    (batch,) = next(iter(data.DataLoader(tracked, batch_size=2)))
    assert batch.requires_grad


def test_conversion_keeps_what_it_cannot_convert():
    text = np.array(["a", "b"])
    marker = object()
    assert data.default_convert(text) is text
    assert data.default_convert(marker) is marker
    tensor = minigrad.ones(2)
    assert data.default_convert(tensor) is tensor


def test_collation_refuses_what_it_does_not_know():
    with pytest.raises(
        TypeError, match=r"batch must contain tensors, numpy arrays, numbers, dicts or lists; found.*obj"
    ):
        data.default_collate([object(), object()])
    with pytest.raises(TypeError, match="found <U1"):
        data.default_collate([np.array(["a"]), np.array(["b"])])
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        data.default_collate([(1, 2), (1, 2, 3)])


def test_a_collate_function_of_ones_own():
    agree(lambda lib: list(lib.data.DataLoader(pairs(lib), batch_size=9, collate_fn=lambda batch: len(batch))))
    table = {**data.default_collate_fn_map, str: lambda batch, *, collate_fn_map: "+".join(batch)}
    assert collate([("a", 1), ("b", 2)], collate_fn_map=table)[0] == "a+b"
