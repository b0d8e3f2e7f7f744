"""Numbers go into an array in the order of its memory: what PyTorch does with turned, sliced and permuted tensors."""

import numpy as np
import pytest
import torch

import minigrad
from minigrad import random as mr
from minigrad.random.distributions import bernoulli, bernoulli_array, normal, uniform
from minigrad.random.layout import fill, filled_like, memory_order

VIEWS = {
    "plain": lambda x: x,
    "turned": lambda x: x.swapaxes(0, 3),
    "channels last": lambda x: x.swapaxes(1, 2).swapaxes(2, 3),
    "every other": lambda x: x[:, ::2],
    "every other, turned": lambda x: x[:, :, ::2].swapaxes(1, 3),
    "one thick": lambda x: x[:1].swapaxes(0, 2),
    "column": lambda x: x[0, 0, :, 0],
    "number": lambda x: x[0, 0, 0, 0, ...],
    "empty": lambda x: x[:0].swapaxes(0, 1),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_layouts(view):
    base = np.zeros((3, 4, 5, 6), np.float32)
    ours, theirs = view(base), view(torch.zeros(3, 4, 5, 6))
    mr.manual_seed(3)
    torch.manual_seed(3)
    np.testing.assert_array_equal(filled_like(ours, lambda n, _: uniform(n)), torch.rand_like(theirs).numpy())
    like = filled_like(ours, lambda n, whole: normal(n, contiguous=whole))
    np.testing.assert_array_equal(like, torch.randn_like(theirs).numpy())
    # Probabilities are the exception: they are visited in the order of their axes.
    np.testing.assert_array_equal(bernoulli_array(ours + 0.5), torch.bernoulli(theirs + 0.5).numpy())
    fill(ours, lambda n, whole: normal(n, 0.5, 2.0, contiguous=whole))
    np.testing.assert_array_equal(ours, theirs.normal_(0.5, 2.0).numpy())
    fill(ours, lambda n, _: uniform(n))
    np.testing.assert_array_equal(ours, theirs.uniform_().numpy())
    np.testing.assert_array_equal(mr.get_rng_state().numpy(), torch.get_rng_state().numpy())


def test_the_rest_of_a_sliced_array_stays():
    base = np.zeros((4, 4), np.float32)
    fill(base[:, ::2], lambda n, _: bernoulli(n, 1))
    assert base[:, 1::2].sum() == 0 and base[:, ::2].sum() == 8


def test_memory_order_of_reversed_axes():
    assert memory_order(np.zeros((2, 3))[::-1]) == [0, 1]
    assert memory_order(np.zeros((2, 3)).T[::-1]) == [1, 0]


@pytest.mark.parametrize(
    "equation",
    ["bhid,bhjd->bhij", "bhid,bhjd->bihj", "bhid,bhjd->hjbi", "bhid,hjd->jhi", "bhid,j->jbi", "bhid,hd,d->bi"],
)
def test_products_lie_in_memory_as_pytorchs(equation):
    """Dropout of an attention map draws in the order of memory."""
    names = equation.partition("->")[0].split(",")
    sizes = dict(zip("bhijd", (2, 3, 4, 5, 6), strict=True))
    operands = [torch.ones([sizes[c] for c in n]) for n in names]
    theirs = torch.einsum(equation, *operands)
    ours = minigrad.einsum(equation, *[minigrad.from_numpy(v.numpy()) for v in operands])
    assert ours.stride() == theirs.stride()
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
