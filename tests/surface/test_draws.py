"""Random numbers in place: PyTorch's numbers for the same seed, whatever the order in memory."""

import numpy as np
import pytest
import torch

import minigrad

DRAWS = {
    "uniform_": lambda t, lib: t.uniform_(-1.5, 2.0),
    "uniform_ to": lambda t, lib: t.uniform_(to=0.5),
    "normal_": lambda t, lib: t.normal_(0.5, std=2.0),
    "log_normal_": lambda t, lib: t.log_normal_(0.0, 0.5),
    "exponential_": lambda t, lib: t.exponential_(1.5),
    "cauchy_": lambda t, lib: t.cauchy_(),
    "geometric_": lambda t, lib: t.geometric_(0.3),
    "bernoulli_": lambda t, lib: t.bernoulli_(0.3),
    "bernoulli_ tensor": lambda t, lib: t.bernoulli_(lib.tensor(0.3)),
    "random_": lambda t, lib: t.random_(),
    "random_ to": lambda t, lib: t.random_(7),
    "random_ from to": lambda t, lib: t.random_(3, 7),
}
LAYOUTS = {
    "plain": lambda lib, kind: lib.zeros(5, 7, dtype=kind),
    "transposed": lambda lib, kind: lib.zeros(5, 7, dtype=kind).t(),
    "part": lambda lib, kind: lib.zeros(5, 9, dtype=kind)[:, 1:7],
    "small": lambda lib, kind: lib.zeros(3, dtype=kind),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("draw", DRAWS)
def test_the_numbers_are_pytorchs(backend, draw: str, kind: str, layout: str) -> None:
    results = []
    for lib in (minigrad, torch):
        lib.manual_seed(3)
        t = LAYOUTS[layout](lib, getattr(lib, kind))
        assert DRAWS[draw](t, lib) is t
        results.append((t.cpu().numpy(), lib.rand(3).cpu().numpy()))  # and the generator stands where it should
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8"])
def test_whole_numbers(kind: str) -> None:
    ours, theirs = (lib.zeros(4, 5, dtype=getattr(lib, kind)) for lib in (minigrad, torch))
    minigrad.manual_seed(3)
    torch.manual_seed(3)
    np.testing.assert_array_equal(ours.random_(0, 100).numpy(), theirs.random_(0, 100).numpy())
    np.testing.assert_array_equal(ours.random_().numpy(), theirs.random_().numpy())


def test_no_gradient_passes() -> None:
    a = minigrad.ones(3, requires_grad=True)
    b = a * 2
    b.uniform_()
    (b.sum() + a.sum()).backward()
    assert a.grad.tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        a.normal_()
    a.data.normal_()


def test_drawing_from_a_tensor_of_chances() -> None:
    for lib in (minigrad, torch):
        lib.manual_seed(0)
    ours, theirs = (lib.tensor([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]]) for lib in (minigrad, torch))
    assert ours.multinomial(4, replacement=True).tolist() == theirs.multinomial(4, replacement=True).tolist()
    assert ours.bernoulli().tolist() == theirs.bernoulli().tolist()
    assert ours.bernoulli(0.25).tolist() == theirs.bernoulli(0.25).tolist()
    assert ours.allclose(ours + 1e-7) and ours.equal(ours.clone()) and not ours.equal(ours + 1)


LIKE = {
    "rand_like": lambda lib, t: lib.rand_like(t),
    "randn_like": lambda lib, t: lib.randn_like(t),
    "randint_like": lambda lib, t: lib.randint_like(t, 2, 9),
    "randint_like float64": lambda lib, t: lib.randint_like(t, 9, dtype=lib.float64),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("draw", LIKE)
def test_numbers_like_a_tensor_come_in_its_order(backend, draw: str, layout: str) -> None:
    results = []
    for lib in (minigrad, torch):
        lib.manual_seed(3)
        results.append(LIKE[draw](lib, LAYOUTS[layout](lib, lib.float32)).cpu().numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-6)
