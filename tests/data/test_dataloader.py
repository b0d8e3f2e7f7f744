"""DataLoader, samplers and collation against PyTorch's: the same batches in the same order, the same draws."""

import collections
import collections.abc
import gc
import multiprocessing
import os
import random
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
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


@pytest.mark.parametrize("name", LOADERS)
def test_passes_over_tensors(name):
    def scenario(lib):
        loader = lib.data.DataLoader(pairs(lib), **LOADERS[name])
        return [len(loader), [list(loader), lib.rand(), list(loader)]]

    agree(scenario)


@pytest.mark.parametrize("name", [n for n in LOADERS if "list" not in n])
def test_a_generator_of_its_own_leaves_the_shared_stream_alone(name):
    def scenario(lib):
        g = lib.generator(5)
        loader = lib.data.DataLoader(pairs(lib), generator=g, **LOADERS[name])
        return [list(loader), list(loader), g.get_state()]

    agree(scenario)


def test_a_pass_that_is_broken_off_has_drawn_as_pytorchs():
    def scenario(lib):
        loader = lib.data.DataLoader(pairs(lib), batch_size=4, shuffle=True)
        iter(loader)
        between = lib.rand()
        first = next(iter(loader))
        return [between, first, lib.rand(), list(loader)]

    agree(scenario)


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
    from minigrad.utils.data.collate import collate

    assert collate([("a", 1), ("b", 2)], collate_fn_map=table)[0] == "a+b"


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


def stream(lib, numbers, length=None):
    class Stream(lib.data.IterableDataset):
        def __iter__(self):
            return iter(numbers)

    if length is not None:
        Stream.__len__ = lambda self: length
    return Stream()


@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {"batch_size": 5}, {"batch_size": None}]
)
def test_streams(options):
    agree(lambda lib: [list(lib.data.DataLoader(stream(lib, range(10)), **options)), lib.rand()])
    agree(lambda lib: len(lib.data.DataLoader(stream(lib, range(10), 10), **options)))
    agree(lambda lib: list(lib.data.DataLoader(stream(lib, [1, 2]) + stream(lib, [3]), **options)))


def test_a_stream_that_is_longer_than_it_said_warns():
    loader = data.DataLoader(stream(OURS, range(3), 2))
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2 .* but 3 samples have been fetched"):
        list(loader)


def test_chains_of_streams():
    chain = data.ChainDataset([stream(OURS, [1, 2], 2), stream(OURS, [3], 1)])
    assert list(chain) == [1, 2, 3] and len(chain) == 3
    with pytest.raises(AssertionError, match="ChainDataset only supports IterableDataset"):
        list(data.ChainDataset([range(3)]))
    with pytest.raises(AssertionError, match="ConcatDataset does not support IterableDataset"):
        data.ConcatDataset([stream(OURS, [1])])
    with pytest.raises(AssertionError, match="should not be an empty iterable"):
        data.ConcatDataset([])


BAD = [
    (lambda d: d.DataLoader(range(3), num_workers=-1), ValueError, "num_workers option should be non-negative"),
    (lambda d: d.DataLoader(range(3), timeout=-1), ValueError, "timeout option should be non-negative"),
    (lambda d: d.DataLoader(range(3), prefetch_factor=2), ValueError, "prefetch_factor option could only be specified"),
    (
        lambda d: d.DataLoader(range(3), num_workers=1, prefetch_factor=-2),
        ValueError,
        "prefetch_factor option should be",
    ),
    (lambda d: d.DataLoader(range(3), persistent_workers=True), ValueError, "persistent_workers option needs"),
    (lambda d: d.DataLoader(range(3), batch_size=0), ValueError, "batch_size should be a positive integer value, but"),
    (
        lambda d: d.DataLoader(range(3), batch_size=2.0),
        ValueError,
        "batch_size should be a positive integer value, but",
    ),
    (
        lambda d: d.DataLoader(range(3), batch_size=True),
        ValueError,
        "batch_size should be a positive integer value, but",
    ),
    (lambda d: d.DataLoader(range(3), shuffle=True, sampler=[1]), ValueError, "mutually exclusive with shuffle"),
    (
        lambda d: d.DataLoader(range(3), batch_sampler=[[1]], batch_size=2),
        ValueError,
        "batch_sampler option is mutually",
    ),
    (
        lambda d: d.DataLoader(range(3), batch_sampler=[[1]], shuffle=True),
        ValueError,
        "batch_sampler option is mutually",
    ),
    (lambda d: d.DataLoader(range(3), batch_size=None, drop_last=True), ValueError, "batch_size=None option disables"),
    (lambda d: d.DataLoader(range(0), shuffle=True), ValueError, "num_samples should be a positive integer value, but"),
    (lambda d: d.DataLoader(range(3), multiprocessing_context="fork"), ValueError, "can only be used with"),
    (
        lambda d: d.DataLoader(range(3), num_workers=1, multiprocessing_context="f"),
        ValueError,
        "should specify a valid start method",
    ),
    (
        lambda d: d.DataLoader(range(3), num_workers=1, multiprocessing_context=3),
        TypeError,
        "should be a valid context object",
    ),
    (lambda d: d.RandomSampler(range(3), replacement=1), TypeError, "replacement should be a boolean value, but got"),
    (lambda d: d.RandomSampler(range(3), num_samples=0), ValueError, "num_samples should be a positive integer value"),
    (lambda d: d.WeightedRandomSampler([1.0], 0), ValueError, "num_samples should be a positive integer value"),
    (lambda d: d.WeightedRandomSampler([1.0], 1, 1), ValueError, "replacement should be a boolean value"),
    (lambda d: d.WeightedRandomSampler([[1.0]], 1), ValueError, r"weights should be a 1d sequence but given"),
    (lambda d: d.BatchSampler([1], 1, None), ValueError, "drop_last should be a boolean value, but got drop_last=None"),
    (lambda d: d.StackDataset(), ValueError, "At least one dataset should be passed"),
    (lambda d: d.StackDataset([1], a=[1]), ValueError, "as arguments or as keyword arguments|Supported either"),
    (lambda d: d.StackDataset([1], [1, 2]), ValueError, "Size mismatch between datasets"),
]


@pytest.mark.parametrize(("make", "kind", "text"), BAD)
@pytest.mark.parametrize("lib", [OURS, THEIRS], ids=["minigrad", "torch"])
def test_bad_options(make, kind, text, lib):
    with pytest.raises(kind, match=text):
        make(lib.data)


def test_options_of_streams_and_waiting():
    for name, value in (("shuffle", True), ("sampler", [1]), ("batch_sampler", [[1]])):
        with pytest.raises(ValueError, match=f"expected unspecified {name} option, but got {name}="):
            data.DataLoader(stream(OURS, [1]), **{name: value})
    with pytest.raises(ValueError, match="timeout option needs num_workers > 0"):
        data.DataLoader(range(3), timeout=1)
    with pytest.raises(ValueError, match="prefetch_factor option should be positive, but got prefetch_factor=0"):
        data.DataLoader(range(3), num_workers=1, prefetch_factor=0)


def test_what_is_settled_stays():
    loader = data.DataLoader(range(3))
    for name in ("batch_size", "sampler", "batch_sampler", "drop_last", "dataset", "persistent_workers"):
        with pytest.raises(ValueError, match=f"{name} attribute should not be set after DataLoader is initialized"):
            setattr(loader, name, None)
    loader.timeout = 3


def test_tensors_of_different_length_do_not_make_a_dataset():
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        data.TensorDataset(minigrad.ones(3), minigrad.ones(4))


def test_abstract_datasets_say_so():
    with pytest.raises(NotImplementedError, match="should implement __getitem__"):
        data.Dataset()[0]
    with pytest.raises(NotImplementedError, match="should implement __iter__"):
        iter(data.IterableDataset())
    with pytest.raises(NotImplementedError):
        iter(data.Sampler())


# ---------------------------------------------------------------------- worker processes


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


def test_pin_memory_is_accepted():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(data.DataLoader(range(3), pin_memory=True))) == 3
