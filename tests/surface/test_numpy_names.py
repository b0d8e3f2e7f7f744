"""axis= and keepdims= stand for dim= and keepdim=, wherever PyTorch's own operations take them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch

import minigrad

CALLS = """
t.sum(x, axis=1) ; x.sum(axis=(0, 1)) ; x.sum(axis=0, keepdims=True) ; x.sum(0, keepdims=True) ; x.mean(axis=-1) ; t.mean(x, axis=0)
x.max(axis=1)[1] ; t.min(x, axis=1, keepdims=True)[0] ; x.argmax(axis=1) ; t.argmin(x, axis=0) ; x.amax(axis=1) ; x.std(axis=1)
t.var(x, axis=1, unbiased=False) ; x.prod(axis=0) ; x.softmax(axis=1) ; t.log_softmax(x, axis=0) ; t.softmax(input=x, axis=1)
x.logsumexp(axis=1, keepdims=True) ; t.logsumexp(x, axis=0) ; x.cumsum(axis=1) ; t.cumprod(x, axis=0) ; x.all(axis=0) ; t.any(x, axis=1)
t.cat([x, x], axis=1) ; t.concat((x, x), axis=0) ; t.stack([x, x], axis=2) ; t.concatenate([x, x], axis=1) ; x.chunk(2, axis=1)[0]
t.unbind(x, axis=1)[0] ; x.squeeze(axis=0) ; t.unsqueeze(x, axis=0) ; x.unsqueeze(axis=-1) ; x.sort(axis=0)[0] ; t.argsort(x, axis=1)
x.topk(2, axis=1)[0] ; t.median(x, axis=1)[0] ; x.quantile(0.5, axis=0) ; x.index_select(axis=1, index=i) ; t.select(x, axis=0, index=1)
t.narrow(x, axis=1, start=0, length=2) ; x.diff(axis=1) ; t.count_nonzero(x, axis=0) ; x.gather(axis=1, index=i[None]) ; x.nansum(axis=1)
t.linalg.norm(x, axis=1) ; t.linalg.vector_norm(x, 2, 1, keepdim=True) ; t.sum(x, axis=1, out=t.empty(2))
"""


@pytest.mark.parametrize("call", [c.strip() for line in CALLS.strip().splitlines() for c in line.split(";")])
def test_numpys_names(call: str) -> None:
    def result(t: Any) -> Any:
        x = t.tensor([[3.0, -1.0, 2.0], [0.5, 4.0, 1.0]])
        return eval(call, {"t": t, "x": x, "i": t.tensor([0, 1])}).numpy()

    np.testing.assert_allclose(result(minigrad), result(torch), rtol=1e-6)


@pytest.mark.parametrize("call", [lambda x: x.softmax(), lambda x: x.gather(axis=0), lambda x: minigrad.unsqueeze(x)])
def test_what_is_missing_is_said(call: Any) -> None:
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: '(dim|index)'"):
        call(minigrad.ones(2))


def test_signatures_are_those_of_the_operations() -> None:
    assert list(inspect.signature(minigrad.Tensor.softmax).parameters)[:2] == ["input", "dim"]
    assert minigrad.sum.__doc__ and minigrad.Tensor.sum.__name__ == "sum"
