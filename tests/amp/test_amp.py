"""autocast and GradScaler beside PyTorch's on the CPU."""

import numpy as np
import pytest

import minigrad
from minigrad import amp, nn
from minigrad.errors import DtypeError, GraphError, ShapeError

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")


def networks():
    minigrad.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 10)
    )
    x = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    y = np.arange(5)
    return ours, theirs, x, y


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_types_losses_and_gradients(kind):
    ours, theirs, x, y = networks()
    with amp.autocast("cpu", dtype=getattr(minigrad, kind)):
        a = ours(minigrad.from_numpy(x))
        la = nn.functional.cross_entropy(a, minigrad.from_numpy(y))
        inner = a.float() @ a.t().float()
        with amp.autocast("cpu", enabled=False):
            full = minigrad.ones(2, 2) @ minigrad.ones(2, 2)
        wide = minigrad.ones(2, 2, dtype=minigrad.float64) @ minigrad.ones(2, 2, dtype=minigrad.float64)
    with torch.autocast("cpu", dtype=getattr(torch, kind)):
        b = theirs(torch.from_numpy(x))
        lb = torch.nn.functional.cross_entropy(b, torch.from_numpy(y))
    assert a.dtype.name == inner.dtype.name == kind and la.dtype.name == full.dtype.name == "float32"
    assert wide.dtype.name == "float64" and lb.dtype == torch.float32
    np.testing.assert_allclose(a.detach().float().numpy(), b.detach().float().numpy(), rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(la.item(), lb.item(), rtol=1e-3)
    la.backward()
    lb.backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.grad.dtype.name == "float32"
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=5e-2, atol=5e-3)
    assert (minigrad.ones(2, 2) @ minigrad.ones(2, 2)).dtype is minigrad.float32


def test_decorator_errors_and_a_missing_gpu():
    product = amp.autocast("cpu")(lambda a, b: a @ b)
    assert product(minigrad.ones(2, 2), minigrad.ones(2, 2)).dtype.name == "bfloat16"
    with pytest.raises(DtypeError, match="supported dtypes"):
        amp.autocast("cpu", dtype=minigrad.float32)
    with pytest.raises(ShapeError, match="unsupported autocast device_type"):
        amp.autocast("abacus")
    with pytest.raises(ZeroDivisionError), amp.autocast("cpu"):
        1 / 0
    assert (minigrad.ones(2, 2) @ minigrad.ones(2, 2)).dtype is minigrad.float32
    if not minigrad.cuda.is_available():
        with pytest.warns(UserWarning, match="CUDA is not available"):
            off = minigrad.autocast("cuda")
        with off:
            assert (minigrad.ones(2, 2) @ minigrad.ones(2, 2)).dtype is minigrad.float32


def steps(library, scaler, numbers):
    """Scales and a parameter's values over steps whose gradients are given, some of them infinite."""
    p = library.ones(2)
    p.requires_grad_()
    optimizer = library.optim.SGD([p], lr=0.5)
    seen = []
    for n in numbers:
        optimizer.zero_grad()
        scaler.scale((p * n).sum()).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        seen.append((scaler.get_scale(), p.tolist()))
    return seen, scaler.state_dict()


def test_the_scaler_moves_as_pytorchs():
    numbers = [1.0, 2.0, float("inf"), 1.0, 1.0, 1.0, float("nan"), 1e35, 1.0]
    options = {"init_scale": 1024.0, "growth_interval": 2}
    ours = steps(minigrad, amp.GradScaler("cpu", **options), numbers)
    theirs = steps(torch, torch.amp.GradScaler("cpu", **options), numbers)
    assert ours == theirs


def test_the_scalers_state_and_misuse():
    a, b = amp.GradScaler(init_scale=8.0), amp.GradScaler()
    b.load_state_dict(a.state_dict())
    assert b.get_scale() == 8.0 and a.state_dict() == b.state_dict()
    p = minigrad.ones(1, requires_grad=True)
    optimizer = minigrad.optim.SGD([p], lr=1.0)
    a.scale(p.sum()).backward()
    a.unscale_(optimizer)
    assert p.grad.item() == 1.0
    with pytest.raises(GraphError, match="already been called on this optimizer"):
        a.unscale_(optimizer)
    a.step(optimizer)
    with pytest.raises(GraphError, match="step\\(\\) has already been called"):
        a.step(optimizer)
    with pytest.raises(GraphError, match="after step"):
        a.unscale_(optimizer)
    with pytest.raises(GraphError, match="No inf checks"):
        amp.GradScaler().update()
    off = amp.GradScaler(enabled=False)
    loss = p.sum()
    assert off.scale(loss) is loss and off.get_scale() == 1.0 and off.state_dict() == {}
    for options in ({"growth_factor": 1.0}, {"backoff_factor": 1.0}):
        with pytest.raises(ValueError):
            amp.GradScaler(**options)
