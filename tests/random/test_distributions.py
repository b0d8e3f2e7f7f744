"""Random arrays equal PyTorch's bit for bit, draw after draw from one stream."""

import warnings

import numpy as np
import pytest
import torch

from minigrad import random as mr
from minigrad.errors import DtypeError, ShapeError
from minigrad.random import distributions as d
from minigrad.random import integers as i
from minigrad.random.normal import fma32, fma64

SIZES = (0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 100, 1000, 10007)
REALS = ("float32", "float64", "float16")
WHOLES = ("int64", "int32", "int16", "int8", "uint8")
NUMBERS = (*WHOLES, "bool", *REALS)


def both_seeded(seed):
    mr.manual_seed(seed)
    torch.manual_seed(seed)


def same(ours, theirs):
    theirs = theirs.numpy()
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def same_place():
    np.testing.assert_array_equal(mr.get_rng_state().numpy(), torch.get_rng_state().numpy())


# name, ours(size, dtype), theirs(empty tensor)
DRAWS = {
    "rand": (lambda n, t: d.uniform(n, dtype=t), lambda e: e.uniform_()),
    "uniform": (lambda n, t: d.uniform(n, -0.3, 1.9, t), lambda e: e.uniform_(-0.3, 1.9)),
    "uniform narrow": (lambda n, t: d.uniform(n, 0.0, 1e-3, t), lambda e: e.uniform_(0.0, 1e-3)),
    "uniform point": (lambda n, t: d.uniform(n, 2.0, 2.0, t), lambda e: e.uniform_(2.0, 2.0)),
    "randn": (lambda n, t: d.normal(n, dtype=t), lambda e: e.normal_()),
    "normal": (lambda n, t: d.normal(n, 0.3, 1.7, t), lambda e: e.normal_(0.3, 1.7)),
    "normal std": (lambda n, t: d.normal(n, 0.0, 0.05, t), lambda e: e.normal_(0.0, 0.05)),
    "normal std 0": (lambda n, t: d.normal(n, 5.0, 0.0, t), lambda e: e.normal_(5.0, 0.0)),
    "log_normal": (lambda n, t: d.log_normal(n, 0.3, 1.7, t), lambda e: e.log_normal_(0.3, 1.7)),
    "log_normal beyond": (lambda n, t: d.log_normal(n, 700.0, 30.0, t), lambda e: e.log_normal_(700.0, 30.0)),
    "exponential": (lambda n, t: d.exponential(n, 1.3, t), lambda e: e.exponential_(1.3)),
    "cauchy": (lambda n, t: d.cauchy(n, 0.3, 1.7, t), lambda e: e.cauchy_(0.3, 1.7)),
    "geometric": (lambda n, t: d.geometric(n, 0.3, t), lambda e: e.geometric_(0.3)),
    "bernoulli 0": (lambda n, t: d.bernoulli(n, 0, t), lambda e: e.bernoulli_(0)),
    "bernoulli 0.1": (lambda n, t: d.bernoulli(n, 0.1, t), lambda e: e.bernoulli_(0.1)),
    "bernoulli 0.5": (lambda n, t: d.bernoulli(n, 0.5, t), lambda e: e.bernoulli_(0.5)),
    "bernoulli 1": (lambda n, t: d.bernoulli(n, 1, t), lambda e: e.bernoulli_(1)),
    "random_": (lambda n, t: i.random_integers(n, dtype=t), lambda e: e.random_()),
    "random_ from": (lambda n, t: i.random_integers(n, 3, t), lambda e: e.random_(3, None)),
    "randint": (lambda n, t: i.randint(n, -5, 100, t), lambda e: e.random_(-5, 100)),
}


def intel():
    """There PyTorch draws masks of one probability with MKL's own generator, other numbers altogether."""
    try:
        with open("/proc/cpuinfo") as file:
            return "GenuineIntel" in file.read()
    except OSError:
        return False


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("name", DRAWS)
def test_real_draws(name, dtype):
    if name.startswith("bernoulli") and intel():
        pytest.skip("PyTorch uses MKL's generator for this draw on Intel processors")
    ours, theirs = DRAWS[name]
    for seed in (0, 123):
        both_seeded(seed)
        for size in SIZES:
            same(ours(size, dtype), theirs(torch.empty(size, dtype=getattr(torch, dtype))))
        same_place()


def test_bfloat16_draws():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for name, (ours, theirs) in DRAWS.items():
        if name.startswith("bernoulli") and intel():
            continue
        both_seeded(7)
        for size in SIZES:
            got = ours(size, np.dtype(ml_dtypes.bfloat16)).view(np.int16)
            want = theirs(torch.empty(size, dtype=torch.bfloat16)).view(torch.int16).numpy()
            np.testing.assert_array_equal(got, want, err_msg=name)
        same_place()


def test_ten_million_normals_are_equal():
    """Long enough for the roundings that are hardest to repeat."""
    both_seeded(3)
    for _ in range(10):
        same(d.normal(1_000_003, 0.1, 1.1), torch.empty(1_000_003).normal_(0.1, 1.1))


def test_draws_of_all_kinds_from_one_stream():
    both_seeded(42)
    names = [n for n in DRAWS if not (n.startswith("bernoulli") and intel())]
    for step in range(300):
        ours, theirs = DRAWS[names[step * 7 % len(names)]]
        size, dtype = SIZES[step * 5 % len(SIZES)] % 200, REALS[step * 11 % 3]
        same(ours(size, dtype), theirs(torch.empty(size, dtype=getattr(torch, dtype))))
    same_place()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (4, 5), (2, 3, 4), 6])
def test_shapes(shape):
    both_seeded(1)
    want = shape if isinstance(shape, tuple) else (shape,)
    for ours, theirs in DRAWS.values():
        got = ours(shape, "float32")
        assert got.shape == want and got.flags.c_contiguous
        if not intel():
            same(got, theirs(torch.empty(want)))


@pytest.mark.parametrize("dtype", REALS)
def test_normals_with_gaps_are_drawn_one_by_one(dtype):
    both_seeded(1)
    for size in SIZES:
        theirs = torch.empty(size, 2, dtype=getattr(torch, dtype))[:, 0].normal_(0.3, 1.7)
        same(d.normal(size, 0.3, 1.7, dtype, contiguous=False), theirs)
    same_place()


@pytest.mark.parametrize("dtype", REALS)
def test_bernoulli_with_a_probability_for_each(dtype):
    both_seeded(4)
    for size in SIZES:
        p, q = d.uniform(size, dtype=dtype), torch.rand(size, dtype=getattr(torch, dtype))
        same(d.bernoulli_array(p), torch.bernoulli(q))
        same(d.bernoulli_array(p, np.bool_), torch.empty(size, dtype=torch.bool).bernoulli_(q))
    same_place()


RANGES = ((0, 2), (0, 100), (-5, 100), (0, 2**27), (0, 2**28 - 1), (0, 2**28), (-7, 2**40), (-(2**63), 2**63 - 1))


@pytest.mark.filterwarnings("ignore:.*out of bounds:UserWarning")
@pytest.mark.parametrize("dtype", NUMBERS)
def test_integers(dtype):
    both_seeded(9)
    kind = getattr(torch, dtype)
    for size in SIZES:
        for low, high in (*RANGES, (0, 65504), (2**24 - 3, 2**24 + 3), (1, 1), (5, 2)):
            agree(
                lambda low=low, high=high, size=size: i.randint(size, low, high, dtype),
                lambda low=low, high=high, size=size: torch.empty(size, dtype=kind).random_(low, high),
            )
        for low in (0, 3, -7, -(2**63)):
            agree(
                lambda low=low, size=size: i.random_integers(size, low, dtype),
                lambda low=low, size=size: torch.empty(size, dtype=kind).random_(low, None),
            )
        same(i.random_integers(size, dtype=dtype), torch.empty(size, dtype=kind).random_())
    same_place()


def agree(ours, theirs):
    """Either the same numbers, or both refuse."""
    try:
        want = theirs()
    except RuntimeError:
        with pytest.raises(ValueError):
            ours()
    else:
        same(ours(), want)


@pytest.mark.parametrize("dtype", (*WHOLES, *REALS))
def test_permutations(dtype):
    both_seeded(6)
    kind = getattr(torch, dtype)
    for size in (*SIZES, 127, 128, 255, 256, 2049, 2050, 60000):
        agree(lambda n=size: i.randperm(n, dtype), lambda n=size: torch.randperm(n, dtype=kind))
    same_place()


def test_permutations_of_more_than_a_word_can_choose_from(monkeypatch):
    monkeypatch.setattr(i, "_RANDPERM_LONG", 5)
    generator = mr.Generator().manual_seed(3)
    left = np.arange(9, 1, -1).astype(np.uint64)
    order = np.arange(9)
    for step, jump in enumerate(mr.Generator().manual_seed(3).long_words(8) % left):
        order[[step, step + int(jump)]] = order[[step + int(jump), step]]
    np.testing.assert_array_equal(i.randperm(9, generator=generator), order)


@pytest.mark.parametrize("dtype", REALS)
def test_multinomial(dtype):
    both_seeded(2)
    for columns in (1, 2, 5, 33, 1000):
        p = torch.rand(3, columns, dtype=getattr(torch, dtype)) + 0.01
        d.uniform((3, columns), dtype=dtype)
        for replacement in (False, True):
            for count in (1, 2, 5, 40):
                if count > columns and not replacement:
                    continue
                same(i.multinomial(p.numpy(), count, replacement), torch.multinomial(p, count, replacement))
                same(i.multinomial(p[0].numpy(), count, replacement), torch.multinomial(p[0], count, replacement))
    same_place()


def test_multinomial_never_chooses_weight_zero():
    weights = np.array([0.0, 1.0, 0.0, 2.0])
    for replacement, count in ((True, 500), (False, 2)):
        assert set(i.multinomial(weights, count, replacement).tolist()) == {1, 3}


def test_an_own_generator_leaves_the_shared_stream_alone():
    mr.manual_seed(1)
    before = mr.get_rng_state()
    g = mr.Generator().manual_seed(5)
    t = torch.Generator().manual_seed(5)
    same(d.normal(20, generator=g), torch.randn(20, generator=t))
    same(i.randperm(20, generator=g), torch.randperm(20, generator=t))
    same(i.randint(20, 0, 9, generator=g), torch.randint(0, 9, (20,), generator=t))
    same(d.bernoulli_array(np.full(9, 0.5), generator=g), torch.bernoulli(torch.full((9,), 0.5).double(), generator=t))
    np.testing.assert_array_equal(mr.get_rng_state().numpy(), before.numpy())


BAD = [
    (
        lambda: d.uniform(3, 2.0, 1.0),
        ValueError,
        r"uniform_ expects to return a \[from, to\) range, but found from=2.0",
    ),
    (lambda: d.uniform(3, float("nan"), 1.0), ValueError, "but found from=nan"),
    (lambda: d.uniform(3, -1e5, 1e5, "float16"), ValueError, "from is out of bounds for float16"),
    (lambda: d.uniform(3, -6e4, 6e4, "float16"), ValueError, "expects to-from to fit into float16"),
    (lambda: d.uniform(3, dtype="int64"), DtypeError, "dtype must be a floating point type, but got int64"),
    (lambda: d.uniform((2, -1)), ShapeError, r"negative dimension -1: \[2, -1\]"),
    (lambda: d.normal(3, 0.0, -1.0), ValueError, "normal expects std >= 0.0, but found std -1.0"),
    (lambda: d.normal(3, dtype=np.int8), DtypeError, "normal_"),
    (lambda: d.log_normal(3, 0.0, 0.0), ValueError, "log_normal_ expects std > 0.0, but found std=0.0"),
    (lambda: d.exponential(3, 0.0), ValueError, "exponential_ expects lambda > 0.0, but found lambda=0.0"),
    (lambda: d.cauchy(3, 0.0, 0.0), ValueError, "cauchy_ expects sigma > 0.0, but found sigma=0.0"),
    (lambda: d.geometric(3, 1.0), ValueError, r"geometric_ expects p to be in \(0, 1\), but got p=1.0"),
    (lambda: d.bernoulli(3, 1.5), ValueError, r"bernoulli_ expects p to be in \[0, 1\], but got p=1.5"),
    (lambda: d.bernoulli(3, float("nan")), ValueError, "but got p=nan"),
    (lambda: d.bernoulli_array(np.array([0.5, 1.5])), ValueError, "Expected p_in >= 0 && p_in <= 1"),
    (lambda: d.bernoulli_array(np.array([1])), DtypeError, "floating point"),
    (lambda: i.randint(3, 5, 5), ValueError, "expects 'from' to be less than 'to', but got from=5 >= to=5"),
    (lambda: i.randint(3, 0, 300, "uint8"), ValueError, "to - 1 is out of bounds for uint8: 299"),
    (lambda: i.randint(3, 0, 3, "bool"), ValueError, "to - 1 is out of bounds for bool: 2"),
    (lambda: i.random_integers(3, 2**25, "float32"), ValueError, "'from' must be below 16777216 in float32"),
    (lambda: i.random_integers(3, -(2**63), "int32"), ValueError, "handles only int64"),
    (lambda: i.randperm(-1), ValueError, "n must be non-negative, got -1"),
    (lambda: i.randperm(300, "int8"), ValueError, "n=300 is too large for result tensor type int8"),
    (lambda: i.randperm(1, "bool"), DtypeError, "not implemented for bool"),
    (lambda: i.multinomial(np.ones(3), 4), ValueError, "n_sample > prob_dist.size\\(-1\\).*4 > 3"),
    (lambda: i.multinomial(np.ones(3), 0), ValueError, "n_sample <= 0 samples, but got 0"),
    (lambda: i.multinomial(np.zeros(3), 1), ValueError, "sum of probabilities <= 0"),
    (lambda: i.multinomial(np.array([1.0, -1.0]), 1), ValueError, "`inf`, `nan` or element < 0"),
    (lambda: i.multinomial(np.array([1.0, np.inf]), 1), ValueError, "`inf`, `nan` or element < 0"),
    (lambda: i.multinomial(np.ones((1, 1, 1)), 1), ValueError, "prob_dist must be 1 or 2 dim, but got 3"),
]


@pytest.mark.parametrize(("draw", "kind", "text"), BAD)
def test_bad_arguments_are_refused_and_draw_nothing(draw, kind, text):
    mr.manual_seed(0)
    before = mr.get_rng_state()
    with pytest.raises(kind, match=text):
        draw()
    np.testing.assert_array_equal(mr.get_rng_state().numpy(), before.numpy())


def test_a_range_beyond_the_significand_warns():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        i.randint(2, 0, 2**26, "float32")
    assert "Due to precision limitations float32" in str(caught[0].message)


def test_fused_multiply_add_rounds_once():
    # a * b is half a unit of c, a hair less or more: float64 loses the hair, and a second rounding then goes
    # to the even neighbour, the wrong one.
    half = 2.0**-24
    a = np.array([1 - 2.0**-23, 1 + 2.0**-12, 1], np.float32)
    b = np.array([(1 + 2.0**-23) * half, (1 - 2.0**-12 + 2.0**-24) * half, half], np.float32)
    c = np.array([1 + 2.0**-23, 1, 1], np.float32)
    want = np.array([1 + 2.0**-23, 1 + 2.0**-23, 1], np.float32)
    np.testing.assert_array_equal(fma32(a, b, c), want)
    twice = (a.astype(float) * b + c).astype(np.float32)
    assert (twice != want).tolist() == [True, True, False]
    assert fma32(a[:1], b[:1], c[0])[0] == want[0]
    # 2**-51 + 2**-104, of which two roundings keep the first part
    assert fma64(np.array([1 + 2.0**-52]), 1 + 2.0**-52, -1.0)[0] == 2.0**-51 + 2.0**-104
