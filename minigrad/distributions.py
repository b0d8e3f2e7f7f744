"""Probability distributions, as in torch.distributions: Normal, Uniform, Bernoulli, Categorical and their divergences.

More of them are in `minigrad/densities.py`, and are loaded when they are first asked for.

Samples come from the same stream of random numbers as PyTorch's, so a seed gives the same ones.
"""

from __future__ import annotations

import math
from typing import Any

import minigrad
from minigrad.autograd.grad_mode import no_grad
from minigrad.nn.functional import binary_cross_entropy_with_logits
from minigrad.ops.activation import log_softmax, sigmoid, softmax
from minigrad.size import Size
from minigrad.tensor import Tensor


def _tensors(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape."""
    like = next((v for v in values if isinstance(v, Tensor)), None)
    kind = minigrad.get_default_dtype() if like is None else like.dtype
    made = [v if isinstance(v, Tensor) else minigrad.tensor(v, dtype=kind) for v in values]
    return tuple(minigrad.broadcast_tensors(*made))


class Distribution:
    """The base of all distributions: batch_shape independent ones, each over values of event_shape."""

    has_rsample = False

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        self._validate_args = validate_args is not False

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one value."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size(sample_shape) + self._batch_shape + self._event_shape

    def _check(self, name: str, value: Tensor, fine: Any, rule: str) -> None:
        """Refuse parameters and values outside their range."""
        if self._validate_args and not bool(fine.all()):
            raise ValueError(
                f"Expected {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                f"{type(self).__name__} to satisfy the constraint {rule}, but found invalid values:\n{value}"
            )

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape sample_shape + batch_shape + event_shape, through which no gradient flows."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values that can be differentiated in the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability (density) of a value."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()


class Normal(Distribution):
    """The normal distribution with mean `loc` and standard deviation `scale`."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = _tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._check("parameter loc", self.loc, self.loc == self.loc, "Real()")
        self._check("parameter scale", self.scale, self.scale > 0, "GreaterThan(lower_bound=0.0)")

    @property
    def mean(self) -> Tensor:
        """loc"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """scale ** 2"""
        return self.scale**2

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape sample_shape + batch_shape."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return minigrad.normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """loc + scale * noise"""
        shape = self._extended_shape(sample_shape)
        noise = minigrad.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density."""
        distance = (value - self.loc) ** 2
        return -distance / (2 * self.variance) - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        """The probability to be below a value."""
        return 0.5 * (1 + minigrad.erf((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)))

    def entropy(self) -> Tensor:
        """log(scale) + log(2 pi e) / 2"""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()


class Uniform(Distribution):
    """Evenly spread over [low, high)."""

    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = _tensors(low, high)
        super().__init__(self.low.shape, (), validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError("Uniform is not defined when low>= high")

    @property
    def mean(self) -> Tensor:
        """The middle."""
        return (self.high + self.low) / 2

    @property
    def variance(self) -> Tensor:
        """(high - low) ** 2 / 12"""
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """low + (high - low) * noise"""
        noise = minigrad.rand(self._extended_shape(sample_shape), dtype=self.low.dtype, device=self.low.device)
        return self.low + noise * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """-log(high - low) inside, -inf outside."""
        inside = (self.low <= value) & (self.high > value)
        return minigrad.log(inside.to(self.low.dtype)) - minigrad.log(self.high - self.low)

    def entropy(self) -> Tensor:
        """log(high - low)"""
        return minigrad.log(self.high - self.low)


class Bernoulli(Distribution):
    """1 with a probability, given as such or as its logit, else 0."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        (given,) = _tensors(logits if probs is None else probs)
        super().__init__(given.shape, (), validate_args)
        if probs is None:
            self.logits, self.probs = given, sigmoid(given)
        else:
            self._check(
                "parameter probs", given, (given >= 0) & (given <= 1), "Interval(lower_bound=0.0, upper_bound=1.0)"
            )
            tiny = minigrad.finfo(given.dtype).eps
            inner = given.clamp(tiny, 1 - tiny)
            self.probs, self.logits = given, minigrad.log(inner) - minigrad.log1p(-inner)

    @property
    def mean(self) -> Tensor:
        """probs"""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """probs * (1 - probs)"""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Zeros and ones."""
        with no_grad():
            return minigrad.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of a 0 or 1."""
        logits, value = minigrad.broadcast_tensors(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")


class Categorical(Distribution):
    """A class number, with probabilities in proportion to `probs` or to exp(`logits`) along the last dimension."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        (given,) = _tensors(logits if probs is None else probs)
        if not given.ndim:
            raise ValueError(f"`{'logits' if probs is None else 'probs'}` parameter must be at least one-dimensional.")
        super().__init__(given.shape[:-1], (), validate_args)
        self._classes = given.shape[-1]
        if probs is None:
            self.logits = given - minigrad.logsumexp(given, -1, keepdim=True)
            self.probs = softmax(self.logits, -1)
        else:
            self._check("parameter probs", given, given >= 0, "Simplex()")
            self.probs = given / given.sum(-1, keepdim=True)
            tiny = minigrad.finfo(given.dtype).eps
            self.logits = minigrad.log(self.probs.clamp(tiny, 1 - tiny))

    @property
    def param_shape(self) -> Size:
        """The shape of the probabilities."""
        return self.probs.shape

    @property
    def mode(self) -> Tensor:
        """The likeliest class."""
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Class numbers."""
        shape = Size(sample_shape)
        with no_grad():
            rows = self.probs.reshape(-1, self._classes)
            drawn = minigrad.multinomial(rows, shape.numel(), True).t()
            return drawn.reshape(self._extended_shape(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of a class's probability."""
        index = value.to(dtype=minigrad.int64).unsqueeze(-1)
        self._check(
            "value argument", value, (index >= 0) & (index < self._classes), f"IntegerInterval(0, {self._classes - 1})"
        )
        shape = minigrad.broadcast_shapes(index.shape, (*self._batch_shape, 1))
        logits = self.logits.expand((*shape[:-1], self._classes))
        return minigrad.gather(logits, -1, index.expand(shape)).squeeze(-1)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        lowest = minigrad.finfo(self.logits.dtype).min
        return -(self.logits.clamp(min=lowest) * self.probs).sum(-1)


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """How far q is from p, in nats: the mean of log p - log q under p. Both of one kind.

    Raises:
        NotImplementedError: for two kinds, or for Uniform.
    """
    if isinstance(p, Normal) and isinstance(q, Normal):
        ratio = (p.scale / q.scale) ** 2
        return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())
    if isinstance(p, Categorical) and isinstance(q, Categorical):
        terms = p.probs * (log_softmax(p.logits, -1) - log_softmax(q.logits, -1))
        return minigrad.where(p.probs == 0, 0.0, terms).sum(-1)
    if isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        one = minigrad.xlogy(p.probs, p.probs) - minigrad.xlogy(p.probs, q.probs)
        zero = minigrad.xlogy(1 - p.probs, 1 - p.probs) - minigrad.xlogy(1 - p.probs, 1 - q.probs)
        return one + zero
    from minigrad.densities import divergence

    found = divergence(p, q)
    if found is not None:
        return found
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
    )


_MORE = ("Exponential", "Independent", "Laplace", "LogNormal", "MultivariateNormal", "OneHotCategorical")


def __getattr__(name: str) -> Any:
    if name in _MORE:
        from minigrad import densities

        return getattr(densities, name)
    raise AttributeError(f"module 'minigrad.distributions' has no attribute {name!r}")


__all__ = ["Bernoulli", "Categorical", "Distribution", "Normal", "Uniform", "kl_divergence"]
