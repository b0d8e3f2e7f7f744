"""Orthogonal matrices as products of reflections: the form in which a QR decomposition finds them.

Source: Golub and Van Loan, "Matrix Computations", on Householder vectors in factored form.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops.arithmetic import mul, sub
from minigrad.ops.base import Tensor, backend_of, wrap
from minigrad.ops.matmul import matmul
from minigrad.ops.matrices import tril
from minigrad.ops.shape import unsqueeze


def geqrf(input: Tensor) -> tuple[Tensor, Tensor]:
    """A QR decomposition in LAPACK's packed form: (*, M, N) -> a (*, M, N), tau (*, min(M, N)).

    R is the upper triangle of `a`; below it stand the vectors whose reflections multiply to Q: see householder_product.
    """
    if input.array.ndim < 2:
        raise ShapeError(f"torch.geqrf: input must have at least 2 dimensions, but got {list(input.array.shape)}")
    backend = backend_of(input.array)
    packed, tau = np.linalg.qr(backend.to_numpy(input.array), mode="raw")
    rows = np.ascontiguousarray(np.swapaxes(packed, -1, -2))
    return wrap(backend.from_numpy(rows)), wrap(backend.from_numpy(np.ascontiguousarray(tau)))


def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first N columns of H_1 H_2 ... H_K, with H_i = I - tau_i v_i v_i^T: (*, M, N), (*, K) -> (*, M, N)

    v_i is column i of A below its diagonal, 1 on it and 0 above.

    Raises:
        ShapeError: if there are more columns than rows, or more reflections than columns.
    """
    *_, m, n = A.array.shape if A.array.ndim >= 2 else (0, 0)
    count = tau.array.shape[-1] if tau.array.ndim else 0
    if A.array.ndim < 2 or m < n:
        raise ShapeError(
            f"householder_product: input.shape[-2] must be greater than or equal to input.shape[-1], but got {m}, {n}"
        )
    if count > n:
        raise ShapeError(
            f"householder_product: input.shape[-1] must be greater than or equal to tau.shape[-1], but got {n}, {count}"
        )
    unit: Any = wrap(backend_of(A.array).xp.eye(m, n, dtype=A.array.dtype))
    vectors = tril(A, -1) + unit
    product = unit.expand(A.array.shape)
    for i in reversed(range(count)):
        v = vectors[..., :, i : i + 1]
        scale = unsqueeze(unsqueeze(tau[..., i], -1), -1)
        product = sub(product, mul(scale, matmul(v, matmul(v.mT, product))))
    return product
