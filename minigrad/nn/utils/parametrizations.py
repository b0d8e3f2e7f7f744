"""Ready-made parametrizations: weights with a length of their own, of spectral norm 1, or orthogonal.

Sources: Salimans and Kingma, "Weight normalization" (2016); Miyato et al., "Spectral normalization for generative
adversarial networks" (2018); Lezcano-Casado and Martinez-Rubio, "Cheap orthogonal constraints in neural networks" (2019).
"""

from __future__ import annotations

from typing import Any

from minigrad.autograd.grad_mode import no_grad
from minigrad.creation import eye, randn, zeros_like
from minigrad.dtypes import finfo
from minigrad.errors import DtypeError, ShapeError
from minigrad.nn.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from minigrad.nn.module import Module
from minigrad.nn.utils.parametrize import register_parametrization
from minigrad.ops.householder import geqrf, householder_product
from minigrad.ops.inverse import solve
from minigrad.ops.join import cat
from minigrad.ops.linalg import matrix_exp
from minigrad.ops.matmul import dot, mv
from minigrad.ops.nn_distance import normalize
from minigrad.ops.nn_weight import norm_except, weight_normed
from minigrad.tensor import Tensor


class _WeightNorm(Module):
    """weight = g * v / |v|"""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_normed(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Length and direction of a weight."""
        return norm_except(weight, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Train a weight's length (per slice of `dim`; of the whole for None) and its direction apart.

    They are `parametrizations.weight.original0` and `original1`. A state_dict of the older nn.utils.weight_norm fits, too.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def from_older(state_dict: Any, prefix: str, *_: Any) -> None:
        old, new = [f"{prefix}{name}_{part}" for part in "gv"], f"{prefix}parametrizations.{name}.original"
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{new}{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(from_older)
    return module


class _SpectralNorm(Module):
    """weight / its largest singular value, which a power iteration follows while the module trains."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.array.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim, self.eps = dim % ndim, eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = self._matrix(weight)
                for name, size in zip(("_u", "_v"), matrix.array.shape, strict=True):
                    self.register_buffer(name, normalize(matrix.new_empty(size).normal_(0, 1), dim=0, eps=eps))
                self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        rows = weight if self.dim == 0 else weight.movedim(self.dim, 0)
        return rows.flatten(1)

    def _iterate(self, matrix: Tensor, count: int) -> None:
        with no_grad():
            for _ in range(count):
                self._u = normalize(mv(matrix, self._v), dim=0, eps=self.eps)
                self._v = normalize(mv(matrix.t(), self._u), dim=0, eps=self.eps)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.array.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        return weight / dot(self._u, mv(matrix, self._v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself: it may well have spectral norm 1 already."""
        return value


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight by its largest singular value, seen as a matrix whose rows are the slices of `dim`.

    Raises:
        ValueError: if the module has no such weight, or the number of iterations is not positive.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = int(isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)))
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.array.shape[-2:]
    gram = (q if n >= k else q.mT).mT @ (q if n >= k else q.mT)
    tolerance = 10 * max(n, k) * finfo(q.dtype).eps
    return bool(((gram - eye(min(n, k), dtype=q.dtype, device=q.device)).abs() <= tolerance).all())


def _make_orthogonal(a: Tensor) -> Tensor:
    """The Q of a QR decomposition in which R has no negative numbers on its diagonal."""
    packed, tau = geqrf(a)
    return householder_product(packed, tau) * packed.diagonal(0, -2, -1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows, if it is wide) from one without restrictions."""

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise DtypeError("The householder parametrization does not support complex tensors.")
        self.shape = weight.array.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        n, k = x.array.shape[-2:]
        wide = n < k
        if wide:
            x, n, k = x.mT, k, n
        q = self._reflected(x) if self.orthogonal_map == "householder" else self._rotated(x, n, k)
        base = getattr(self, "base", None)
        if base is not None:
            q = base @ q
        return q.mT if wide else q

    def _reflected(self, x: Tensor) -> Tensor:
        vectors = x.tril(-1)
        tau = 2.0 / (1.0 + (vectors * vectors).sum(-2))
        return householder_product(vectors, tau) * x.diagonal(0, -2, -1).sgn().unsqueeze(-2)

    def _rotated(self, x: Tensor, n: int, k: int) -> Tensor:
        """The exponential of a skew-symmetric matrix, or Cayley's (I + A/2)^-1 (I - A/2)."""
        lower = x.tril()
        if n != k:  # a square one, of which the first columns are used
            lower = cat([lower, x.new_zeros(*x.array.shape[:-2], n, n - k)], -1)
        skew = lower - lower.mT
        if self.orthogonal_map == "matrix_exp":
            q = matrix_exp(skew)
        else:
            unit = eye(n, dtype=x.dtype, device=x.device)
            q = solve(unit - 0.5 * skew, unit + 0.5 * skew)
        return q[..., :k] if n != k else q

    def right_inverse(self, value: Tensor) -> Tensor:
        """A matrix from which forward makes `value`: remembered as a base, or in the reflections themselves."""
        if value.array.shape != self.shape:
            raise ShapeError(
                f"Expected a matrix or batch of matrices of shape {list(self.shape)}. "
                f"Got a tensor of shape {list(value.array.shape)}."
            )
        n, k = value.array.shape[-2:]
        wide = n < k
        q = value.mT if wide else value
        if "base" not in self._buffers:
            return self._packed(q, wide)
        if n == k:
            q = q.clone() if _is_orthogonal(q) else _make_orthogonal(q)
        else:
            rest = randn(*q.array.shape[:-2], max(n, k), max(n, k) - min(n, k), dtype=q.dtype, device=q.device)
            q = _make_orthogonal(cat([q, rest], -1))
        self.base = q
        start = zeros_like(value)
        start.diagonal(0, -2, -1).fill_(-1.0)
        return start

    def _packed(self, q: Tensor, wide: bool) -> Tensor:
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when use_trivialization=False."
            )
        packed, tau = geqrf(q)
        diagonal = packed.diagonal(0, -2, -1)
        diagonal.sign_()
        diagonal[tau == 0] *= -1
        return packed.mT if wide else packed


def orthogonal(
    module: Any, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Any:
    """Keep the matrices of a weight orthogonal (their columns orthonormal; their rows, if they are wide).

    Arguments:
        orthogonal_map: "matrix_exp" (the default for square ones), "cayley" or "householder" (the default for others).
        use_trivialization: keep the present value as a base from which the map starts, so that any value can be assigned.

    Raises:
        ValueError: if there is no such weight, it has fewer than two dimensions, or the map is none of these.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.array.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.array.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.array.shape[-1] == weight.array.shape[-2]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
