"""autograd.Function as PyTorch's users write it: the same class bodies run on both, and its faults."""

import pytest
import torch

import minigrad
from core.compare import assert_same
from minigrad import GraphError
from minigrad.autograd import Function, gradcheck, gradgradcheck, once_differentiable

pytestmark = pytest.mark.usefixtures("backend")

BOTH = pytest.mark.parametrize("ns", [minigrad, torch], ids=["minigrad", "torch"])


def leaf(*values, ns=minigrad):
    return ns.tensor(values, dtype=ns.float64, requires_grad=True)


def cube(ns):
    class Cube(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, gy):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * gy

    return Cube


def test_gradients_of_every_order():
    x = leaf(0.5, -2.0)
    f = cube(minigrad).apply
    assert gradcheck(f, (x,)) and gradgradcheck(f, (x,))
    results = []
    for ns in (minigrad, torch):
        x = leaf(0.5, -2.0, ns=ns)
        y = cube(ns).apply(x).sum()
        for _ in range(3):
            (y,) = ns.autograd.grad(y, [x], create_graph=True)
            results.append(y)
            y = y.sum()
    for a, b in zip(results[:3], results[3:], strict=True):
        assert_same(a, b)


def test_saved_outputs_can_be_differentiated_again():
    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, gy):
            (y,) = ctx.saved_tensors
            return gy * y

    x = leaf(0.5, -1.0)
    assert gradgradcheck(Exp.apply, (x,))


@BOTH
def test_several_outputs_and_needs(ns):
    seen = []

    class Both(ns.autograd.Function):
        @staticmethod
        def forward(ctx, a, b, scale):
            ctx.save_for_backward(a, b)
            ctx.scale = scale
            return a * b * scale, a + b

        @staticmethod
        def backward(ctx, g1, g2):
            a, b = ctx.saved_tensors
            seen.append((ctx.needs_input_grad, g1.tolist(), g2.tolist()))
            return g1 * b * ctx.scale + g2, g1 * a * ctx.scale + g2, None

    a, b = leaf(2.0, ns=ns), ns.tensor([5.0], dtype=ns.float64)
    p, s = Both.apply(a, b, 10.0)
    p.sum().backward(retain_graph=True)
    assert seen == [((True, False, False), [1.0], [0.0])]
    assert a.grad.tolist() == [50.0]
    (p + s).sum().backward()
    assert a.grad.tolist() == [101.0]


@BOTH
def test_gradients_that_stay_undefined(ns):
    seen = []

    class Two(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, g1, g2):
            seen.append((g1 is None, g2 is None))
            return g2 * 2 if g1 is None else g1

    x = leaf(1.0, ns=ns)
    Two.apply(x)[1].sum().backward()
    assert seen == [(True, False)] and x.grad.tolist() == [2.0]


@BOTH
def test_non_differentiable_outputs(ns):
    class Sorted(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            mask = (x > 0).double()
            ctx.mark_non_differentiable(mask)
            ctx.save_for_backward(mask)
            return x * mask, mask

        @staticmethod
        def backward(ctx, gy, g_mask):
            (mask,) = ctx.saved_tensors
            return gy * mask

    x = leaf(1.0, -1.0, ns=ns)
    y, mask = Sorted.apply(x)
    assert y.requires_grad and not mask.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]


@BOTH
def test_mark_dirty(ns):
    class Doubled(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, gy):
            return gy * 2

    x = leaf(1.0, 2.0, ns=ns)
    y = x * 1
    z = Doubled.apply(y)
    assert z is y and y.tolist() == [2.0, 4.0]
    (y * 5).sum().backward()
    assert x.grad.tolist() == [10.0, 10.0]


def test_a_dirty_input_that_was_saved_is_noticed():
    class Doubled(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, gy):
            return gy * 2

    y = leaf(1.0) * 1
    z = y * y
    Doubled.apply(y)
    with pytest.raises(GraphError, match=r"modified by an inplace operation.*Doubled"):
        z.sum().backward()


@BOTH
def test_an_input_handed_through(ns):
    class Identity(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, gy):
            return gy * 7

    x = leaf(1.0, ns=ns)
    y = Identity.apply(x)
    assert y is not x
    y.sum().backward()
    assert x.grad.tolist() == [7.0]


@BOTH
def test_setup_context(ns):
    class Square(ns.autograd.Function):
        @staticmethod
        def forward(x):
            return x * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, gy):
            (x,) = ctx.saved_tensors
            return 2 * x * gy

    x = leaf(3.0, ns=ns)
    Square.apply(x).sum().backward()
    assert x.grad.tolist() == [6.0]


@BOTH
def test_once_differentiable(ns):
    decorate = once_differentiable if ns is minigrad else torch.autograd.function.once_differentiable

    class Cube(ns.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        @decorate
        def backward(ctx, gy):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * gy

    x = leaf(2.0, ns=ns)
    (g,) = ns.autograd.grad((Cube.apply(x) * x).sum(), [x], create_graph=True)
    assert g.tolist() == [32.0]
    with pytest.raises(RuntimeError, match="trying to differentiate twice a function that was marked with @once_diff"):
        g.sum().backward()


def test_nothing_is_recorded_without_need():
    x = minigrad.ones(2)
    assert not cube(minigrad).apply(x).requires_grad
    with minigrad.no_grad():
        assert not cube(minigrad).apply(leaf(1.0)).requires_grad


def test_writing_to_a_saved_tensor():
    x = leaf(1.0)
    y = x * 1
    z = cube(minigrad).apply(y)
    y.add_(1)
    with pytest.raises(GraphError, match="modified by an inplace operation"):
        z.sum().backward()


def test_second_backward():
    z = cube(minigrad).apply(leaf(1.0)).sum()
    z.backward()
    with pytest.raises(GraphError, match="second time"):
        z.backward()


def returning(*grads):
    class Bad(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, gy):
            return grads

    return Bad


def test_wrong_number_of_gradients():
    for grads, got in (((minigrad.ones(2),), 1), ((minigrad.ones(2), None, minigrad.ones(2)), 3)):
        with pytest.raises(GraphError, match=rf"returned an incorrect number of gradients \(expected 2, got {got}\)"):
            returning(*grads).apply(leaf(1.0, 2.0), leaf(3.0, 4.0)).sum().backward()
    y = returning(minigrad.ones(2), None, None, None).apply(leaf(1.0, 2.0), 2.0)  # None too many are forgiven
    y.sum().backward()


def test_wrong_shape_of_a_gradient():
    text = r"returned an invalid gradient at index 1 - got \[3\] but expected shape compatible with \[2\]"
    with pytest.raises(GraphError, match=text):
        returning(None, minigrad.ones(3)).apply(leaf(1.0, 2.0), leaf(3.0, 4.0)).sum().backward()


def test_a_gradient_of_an_expanded_shape_is_summed():
    x = leaf(1.0)
    returning(minigrad.ones(2, dtype=minigrad.float64), None).apply(x, leaf(3.0, 4.0)).sum().backward()
    assert x.grad.tolist() == [2.0]


def test_what_is_no_tensor():
    with pytest.raises(TypeError, match=r"returned str at index 0: expected a Tensor or None"):
        returning("gradient", None).apply(leaf(1.0), 2.0).sum().backward()


def test_forward_and_backward_must_be_written():
    class Empty(Function):
        pass

    with pytest.raises(NotImplementedError, match="You must implement the forward function"):
        Empty.apply(leaf(1.0))

    class Half(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    with pytest.raises(NotImplementedError, match="You must implement either the backward"):
        Half.apply(leaf(1.0)).sum().backward()


def test_anomaly_mode_sees_user_functions():
    class Bad(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gy):
            return gy * float("nan")

    with minigrad.autograd.detect_anomaly(), pytest.raises(GraphError, match="returned nan values in its 0th output"):
        Bad.apply(leaf(1.0)).sum().backward()
