"""nn.init draws PyTorch's numbers; nn.utils does what PyTorch's does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from both import PLACES, compare, evaluate

import minigrad

INITS = [
    "uniform_(w, -0.3, 0.7)",
    "normal_(w, 0.5, 2.0)",
    "constant_(w, 0.3)",
    "ones_(w)",
    "zeros_(w)",
    "xavier_uniform_(w, gain=1.3)",
    "xavier_normal_(w)",
    "kaiming_uniform_(w, nonlinearity='relu')",
    "kaiming_normal_(w, mode='fan_out', a=0.3)",
    "uniform_(w, generator=g)",
    "kaiming_normal_(w, generator=g)",
]


@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3, 2)])
@pytest.mark.parametrize("text", INITS)
def test_bit_for_bit(text, shape):
    drawn = []
    for place in PLACES:
        place.t.manual_seed(5)
        g = place.t.Generator()
        g.manual_seed(9)
        w = place.nn.Parameter(place.t.empty(shape))
        result = evaluate(place, "nn.init." + text, w=w, g=g)
        assert result is w
        drawn.append(w.detach().numpy())
    np.testing.assert_array_equal(drawn[1], drawn[0])


NEAR = ["orthogonal_(w)", "orthogonal_(w, gain=0.5)", "trunc_normal_(w)", "trunc_normal_(w, 1.0, 2.0, 0.0, 1.5)"]


@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (4, 3, 2)])
@pytest.mark.parametrize("text", NEAR)
def test_near(text, shape):
    drawn = []
    for place in PLACES:
        place.t.manual_seed(5)
        w = place.t.empty(shape)
        evaluate(place, "nn.init." + text, w=w)
        drawn.append(w.numpy())
    np.testing.assert_allclose(drawn[1], drawn[0], 1e-5, 1e-5)


@pytest.mark.parametrize(
    ("text", "shape"),
    [("eye_(w)", (3, 5)), ("dirac_(w)", (3, 4, 3)), ("dirac_(w, 2)", (4, 2, 3, 3)), ("sparse_(w, 0.4)", (5, 4))],
)
def test_patterns(text, shape):
    drawn = []
    for place in PLACES:
        place.t.manual_seed(5)
        w = place.t.empty(shape)
        evaluate(place, "nn.init." + text, w=w)
        drawn.append(w.numpy())
    np.testing.assert_array_equal(drawn[1], drawn[0])


@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gain(name):
    assert minigrad.nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


def gradients(place, seed=0):
    place.t.manual_seed(seed)
    net = place.nn.Linear(3, 4)
    (net(place.t.randn(5, 3)) ** 2).sum().backward()
    return net


@pytest.mark.parametrize("options", ["1.0", "2.0, norm_type=1", "0.5, norm_type=inf", "1e6"])
def test_clip_grad_norm(options):
    results = []
    for place in PLACES:
        net = gradients(place)
        total = evaluate(place, f"nn.utils.clip_grad_norm_(net.parameters(), {options})", net=net)
        results.append([total.numpy(), *(p.grad.numpy() for p in net.parameters())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, 1e-5)


def test_clip_grad_norm_refuses_nan_if_asked():
    for place in PLACES:
        net = gradients(place)
        net.weight.grad.fill_(float("nan"))
        with pytest.raises(RuntimeError, match="is non-finite, so it cannot be clipped"):
            place.nn.utils.clip_grad_norm_(net.parameters(), 1.0, error_if_nonfinite=True)


def test_clip_grad_value():
    theirs, ours = (gradients(place) for place in PLACES)
    for net, place in zip((theirs, ours), PLACES, strict=True):
        place.nn.utils.clip_grad_value_(net.parameters(), 0.5)
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), 1e-6)
    assert float(ours.weight.grad.abs().max()) == 0.5


def test_parameters_as_a_vector():
    net = minigrad.nn.Linear(3, 2)
    vector = minigrad.nn.utils.parameters_to_vector(net.parameters())
    assert vector.shape == (8,)
    minigrad.nn.utils.vector_to_parameters(minigrad.arange(8.0), net.parameters())
    assert net.weight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert net.bias.tolist() == [6, 7]


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
@pytest.mark.parametrize("build", ["nn.Linear(3, 4)", "nn.Conv2d(2, 3, 3)"])
def test_weight_norm(build):
    call = "m(x(2, 3))" if "Linear" in build else "m(x(2, 2, 5, 4))"
    compare(f"nn.utils.weight_norm({build})", call)
    compare(f"nn.utils.weight_norm({build}, dim=None)", call)
    for place in PLACES:
        m = evaluate(place, f"nn.utils.remove_weight_norm(nn.utils.weight_norm({build}))")
        assert sorted(dict(m.named_parameters())) == ["bias", "weight"]
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found in"):
        minigrad.nn.utils.remove_weight_norm(minigrad.nn.Linear(1, 1))


RNN = "nn.utils.rnn."
PACKED = [
    (RNN + "pad_sequence([x(4, 2), x(1, 2), x(3, 2)])"),
    (RNN + "pad_sequence([x(4), x(1)], batch_first=True, padding_value=7.0, padding_side='left')"),
    ("tuple(" + RNN + "pack_padded_sequence(x(5, 3, 2), [5, 2, 1]))[:2]"),
    ("tuple(" + RNN + "pack_padded_sequence(x(3, 5, 2), t.tensor([2, 5, 1]), True, enforce_sorted=False))"),
    (
        RNN
        + "pad_packed_sequence("
        + RNN
        + "pack_padded_sequence(x(5, 3, 2), [1, 3, 2], enforce_sorted=False), total_length=4)"
    ),
    (RNN + "unpack_sequence(" + RNN + "pack_sequence([x(4, 2), x(1, 2)]))"),
]


@pytest.mark.parametrize("call", PACKED)
def test_packing(call):
    compare("", call)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("options", ["", ", 2, bidirectional=True"])
@pytest.mark.parametrize("lengths", ["[5, 3, 3, 1]", "[2, 5, 1, 5]"])
def test_recurrence_over_packed_batches(kind, options, lengths):
    compare(
        f"nn.{kind}(2, 3{options})",
        f"(lambda y, h: (y.data, h))(*m({RNN}pack_padded_sequence(x(5, 4, 2), {lengths}, enforce_sorted=False)))",
    )


def test_packing_refuses():
    for text, message in (
        ("pack_padded_sequence(t.ones(3, 2), [1, 2])", "must be sorted in decreasing order"),
        ("pack_padded_sequence(t.ones(3, 2), [1, 0])", "Length of all samples has to be greater than 0"),
        ("pack_padded_sequence(t.ones(3, 2), [1])", "Expected `len(lengths)` to be equal to batch_size"),
    ):
        for place in PLACES:
            with pytest.raises(Exception) as caught:
                evaluate(place, RNN + text)
            assert message in str(caught.value)
