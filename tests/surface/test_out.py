"""out=: every function that has it, beside PyTorch's, on samples of PyTorch's own operator database."""

import inspect
import operator
import warnings

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")

import database
import torch
from torch.testing._internal.common_methods_invocations import op_db

import minigrad
from minigrad.errors import DtypeError, GraphError, ShapeError
from minigrad.ops.out import RULE

MODULES = ("linalg.", "special.")
OPERATIONS = {
    op.name: op
    for op in reversed(op_db)
    if op.supports_out and (op.name in RULE or (op.name.startswith(MODULES) and database.resolve(op.name)))
}
assert len(OPERATIONS) > 200
# Not compared: what it holds is arbitrary, or PyTorch's database has no sample with out= that PyTorch itself accepts.
ARBITRARY = {"empty"}
DRAWN = {"bernoulli", "multinomial", "normal", "randn"}
# Signs are free, or the results stand in another tuple, or PyTorch's own are less exact.
UNLIKE = {"svd", "qr", *(f"linalg.{name}" for name in ("qr", "svd", "eigh", "lstsq", "pinv", "slogdet"))}
UNLIKE |= {"special.bessel_y0", "special.bessel_y1"}
NAMES = sorted(set(OPERATIONS) - ARBITRARY - DRAWN - UNLIKE)
DRAWN = sorted(DRAWN)
# PyTorch's out= form is another function than the one without: it looks at the types in its own way.
OTHER_TYPES = {
    "histogram",
    "float_power",
    "cumsum",
    "cumprod",
    "nansum",
    "nanmean",
    "bernoulli",
    "searchsorted",
    "bucketize",
    "cholesky",
    "linalg.matrix_power",
}


def samples(op, count=3):
    """The first samples of an operation whose results have elements."""
    torch.manual_seed(0)
    found = []
    for sample in op.sample_inputs("cpu", torch.float32 if torch.float32 in op.dtypes else torch.int64):
        if (
            isinstance(sample.input, torch.Tensor) and not sample.input.numel()
        ) or "multiply" in sample.kwargs.values():
            continue
        y = op(sample.input, *sample.args, **sample.kwargs)
        if all(isinstance(v, torch.Tensor) and v.numel() for v in database.flat(y)):
            found.append((sample, y))
        if len(found) == count:
            break
    return found


def call(name, sample, out):
    args = database.translated((sample.input, *sample.args), [])
    if name == "where":
        args = (args[1], args[0], *args[2:])
    if name.endswith("polygamma"):
        args = (args[1], args[0])
    return operator.attrgetter(name)(minigrad)(*args, **database.translated(sample.kwargs, []), out=out)


def like(y, make):
    """out= for a result or several."""
    return make(y) if isinstance(y, torch.Tensor) else tuple(make(v) for v in y)


def ours(t):
    return minigrad.from_numpy(t.numpy()).clone()


def filled(y):
    """A tensor of the same shape and type with other elements, whose memory lies the other way round."""
    t = minigrad.from_numpy(np.full(tuple(reversed(y.shape)), 1, y.numpy().dtype)).clone()
    return t.permute(*reversed(range(t.ndim)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_writes_what_pytorch_writes(name, backend):
    for sample, y in samples(OPERATIONS[name]):
        for make in (filled, lambda v: minigrad.empty(0, dtype=database.translated(v.dtype, []))):
            out = like(y, make)
            result = call(name, sample, out)
            for o, r, v in zip(database.flat(out), database.flat(result), database.flat(y), strict=True):
                assert r is o
                database.compare(name, o, v, 1e-4, 1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [n for n in NAMES if n not in OTHER_TYPES])
@pytest.mark.parametrize("kind", [torch.int64, torch.float64, torch.bool], ids=["int64", "float64", "bool"])
def test_takes_and_refuses_the_types_that_pytorch_does(name, kind):
    for sample, y in samples(OPERATIONS[name], 1):
        theirs = like(y, lambda v: torch.empty(v.shape, dtype=kind))
        mine = like(y, lambda v: minigrad.empty(v.shape, dtype=database.translated(kind, [])))
        try:
            OPERATIONS[name](sample.input, *sample.args, **sample.kwargs, out=theirs)
        except (RuntimeError, TypeError):
            with pytest.raises(DtypeError):
                call(name, sample, mine)
        else:
            call(name, sample, mine)
            for a, b in zip(database.flat(mine), database.flat(theirs), strict=True):
                database.compare(name, a, b, 1e-4, 1e-5)


@pytest.mark.parametrize("name", sorted(set(RULE)))
def test_has_the_signature_without_out_and_out(name):
    found = inspect.signature(getattr(minigrad, name)).parameters
    assert found["out"].kind is inspect.Parameter.KEYWORD_ONLY and found["out"].default is None


@pytest.mark.parametrize("name", DRAWN)
def test_draws_what_pytorch_draws(name, backend):
    sample, y = samples(OPERATIONS[name], 1)[0]
    out, theirs = like(y, filled), torch.empty_like(y)
    OPERATIONS[name](sample.input, *sample.args, **sample.kwargs, out=theirs)  # the database seeds with 42
    minigrad.manual_seed(42)
    call(name, sample, out)
    database.compare(name, out, theirs, 1e-5, 1e-6)


def both(function):
    """A function of a library and its results of both, or the words of both errors."""
    found = []
    for library in (minigrad, torch):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                result = function(library)
            except (RuntimeError, TypeError, ValueError) as error:
                result = type(error)
        found.append((result, [w.category for w in seen]))
    return found


CALLS = {
    "numbers made": lambda l: l.arange(5, out=l.empty(0)),
    "their type is out's": lambda l: l.ones(2, out=l.empty(2, dtype=l.float64)),
    "their type is not out's": lambda l: l.ones(2, dtype=l.float32, out=l.empty(2, dtype=l.float64)),
    "numbers made in another shape": lambda l: l.linspace(0, 1, 5, out=l.empty(2)),
    "no float into integers": lambda l: l.add(l.ones(2), l.ones(2), out=l.empty(2, dtype=l.int64)),
    "a sum counted in out's type": lambda l: l.sum(l.tensor([0.5, 0.5, 1.5]), 0, out=l.zeros((), dtype=l.int64)),
    "no mean in integers": lambda l: l.mean(l.ones(3), 0, out=l.zeros((), dtype=l.int64)),
    "another shape": lambda l: l.add(l.ones(2), l.ones(2), out=l.zeros(5)),
    "one cell for many": lambda l: l.add(l.ones(2), 1, out=l.zeros(1).expand(2)),
    "an input that wants a gradient": lambda l: l.exp(l.ones(2, requires_grad=True), out=l.zeros(2)),
    "an out that wants a gradient": lambda l: l.exp(l.ones(2), out=l.zeros(2, requires_grad=True)),
    "no gradient through comparisons": lambda l: l.eq(l.ones(2, requires_grad=True), 1, out=l.zeros(2, dtype=l.bool)),
    "one tensor for two results": lambda l: l.max(l.ones(2, 2), 0, out=l.zeros(2)),
    "a number as out": lambda l: l.exp(l.ones(2), out=3),
    "two results": lambda l: l.max(l.eye(2), 0, out=(l.zeros(2), l.zeros(2, dtype=l.int64))).values,
    "out is an input": lambda l: (lambda x: l.mul(x, x, out=x))(l.tensor([1.0, 2.0, 3.0])),
    "a product into its factor": lambda l: (lambda x: l.cumsum(x, 0, out=x))(l.tensor([1.0, 2.0, 3.0])),
    "columns": lambda l: (lambda x: (l.add(l.ones(3), 1, out=x[:, 1]), x)[1])(l.zeros(3, 2)),
}


@pytest.mark.parametrize("what", CALLS)
def test_as_pytorch(what, backend):
    (mine, warned), (theirs, warned_there) = both(CALLS[what])
    assert warned == warned_there
    if isinstance(theirs, type):
        assert issubclass(mine, theirs)
    else:
        database.compare(what, mine, theirs)


def test_an_out_that_overlaps_is_written_after_all_is_read(backend):
    x = minigrad.arange(6.0)
    minigrad.add(x[:-1], 1, out=x[1:])
    assert x.tolist() == [0, 1, 2, 3, 4, 5]
    a = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    minigrad.mm(a, a, out=a.t())
    assert a.tolist() == [[7.0, 15.0], [10.0, 22.0]]


def test_the_texts():
    x = minigrad.ones(2)
    with pytest.raises(
        DtypeError, match=r"result type minigrad.float32 can't be cast to the desired output type minigrad.int64"
    ):
        minigrad.add(x, x, out=minigrad.empty(2, dtype=minigrad.int64))
    with pytest.raises(
        DtypeError, match=r"mm\(\): Expected out tensor to have dtype minigrad.float32, but got minigrad.float64"
    ):
        minigrad.mm(minigrad.ones(2, 2), minigrad.ones(2, 2), out=minigrad.empty(2, 2, dtype=minigrad.float64))
    with pytest.raises(
        GraphError, match=r"exp\(\): functions with out=... arguments don't support automatic differentiation"
    ):
        minigrad.exp(minigrad.ones(2, requires_grad=True), out=minigrad.empty(2))
    with pytest.raises(TypeError, match=r"sort\(\): argument 'out' must be 2 Tensors, not Tensor"):
        minigrad.sort(x, out=minigrad.empty(2))
    with pytest.raises(TypeError, match=r"exp\(\): argument 'out' must be Tensor, not list of 1"):
        minigrad.exp(x, out=[1])
    with pytest.raises(
        ShapeError, match="some elements of the input tensor and the written-to tensor refer to a single memory"
    ):
        minigrad.exp(x, out=minigrad.zeros(1).expand(2))
    with pytest.warns(
        UserWarning, match=r"resized since it had shape \[3\], which does not match the required output shape \[2\]"
    ):
        minigrad.exp(x, out=minigrad.zeros(3))
    with minigrad.no_grad(), pytest.raises(GraphError, match="cannot resize variables that require grad"):
        minigrad.exp(x, out=minigrad.zeros(3, requires_grad=True))


def test_without_recording_a_parameter_may_be_written():
    x, w = minigrad.ones(2, requires_grad=True), minigrad.zeros(2, requires_grad=True)
    with minigrad.no_grad():
        assert minigrad.exp(x, out=w) is w
    assert w.requires_grad and w.is_leaf and w.tolist() == pytest.approx([2.7182817] * 2)


def test_a_write_is_seen_by_backward():
    x = minigrad.ones(2, requires_grad=True)
    factor = minigrad.ones(2)
    y = x * factor
    before = factor._version
    minigrad.add(factor, 1, out=factor)
    assert factor._version > before
    with pytest.raises(GraphError, match=r"modified by an inplace operation.*add\(\) at .*test_out.py"):
        y.sum().backward()


def test_what_is_put_off_is_computed_before_its_input_is_overwritten(backend):
    x, w = minigrad.randn(4, 3), minigrad.randn(5, 3)
    expected = minigrad.nn.functional.linear(x, w).clone()
    y = minigrad.nn.functional.linear(x, w)
    minigrad.mul(x, 0, out=x)
    assert minigrad.equal(y, expected)


def test_smaller_results_stay_in_the_same_memory():
    big = minigrad.zeros(6)
    with pytest.warns(UserWarning, match="was resized"):
        minigrad.add(minigrad.ones(2), 1, out=big)
    assert big.shape == (2,) and big.tolist() == [2.0, 2.0]
