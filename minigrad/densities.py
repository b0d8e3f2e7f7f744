"""More of torch.distributions: exponential, Laplace, log-normal and multivariate normal densities, vectors, and independence.

They are found under `minigrad.distributions`, which loads this module when one of them is first asked for.
"""

from __future__ import annotations

import math
from typing import Any

import minigrad
from minigrad.autograd.grad_mode import no_grad
from minigrad.distributions import Categorical, Distribution, Normal, _tensors, kl_divergence
from minigrad.linalg import cholesky, inv, solve_triangular
from minigrad.size import Size
from minigrad.tensor import Tensor


class Exponential(Distribution):
    """Waiting times with so many events per unit of time: density rate * exp(-rate * value)."""

    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = _tensors(rate)
        super().__init__(self.rate.shape, (), validate_args)
        self._check("parameter rate", self.rate, self.rate > 0, "GreaterThan(lower_bound=0.0)")

    @property
    def mean(self) -> Tensor:
        """1 / rate"""
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        """1 / rate ** 2"""
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape sample_shape + batch_shape."""
        return self.rate.new_empty(self._extended_shape(sample_shape)).exponential_() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """The probability to be below a value."""
        return 1 - minigrad.exp(-self.rate * value)

    def entropy(self) -> Tensor:
        """1 - log(rate)"""
        return 1.0 - self.rate.log()


class Laplace(Distribution):
    """Density exp(-|value - loc| / scale) / (2 * scale)."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = _tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._check("parameter scale", self.scale, self.scale > 0, "GreaterThan(lower_bound=0.0)")

    @property
    def mean(self) -> Tensor:
        """loc"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """2 * scale ** 2"""
        return 2 * self.scale.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape sample_shape + batch_shape."""
        low = minigrad.finfo(self.loc.dtype).eps - 1
        u = self.loc.new_empty(self._extended_shape(sample_shape)).uniform_(low, 1)
        return self.loc - self.scale * u.sign() * minigrad.log1p(-u.abs())

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        return -minigrad.log(2 * self.scale) - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """The probability to be below a value."""
        away = value - self.loc
        return 0.5 - 0.5 * away.sign() * minigrad.expm1(-away.abs() / self.scale)

    def entropy(self) -> Tensor:
        """1 + log(2 * scale)"""
        return 1 + minigrad.log(2 * self.scale)


class LogNormal(Distribution):
    """exp of what is normally distributed with mean `loc` and standard deviation `scale`."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.base_dist = Normal(loc, scale, validate_args)
        self.loc, self.scale = self.base_dist.loc, self.base_dist.scale
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        """exp(loc + scale ** 2 / 2)"""
        return (self.loc + self.scale.pow(2) / 2).exp()

    @property
    def variance(self) -> Tensor:
        """(exp(scale ** 2) - 1) * exp(2 * loc + scale ** 2)"""
        wide = self.scale.pow(2)
        return wide.expm1() * (2 * self.loc + wide).exp()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape sample_shape + batch_shape."""
        with no_grad():
            return self.base_dist.sample(sample_shape).exp()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """exp(loc + scale * noise)"""
        return self.base_dist.rsample(sample_shape).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        return self.base_dist.log_prob(value.log()) - value.log()

    def entropy(self) -> Tensor:
        """The normal distribution's, and loc"""
        return self.base_dist.entropy() + self.loc


class Independent(Distribution):
    """A distribution of which the last batch dimensions count as one value: their log-probabilities are added up.

    Raises:
        ValueError: if the distribution has fewer batch dimensions.
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        shape, rank = base_distribution.batch_shape, len(base_distribution.batch_shape)
        if reinterpreted_batch_ndims > rank:
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {rank}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        cut = rank - reinterpreted_batch_ndims
        super().__init__(shape[:cut], (*shape[cut:], *base_distribution.event_shape), validate_args)
        self.has_rsample = base_distribution.has_rsample

    @property
    def mean(self) -> Tensor:
        """The distribution's own."""
        return self.base_dist.mean

    @property
    def variance(self) -> Tensor:
        """The distribution's own."""
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape sample_shape + batch_shape + event_shape."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values that can be differentiated in the parameters."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of all parts together."""
        return self.summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        """The entropy of all parts together."""
        return self.summed(self.base_dist.entropy())

    def summed(self, parts: Tensor) -> Tensor:
        """The sum over the dimensions that count as one value."""
        n = self.reinterpreted_batch_ndims
        return parts.sum(tuple(range(-n, 0))) if n else parts


class MultivariateNormal(Distribution):
    """Vectors with mean `loc` (..., D) and a covariance (..., D, D), its inverse, or its lower triangular root.

    Raises:
        ValueError: unless one of the three is given, and loc has a dimension.
    """

    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = [m for m in (covariance_matrix, precision_matrix, scale_tril) if m is not None]
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        if given[0].ndim < 2:
            raise ValueError("the matrix must be at least two-dimensional, with optional leading batch dimensions")
        if covariance_matrix is not None:
            root = cholesky(covariance_matrix)
        elif precision_matrix is not None:
            turned = cholesky(precision_matrix.flip((-2, -1))).flip((-2, -1)).transpose(-2, -1)
            eye = minigrad.eye(loc.shape[-1], dtype=loc.dtype, device=loc.device)
            root = solve_triangular(turned, eye, upper=False)
        else:
            root = given[0]
        batch = minigrad.broadcast_shapes(root.shape[:-2], loc.shape[:-1])
        self.loc = loc.expand((*batch, loc.shape[-1]))
        self._root = root
        self._expanded = (*batch, *root.shape[-2:])
        super().__init__(batch, loc.shape[-1:], validate_args)

    @property
    def scale_tril(self) -> Tensor:
        """The lower triangular root of the covariance."""
        return self._root.expand(self._expanded)

    @property
    def covariance_matrix(self) -> Tensor:
        """scale_tril @ scale_tril.T"""
        return (self._root @ self._root.mT).expand(self._expanded)

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return inv(self._root @ self._root.mT).expand(self._expanded)

    @property
    def mean(self) -> Tensor:
        """loc"""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """loc"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The diagonal of the covariance."""
        return self._root.pow(2).sum(-1).expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """loc + scale_tril @ noise"""
        shape = self._extended_shape(sample_shape)
        noise = minigrad.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self._root @ noise.unsqueeze(-1)).squeeze(-1)

    def distance(self, away: Tensor) -> Tensor:
        """The squared Mahalanobis distance of vectors from the mean: (..., D) -> (...)"""
        column = away.unsqueeze(-1)
        batch = minigrad.broadcast_shapes(column.shape[:-2], self._root.shape[:-2])
        root = self._root.expand((*batch, *self._root.shape[-2:]))
        solved = solve_triangular(root, column.expand((*batch, *column.shape[-2:])), upper=False)
        return solved.pow(2).sum((-2, -1))

    def half_log_det(self) -> Tensor:
        """Half of the logarithm of the covariance's determinant."""
        return self._root.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (constant + self.distance(value - self.loc)) - self.half_log_det()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        h = self.half_log_det() + 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi))
        return h.expand(self._batch_shape) if self._batch_shape else h


class OneHotCategorical(Distribution):
    """A vector with one 1, at a place drawn with probabilities in proportion to `probs` or to exp(`logits`)."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    @property
    def probs(self) -> Tensor:
        """The probabilities of the places."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """The shape of the probabilities."""
        return self._categorical.param_shape

    @property
    def mean(self) -> Tensor:
        """The probabilities."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """probs * (1 - probs)"""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Vectors of shape sample_shape + batch_shape + event_shape."""
        places = self._categorical.sample(sample_shape)
        return minigrad.nn.functional.one_hot(places, self._event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of a vector's probability."""
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return self._categorical.entropy()


def divergence(p: Any, q: Any) -> Tensor | None:
    """kl_divergence for two distributions of one kind of this module; None for others."""
    if type(p) is not type(q):
        return None
    if isinstance(p, Exponential):
        ratio = q.rate / p.rate
        return -ratio.log() + ratio - 1
    if isinstance(p, Laplace):
        ratio, away = p.scale / q.scale, (p.loc - q.loc).abs()
        return -ratio.log() + away / q.scale + ratio * minigrad.exp(-away / p.scale) - 1
    if isinstance(p, LogNormal):
        return kl_divergence(p.base_dist, q.base_dist)
    if isinstance(p, OneHotCategorical):
        return kl_divergence(p._categorical, q._categorical)
    if isinstance(p, Independent) and p.reinterpreted_batch_ndims == q.reinterpreted_batch_ndims:
        return p.summed(kl_divergence(p.base_dist, q.base_dist))
    if isinstance(p, MultivariateNormal) and p.event_shape == q.event_shape:
        batch = minigrad.broadcast_shapes(p._root.shape[:-2], q._root.shape[:-2])
        n = p.event_shape[0]
        spread = solve_triangular(q._root.expand((*batch, n, n)), p._root.expand((*batch, n, n)), upper=False)
        logs = q.half_log_det() - p.half_log_det()
        return logs + 0.5 * (spread.pow(2).sum((-2, -1)) + q.distance(q.loc - p.loc) - n)
    return None


__all__ = ["Exponential", "Independent", "Laplace", "LogNormal", "MultivariateNormal", "OneHotCategorical"]
