"""The norm of vectors, of whole tensors, and the nuclear one of matrices."""

from __future__ import annotations

from typing import Any

from minigrad.errors import ShapeError
from minigrad.ops.base import Tensor, normal_axes
from minigrad.ops.extreme import norm as vector_norm
from minigrad.ops.linalg import matrix_norm


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm along dimensions: (sum |x|**p) ** (1/p); "fro" is 2, inf the largest, 0 counts what is not 0.

    "nuc" is the sum of a matrix's singular values.

    Raises:
        ShapeError: for the nuclear norm of anything but matrices, or an unknown name of a norm.
    """
    if p != "nuc":
        return vector_norm(input, p, dim, keepdim, dtype)
    axes = normal_axes("norm", dim, input.array.ndim)
    if len(axes) != 2:
        raise ShapeError(
            f"norm(): the nuclear norm is that of matrices: expected two dimensions, but got {list(input.array.shape)} along {dim}"
        )
    return matrix_norm(input, "nuc", axes, keepdim, dtype=dtype)
