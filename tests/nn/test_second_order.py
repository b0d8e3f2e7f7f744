"""First and second derivatives of the operations that minigrad.nn adds, by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.autograd import gradcheck, gradgradcheck

CALLS = {
    "leaky_relu": (lambda a: F.leaky_relu(a, 0.2), [(3, 4)]),
    "elu": (lambda a: F.elu(a, 0.7), [(3, 4)]),
    "celu": (lambda a: F.celu(a, 0.7), [(3, 4)]),
    "selu": (F.selu, [(3, 4)]),
    "gelu": (F.gelu, [(3, 4)]),
    "gelu_tanh": (lambda a: F.gelu(a, "tanh"), [(3, 4)]),
    "silu": (F.silu, [(3, 4)]),
    "mish": (F.mish, [(3, 4)]),
    "softplus": (lambda a: F.softplus(a, 2), [(3, 4)]),
    "logsigmoid": (F.logsigmoid, [(3, 4)]),
    "hardswish": (lambda a: F.hardswish(a * 3), [(3, 4)]),
    "hardtanh": (F.hardtanh, [(3, 4)]),
    "layer_norm": (lambda a, w, b: F.layer_norm(a, (4,), w, b), [(3, 4), (4,), (4,)]),
    "group_norm": (lambda a, w: F.group_norm(a, 2, w), [(2, 4, 3), (4,)]),
    "rms_norm": (lambda a, w: F.rms_norm(a, (4,), w), [(3, 4), (4,)]),
    "conv1d": (lambda a, w, b: F.conv1d(a, w, b, 2, 1), [(2, 2, 6), (3, 2, 3), (3,)]),
    "conv3d": (lambda a, w: F.conv3d(a, w, None, 1, 1), [(1, 2, 2, 3, 2), (2, 2, 2, 2, 2)]),
    "conv_transpose2d": (lambda a, w, b: F.conv_transpose2d(a, w, b, 2, 1, 1), [(1, 2, 2, 3), (2, 2, 3, 3), (2,)]),
    "conv_transpose3d": (lambda a, w: F.conv_transpose3d(a, w, None, 2, 1), [(1, 1, 2, 2, 2), (1, 2, 3, 2, 2)]),
    "pad_reflect": (lambda a: F.pad(a, (1, 2), "reflect"), [(1, 2, 4)]),
    "pad_circular": (lambda a: F.pad(a, (1, 2), "circular"), [(1, 2, 4)]),
    "pad_replicate": (lambda a: F.pad(a, (1, 2, 3, 0), "replicate"), [(1, 2, 3, 4)]),
    "bilinear_up": (lambda a: F.interpolate(a, scale_factor=1.5, mode="bilinear"), [(1, 2, 3, 4)]),
    "bicubic": (lambda a: F.interpolate(a, size=(5, 3), mode="bicubic"), [(1, 1, 3, 4)]),
    "nearest": (lambda a: F.interpolate(a, size=(5, 3)), [(1, 2, 3, 4)]),
    "adaptive_avg": (lambda a: F.adaptive_avg_pool2d(a, (2, 3)), [(1, 2, 3, 4)]),
    "adaptive_max": (lambda a: F.adaptive_max_pool2d(a, (2, 3)), [(1, 2, 3, 4)]),
    "max_pool3d": (lambda a: F.max_pool3d(a, 2), [(1, 1, 2, 4, 2)]),
    "embedding": (lambda w: F.embedding(minigrad.tensor([[0, 2], [2, 1]]), w), [(3, 2)]),
    "attention": (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), [(1, 3, 2)] * 3),
    "bce": (lambda a, b: F.binary_cross_entropy(a.sigmoid(), b.sigmoid()), [(3, 2), (3, 2)]),
    "bce_logits": (lambda a, b: F.binary_cross_entropy_with_logits(a, b), [(3, 2), (3, 2)]),
    "smooth_l1": (F.smooth_l1_loss, [(3, 2), (3, 2)]),
    "prelu": (F.prelu, [(2, 3, 2), (3,)]),
    "bilinear": (F.bilinear, [(2, 3), (2, 2), (2, 3, 2)]),
    "glu": (F.glu, [(3, 4)]),
    "cosine_similarity": (F.cosine_similarity, [(3, 2), (3, 2)]),
}


def draw(shapes):
    """Values away from the kinks at 0, 1 and -1."""
    rng = np.random.default_rng(0)
    made = []
    for shape in shapes:
        values = rng.uniform(0.2, 0.8, shape) + rng.integers(0, 2, shape)
        values *= rng.choice([-1, 1], shape)
        made.append(minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True))
    return made


@pytest.mark.parametrize("name", CALLS)
def test_derivatives(name):
    function, shapes = CALLS[name]
    inputs = draw(shapes)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrence(kind):
    minigrad.manual_seed(0)
    layer = getattr(minigrad.nn, kind)(2, 3, bidirectional=True).double()

    x = draw([(3, 2, 2)])[0]
    assert gradcheck(lambda x: layer(x)[0], [x])
    assert gradgradcheck(lambda x: layer(x)[0], [x])
