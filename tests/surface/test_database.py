"""Every operation of PyTorch's own database: forward, gradient and second gradient on all its samples.

The list is honest: an operation that starts to agree, or to exist, must leave them.
"""

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")

import database
from expected import DIFFERENT

COUNTED = [name for name, op in database.OPERATIONS.items() if database.counts(op)]
PRESENT = [name for name in COUNTED if database.resolve(database.OPERATIONS[name].name) is not None]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PRESENT)
def test_agrees_on_every_sample(name):
    if name in DIFFERENT:
        with pytest.raises(database.Disagreement):
            database.check(name, second=True)
    else:
        database.check(name, second=True)


def test_at_least_as_many_agree_as_we_say():
    differentiable = [n for n in PRESENT if n not in DIFFERENT and database.OPERATIONS[n].supports_autograd]
    assert len({database.OPERATIONS[n].name for n in differentiable}) >= 250
    assert set(DIFFERENT) <= set(PRESENT)


def test_a_wrong_gradient_is_found(monkeypatch):
    import minigrad

    class Wrong(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, gy):
            return gy * ctx.saved_tensors[0].cos() * 1.01

    monkeypatch.setitem(database.SPELLING, "sin", Wrong.apply)
    with pytest.raises(database.Disagreement, match="gradient 0"):
        database.check("sin")
    monkeypatch.setitem(database.SPELLING, "sin", lambda x: x.sin() * 1.01)
    with pytest.raises(database.Disagreement, match="output 0"):
        database.check("sin")
