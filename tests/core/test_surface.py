"""What a Tensor is to its user: making, converting, copying, pickling; shapes, types and devices as objects."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch

import minigrad
from core.compare import array, assert_same
from minigrad import methods
from minigrad.dtypes import ALL

pytestmark = pytest.mark.usefixtures("backend")

BOTH = (minigrad, torch)


def both(call):
    """The same expression in both libraries: equal values and dtypes, or both refuse."""
    results = []
    for ns in BOTH:
        try:
            results.append(call(ns))
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            results.append(error)
    mine, other = results
    assert isinstance(mine, Exception) == isinstance(other, Exception), results
    if not isinstance(other, Exception):
        assert_same(mine, other)
        assert mine.requires_grad == other.requires_grad


CREATION = {
    "tensor float": lambda ns: ns.tensor([1.0, 2.0]),
    "tensor int": lambda ns: ns.tensor([[1, 2], [3, 4]]),
    "tensor bool": lambda ns: ns.tensor([True, False]),
    "tensor mixed": lambda ns: ns.tensor([1, 2.5, True]),
    "tensor number": lambda ns: ns.tensor(3.5),
    "tensor empty": lambda ns: ns.tensor([]),
    "tensor nested empty": lambda ns: ns.tensor([[], []]),
    "tensor tuple": lambda ns: ns.tensor(((1, 2), (3, 4))),
    "tensor array": lambda ns: ns.tensor(np.arange(3)),
    "tensor float64 array": lambda ns: ns.tensor(np.arange(3.0)),
    "tensor numpy scalar": lambda ns: ns.tensor(np.float64(2.5)),
    "tensor numpy int": lambda ns: ns.tensor(np.int8(3)),
    "tensor dtype": lambda ns: ns.tensor([0.1, 0.7], dtype=ns.float64),
    "tensor to int": lambda ns: ns.tensor([1.9, -1.9], dtype=ns.int64),
    "tensor to bool": lambda ns: ns.tensor([0.0, 0.5, -1.0], dtype=ns.bool),
    "tensor half": lambda ns: ns.tensor([1e-8, 70000.0, 0.1], dtype=ns.float16),
    "tensor range": lambda ns: ns.tensor(range(4)),
    "tensor of tensors": lambda ns: ns.tensor([ns.tensor(1.5), ns.tensor(2.5)]),
    "tensor grad": lambda ns: ns.tensor([1.0], requires_grad=True),
    "zeros": lambda ns: ns.zeros(2, 3),
    "zeros tuple": lambda ns: ns.zeros((2, 3)),
    "zeros list": lambda ns: ns.zeros([2, 3], dtype=ns.int32),
    "zeros none": lambda ns: ns.zeros(()),
    "ones": lambda ns: ns.ones(2, 0, 3),
    "ones bool": lambda ns: ns.ones(2, dtype=ns.bool),
    "zeros size": lambda ns: ns.zeros(ns.ones(2, 3).size()),
    "full": lambda ns: ns.full((2, 2), 7),
    "full float": lambda ns: ns.full((2,), 1.5),
    "full bool": lambda ns: ns.full((2,), True),
    "full dtype": lambda ns: ns.full((2,), 1.5, dtype=ns.int64),
    "zeros_like": lambda ns: ns.zeros_like(ns.ones(2, dtype=ns.int8)),
    "ones_like": lambda ns: ns.ones_like(ns.ones(2), dtype=ns.float64),
    "full_like": lambda ns: ns.full_like(ns.ones(2), 3),
    "new_zeros": lambda ns: ns.ones(1, dtype=ns.float64).new_zeros(2, 3),
    "new_ones": lambda ns: ns.ones(1, dtype=ns.int16).new_ones((2, 3)),
    "new_full": lambda ns: ns.ones(1).new_full((2,), 5),
    "new_tensor": lambda ns: ns.ones(1, dtype=ns.float64).new_tensor([1, 2]),
    "arange": lambda ns: ns.arange(5),
    "arange float": lambda ns: ns.arange(5.0),
    "arange step": lambda ns: ns.arange(1, 2.5, 0.5),
    "arange third": lambda ns: ns.arange(0, 1, 0.1),
    "arange back": lambda ns: ns.arange(5, 0, -2),
    "arange none": lambda ns: ns.arange(3, 3),
    "arange wrong": lambda ns: ns.arange(3, 1),
    "arange zero": lambda ns: ns.arange(0, 3, 0),
    "arange dtype": lambda ns: ns.arange(3, dtype=ns.float64),
    "arange large": lambda ns: ns.arange(2**53, 2**53 + 3),
    "linspace": lambda ns: ns.linspace(0, 1, 7),
    "linspace one": lambda ns: ns.linspace(3, 9, 1),
    "linspace none": lambda ns: ns.linspace(0, 1, 0),
    "linspace even": lambda ns: ns.linspace(-3, 10, 8, dtype=ns.float64),
    "linspace int": lambda ns: ns.linspace(0, 10, 5, dtype=ns.int64),
    "logspace": lambda ns: ns.logspace(0, 2, 5),
    "logspace base": lambda ns: ns.logspace(0, 3, 4, base=2.0),
    "eye": lambda ns: ns.eye(3),
    "eye wide": lambda ns: ns.eye(2, 4, dtype=ns.int64),
    "eye negative": lambda ns: ns.eye(-1),
    "negative size": lambda ns: ns.zeros(-1),
    "float size": lambda ns: ns.zeros(2.5),
    "randint wrong": lambda ns: ns.randint(3, 3, (2,)),
    "randn int": lambda ns: ns.randn(2, dtype=ns.int64),
    "nan to int": lambda ns: ns.tensor([float("nan")], dtype=ns.int64) if ns is minigrad else ns.tensor([2**70]),
    "as_tensor": lambda ns: ns.as_tensor([1, 2]),
    "from_numpy": lambda ns: ns.from_numpy(np.arange(4, dtype=np.int16)),
    "from list": lambda ns: ns.from_numpy([1, 2]),
    "Tensor": lambda ns: ns.Tensor([1, 2]),
    "Tensor sizes": lambda ns: ns.Tensor(2, 0),
}


@pytest.mark.parametrize("name", CREATION)
def test_creation(name):
    both(CREATION[name])


@pytest.mark.parametrize(
    "name", ["rand", "randn", "randint", "randperm", "bernoulli", "normal", "rand_like", "randn_like"]
)
def test_random_numbers_are_pytorchs(name):
    calls = {
        "rand": lambda ns: ns.rand(3, 4),
        "randn": lambda ns: ns.randn(3, 7),
        "randint": lambda ns: ns.randint(-2, 9, (5,)),
        "randperm": lambda ns: ns.randperm(11),
        "bernoulli": lambda ns: ns.bernoulli(ns.full((9,), 0.3)),
        "normal": lambda ns: ns.normal(1.0, 2.0, (20,)),
        "rand_like": lambda ns: ns.rand_like(ns.ones(3, dtype=ns.float64)),
        "randn_like": lambda ns: ns.randn_like(ns.ones(17)),
    }
    results = []
    for ns in BOTH:
        ns.manual_seed(7)
        results.append([calls[name](ns) for _ in range(2)])
    for a, b in zip(*results, strict=True):
        assert_same(a, b, 1e-6)


def test_default_dtype():
    before = torch.get_default_dtype()
    try:
        for ns in BOTH:
            ns.set_default_dtype(ns.float64)
        for call in (
            lambda ns: ns.tensor([0.1]),
            lambda ns: ns.ones(1),
            lambda ns: ns.arange(2) / 3,
            lambda ns: ns.arange(2).sin(),
        ):
            both(call)
        with pytest.raises(TypeError, match="only floating-point types are supported as the default type"):
            minigrad.set_default_dtype(minigrad.int64)
        assert minigrad.get_default_dtype() is minigrad.float64
    finally:
        torch.set_default_dtype(before)


# ---------------------------------------------------------------- conversions


def test_item_tolist_and_python_numbers():
    x = minigrad.tensor([[1.5]])
    assert x.item() == 1.5 and isinstance(x.item(), float)
    assert isinstance(minigrad.tensor(3).item(), int) and minigrad.tensor(True).item() is True
    assert minigrad.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]] and minigrad.tensor(2.0).tolist() == 2.0
    assert float(x) == 1.5 and int(x) == 1 and bool(x) and not bool(minigrad.zeros(1))
    assert [10, 20, 30][minigrad.tensor(1)] == 20
    with pytest.raises(RuntimeError, match="a Tensor with 2 elements cannot be converted to Scalar"):
        minigrad.ones(2).item()
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
        bool(minigrad.ones(2))
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with no values is ambiguous"):
        bool(minigrad.ones(0))
    with pytest.raises(TypeError, match="only integer tensors of a single element can be converted to an index"):
        range(10)[minigrad.tensor(1.0)]


def test_casts():
    values = [0.0, 1.7, -1.7, 100.0]
    for name in ("float", "double", "half", "long", "int", "short", "bool", "char"):
        both(lambda ns, n=name: getattr(ns.tensor(values), n)())
    for name in ("float32", "float64", "int32", "bool"):
        both(lambda ns, n=name: ns.tensor(values).to(getattr(ns, n)))
        both(lambda ns, n=name: ns.tensor(values).to(dtype=getattr(ns, n)))
    x = minigrad.ones(2)
    assert x.to(minigrad.float32) is x and x.float() is x and x.to(x.device) is x
    assert x.to(minigrad.float32, copy=True) is not x
    assert x.to(minigrad.ones(1, dtype=minigrad.int8)).dtype is minigrad.int8
    assert x.type() == "minigrad.FloatTensor" and x.type(minigrad.int64).dtype is minigrad.int64
    assert x.type_as(minigrad.ones(1).double()).dtype is minigrad.float64


def test_copies():
    x = minigrad.ones(3, requires_grad=True)
    x.grad = minigrad.full((3,), 2.0)
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y is not x and y.requires_grad and y.is_leaf and y.tolist() == [1.0] * 3
        assert not np.shares_memory(array(x), array(y))
    assert copy.deepcopy(x).grad.tolist() == [2.0] * 3
    shared = copy.deepcopy([x, x])
    assert shared[0] is shared[1]
    view = pickle.loads(pickle.dumps(minigrad.arange(6).reshape(2, 3).t()))
    assert view.tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)
    c = x.clone()
    assert c.requires_grad and not c.is_leaf


# ---------------------------------------------------------------- Size, dtype, device


def test_size():
    s = minigrad.zeros(2, 3).shape
    assert isinstance(s, tuple) and s == (2, 3) and s.numel() == 6 and repr(s) == "minigrad.Size([2, 3])"
    assert isinstance(s[:1], minigrad.Size) and isinstance(s + (4,), minigrad.Size) and s[0] == 2  # noqa: RUF005
    x = minigrad.zeros(2, 3)
    assert x.size() == s and x.size(-1) == 3 and x.dim() == x.ndim == 2 and len(x) == 2
    assert x.numel() == x.nelement() == 6 and x.element_size() == 4
    assert x.stride() == (3, 1) and x.t().stride() == (1, 3) and x.stride(0) == 3
    assert x.is_contiguous() and not x.t().is_contiguous()
    with pytest.raises(IndexError, match="Dimension out of range"):
        x.size(2)


def test_dtypes_are_objects():
    for d in ALL:
        other = getattr(torch, d.name)
        assert repr(d) == repr(other).replace("torch.", "minigrad.")
        for name in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
            assert getattr(d, name) == getattr(other, name)
        assert pickle.loads(pickle.dumps(d)) is d and copy.deepcopy(d) is d
        assert d == d.numpy and hash(d) == hash(d.numpy)
    assert (
        minigrad.float is minigrad.float32 and minigrad.double is minigrad.float64 and minigrad.long is minigrad.int64
    )
    with pytest.raises(TypeError, match=r"argument .dtype. must be minigrad\.dtype"):
        minigrad.zeros(1, dtype="no such type")


def test_promote_types_and_can_cast():
    names = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
    for a in names:
        for b in names:
            mine = minigrad.promote_types(getattr(minigrad, a), getattr(minigrad, b))
            assert mine.name == repr(torch.promote_types(getattr(torch, a), getattr(torch, b))).removeprefix("torch.")
            assert minigrad.can_cast(getattr(minigrad, a), getattr(minigrad, b)) == torch.can_cast(
                getattr(torch, a), getattr(torch, b)
            )


def test_limits():
    for name in ("float16", "float32", "float64"):
        mine, other = minigrad.finfo(getattr(minigrad, name)), torch.finfo(getattr(torch, name))
        for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
            assert getattr(mine, field) == getattr(other, field)
        assert repr(mine) == repr(other)
    for name in ("int8", "uint8", "int16", "int32", "int64"):
        mine, other = minigrad.iinfo(getattr(minigrad, name)), torch.iinfo(getattr(torch, name))
        assert (mine.bits, mine.max, mine.min, repr(mine)) == (other.bits, other.max, other.min, repr(other))
    with pytest.raises(TypeError, match="use iinfo"):
        minigrad.finfo(minigrad.int8)
    with pytest.raises(TypeError, match="use finfo"):
        minigrad.iinfo(minigrad.float32)


def test_devices():
    d = minigrad.device("cuda:1")
    assert (d.type, d.index, str(d), repr(d)) == ("cuda", 1, "cuda:1", "device(type='cuda', index=1)")
    assert minigrad.device("cpu") == minigrad.device("cpu") != d and hash(minigrad.device("cpu")) == hash(
        minigrad.device("cpu")
    )
    assert minigrad.device("cuda", 1) == d == minigrad.device(1) == pickle.loads(pickle.dumps(d))
    for bad in ("", "cuda:", "cpu:one", ":0"):
        with pytest.raises(RuntimeError, match="Invalid device string"):
            minigrad.device(bad)
    with pytest.raises(TypeError):
        minigrad.device(1.5)


# ---------------------------------------------------------------- methods


def test_every_function_of_the_table_is_a_method():
    for module, names in methods.METHODS.items():
        for name in names.split():
            assert inspect.unwrap(getattr(minigrad.Tensor, name)) is getattr(module, name)
    for alias, name in methods.ALIASES.items():
        assert getattr(minigrad.Tensor, alias) is getattr(minigrad.Tensor, name)
        assert hasattr(torch.Tensor, alias), alias


@pytest.mark.parametrize("name", methods.IN_PLACE.split())
def test_in_place_forms_return_the_tensor_itself(name):
    """On one argument each, against PyTorch; those with more arguments are in the table of operations."""
    if name in ("scatter", "scatter_add", "index_add", "index_fill", "masked_fill", "addmm", "baddbmm"):
        return
    values = np.array([0.3, 0.8, 0.6])
    if name == "acosh":
        values = values + 1
    extra = {"clamp": (0.4, 0.7), "cumsum": (0,), "cumprod": (0,), "pow": (2,)}
    two = [
        "add",
        "sub",
        "mul",
        "div",
        "maximum",
        "minimum",
        "floor_divide",
        "remainder",
        "fmod",
        "atan2",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
    ]
    results = []
    for ns in BOTH:
        x = ns.tensor(values)
        if name.startswith(("logical", "bitwise")):
            x = x > 0.5
        args = extra.get(name, ())
        if name in two or (name.startswith(("logical", "bitwise")) and not name.endswith("not")):
            args = (x.clone() if x.dtype == ns.bool else ns.tensor([0.5, 0.8, 0.25]).to(x.dtype),)
        method = getattr(x, f"{name}_", None)
        if method is None:  # PyTorch has no maximum_, minimum_
            assert ns is torch and name in ("maximum", "minimum")
            return
        assert method(*args) is x
        results.append(x)
    assert_same(*results)


def test_comparison_with_what_is_no_number():
    x = minigrad.ones(2)
    assert (x == None) is False and (x != "text") is True  # noqa: E711
    assert x in [x] and hash(x) == hash(x)
    assert {x: 1}[x] == 1
