"""minigrad.linalg: linear algebra under the names of torch.linalg."""

from typing import Any, NamedTuple

from minigrad.ops import linalg as _linalg
from minigrad.ops.householder import householder_product
from minigrad.ops.inverse import LinAlgError, inv, solve
from minigrad.ops.linalg import (
    cholesky,
    det,
    eigh,
    eigvalsh,
    matrix_exp,
    matrix_norm,
    matrix_power,
    matrix_rank,
    multi_dot,
    pinv,
    qr,
    slogdet,
    solve_triangular,
    svd,
    svdvals,
    vector_norm,
)
from minigrad.ops.linalg import linalg_norm as norm
from minigrad.ops.matmul import diagonal as _diagonal
from minigrad.ops.matmul import matmul
from minigrad.ops.matrices import cross as _cross
from minigrad.ops.matrices import vander
from minigrad.ops.numpy_names import renamed as _renamed
from minigrad.ops.out import with_out as _with_out
from minigrad.ops.reduce import sum as _sum


class LeastSquares(NamedTuple):
    """What lstsq returns; only the solution is computed."""

    solution: Any


def lstsq(A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """X that makes the sum of squares of A @ X - B smallest."""
    return LeastSquares(_linalg.lstsq(A, B))


def cross(input: Any, other: Any, *, dim: int = -1) -> Any:
    """The cross product of vectors of length 3 along a dimension."""
    return _cross(input, other, dim)


def diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The elements whose two indices differ by `offset`, as the last dimension."""
    return _diagonal(A, offset, dim1, dim2)


def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """Sums of products of vectors along a dimension."""
    return _sum(x * y, dim)


for _rule, _names in (
    ("same", "cholesky cross det eigvalsh inv matmul matrix_norm matrix_power multi_dot norm qr solve "
     "solve_triangular svdvals vecdot vector_norm"),
    ("cast", "householder_product matrix_rank pinv"),
):  # fmt: skip
    for _name in _names.split():
        globals()[_name] = _renamed(_with_out(_name, globals()[_name], _rule, __name__))

__all__ = [
    "LeastSquares", "LinAlgError", "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "householder_product", "inv", "lstsq",
    "matmul",
    "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve",
    "solve_triangular", "svd", "svdvals", "vander", "vecdot", "vector_norm",
]  # fmt: skip
