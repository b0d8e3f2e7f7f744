"""Linear algebra: decompositions, inverses and what follows from them, of matrices and stacks of matrices.

Derivatives are those of Giles, "Collected Matrix Derivative Results for Forward and Reverse Mode Algorithmic
Differentiation" (2008), said with operations, so that they can be differentiated again.
"""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import ShapeError
from minigrad.ops.arithmetic import add, div, mul, neg, sub
from minigrad.ops.base import Array, Grads, Nary, Tensor, Unary, Variable, backend_of, wrap
from minigrad.ops.extreme import amax, amin, norm
from minigrad.ops.inverse import check_matrix, inv, mT, product, solve, solved
from minigrad.ops.join import cat
from minigrad.ops.logic import where
from minigrad.ops.matmul import diagonal, matmul
from minigrad.ops.matrices import diag_embed, tril, triu
from minigrad.ops.reduce import sum
from minigrad.ops.scan import prod
from minigrad.ops.shape import movedim, narrow, reshape, squeeze, unsqueeze
from minigrad.return_types import KINDS


class Cholesky(Unary):
    """The lower triangle L with L @ L.T = A."""

    __slots__ = ()
    keeps = False
    keeps_output = True

    def forward(self, x: Array) -> Array:
        return solved("cholesky", lambda: backend_of(x).xp.linalg.cholesky(x))

    def backward(self, gy: Tensor) -> Grads:
        factor = self.output()
        inverse = inv(factor)
        inner = tril(product(mT(factor), gy))
        inner = sub(inner, mul(0.5, diag_embed(diagonal(inner, 0, -2, -1))))
        g = product(product(mT(inverse), inner), inverse)
        return mul(add(g, mT(g)), 0.5)


class EighOp(Nary):
    """Eigenvalues and eigenvectors of symmetric matrices, from the lower triangle."""

    __slots__ = ()

    def forward(self, x: Array) -> tuple[Array, Array]:
        values, vectors = solved("eigh", lambda: backend_of(x).xp.linalg.eigh(x))
        return values, vectors

    def backward(self, gw: Tensor, gv: Tensor) -> Grads:
        (x,) = self.inputs
        values, vectors = eigh(x)
        inner = diag_embed(gw) if gw is not None else None
        if gv is not None:
            gaps = sub(unsqueeze(values, -2), unsqueeze(values, -1))
            safe = where(_on_diagonal(gaps), float("inf"), gaps)
            turned = div(product(mT(vectors), gv), safe)
            inner = turned if inner is None else add(inner, turned)
        g = product(product(vectors, inner), mT(vectors))
        return mul(add(g, mT(g)), 0.5)


def _on_diagonal(x: Tensor) -> Tensor:
    return wrap(backend_of(x.array).xp.eye(x.array.shape[-1], dtype=bool))


class SVDOp(Nary):
    """U, S, Vh with U @ diag(S) @ Vh = A, all of the smaller size."""

    __slots__ = ()

    def forward(self, x: Array) -> tuple[Array, Array, Array]:
        u, s, vh = solved("svd", lambda: backend_of(x).xp.linalg.svd(x, full_matrices=False))
        return u, s, vh

    def backward(self, gu: Tensor, gs: Tensor, gvh: Tensor) -> Grads:
        u, s, vh = svd(self.inputs[0], False)
        v = mT(vh)
        squares = mul(s, s)
        gaps = sub(unsqueeze(squares, -2), unsqueeze(squares, -1))
        safe = where(_on_diagonal(gaps), float("inf"), gaps)
        row, column = unsqueeze(s, -2), unsqueeze(s, -1)
        inner = diag_embed(gs) if gs is not None else None
        rest = None
        if gu is not None:
            turned = product(mT(u), gu)
            part = mul(div(sub(turned, mT(turned)), safe), row)
            inner = part if inner is None else add(inner, part)
            rest = product(sub(gu, product(u, turned)), mul(mT(v), div(1.0, column)))
        if gvh is not None:
            gv = mT(gvh)
            turned = product(mT(v), gv)
            part = mul(column, div(sub(turned, mT(turned)), safe))
            inner = part if inner is None else add(inner, part)
            outside = product(mul(u, div(1.0, row)), mT(sub(gv, product(v, turned))))
            rest = outside if rest is None else add(rest, outside)
        g = product(product(u, inner), vh)
        return g if rest is None else add(g, rest)


class QROp(Nary):
    """Q with orthonormal columns and an upper triangle R with Q @ R = A, for matrices not wider than high."""

    __slots__ = ()

    def forward(self, x: Array) -> tuple[Array, Array]:
        q, r = solved("qr", lambda: backend_of(x).xp.linalg.qr(x, mode="reduced"))
        return q, r

    def backward(self, gq: Tensor, gr: Tensor) -> Grads:
        q, r = qr(self.inputs[0])
        m = None
        if gr is not None:
            m = product(r, mT(gr))
        if gq is not None:
            part = product(mT(gq), q)
            m = neg(part) if m is None else sub(m, part)
        lower = tril(m, -1)
        symmetric = add(add(lower, mT(lower)), diag_embed(diagonal(m, 0, -2, -1)))
        g = product(q, symmetric)
        if gq is not None:
            g = add(gq, g)
        return mT(solve(r, mT(g)))


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangle L with L @ L.T = A for symmetric positive-definite matrices (its transpose if `upper`)."""
    check_matrix("cholesky", A, True)
    factor = Cholesky().apply(A)
    return mT(factor) if upper else factor


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """Eigenvalues in ascending order and eigenvectors (columns) of symmetric matrices."""
    check_matrix("eigh", A, True)
    return KINDS["linalg_eigh"](*EighOp().apply(A if UPLO == "L" else mT(A)))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Eigenvalues of symmetric matrices in ascending order."""
    return eigh(A, UPLO).eigenvalues


def svd(A: Tensor, full_matrices: bool = True) -> Any:
    """U, S, Vh with A = U @ diag(S) @ Vh; the gradient is that of the reduced form."""
    check_matrix("svd", A)
    if full_matrices and A.array.shape[-1] != A.array.shape[-2]:
        if A.tracked:
            raise ShapeError("linalg.svd: derivatives need full_matrices=False")
        return KINDS["linalg_svd"](*[wrap(v) for v in backend_of(A.array).xp.linalg.svd(A.array)])
    return KINDS["linalg_svd"](*SVDOp().apply(A))


def svdvals(A: Tensor) -> Tensor:
    """Singular values, the largest first."""
    return svd(A, False).S


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """Q, R with A = Q @ R."""
    check_matrix("qr", A)
    m, n = A.array.shape[-2:]
    if mode not in ("reduced", "complete", "r"):
        raise ShapeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    if mode == "complete" and m > n:
        if A.tracked:
            raise ShapeError("linalg.qr: derivatives need mode='reduced'")
        return KINDS["linalg_qr"](*[wrap(v) for v in backend_of(A.array).xp.linalg.qr(A.array, mode="complete")])
    if m < n:  # the leading square part decides Q; the rest of R follows
        q, r = QROp().apply(narrow(A, -1, 0, m))
        r = cat([r, matmul(mT(q), narrow(A, -1, m, n - m))], -1)
    else:
        q, r = QROp().apply(A)
    return KINDS["linalg_qr"](A.new_zeros((0,)) if mode == "r" else q, r)


def slogdet(A: Tensor) -> Any:
    """The sign and the logarithm of the size of determinants."""
    check_matrix("slogdet", A, True)
    signs, _ = backend_of(A.array).xp.linalg.slogdet(A.array)
    return KINDS["linalg_slogdet"](wrap(backend_of(A.array).xp.asarray(signs)), LogAbsDet().apply(A))


class LogAbsDet(Unary):
    """log|det A|"""

    __slots__ = ()

    def forward(self, x: Array) -> Array:
        return backend_of(x).xp.linalg.slogdet(x)[1]

    def backward(self, gy: Tensor) -> Grads:
        return mul(unsqueeze(unsqueeze(gy, -1), -1), mT(inv(self.inputs[0])))


class Det(Unary):
    """det A; the gradient is the matrix of cofactors, from the singular values, so singular matrices have one, too."""

    __slots__ = ()

    def forward(self, x: Array) -> Array:
        return backend_of(x).xp.linalg.det(x)

    def backward(self, gy: Tensor) -> Grads:
        (x,) = self.inputs
        u, s, vh = svd(x, False)
        n = x.array.shape[-1]
        others = where(wrap(backend_of(x.array).xp.eye(n, dtype=bool)), 1.0, unsqueeze(s, -2))
        turned = wrap(sign_of_det(u.array) * sign_of_det(vh.array))
        cofactors = product(mul(u, unsqueeze(prod(others, -1), -2)), vh)
        return mul(unsqueeze(unsqueeze(mul(gy, turned), -1), -1), cofactors)


def sign_of_det(x: Array) -> Array:
    """The determinants of orthogonal matrices: 1 or -1."""
    xp = backend_of(x).xp
    return xp.asarray(xp.sign(xp.linalg.det(x)), dtype=x.dtype)


def det(A: Tensor) -> Tensor:
    """The determinants of square matrices."""
    check_matrix("det", A, True)
    return Det().apply(A)


def logdet(input: Tensor) -> Tensor:
    """The logarithm of determinants: nan if they are negative, -inf if they are 0."""
    signs, size = slogdet(input)
    return where(wrap(signs.array == -1), float("nan"), size)


def pinv(A: Tensor, *, atol: float | None = None, rtol: float | None = None, hermitian: bool = False) -> Tensor:
    """The pseudo-inverse of Moore and Penrose; singular values up to max(atol, rtol * the largest) count as 0."""
    check_matrix("pinv", A)
    u, s, vh = svd(A, False)
    if rtol is None:
        rtol = 0.0 if atol else max(A.array.shape[-2:]) * dtypes.finfo(dtypes.of(A.array)).eps
    top = s.array.max(-1, keepdims=True) if s.array.shape[-1] else s.array
    kept = wrap(s.array > backend_of(s.array).xp.maximum(atol or 0.0, rtol * top))
    inverse = where(kept, div(1.0, where(kept, s, 1.0)), 0.0)
    return product(mul(mT(vh), unsqueeze(inverse, -2)), mT(u))


def matrix_rank(
    A: Tensor, *, atol: Any = None, rtol: Any = None, hermitian: bool = False, tol: float | None = None
) -> Tensor:
    """How many singular values are above max(atol, rtol * the largest): not 0 but for rounding."""
    check_matrix("matrix_rank", A)
    s = svd(A.detach(), False).S.array
    xp = backend_of(s).xp
    atol, rtol = (v.array[..., None] if isinstance(v, Variable) else v for v in (tol if atol is None else atol, rtol))
    if rtol is None:
        rtol = 0.0 if atol is not None else max(A.array.shape[-2:]) * dtypes.finfo(dtypes.of(s)).eps
    top = s.max(-1, keepdims=True) if s.shape[-1] else 0.0
    return wrap(xp.asarray((s > xp.maximum(0.0 if atol is None else atol, rtol * top)).sum(-1)))


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of a tensor's elements, or along dimensions."""

    return norm(x, ord, dim, keepdim, dtype)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A norm of matrices: "fro", "nuc", inf, -inf, 1, -1, 2 or -2."""
    if ord == "fro":
        return norm(A, 2, tuple(dim), keepdim, dtype)
    x = movedim(A, tuple(dim), (-2, -1))
    if ord in ("nuc", 2, -2):
        s = svd(x, False).S
        y = sum(s, -1) if ord == "nuc" else amax(s, -1) if ord == 2 else amin(s, -1)
    elif abs(ord) in (1, float("inf")):
        sums = sum(abs(x), -2 if abs(ord) == 1 else -1)
        y = (amax if ord > 0 else amin)(sums, -1)
    else:
        raise ShapeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if not keepdim:
        return y
    axes = {d % A.array.ndim for d in dim}
    return reshape(y, tuple(1 if i in axes else n for i, n in enumerate(A.array.shape)))


def linalg_norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """A vector's or a matrix's norm: the flat 2-norm without ord, a matrix norm over two dimensions, else a vector norm."""
    if isinstance(dim, int):
        dim = (dim,)
    if ord is not None and ((dim is not None and len(dim) == 2) or (dim is None and A.array.ndim == 2)):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def multi_dot(tensors: Any) -> Tensor:
    """The product of several matrices, of which the first and the last may be vectors."""
    y = tensors[0]
    for m in tensors[1:]:
        y = matmul(y, m)
    return y


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A @ X = B for triangular matrices, of which only that triangle is read."""
    check_matrix("solve_triangular", A, True)
    a = triu(A) if upper else tril(A)
    if unitriangular:
        a = where(_on_diagonal(A), 1.0, a)
    return solve(a, B, left=left)


def matrix_exp(A: Tensor) -> Tensor:
    """exp of square matrices: Taylor's series of order 18 after halving (Moler and Van Loan, 2003)."""
    check_matrix("matrix_exp", A, True)
    size = float(abs(A.array).sum(-1).max()) if A.array.size else 0.0
    halvings = 0
    while size > 0.5:
        size, halvings = size / 2, halvings + 1
    x = div(A, 2.0**halvings)
    unit = wrap(backend_of(A.array).xp.eye(A.array.shape[-1], dtype=A.array.dtype))
    y = add(mul(x, 0.0), unit)
    for k in range(18, 0, -1):
        y = add(unit, div(product(x, y), float(k)))
    for _ in range(halvings):
        y = product(y, y)
    return y


def lstsq(A: Tensor, B: Tensor) -> Tensor:
    """X that makes the sum of squares of A @ X - B smallest."""
    vector = B.array.ndim == 1
    x = product(pinv(A), unsqueeze(B, -1) if vector else B)
    return squeeze(x, -1) if vector else x


def matrix_power(input: Tensor, n: int) -> Tensor:
    """A square matrix (or a stack of them) to the n-th power; of its inverse, if n is negative."""
    if input.array.ndim < 2 or input.array.shape[-1] != input.array.shape[-2]:
        raise ShapeError(
            f"linalg.matrix_power: A must be batches of square matrices, but they are {list(input.array.shape)}"
        )
    if n < 0:
        input, n = inv(input), -n
    result = None
    while n:
        if n & 1:
            result = input if result is None else matmul(result, input)
        n >>= 1
        if n:
            input = matmul(input, input)
    if result is None:
        unit = backend_of(input.array).xp.eye(input.array.shape[-1], dtype=input.array.dtype)
        return add(mul(input, 0), wrap(unit))
    return result
