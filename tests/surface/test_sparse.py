"""Sparse tensors' constructors and products: the values and gradients are PyTorch's, the layout is dense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import minigrad

pytestmark = pytest.mark.filterwarnings("ignore:.*[Ss]parse.*")
PLACES = [[0, 1, 1, 1], [2, 0, 2, 2]]


def results(lib: Any) -> list[Any]:
    values = lib.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    a = lib.sparse_coo_tensor(lib.tensor(PLACES), values, (2, 3))
    b = lib.tensor([[1.0, -1.0], [0.5, 2.0], [3.0, 0.0]], requires_grad=True)
    y = lib.sparse.mm(a, b)
    (y * y).sum().backward()
    old = lib.sparse.FloatTensor(lib.tensor(PLACES), lib.tensor([1.0, 2.0, 3.0, 4.0]), lib.Size([3, 4]))
    hybrid = lib.sparse_coo_tensor(PLACES, [[1.0, 2.0]] * 4)
    return [
        y, values.grad, b.grad, a.coalesce().to_dense(), lib.spmm(a, b), lib.matmul(a, b), a.t() @ lib.ones(2, 2),
        old.to_dense(), hybrid.to_dense(), lib.eye(2).to_sparse().to_dense(),
        lib.sparse_coo_tensor(PLACES, [1, 2, 3, 4], dtype=lib.float64).to_dense(),
    ]  # fmt: skip


def test_values_and_gradients() -> None:
    for ours, theirs in zip(results(minigrad), results(torch), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)
        assert str(ours.dtype).rpartition(".")[2] == str(theirs.dtype).rpartition(".")[2]


@pytest.mark.parametrize("lib", [minigrad, torch])
def test_parts_that_do_not_fit(lib: Any) -> None:
    with pytest.raises(RuntimeError, match="sparse_dim x nnz"):
        lib.sparse_coo_tensor(lib.tensor([0, 1]), lib.tensor([1.0, 2.0]), (2, 2))
    with pytest.raises(RuntimeError, match="same nnz"):
        lib.sparse_coo_tensor(lib.tensor(PLACES), lib.tensor([1.0, 2.0]), (2, 3))


def test_it_is_dense() -> None:
    assert not minigrad.eye(2).to_sparse().is_sparse
    assert minigrad.eye(2).to_dense(dtype=minigrad.float64).dtype is minigrad.float64
