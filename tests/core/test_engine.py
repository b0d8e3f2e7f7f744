"""backward() and grad(): what is computed, what is kept, what is freed, and what is said when it cannot be done."""

import numpy as np
import pytest
import torch

import minigrad
from core.compare import array, assert_same
from minigrad import GraphError, ShapeError
from minigrad.autograd import grad
from minigrad.autograd.graph import Op

pytestmark = pytest.mark.usefixtures("backend")


def leaf(*values, ns=minigrad):
    return ns.tensor(values, dtype=ns.float64, requires_grad=True)


# ---------------------------------------------------------------- leaves and their gradients


def test_gradients_add_up_over_uses_and_calls():
    x = leaf(2.0, 3.0)
    (x * x + x).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]
    (x * 10).sum().backward()
    assert x.grad.tolist() == [15.0, 17.0]


def test_adding_up_is_in_place_so_that_an_optimiser_may_hold_the_gradient():
    x = leaf(1.0)
    (x * 2).sum().backward()
    held = x.grad
    (x * 3).sum().backward()
    assert x.grad is held and held.item() == 5.0


def test_the_given_gradient_is_neither_kept_nor_written():
    x, g = leaf(1.0, 2.0), minigrad.tensor([3.0, 4.0], dtype=minigrad.float64)
    (x + 0.0).backward(g)
    (x + 0.0).backward(g)
    assert g.tolist() == [3.0, 4.0] and x.grad.tolist() == [6.0, 8.0]
    y = leaf(1.0, 2.0)
    y.backward(g)
    y.backward(g)
    assert g.tolist() == [3.0, 4.0] and y.grad.tolist() == [6.0, 8.0]


def test_two_leaves_never_share_a_gradient():
    x, y = leaf(1.0), leaf(2.0)
    (x + y).sum().backward()
    x.grad[0] = 99.0
    assert y.grad.tolist() == [1.0]


def test_backward_from_several_roots():
    x = leaf(1.0, 2.0)
    a, b = (x * 2).sum(), x * x
    minigrad.autograd.backward([a, b], [None, minigrad.ones(2, dtype=minigrad.float64)])
    assert x.grad.tolist() == [4.0, 6.0]


def test_non_scalar_needs_a_gradient():
    with pytest.raises(GraphError, match="grad can be implicitly created only for scalar outputs"):
        leaf(1.0, 2.0).backward()


def test_nothing_requires_grad():
    text = "element 0 of tensors does not require grad and does not have a grad_fn"
    with pytest.raises(GraphError, match=text):
        minigrad.ones(1).backward()


def test_the_given_gradient_must_fit():
    with pytest.raises(ShapeError, match=r"Mismatch in shape: grad_output\[0\] has a shape of \[3\]"):
        leaf(1.0, 2.0).backward(minigrad.ones(3, dtype=minigrad.float64))


# ---------------------------------------------------------------- freeing


def test_a_second_backward_is_refused_and_says_why():
    y = (leaf(1.0) ** 2).exp().sum()
    y.backward()
    with pytest.raises(
        GraphError, match=r"Trying to backward through the graph a second time.*Specify retain_graph=True"
    ):
        y.backward()


def test_retain_graph():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12.0]


def test_a_graph_without_saved_values_may_be_walked_again_as_in_pytorch():
    for ns in (minigrad, torch):
        x = leaf(3.0, ns=ns)
        y = (x + 1).sum()
        y.backward()
        y.backward()
        assert x.grad.tolist() == [2.0]


def test_backward_frees_what_it_has_read():
    x = leaf(1.0)
    middle = x.exp()
    node = middle.grad_fn
    (middle * middle).sum().backward()
    assert node.saved is None


def test_part_of_a_graph_that_was_freed():
    x = leaf(2.0)
    shared = x * x
    (shared * 2).sum().backward()
    with pytest.raises(GraphError, match="second time"):
        (shared * 3).sum().backward()


# ---------------------------------------------------------------- higher derivatives


def test_third_derivative():
    x = leaf(0.7)
    y = (x.sin() * x**4).sum()
    t = leaf(0.7, ns=torch)
    u = (t.sin() * t**4).sum()
    for _ in range(3):
        (y,) = grad(y, [x], create_graph=True)
        (u,) = torch.autograd.grad(u, [t], create_graph=True)
        assert_same(y, u)
        y, u = y.sum(), u.sum()


def test_create_graph_into_grad():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    g = x.grad
    x.grad = None
    (g * g).sum().backward()
    assert x.grad.item() == pytest.approx(2 * 12 * 12)


def test_first_order_backward_records_nothing():
    x = leaf(2.0)
    (x**3).sum().backward()
    assert not x.grad.requires_grad and x.grad.is_leaf


# ---------------------------------------------------------------- grad()


def test_grad_of_inner_tensors_leaves_grad_alone():
    x = leaf(2.0)
    y = x * 3
    z = (y * y).sum()
    gy, gx = grad(z, [y, x])
    assert gy.tolist() == [12.0] and gx.tolist() == [36.0]
    assert x.grad is None


def test_grad_of_the_output_itself():
    x = leaf(2.0)
    y = x * 3
    (g,) = grad(y, [y], minigrad.tensor([5.0], dtype=minigrad.float64))
    assert g.tolist() == [5.0]


def test_unused_inputs():
    x, y = leaf(1.0), leaf(2.0)
    z = (x * 2).sum()
    with pytest.raises(GraphError, match=r"appears to not have been used in the graph.*allow_unused=True"):
        grad(z, [x, y], retain_graph=True)
    assert grad(z, [x, y], retain_graph=True, allow_unused=True)[1] is None
    assert grad(z, [x, y], retain_graph=True, materialize_grads=True)[1].tolist() == [0.0]
    with pytest.raises(GraphError, match="One of the differentiated Tensors does not require grad"):
        grad(z, [minigrad.ones(1)])
    with pytest.raises(ValueError, match="non-empty inputs"):
        grad(z, [])


def test_grad_computes_nothing_that_leads_nowhere(monkeypatch):
    """Of two branches only the one towards the asked input is walked, each op once."""
    from minigrad.ops.arithmetic import Mul
    from minigrad.ops.elementwise import Exp, Sin

    calls = []
    for cls in (Mul, Exp, Sin):
        original = cls.backward
        monkeypatch.setattr(
            cls, "backward", lambda self, g, n=cls.__name__, f=original: (calls.append(n), f(self, g))[1]
        )
    x, y = leaf(1.0), leaf(2.0)
    shared = x * y
    z = (shared.exp() + y.sin().sin()).sum() + shared.sum()
    grad(z, [x], retain_graph=True)
    assert sorted(calls) == ["Exp", "Mul"]
    calls.clear()
    grad(z, [shared])
    assert calls == ["Exp"]


def test_an_op_computes_only_the_gradients_that_are_asked_for(monkeypatch):
    seen = []
    from minigrad.ops.arithmetic import Mul

    original = Mul.backward
    monkeypatch.setattr(Mul, "backward", lambda self, g: (seen.append(self.needs), original(self, g))[1])
    x, y = leaf(1.0), leaf(2.0)
    z = (x * y).sum()
    grad(z, [y], retain_graph=True)
    z.backward()
    assert seen == [(False, True), (True, True)]


def test_backward_with_inputs():
    x, y = leaf(1.0), leaf(2.0)
    middle = x * y
    (middle * middle).sum().backward(inputs=[x, middle])
    assert x.grad.tolist() == [8.0] and y.grad is None and middle.grad.tolist() == [4.0]
    with pytest.raises(GraphError, match="cannot be empty"):
        (x * y).sum().backward(inputs=[])


def test_same_input_twice_and_one_root_twice():
    x = leaf(3.0)
    y = (x * x).sum()
    a, b = grad(y, [x, x], retain_graph=True)
    assert a.tolist() == b.tolist() == [6.0]
    minigrad.autograd.backward([y, y])
    assert x.grad.tolist() == [12.0]


# ---------------------------------------------------------------- hooks


def test_hooks_run_in_order_and_may_replace():
    log = []
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda g: log.append(("first", g.item())))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: log.append(("third", g.item())))
    x.register_hook(lambda g: log.append(("leaf", g.item())))
    (y * 3).sum().backward()
    assert log == [("first", 3.0), ("third", 30.0), ("leaf", 60.0)]
    assert x.grad.tolist() == [60.0]


def test_a_leaf_hook_hears_the_whole_sum_once():
    heard = []
    x = leaf(1.0)
    x.register_hook(lambda g: heard.append(g.item()))
    (x * 2 + x * 3 + x).sum().backward()
    assert heard == [6.0]


def test_hooks_can_be_removed():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: g * 100)
    with x.register_hook(lambda g: g * 7):
        pass
    (x * 2).sum().backward()
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [202.0]


def test_a_hook_may_remove_itself():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: handle.remove())
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0]


def test_hooks_with_several_outputs():
    heard = []
    x = leaf(1.0, 5.0, 2.0)
    values, places = x.max(0)
    values.register_hook(lambda g: heard.append(g.item()))
    (values * 3).backward()
    assert heard == [3.0] and not places.requires_grad
    assert x.grad.tolist() == [0.0, 3.0, 0.0]


def test_a_hook_needs_a_gradient():
    with pytest.raises(GraphError, match="cannot register a hook on a tensor that doesn't require gradient"):
        minigrad.ones(1).register_hook(print)


def test_retain_grad():
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [12.0]
    with pytest.raises(GraphError, match="can't retain_grad on Tensor that has requires_grad=False"):
        minigrad.ones(1).retain_grad()


def test_hooks_and_grad():
    x = leaf(2.0)
    y = x * 3
    y.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: g + 1)
    assert grad(y.sum(), [x], retain_graph=True)[0].tolist() == [7.0]
    assert grad(y.sum(), [y], retain_graph=True)[0].tolist() == [2.0]


# ---------------------------------------------------------------- exceptions leave things in order


class Exploding(Op):
    __slots__ = ()

    def backward(self, gy):
        raise ZeroDivisionError("inside backward")


def test_an_exception_in_backward_or_a_hook_passes_and_the_next_step_works():
    def raising(g):
        raise ZeroDivisionError("inside a hook")

    x = leaf(1.0)
    y = x * 2
    handle = y.register_hook(raising)
    with pytest.raises(ZeroDivisionError, match="inside a hook"):
        y.sum().backward(retain_graph=True)
    handle.remove()
    assert minigrad.is_grad_enabled()
    node = Exploding()
    node.saved = None
    z = minigrad.ones(1, dtype=minigrad.float64)
    node.record((x,), (z,))
    with pytest.raises(ZeroDivisionError, match="inside backward"):
        z.backward()
    assert minigrad.is_grad_enabled()
    y.sum().backward()
    assert x.grad.tolist() == [2.0]


# ---------------------------------------------------------------- anomaly mode


def test_anomaly_mode_names_the_forward_line():
    x = leaf(-1.0)
    with minigrad.autograd.detect_anomaly():
        y = x.sqrt()  # the culprit
        with pytest.raises(GraphError) as caught:
            y.sum().backward()
    assert "SqrtBackward0' returned nan values in its 0th output" in str(caught.value)
    assert "the culprit" in str(caught.value)
    x.sqrt().sum().backward()  # off again
    assert np.isnan(x.grad.item())


def test_set_detect_anomaly():
    x = leaf(-1.0)
    minigrad.autograd.set_detect_anomaly(True)
    with pytest.raises(GraphError, match="returned nan"):
        x.sqrt().sum().backward()
    with minigrad.autograd.set_detect_anomaly(False):
        x.sqrt().sum().backward()
    with pytest.raises(GraphError, match="returned nan"):
        x.log().sqrt().sum().backward()
    minigrad.autograd.set_detect_anomaly(False)
    x.log().sqrt().sum().backward()


# ---------------------------------------------------------------- leaves, detach, requires_grad


def test_detach_shares_memory_and_stops_gradients():
    x = leaf(1.0, 2.0)
    d = x.detach()
    assert not d.requires_grad and d.is_leaf
    with minigrad.no_grad():
        d[0] = 5.0
    assert x.tolist() == [5.0, 2.0]
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [5.0, 2.0]
    y = x * 2
    assert not y.detach_().requires_grad and y.grad_fn is None


def test_requires_grad_may_not_be_taken_from_what_was_computed():
    y = leaf(1.0) * 2
    with pytest.raises(GraphError, match="you can only change requires_grad flags of leaf variables"):
        y.requires_grad_(False)
    x = leaf(1.0)
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_only_floating_tensors_require_grad():
    with pytest.raises(
        minigrad.DtypeError, match="Only Tensors of floating point and complex dtype can require gradients"
    ):
        minigrad.tensor([1], requires_grad=True)
    with pytest.raises(RuntimeError, match="Only Tensors of floating point"):
        minigrad.tensor([True]).requires_grad_()


def test_integers_and_comparisons_carry_no_gradient():
    x = leaf(1.0, -2.0)
    for y in (x > 0, x.argmax(), x.long(), x.bool(), x.sign() > 0, x // 2 == 1):
        assert not y.requires_grad
    (x * (x > 0)).sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]


def test_a_cast_differentiates_back():
    x = minigrad.ones(2, requires_grad=True)
    (x.double() * 3).sum().backward()
    assert x.grad.dtype is minigrad.float32 and x.grad.tolist() == [3.0, 3.0]


def test_next_functions_lead_to_the_leaves():
    x = leaf(1.0)
    node = (x * 2 + 1).grad_fn
    assert type(node).__name__ == "Add"
    ((inner, number), *_) = node.next_functions
    assert type(inner).__name__ == "Mul" and number == 0
    assert array(x).tolist() == [1.0]


def test_sums_of_gradients_overflow_silently():
    """As in PyTorch: inf, and no warning, within the graph and in a leaf's .grad."""
    x = minigrad.tensor([3e38], requires_grad=True)
    for _ in range(2):
        (x * 3e38 / 3e38 + x * 3e38 / 3e38).backward(minigrad.tensor([3e38]))
    assert float(x.grad) == float("inf")
