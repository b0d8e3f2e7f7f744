"""gradcheck itself: it must find what is wrong, however small."""

import pytest
import torch

import minigrad
from minigrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck

pytestmark = pytest.mark.usefixtures("backend")
MODES = pytest.mark.parametrize("fast_mode", [False, True])


def leaf(*values):
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


def squared(backward):
    class Squared(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

    Squared.backward = staticmethod(lambda ctx, gy: backward(ctx.saved_tensors[0], gy))
    return Squared.apply


@MODES
def test_a_backward_scaled_by_1_01_fails(fast_mode):
    f = squared(lambda x, gy: 2 * x * gy * 1.01)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0,"):
        gradcheck(f, (leaf(1.0, 2.0),), fast_mode=fast_mode)
    assert gradcheck(f, (leaf(1.0, 2.0),), fast_mode=fast_mode, raise_exception=False) is False
    assert gradcheck(f, (leaf(1.0, 2.0),), fast_mode=fast_mode, rtol=0.1)


@MODES
def test_a_wrong_second_derivative_fails(fast_mode):
    f = squared(lambda x, gy: 2 * x.detach() * gy)
    assert gradcheck(f, (leaf(1.0, 2.0),), fast_mode=fast_mode)
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradgradcheck(f, (leaf(1.0, 2.0),), fast_mode=fast_mode)
    assert not gradgradcheck(f, (leaf(1.0, 2.0),), fast_mode=fast_mode, raise_exception=False)


def test_one_wrong_element_is_seen_in_full_mode():
    wrong = minigrad.tensor([1.0, 1.0, 1.001], dtype=minigrad.float64)
    with pytest.raises(GradcheckError):
        gradcheck(squared(lambda x, gy: 2 * x * gy * wrong), (leaf(1.0, 2.0, 300.0),), rtol=1e-4)


def test_texts_are_pytorchs():
    x = leaf(1.0)
    cases = [
        (lambda v: v.detach() * 3, "Numerical gradient for function expected to be zero"),
        (squared(lambda x, gy: 2 * x + 0 * gy), "backward not multiplied by grad_output"),
    ]
    for f, text in cases:
        with pytest.raises(GradcheckError, match=text):
            gradcheck(f, (x,))
    with pytest.raises(ValueError, match="gradcheck expects at least one input tensor to require gradient"):
        gradcheck(lambda v: v, (x.detach(),))
    with pytest.raises(ValueError, match="gradcheck expects at least one input tensor to require gradient"):
        torch.autograd.gradcheck(lambda v: v, (torch.ones(1),))
    with pytest.raises(RuntimeError, match="has a dimension with stride 0"):
        gradcheck(lambda v: v, (minigrad.ones(1, dtype=minigrad.float64).expand(2).requires_grad_(),))


def test_float32_is_warned_about():
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precision"):
        gradcheck(lambda v: v * 2, (minigrad.ones(1, requires_grad=True),), eps=1e-2)


def test_varying_gradients():
    calls = []

    def backward(x, gy):
        calls.append(1)
        return 2 * x * gy * (1 + 1e-9 * (len(calls) % 2))

    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(squared(backward), (leaf(1.0),))
    assert gradcheck(squared(backward), (leaf(1.0),), nondet_tol=1e-6)


def test_types_of_gradients():
    f = squared(lambda x, gy: (2 * x * gy).float())
    assert gradcheck(f, (leaf(1.0),))
    with pytest.raises(GradcheckError, match="Gradient has dtype mismatch"):
        gradcheck(f, (leaf(1.0),), check_grad_dtypes=True)


@MODES
def test_tuples_constants_and_integers(fast_mode):
    def f(x, n, k, y):
        return x * y.sum() * k, (x > 0), y.exp(), n * 1.0

    n = minigrad.arange(3)
    assert gradcheck(f, (leaf(1.0, -2.0), n, 2.5, leaf(0.1)), fast_mode=fast_mode)
    assert gradgradcheck(lambda *a: f(*a)[0], (leaf(1.0, -2.0), n, 2.5, leaf(0.1)), fast_mode=fast_mode)
    assert gradcheck(lambda x: (x * 2, x * 3), (leaf(1.0),), check_undefined_grad=False, fast_mode=fast_mode)


def test_given_and_scattered_grad_outputs():
    x = leaf(1.0, 2.0)
    assert gradgradcheck(lambda v: v**3, (x,), (leaf(0.5, 0.25),))
    assert gradgradcheck(lambda v: v**3, (x,), gen_non_contig_grad_outputs=True)
    with pytest.raises(ValueError, match="got 2 grad_outputs for 1 outputs"):
        gradgradcheck(lambda v: v**3, (x,), (leaf(0.5, 0.25), leaf(1.0)))


def test_the_inputs_come_back_as_they_were():
    x = leaf(1.0, 2.0)
    gradcheck(lambda v: v.sin(), (x,))
    assert x.tolist() == [1.0, 2.0] and x.grad is None
