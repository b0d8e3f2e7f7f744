"""Distributions beside PyTorch's: the same samples for a seed, the same probabilities, entropies and gradients."""

import numpy as np
import pytest

import minigrad
from minigrad import distributions

torch = pytest.importorskip("torch")
rng = np.random.default_rng(0)
A, B = rng.normal(size=(4, 5)), rng.uniform(0.1, 0.9, size=(4, 5))
TRIANGLE = np.tril(rng.uniform(0.1, 0.5, size=(5, 5))) + np.eye(5)

CASES = {
    "Normal": {"loc": A, "scale": B},
    "Uniform": {"low": A, "high": A + B},
    "Bernoulli": {"probs": B},
    "Bernoulli logits": {"logits": A},
    "Categorical": {"probs": B},
    "Categorical logits": {"logits": A},
    "Exponential": {"rate": B},
    "Laplace": {"loc": A, "scale": B},
    "LogNormal": {"loc": A, "scale": B},
    "OneHotCategorical": {"probs": B},
    "OneHotCategorical logits": {"logits": A},
    "MultivariateNormal root": {"loc": A, "scale_tril": TRIANGLE},
    "MultivariateNormal covariance": {"loc": A, "covariance_matrix": TRIANGLE @ TRIANGLE.T},
    "MultivariateNormal precision": {"loc": A[0], "precision_matrix": TRIANGLE @ TRIANGLE.T},
}


def both(case):
    name = case.split()[0]
    ours = {k: minigrad.tensor(v, dtype=minigrad.float64, requires_grad=True) for k, v in CASES[case].items()}
    theirs = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in CASES[case].items()}
    pair = getattr(distributions, name)(**ours), getattr(torch.distributions, name)(**theirs)
    return *pair, ours, theirs


def assert_near(a, b):
    assert tuple(a.shape) == tuple(b.shape)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_samples_probabilities_and_gradients(case):
    p, q, ours, theirs = both(case)
    for shape in ((), (3,), (2, 8)):
        minigrad.manual_seed(1)
        torch.manual_seed(1)
        a, b = p.sample(shape), q.sample(shape)
        assert_near(a, b)
        assert not a.requires_grad
        assert_near(p.log_prob(a), q.log_prob(b))
    p.log_prob(a).sum().backward()
    q.log_prob(b).sum().backward()
    for name in ours:
        assert_near(ours[name].grad, theirs[name].grad)
    assert_near(p.entropy(), q.entropy())
    if not case.startswith("Categorical"):
        assert_near(p.mean, q.mean)
        assert_near(p.variance, q.variance)
        assert_near(p.stddev, q.stddev)


@pytest.mark.parametrize(
    "case", ["Normal", "Uniform", "Exponential", "Laplace", "LogNormal", "MultivariateNormal root"]
)
def test_rsample_is_differentiable(case):
    p, q, ours, theirs = both(case)
    minigrad.manual_seed(2)
    torch.manual_seed(2)
    (p.rsample((6,)) ** 2).sum().backward()
    (q.rsample((6,)) ** 2).sum().backward()
    for name in ours:
        assert_near(ours[name].grad, theirs[name].grad)


@pytest.mark.parametrize(
    "case",
    [
        "Normal",
        "Bernoulli",
        "Categorical",
        "Exponential",
        "Laplace",
        "LogNormal",
        "OneHotCategorical",
        "MultivariateNormal root",
    ],
)
def test_divergences(case):
    name = case.split()[0]
    p, q, *_ = both(case)
    swapped = {k: v * 1.5 if k == "scale_tril" else v[::-1].copy() for k, v in CASES[case].items()}
    p2 = getattr(distributions, name)(**{k: minigrad.tensor(v, dtype=minigrad.float64) for k, v in swapped.items()})
    q2 = getattr(torch.distributions, name)(**{k: torch.tensor(v, dtype=torch.float64) for k, v in swapped.items()})
    assert_near(distributions.kl_divergence(p, p2), torch.distributions.kl_divergence(q, q2))
    assert (distributions.kl_divergence(p, p).abs() < 1e-12).all()


def test_refusals():
    with pytest.raises(ValueError, match="parameter scale"):
        distributions.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="low>= high"):
        distributions.Uniform(1.0, 0.0)
    with pytest.raises(ValueError, match="but not both"):
        distributions.Categorical()
    with pytest.raises(ValueError, match="parameter probs"):
        distributions.Bernoulli(2.0)
    with pytest.raises(ValueError, match="value argument"):
        distributions.Categorical(minigrad.ones(3)).log_prob(minigrad.tensor(3))
    with pytest.raises(NotImplementedError, match="KL"):
        distributions.kl_divergence(distributions.Normal(0.0, 1.0), distributions.Uniform(0.0, 1.0))
    assert distributions.Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0


@pytest.mark.parametrize("lib", [minigrad, torch])
def test_independence(lib):
    d = lib.distributions
    normal = d.Normal(lib.tensor(A), lib.tensor(B))
    whole = d.Independent(normal, 1)
    assert tuple(whole.batch_shape) == (4,) and tuple(whole.event_shape) == (5,) and whole.has_rsample
    value = lib.tensor(A + 0.5)
    assert_near(whole.log_prob(value), normal.log_prob(value).sum(-1))
    assert_near(whole.entropy(), normal.entropy().sum(-1))
    other = d.Independent(d.Normal(lib.tensor(B), lib.tensor(B)), 1)
    assert_near(d.kl_divergence(whole, other), d.kl_divergence(normal, other.base_dist).sum(-1))
    lib.manual_seed(0)
    drawn = whole.sample((2,))
    lib.manual_seed(0)
    assert_near(drawn, normal.sample((2,)))
    assert_near(whole.mean, normal.mean)
    assert_near(whole.variance, normal.variance)
    with pytest.raises(ValueError, match="reinterpreted_batch_ndims <="):
        d.Independent(normal, 3)


@pytest.mark.parametrize("lib", [minigrad, torch])
def test_normal_vectors(lib):
    d, loc, root = lib.distributions, lib.tensor(A), lib.tensor(TRIANGLE)
    p = d.MultivariateNormal(loc, scale_tril=root)
    assert_near(p.covariance_matrix, (root @ root.mT).expand(4, 5, 5))
    assert_near(p.precision_matrix @ p.covariance_matrix, lib.eye(5, dtype=lib.float64).expand(4, 5, 5))
    assert_near(p.scale_tril, root.expand(4, 5, 5))
    assert_near(p.mode, p.mean)
    assert tuple(p.log_prob(lib.tensor(A[0])).shape) == (4,)
    with pytest.raises(ValueError, match="Exactly one of"):
        d.MultivariateNormal(loc)
    with pytest.raises(ValueError, match="at least one-dimensional"):
        d.MultivariateNormal(lib.tensor(1.0), root)
    with pytest.raises(ValueError, match="at least two-dimensional"):
        d.MultivariateNormal(loc, lib.ones(5))
