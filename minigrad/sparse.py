"""Sparse tensors' constructors and products. Elements are held densely: there is no sparse layout here.

What is computed with them, and every gradient, is the same; only memory and the printed form are a dense tensor's.
"""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.creation import as_tensor, zeros
from minigrad.errors import ShapeError
from minigrad.ops.activation import log_softmax, softmax
from minigrad.ops.base import Tensor, cast
from minigrad.ops.matmul import addmm, matmul, mm
from minigrad.ops.reduce import sum
from minigrad.ops.writes import index_put


def sparse_coo_tensor(
    indices: Any,
    values: Any,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> Tensor:
    """A tensor of zeros and the given values, added up where places come twice, as a dense tensor.

    indices (D, NNZ), values (NNZ, ...) -> (size)

    Raises:
        ShapeError: if indices have no two dimensions, or not as many columns as there are values.
    """
    places = as_tensor(indices, device=device)
    held = as_tensor(values, device=device)
    if dtype is not None:
        held = cast(held, dtypes.as_numpy(dtype, "sparse_coo_tensor"))
    if places.array.ndim != 2:
        raise ShapeError(f"indices must be sparse_dim x nnz, but got: {list(places.array.shape)}")
    if held.array.ndim == 0 or len(held.array) != places.array.shape[1]:
        raise ShapeError(
            f"indices and values must have same nnz, but got nnz from indices: {places.array.shape[1]}, "
            f"nnz from values: {list(held.array.shape)[:1]}"
        )
    rows = list(places.unbind(0))
    if size is None:
        size = [int(row.array.max()) + 1 if row.array.size else 0 for row in rows] + list(held.array.shape[1:])
    y = index_put(zeros(size, dtype=held.dtype, device=held.device), tuple(rows), held, accumulate=True)
    return y.requires_grad_() if requires_grad else y


def spmm(input: Tensor, mat2: Tensor) -> Tensor:
    """(M, K) @ (K, N) -> (M, N), or @ (K,) -> (M,)"""
    return matmul(input, mat2)


def coalesce(input: Tensor) -> Tensor:
    """The tensor itself: no place is held twice."""
    return input


def to_dense(input: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """The tensor itself, which is dense already; in another element type if one is given."""
    return input if dtype is None else cast(input, dtypes.as_numpy(dtype, "to_dense"))


def to_sparse(input: Tensor, sparse_dim: int | None = None) -> Tensor:
    """The tensor itself: it stays dense."""
    return input


class FloatTensor:
    """The older sparse_coo_tensor, of float32."""

    def __new__(cls, indices: Any, values: Any, size: Any = None) -> Any:
        return sparse_coo_tensor(indices, values, size, dtype=dtypes.float32)


class DoubleTensor:
    """The older sparse_coo_tensor, of float64."""

    def __new__(cls, indices: Any, values: Any, size: Any = None) -> Any:
        return sparse_coo_tensor(indices, values, size, dtype=dtypes.float64)


__all__ = [
    "DoubleTensor", "FloatTensor", "addmm", "coalesce", "log_softmax", "mm", "softmax", "sparse_coo_tensor", "spmm", "sum",
    "to_dense", "to_sparse",
]  # fmt: skip
