"""Inverses and linear systems, and what all of linear algebra checks first."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import neg
from minigrad.ops.base import Array, Grads, Nary, Tensor, Unary, backend_of
from minigrad.ops.matmul import MatMul
from minigrad.ops.shape import squeeze, transpose, unsqueeze


class LinAlgError(RuntimeError):
    """A matrix that has no inverse, no Cholesky factor or no such decomposition."""


def mT(x: Tensor) -> Tensor:
    """The last two dimensions exchanged."""
    return transpose(x, -1, -2)


def product(a: Tensor, b: Tensor) -> Tensor:
    return MatMul().apply(a, b)


def check_matrix(op: str, x: Tensor, square: bool = False) -> None:
    """Whether this is a stack of floating matrices, square ones if asked.

    Raises:
        ShapeError, DtypeError: if not.
    """
    shape = x.array.shape
    if len(shape) < 2:
        raise ShapeError(f"linalg.{op}: The input tensor A must have at least 2 dimensions.")
    if square and shape[-1] != shape[-2]:
        raise ShapeError(
            f"linalg.{op}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices"
        )
    if x.array.dtype.kind != "f" or x.array.dtype.itemsize < 4:
        raise DtypeError(f"linalg.{op}: Expected a floating point tensor as input, but got {dtypes.of(x.array)}")


def solved(op: str, compute: Any) -> Any:
    """Run NumPy's linear algebra, with its errors in our words."""
    try:
        return compute()
    except Exception as error:
        if type(error).__name__ == "LinAlgError":
            raise LinAlgError(f"linalg.{op}: {error}") from error
        raise


class Inverse(Unary):
    """A**-1"""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def forward(self, x: Array) -> Array:
        return solved("inv", lambda: backend_of(x).xp.linalg.inv(x))

    def backward(self, gy: Tensor) -> Grads:
        y = mT(self.output())
        return neg(product(product(y, gy), y))


def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices.

    Raises:
        LinAlgError: if there is none.
    """
    check_matrix("inv", A, True)
    return Inverse().apply(A)


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A @ X = B (X @ A = B unless `left`); B may be a vector or a stack of vectors.

    Raises:
        LinAlgError: if A has no inverse.
    """
    check_matrix("solve", A, True)
    vector = B.array.ndim == 1 or (B.array.ndim == A.array.ndim - 1 and B.array.shape == A.array.shape[:-1])
    b = unsqueeze(B, -1) if vector else B
    x = Solve().apply(A, b) if left else mT(Solve().apply(mT(A), mT(b)))
    return squeeze(x, -1) if vector else x


class Solve(Nary):
    """A**-1 @ B"""

    __slots__ = ()

    def forward(self, a: Array, b: Array) -> Array:
        return solved("solve", lambda: backend_of(a).xp.linalg.solve(a, b))

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        gb = Solve().apply(mT(a), gy)
        ga = self.needs[0] and neg(product(gb, mT(Solve().apply(a, b))))
        return (
            ga is not False and ga.sum_to_size(a.array.shape),
            self.needs[1] and gb.sum_to_size(b.array.shape),
        )
