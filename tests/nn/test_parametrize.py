"""nn.utils.parametrize and what is built on it, beside PyTorch's: every program runs with both libraries."""

import copy
import pickle

import numpy as np
import pytest
import torch
from programs import agree, trained

import minigrad
from minigrad import nn
from minigrad.errors import DtypeError, ShapeError
from minigrad.nn.utils import parametrizations, parametrize

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def symmetric(library):
    class Symmetric(library.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, a):
            return a.triu()

    return Symmetric()


def doubled(library):
    class Doubled(library.nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, x):
            return x / 2

    return Doubled()


def with_symmetric(library):
    layer = library.nn.Linear(4, 4)
    register = library.nn.utils.parametrize.register_parametrization
    assert register(layer, "weight", symmetric(library)) is layer
    return trained(library, layer, 3, 4), layer.weight, type(layer).__name__


def two_in_a_row(library):
    layer = library.nn.Linear(3, 3)
    register = library.nn.utils.parametrize.register_parametrization
    register(layer, "weight", symmetric(library))
    register(layer, "weight", doubled(library))
    with library.no_grad():
        layer.weight = library.eye(3) * 3
    names = [name for name, _ in layer.named_parameters()]
    return names, layer.weight, trained(library, layer, 2, 3)


def removed(library):
    out = []
    for leave in (True, False):
        layer = library.nn.Linear(3, 3)
        tools = library.nn.utils.parametrize
        tools.register_parametrization(layer, "weight", doubled(library))
        tools.register_parametrization(layer, "bias", doubled(library))
        p = layer.parametrizations.weight.original
        tools.remove_parametrizations(layer, "weight", leave_parametrized=leave)
        out += [layer.weight is p, tools.is_parametrized(layer), tools.is_parametrized(layer, "weight"), layer.weight]
        tools.remove_parametrizations(layer, "bias", leave_parametrized=leave)
        out += [type(layer) is library.nn.Linear, [n for n, _ in layer.named_parameters()], layer.bias]
    return out


def a_buffer(library):
    layer = library.nn.BatchNorm1d(3)
    library.nn.utils.parametrize.register_parametrization(layer, "running_mean", doubled(library))
    return [n for n, _ in layer.named_buffers()], layer.running_mean


def weight_normed(library, dim=0):
    layer = library.nn.Conv2d(2, 3, 3)
    library.nn.utils.parametrizations.weight_norm(layer, dim=dim)
    out = trained(library, layer, 2, 2, 5, 5)
    library.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    return out, dict(layer.state_dict())


def an_older_state(library):
    older = library.nn.utils.weight_norm(library.nn.Linear(3, 2))
    newer = library.nn.utils.parametrizations.weight_norm(library.nn.Linear(3, 2))
    newer.load_state_dict(older.state_dict())
    return newer.weight, older.weight


def spectral(library, make=lambda nn: nn.Linear(4, 3), shape=(2, 4), **options):
    layer = make(library.nn)
    library.nn.utils.parametrizations.spectral_norm(layer, **options)
    return trained(library, layer, *shape)


def orthogonal(library, make, shape, **options):
    layer = make(library.nn)
    library.nn.utils.parametrizations.orthogonal(layer, **options)
    return layer.weight, trained(library, layer, *shape), layer.weight


def older_spectral(library, make=lambda nn: nn.Linear(4, 3), shape=(2, 4), **options):
    layer = library.nn.utils.spectral_norm(make(library.nn), **options)
    out = trained(library, layer, *shape)
    library.nn.utils.remove_spectral_norm(layer)
    return out, dict(layer.state_dict())


SQUARE, WIDE, TALL = (lambda nn: nn.Linear(4, 4)), (lambda nn: nn.Linear(5, 3)), (lambda nn: nn.Linear(3, 5))
PROGRAMS = {
    "symmetric": with_symmetric,
    "two in a row": two_in_a_row,
    "removed": removed,
    "buffer": a_buffer,
    "weight_norm": weight_normed,
    "weight_norm of another dimension": lambda l: weight_normed(l, 1),
    "weight_norm of the whole": lambda l: weight_normed(l, None),
    "weight_norm from an older state": an_older_state,
    "spectral_norm": spectral,
    "spectral_norm of a convolution": lambda l: spectral(
        l, lambda nn: nn.Conv2d(2, 3, 3), (1, 2, 4, 4), n_power_iterations=3
    ),
    "spectral_norm of a transposed one": lambda l: spectral(l, lambda nn: nn.ConvTranspose2d(2, 3, 3), (1, 2, 4, 4)),
    "spectral_norm of a vector": lambda l: spectral(l, name="bias"),
    "orthogonal, square": lambda l: orthogonal(l, SQUARE, (2, 4)),
    "orthogonal, wide": lambda l: orthogonal(l, WIDE, (2, 5)),
    "orthogonal, tall": lambda l: orthogonal(l, TALL, (2, 3)),
    "orthogonal, Cayley": lambda l: orthogonal(l, SQUARE, (2, 4), orthogonal_map="cayley"),
    "orthogonal, Cayley, wide": lambda l: orthogonal(l, WIDE, (2, 5), orthogonal_map="cayley"),
    "orthogonal, exponential, tall": lambda l: orthogonal(l, TALL, (2, 3), orthogonal_map="matrix_exp"),
    "orthogonal, householder": lambda l: orthogonal(
        l, SQUARE, (2, 4), orthogonal_map="householder", use_trivialization=False
    ),
    "older spectral_norm": older_spectral,
    "older spectral_norm of a transposed one": lambda l: older_spectral(
        l, lambda nn: nn.ConvTranspose2d(2, 3, 3), (1, 2, 4, 4)
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name, backend):
    agree(PROGRAMS[name], 2e-4)


def test_within_cached_the_tensor_is_computed_once(backend):
    calls = []

    class Counting(nn.Module):
        def forward(self, x):
            calls.append(1)
            return x * 1

    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Counting(), unsafe=True)
    calls.clear()
    with parametrize.cached():
        first = layer.weight
        with parametrize.cached():
            assert layer.weight is first
        layer(minigrad.ones(1, 2))
        assert len(calls) == 1
    assert layer.weight is not first and len(calls) == 2


def test_a_copy_stands_alone_and_pickling_is_refused():
    layer = parametrizations.weight_norm(nn.Linear(2, 2))
    other = copy.deepcopy(layer)
    with minigrad.no_grad():
        layer.parametrizations.weight.original0.zero_()
    assert other.weight.abs().sum().item() > 0 and layer.weight.abs().sum().item() == 0
    parametrize.remove_parametrizations(other, "weight")
    assert parametrize.is_parametrized(layer, "weight") and layer.weight.shape == (2, 2)
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(layer)


def test_transfer_takes_the_originals_along():
    source, target = parametrizations.weight_norm(nn.Linear(2, 2)), nn.Linear(2, 2)
    parametrize.transfer_parametrizations_and_params(source, target)
    assert minigrad.equal(source.weight, target.weight)
    assert parametrize.type_before_parametrizations(target) is nn.Linear


class Shapeless(nn.Module):
    def forward(self, x):
        return x.sum()


class Wide(nn.Module):
    def forward(self, x):
        return x.double()


class OneWay(nn.Module):
    def forward(self, x):
        return x * 2


def test_the_errors():
    layer = nn.Linear(2, 3)
    with pytest.raises(
        ValueError, match="does not have a parameter, a buffer, or a parametrized element with name 'w'"
    ):
        parametrize.register_parametrization(layer, "w", OneWay())
    with pytest.raises(ShapeError, match="may not change the shape"):
        parametrize.register_parametrization(layer, "weight", Shapeless())
    with pytest.raises(DtypeError, match="may not change the dtype"):
        parametrize.register_parametrization(layer, "weight", Wide())
    assert not parametrize.is_parametrized(layer) and type(layer) is nn.Linear
    with pytest.raises(ValueError, match="does not have a parametrization on weight"):
        parametrize.remove_parametrizations(layer, "weight")
    parametrize.register_parametrization(layer, "weight", OneWay())
    with pytest.raises(RuntimeError, match="OneWay does not implement right_inverse"):
        layer.weight = minigrad.ones(3, 2)
    normed = parametrizations.weight_norm(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="Cannot leave unparametrized"):
        parametrize.remove_parametrizations(normed, "weight", leave_parametrized=False)
    with pytest.raises(ValueError, match="Expected n_power_iterations to be positive"):
        parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)
    with pytest.raises(IndexError, match="Dimension out of range"):
        parametrizations.spectral_norm(nn.Linear(2, 2), dim=2)
    for make in (parametrizations.spectral_norm, parametrizations.orthogonal):
        with pytest.raises(ValueError, match="has no parameter or buffer with name 'w'"):
            make(nn.Linear(2, 2), "w")
    with pytest.raises(ValueError, match='orthogonal_map has to be one of "matrix_exp", "cayley", "householder"'):
        parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="qr")
    with pytest.raises(ValueError, match="Expected a matrix or batch of matrices"):
        parametrizations.orthogonal(nn.Linear(2, 2), "bias")
    fixed = parametrizations.orthogonal(nn.Linear(3, 3), use_trivialization=False)
    with pytest.raises(NotImplementedError, match="matrix exponential or the Cayley"):
        fixed.weight = minigrad.eye(3)
    with pytest.raises(RuntimeError, match="Cannot register two spectral_norm hooks"):
        nn.utils.spectral_norm(nn.utils.spectral_norm(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="spectral_norm of 'weight' not found"):
        nn.utils.remove_spectral_norm(nn.Linear(2, 2))


def test_products_of_reflections_can_be_differentiated_twice():
    from minigrad.autograd import gradcheck, gradgradcheck
    from minigrad.ops.householder import householder_product

    rng = np.random.default_rng(0)
    A = minigrad.tensor(rng.normal(size=(2, 4, 3)), dtype=minigrad.float64, requires_grad=True)
    tau = minigrad.tensor(rng.normal(size=(2, 3)), dtype=minigrad.float64, requires_grad=True)
    expected = torch.linalg.householder_product(torch.tensor(A.tolist()).double(), torch.tensor(tau.tolist()).double())
    np.testing.assert_allclose(householder_product(A, tau).detach().cpu().numpy(), expected.numpy(), 1e-6, 1e-6)
    assert gradcheck(householder_product, (A, tau)) and gradgradcheck(householder_product, (A, tau))
