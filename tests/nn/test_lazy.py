"""Lazy layers become what PyTorch's become, with the same weights."""

from __future__ import annotations

import numpy as np
import pytest
from both import PLACES, evaluate

LAYERS = [
    ("nn.LazyLinear(4)", (2, 3)),
    ("nn.LazyLinear(4, bias=False)", (2, 5, 3)),
    ("nn.LazyConv1d(4, 3, padding=1)", (2, 3, 6)),
    ("nn.LazyConv2d(4, 3, stride=2, groups=2)", (2, 6, 6, 5)),
    ("nn.LazyConv3d(4, 2, bias=False)", (1, 3, 3, 4, 2)),
    ("nn.LazyConvTranspose1d(4, 3)", (2, 3, 6)),
    ("nn.LazyConvTranspose2d(4, 3, stride=2)", (2, 3, 6, 5)),
    ("nn.LazyConvTranspose3d(4, 2)", (1, 3, 2, 2, 2)),
    ("nn.LazyBatchNorm1d()", (4, 3)),
    ("nn.LazyBatchNorm2d(affine=False)", (4, 3, 2, 2)),
    ("nn.LazyBatchNorm3d(momentum=0.3)", (4, 3, 2, 2, 2)),
]


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize(("build", "shape"), LAYERS)
def test_lazy(build, shape):
    made = []
    for place in PLACES:
        place.t.manual_seed(0)
        m = evaluate(place, build)
        before = repr(m)
        held = list(m.parameters())
        y = m(place.t.randn(*shape))
        assert [id(p) for p in m.parameters()] == [id(p) for p in held]
        made.append((before, repr(m), y.detach().numpy(), {k: v.numpy() for k, v in m.state_dict().items()}))
    (b1, r1, y1, s1), (b2, r2, y2, s2) = made
    assert b1 == b2
    assert r1 == r2
    np.testing.assert_allclose(y2, y1, 1e-5, 1e-6)
    assert list(s1) == list(s2)
    for name in s1:
        np.testing.assert_allclose(s2[name], s1[name], 1e-5, 1e-6)
    assert type(m).__name__ == build[7 : build.index("(")]


def test_lazy_loads_a_state_dict():
    import minigrad

    full, lazy = minigrad.nn.Linear(3, 4), minigrad.nn.LazyLinear(4)
    assert repr(lazy.weight) == "<UninitializedParameter>"
    lazy.load_state_dict(full.state_dict())
    np.testing.assert_array_equal(lazy.weight.detach().numpy(), full.weight.detach().numpy())
