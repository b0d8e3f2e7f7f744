"""autograd.functional, func and checkpoint beside PyTorch's."""

import numpy as np
import pytest

import minigrad
from minigrad import func, nn
from minigrad.autograd import functional
from minigrad.errors import GraphError, ShapeError
from minigrad.utils.checkpoint import checkpoint, checkpoint_sequential

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
rng = np.random.default_rng(0)
X, W, VX, VW, U = (rng.normal(size=s) for s in ((3,), (2, 3), (3,), (2, 3), (2,)))


def ours(*arrays):
    return tuple(minigrad.tensor(a, dtype=minigrad.float64) for a in arrays)


def theirs(*arrays):
    return tuple(torch.tensor(a, dtype=torch.float64) for a in arrays)


def assert_same(a, b):
    a, b = func.flatten(a)[0], func.flatten(b)[0]
    assert len(a) == len(b)
    for p, q in zip(a, b, strict=True):
        assert tuple(p.shape) == tuple(q.shape) and p.requires_grad == q.requires_grad
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-9, atol=1e-12)


def several(x, w):
    return (w @ x).tanh(), (x * x).sum()


def one(x, w):
    return ((w @ x).tanh() ** 2).sum() * x[0]


def test_first_derivatives():
    for name, v in (("vjp", (U, 2.0)), ("jvp", (VX, VW))):
        a = getattr(functional, name)(several, ours(X, W), ours(*v))
        b = getattr(torch.autograd.functional, name)(several, theirs(X, W), theirs(*v))
        assert_same(a, b)
    assert_same(functional.jacobian(several, ours(X, W)), torch.autograd.functional.jacobian(several, theirs(X, W)))
    assert_same(
        functional.jacobian(lambda x: x * 2, ours(X)[0]),
        torch.autograd.functional.jacobian(lambda x: x * 2, theirs(X)[0]),
    )


def test_second_derivatives():
    for name in ("vhp", "hvp"):
        a = getattr(functional, name)(one, ours(X, W), ours(VX, VW))
        b = getattr(torch.autograd.functional, name)(one, theirs(X, W), theirs(VX, VW))
        assert_same(a, b)
    assert_same(functional.hessian(one, ours(X, W)), torch.autograd.functional.hessian(one, theirs(X, W)))


def test_create_graph_keeps_the_results_differentiable():
    (x,) = ours(X)
    x.requires_grad_()
    j = functional.jacobian(lambda v: v**3, x, create_graph=True)
    j.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * X)


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: functional.vjp(lambda x: x * 2, minigrad.ones(2)), GraphError, "can only be None"),
        (lambda: functional.vjp(lambda x: x, minigrad.ones(2), minigrad.ones(3)), ShapeError, "invalid size"),
        (lambda: functional.jvp(lambda x: x, minigrad.ones(2), (minigrad.ones(2),) * 2), ShapeError, "invalid length"),
        (lambda: functional.hessian(lambda x: x * 2, minigrad.ones(2)), GraphError, "single element"),
        (lambda: functional.jacobian(lambda x: 1, minigrad.ones(2)), TypeError, "must be a Tensor"),
        (lambda: functional.jacobian(lambda x: minigrad.ones(1), minigrad.ones(2), strict=True), GraphError, "strict"),
        (lambda: functional.jacobian(lambda x: x, minigrad.ones(2), strategy="no"), ShapeError, "strategy"),
        (lambda: func.grad(lambda x: x * 2)(minigrad.ones(2)), GraphError, "scalar tensor"),
        (lambda: func.grad(lambda x: x, argnums=1)(minigrad.ones(())), GraphError, "argnum=1"),
        (lambda: func.vmap(lambda x, y: x)(minigrad.ones(2), minigrad.ones(3)), ShapeError, "same size"),
        (lambda: func.vmap(lambda x: x, in_dims=None)(minigrad.ones(2)), ShapeError, "at least one input"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_transforms_of_functions():
    assert_same(func.grad(one, argnums=(0, 1))(*ours(X, W)), torch.func.grad(one, argnums=(0, 1))(*theirs(X, W)))
    assert_same(func.grad_and_value(one)(*ours(X, W)), torch.func.grad_and_value(one)(*theirs(X, W)))
    value, slope = func.value_and_grad(one)(*ours(X, W))
    assert_same((slope, value), torch.func.grad_and_value(one)(*theirs(X, W)))
    assert_same(func.jacrev(several)(*ours(X, W)), torch.func.jacrev(several)(*theirs(X, W)))
    assert_same(func.jacfwd(several, 1)(*ours(X, W)), torch.func.jacfwd(several, 1)(*theirs(X, W)))
    assert_same(func.hessian(one)(*ours(X, W)), torch.func.hessian(one)(*theirs(X, W)))
    assert_same(func.jvp(several, ours(X, W), ours(VX, VW)), torch.func.jvp(several, theirs(X, W), theirs(VX, VW)))
    (y, pull), (y2, pull2) = func.vjp(several, *ours(X, W)), torch.func.vjp(several, *theirs(X, W))
    assert_same((y, pull(ours(U, 2.0))), (y2, pull2(theirs(U, 2.0))))


def test_transforms_nest_and_take_containers():
    cube = lambda library: lambda x: library.grad(lambda z: (z**3).sum())(x).sum()
    assert_same(func.grad(cube(func))(*ours(X)), torch.func.grad(cube(torch.func))(*theirs(X)))
    loss = lambda p, x: ((p["w"] @ x + p["b"]) ** 2).sum()
    a = func.grad(loss)(dict(zip("wb", ours(W, U), strict=True)), *ours(X))
    b = torch.func.grad(loss)(dict(zip("wb", theirs(W, U), strict=True)), *theirs(X))
    assert_same(a, b)
    a = func.grad(lambda x: ((x**2).sum(), {"aux": x * 2}), has_aux=True)(*ours(X))
    b = torch.func.grad(lambda x: ((x**2).sum(), {"aux": x * 2}), has_aux=True)(*theirs(X))
    assert_same(a, b)


@pytest.mark.parametrize("in_dims, out_dims", [((0, None), 0), ((1, 0), 0), ((0, None), -1)])
def test_vmap(in_dims, out_dims):
    f = lambda a, b: (a[:, None] * b if b.ndim else a * b).cumsum(0)
    args = (rng.normal(size=(3, 3)), rng.normal(size=3))
    assert_same(func.vmap(f, in_dims, out_dims)(*ours(*args)), torch.func.vmap(f, in_dims, out_dims)(*theirs(*args)))


def test_per_sample_gradients():
    loss = lambda w, x: (w * x).tanh().sum()
    a = func.vmap(func.grad(loss), in_dims=(None, 0))(*ours(X, W))
    b = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(*theirs(X, W))
    assert_same(a, b)


def test_functional_call_uses_other_tensors_and_puts_the_own_ones_back():
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    net.eval()
    x, before = minigrad.randn(4, 3), net[0].weight
    doubled = {name: (p.detach() * 2).requires_grad_() for name, p in net.named_parameters()}
    y = func.functional_call(net, doubled, (x,))
    expected = net[1](x @ doubled["0.weight"].t() + doubled["0.bias"]) * 2
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-6)
    assert net[0].weight is before
    y.sum().backward()
    assert doubled["0.weight"].grad is not None and before.grad is None
    with pytest.raises(KeyError, match="no parameter or buffer"):
        func.functional_call(net, {"2.weight": x}, x)
    with pytest.raises(ZeroDivisionError):
        func.functional_call(_Broken(), {"w": minigrad.zeros(1)})


class _Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(minigrad.ones(1))

    def forward(self):
        return 1 / 0


def test_stack_module_state():
    nets = [nn.Linear(2, 2) for _ in range(3)]
    parameters, buffers = func.stack_module_state(nets)
    assert parameters["weight"].shape == (3, 2, 2) and parameters["weight"].is_leaf and not buffers
    with pytest.raises(GraphError, match="same class"):
        func.stack_module_state([nn.Linear(1, 1), nn.ReLU()])


def network():
    minigrad.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 2))


def gradients_of(run):
    net = network()
    x = minigrad.randn(4, 3, requires_grad=True)
    minigrad.manual_seed(3)
    (run(net, x) ** 2).sum().backward()
    after = minigrad.rand(1).item()
    return [p.grad.numpy() for p in (x, *net.parameters())] + [np.array(after)]


@pytest.mark.parametrize(
    "run",
    [
        lambda net, x: checkpoint(net, x, use_reentrant=False),
        lambda net, x: checkpoint(lambda a, *, b: net(a) + 0 * b.sum(), x, b=x.detach()),
        lambda net, x: checkpoint_sequential(net, 2, x),
        lambda net, x: checkpoint(lambda pair: {"y": net(pair[0])}, (x, 1))["y"],
    ],
)
def test_checkpoint_gives_the_same_gradients_bit_for_bit(run):
    for a, b in zip(gradients_of(lambda net, x: net(x)), gradients_of(run), strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoint_runs_the_function_again_in_backward_only():
    calls = []

    def function(x):
        calls.append(1)
        return x.sin(), x.cos(), 3

    x = minigrad.ones(2, requires_grad=True)
    a, b, three = checkpoint(function, x)
    assert len(calls) == 1 and three == 3
    (a * b).sum().backward()
    assert len(calls) == 2
    np.testing.assert_allclose(x.grad.numpy(), np.cos(2.0) * np.ones(2), rtol=1e-6)
    with minigrad.no_grad():
        checkpoint(function, x)
    assert len(calls) == 3


def test_checkpoint_refuses_what_it_cannot_do():
    x = minigrad.ones(2, requires_grad=True)
    hidden = x * 2
    with pytest.raises(GraphError, match="Pass it as an argument"):
        checkpoint(lambda v: v * hidden, x)
    y = checkpoint(lambda v: v**3, x).sum()
    with pytest.raises(GraphError, match="cannot be differentiated twice"):
        minigrad.autograd.grad(y, x, create_graph=True)
