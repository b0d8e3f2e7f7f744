"""DataLoader in one process: PyTorch's batches, in PyTorch's order, after PyTorch's draws."""

import pytest
from both_libraries import LOADERS, OURS, THEIRS, agree, pairs, stream

import minigrad
import minigrad.utils.data as data


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
