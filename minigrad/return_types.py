"""What operations with several results return: named tuples that print their fields line by line, as PyTorch's do.

`KINDS["sort"]` is the class of sort's result; `minigrad.return_types.sort` is the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.size import Size


class ValuesIndices(NamedTuple):
    """Elements along a dimension, and where they stand."""

    values: Any
    indices: Any


class MinMax(NamedTuple):
    """The smallest and the largest element."""

    min: Any
    max: Any


class Histogram(NamedTuple):
    """Counts and the edges between them."""

    hist: Any
    bin_edges: Any


class Frexp(NamedTuple):
    """input = mantissa * 2 ** exponent"""

    mantissa: Any
    exponent: Any


class SLogDet(NamedTuple):
    """det = sign * exp(logabsdet)"""

    sign: Any
    logabsdet: Any


class QR(NamedTuple):
    """A = Q @ R"""

    Q: Any
    R: Any


class Eigh(NamedTuple):
    """Eigenvalues, and eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


class SVD(NamedTuple):
    """A = U @ diag(S) @ Vh"""

    U: Any
    S: Any
    Vh: Any


class OldSVD(NamedTuple):
    """A = U @ diag(S) @ V.T"""

    U: Any
    S: Any
    V: Any


def _shown(result: Any) -> str:
    lines = ",\n".join(f"{field}={value!r}" for field, value in zip(result._fields, result, strict=True))
    return f"{Size.library}.return_types.{type(result).__name__}(\n{lines})"


_BASES: dict[type, str] = {
    ValuesIndices: "cummax cummin kthvalue max median min mode nanmedian sort topk",
    MinMax: "aminmax",
    Histogram: "histogram",
    Frexp: "frexp",
    SLogDet: "linalg_slogdet slogdet",
    QR: "linalg_qr qr",
    Eigh: "linalg_eigh",
    SVD: "linalg_svd",
    OldSVD: "svd",
}

KINDS: dict[str, Any] = {
    name: type(name, (base,), {"__slots__": (), "__repr__": _shown, "__doc__": base.__doc__, "__module__": __name__})
    for base, names in _BASES.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    try:
        return KINDS[name]
    except KeyError:
        raise AttributeError(f"module 'minigrad.return_types' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(KINDS)
