"""Matrix products, and the diagonals of stacks of matrices."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.arithmetic import add, mul
from minigrad.ops.base import (
    Array,
    Grads,
    Nary,
    Tensor,
    Unary,
    Variable,
    View,
    backend_of,
    cast,
    check_same_dtype,
    device_error,
    low_type,
    normal_axis,
    not_tensor,
    wrap,
)
from minigrad.ops.logic import where
from minigrad.ops.reduce import sum
from minigrad.ops.shape import reshape, sum_to_size, transpose, unsqueeze
from minigrad.ops.titles import shown


class MatMul(Nary):
    """a @ b for stacks of matrices, broadcast: (..., M, K) @ (..., K, N) -> (..., M, N)"""

    __slots__ = ()
    precision = "low"

    @property
    def name(self) -> str:
        """PyTorch's name for a product of two matrices, of two stacks of them, or of more."""
        rank = self.inputs[0].array.ndim if self.inputs else 0
        return {2: "Mm", 3: "Bmm"}.get(rank, "MatMul")

    def forward(self, a: Array, b: Array) -> Array:
        return backend_of(a).matmul(a, b)

    def backward(self, gy: Tensor) -> Grads:
        a, b = self.inputs
        return (
            self.needs[0] and sum_to_size(_product(gy, transpose(b, -1, -2)), a.array.shape),
            self.needs[1] and sum_to_size(_product(transpose(a, -1, -2), gy), b.array.shape),
        )


class Linear(Nary):
    """x @ w.T + b: x (M, I), w (O, I), b (O,) or None -> (M, O)"""

    __slots__ = ()
    torch_name = "Addmm"
    precision = "low"

    def forward(self, x: Array, w: Array, b: Array | None) -> Array:
        return backend_of(x).linear(x, w, b)

    def backward(self, gy: Tensor) -> Grads:
        x, w, _ = self.inputs
        return (
            self.needs[0] and _product(gy, w),
            self.needs[1] and _product(transpose(gy, 0, 1), x),
            self.needs[2] and sum(gy, 0),
        )


default_linear: type[Linear] = Linear  # what linear() applies; fusion puts its own here


def _product(a: Tensor, b: Tensor) -> Tensor:
    return MatMul().apply(a, b)


def _checked(op: str, a: Tensor, b: Tensor) -> None:
    for name, v in (("input", a), ("other", b)):
        if not isinstance(v, Variable):
            raise TypeError(f"{op}(): argument '{name}' must be Tensor, not {type(v).__name__}")
    if a.array.__class__ is not b.array.__class__:
        raise device_error(a.array, b.array)
    if a.array.dtype.kind == "b" and a.array.size and b.array.size:
        raise DtypeError(f'{op}(): "{op}" not implemented for bool')
    if a.array.dtype != b.array.dtype and low_type(a) is None:
        raise DtypeError(
            f"{op}(): expected mat1 and mat2 to have the same dtype, but got: {dtypes.of(a.array)} != {dtypes.of(b.array)}"
        )


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product; vectors are rows on the left and columns on the right; stacks are broadcast.

    Raises:
        ShapeError: if the inner sizes differ.
    """
    _checked("matmul", input, other)
    a, b = input.array.shape, other.array.shape
    if not a or not b:
        raise ShapeError(f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D")
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        if len(a) == 1 and len(b) == 1:
            raise ShapeError(
                f"inconsistent tensor size, expected tensor {list(a)} and src {list(b)} to have the same number of elements"
            )
        rows, inner = (1 if len(a) == 1 else a[-2]), a[-1]
        right = f"{b[-2]}x{b[-1]}" if len(b) > 1 else f"{b[0]}x1"
        raise ShapeError(f"mat1 and mat2 shapes cannot be multiplied ({rows}x{inner} and {right})")
    for i, (m, n) in enumerate(zip(a[:-2][::-1], b[:-2][::-1], strict=False)):
        if m != n and 1 not in (m, n):
            at = max(len(a), len(b)) - 3 - i
            raise ShapeError(
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension {at}"
            )
    left = unsqueeze(input, 0) if len(a) == 1 else input
    right_ = unsqueeze(other, 1) if len(b) == 1 else other
    if len(b) == 2 and len(a) > 2:  # one large product instead of many small ones
        y = reshape(
            _product(reshape(left, (-1, a[-1]) if input.array.size else (_rows(a), a[-1])), right_), (*a[:-1], b[1])
        )
    else:
        y = _product(left, right_)
    if len(a) == 1 or len(b) == 1:
        shape = list(y.array.shape)
        if len(b) == 1:
            del shape[-1]
        if len(a) == 1:
            del shape[-1 if len(b) == 1 else -2]
        y = reshape(y, shape)
    return y


def _rows(shape: tuple[int, ...]) -> int:
    count = 1
    for n in shape[:-1]:
        count *= n
    return count


def _of_rank(op: str, rank: int, **tensors: Tensor) -> None:
    for name, v in tensors.items():
        if v.array.ndim != rank:
            raise ShapeError(
                f"{op}(): argument '{name}' must be a {rank}-D tensor, but got shape {list(v.array.shape)}"
            )


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """(M, K) @ (K, N) -> (M, N)"""
    _of_rank("mm", 2, input=input, mat2=mat2)
    return matmul(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """(B, M, K) @ (B, K, N) -> (B, M, N)"""
    _of_rank("bmm", 3, input=input, mat2=mat2)
    a, b = input.array.shape, mat2.array.shape
    if (a[0], a[2]) != (b[0], b[1]):
        raise ShapeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{a[0]}, {a[2]}] but got: [{b[0]}, {b[1]}]."
        )
    _checked("bmm", input, mat2)
    return shown(_product(input, mat2), "BmmBackward0")


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """(M, K) @ (K,) -> (M,)"""
    _of_rank("mv", 2, input=input)
    _of_rank("mv", 1, vec=vec)
    return shown(matmul(input, vec), "MvBackward0")


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """(K,) . (K,) -> ()"""
    if input.array.ndim != 1 or tensor.array.ndim != 1:
        raise ShapeError(f"1D tensors expected, but got {input.array.ndim}D and {tensor.array.ndim}D tensors")
    return shown(matmul(input, tensor), "DotBackward0")


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """(M,), (N,) -> (M, N): every product."""
    _of_rank("outer", 1, input=input, vec2=vec2)
    return mul(reshape(input, (-1, 1)), vec2)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: (..., I), (O, I), (O,) -> (..., O)

    Raises:
        ShapeError: if the inner sizes differ.
        DtypeError: if element types differ: nothing is cast silently.
    """
    try:
        x, w = input.array, weight.array
    except AttributeError as error:
        raise not_tensor("linear", error, input=input, weight=weight) from error
    if x.dtype is not w.dtype or x.__class__ is not w.__class__:
        _checked("linear", input, weight)
    if w.ndim == 1:
        y = matmul(input, weight)
        return y if bias is None else add(y, bias)
    if w.ndim != 2:
        raise ShapeError(f"linear(): weight must be a 1-D or 2-D tensor, but got shape {list(w.shape)}")
    if not x.ndim or x.shape[-1] != w.shape[1]:
        rows = _rows(x.shape) if x.ndim else 1
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.shape[-1] if x.ndim else 1} and {w.shape[1]}x{w.shape[0]})"
        )
    if bias is not None:
        if not isinstance(bias, Variable):
            raise TypeError(f"linear(): argument 'bias' (position 3) must be Tensor, not {type(bias).__name__}")
        if bias.array.dtype is not w.dtype:
            check_same_dtype("linear", ("weight", "bias"), w, bias.array)
        if bias.array.shape != (w.shape[0],):
            raise ShapeError(f"linear(): expected bias of shape [{w.shape[0]}], but got {list(bias.array.shape)}")
    if x.ndim == 2:
        return default_linear().apply(input, weight, bias)
    y = default_linear().apply(reshape(input, (_rows(x.shape), x.shape[-1])), weight, bias)
    return reshape(y, (*x.shape[:-1], w.shape[0]))


def scaled(op: str, beta: Any, input: Tensor, alpha: Any, product: Tensor) -> Tensor:
    """beta * input + alpha * product; without the input where beta is 0, so that its NaNs do not count."""
    if input.array.dtype.kind in "iub":  # the factors have the tensors' type, too
        if input.array.dtype.kind == "b" and op != "addr" and not {beta, alpha} <= {0, 1}:
            raise DtypeError(f"{op}(): beta={beta} and alpha={alpha} cannot be cast to the desired output type bool")
        beta, alpha = (int(beta), int(alpha)) if input.array.dtype.kind != "b" else (bool(beta), bool(alpha))
    if input.array.dtype != product.array.dtype and op != "addr":
        check_same_dtype(op, ("input", "the product"), input.array, product.array)
        input = cast(input, product.array.dtype)  # autocast has lowered the product
    if input.array.ndim > product.array.ndim:
        raise ShapeError(
            f"{op}(): argument 'input' of size {list(input.array.shape)} cannot be expanded to {list(product.array.shape)}"
        )
    product = product if alpha == 1 else mul(product, alpha)
    if beta == 0:
        return add(where(wrap(input.array != input.array), False, mul(input, False)), product)
    return add(input if beta == 1 else mul(input, beta), product)


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2)"""
    return shown(scaled("addmm", beta, input, alpha, mm(mat1, mat2)), "AddmmBackward0")


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * bmm(batch1, batch2)"""
    return shown(scaled("baddbmm", beta, input, alpha, bmm(batch1, batch2)), "BaddbmmBackward0")


class Diagonal(View):
    """The diagonal of two axes, put last: offset, first axis, second axis."""

    __slots__ = ("before",)

    def forward(self, x: Array) -> Array:
        self.before = x.shape
        y = x.diagonal(*self.args)
        if getattr(x.flags, "writeable", False):  # NumPy's diagonal is read-only
            y.flags.writeable = True
        return y

    def backward(self, gy: Tensor) -> Grads:
        offset, first, second = self.args
        return DiagonalEmbed(offset, first, second, self.before).apply(gy)


class DiagonalEmbed(Unary):
    """Zeros with a diagonal written: the adjoint of Diagonal."""

    __slots__ = ("first", "offset", "second", "shape")
    keeps = False

    def __init__(self, offset: int, first: int, second: int, shape: tuple[int, ...]) -> None:
        self.offset, self.first, self.second, self.shape = offset, first, second, shape

    def forward(self, x: Array) -> Array:
        xp = backend_of(x).xp
        y = xp.zeros(self.shape, x.dtype)
        moved = xp.moveaxis(y, (self.first, self.second), (-2, -1))
        steps = xp.arange(x.shape[-1])
        moved[..., steps + max(-self.offset, 0), steps + max(self.offset, 0)] = x
        return y

    def backward(self, gy: Tensor) -> Grads:
        return Diagonal(self.offset, self.first, self.second).apply(gy)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The elements whose two indices differ by `offset`, as the last dimension."""
    ndim = input.array.ndim
    a, b = normal_axis("diagonal", dim1, ndim), normal_axis("diagonal", dim2, ndim)
    if a == b:
        raise ShapeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return Diagonal(offset, a, b).apply(input)
