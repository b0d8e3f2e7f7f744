"""Random numbers in place: `Tensor.uniform_` and its kin. The numbers are PyTorch's for the same seed.

They are drawn on the host, in the order in which the tensor's elements lie in memory, and no gradient passes them.
"""

from __future__ import annotations

from typing import Any

from minigrad.ops.base import Tensor, Variable, backend_of, wrap
from minigrad.ops.inplace import copy, inplace
from minigrad.random import Generator, distributions, integers, layout


def _drawn(target: Tensor, draw: layout.Draw) -> Tensor:
    """The numbers of draw(shape, contiguous), as a tensor that stands where the target stood."""
    array, plain = target.array, bool(target.array.flags.c_contiguous)
    numbers = layout.filled_like(array, lambda shape, _: draw(shape, plain))
    return copy(target, wrap(backend_of(array).from_numpy(numbers)))


def uniform(target: Tensor, low: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Evenly spread over [low, to)."""
    return _drawn(target, lambda shape, _: distributions.uniform(shape, low, to, target.array.dtype, generator))


def normal(target: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Normally distributed."""
    dtype = target.array.dtype
    return _drawn(target, lambda shape, plain: distributions.normal(shape, mean, std, dtype, generator, plain))


def log_normal(target: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Numbers whose logarithm is normally distributed."""
    return _drawn(target, lambda shape, _: distributions.log_normal(shape, mean, std, target.array.dtype, generator))


def exponential(target: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Exponentially distributed with rate `lambd`."""
    return _drawn(target, lambda shape, _: distributions.exponential(shape, lambd, target.array.dtype, generator))


def cauchy(target: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Cauchy's distribution around `median`."""
    return _drawn(target, lambda shape, _: distributions.cauchy(shape, median, sigma, target.array.dtype, generator))


def geometric(target: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """How many trials with chance p it takes to succeed."""
    return _drawn(target, lambda shape, _: distributions.geometric(shape, p, target.array.dtype, generator))


def bernoulli(target: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """1 with probability p, else 0; p is a number, or a tensor that broadcasts to the target's shape."""
    dtype = target.array.dtype
    if isinstance(p, Variable):
        chances = p.expand(target.array.shape).numpy_array().transpose(layout.memory_order(target.array))
        return _drawn(target, lambda *_: distributions.bernoulli_array(chances, dtype, generator))
    return _drawn(target, lambda shape, _: distributions.bernoulli(shape, p, dtype, generator))


def random(target: Tensor, low: Any = None, to: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Whole numbers: random() of the dtype's range, random(to) of [0, to), random(low, to) of [low, to)."""
    dtype = target.array.dtype
    if low is None and to is None:
        return _drawn(target, lambda shape, _: integers.random_integers(shape, None, dtype, generator))
    first, last = (0, low) if to is None else (low or 0, to)
    return _drawn(target, lambda shape, _: integers.randint(shape, first, last, dtype, generator))


bernoulli_ = inplace("bernoulli_", bernoulli)
cauchy_ = inplace("cauchy_", cauchy)
exponential_ = inplace("exponential_", exponential)
geometric_ = inplace("geometric_", geometric)
log_normal_ = inplace("log_normal_", log_normal)
normal_ = inplace("normal_", normal)
random_ = inplace("random_", random)
uniform_ = inplace("uniform_", uniform)
