"""minigrad.special: special functions under the names of torch.special."""

from typing import Any

from minigrad.ops import activation, elementwise, extreme, logic, pointwise, special
from minigrad.ops.checked import checked
from minigrad.ops.out import with_out

_PLACES = {
    activation: "log_softmax softmax expit=sigmoid",
    elementwise: "expm1 log1p",
    logic: "round",
    pointwise: "exp2 logit sinc xlog1py xlogy",
    extreme: "logsumexp",
    special: "bessel_j0 bessel_j1 bessel_y0 bessel_y1 digamma entr erf erfc erfcx erfinv i0 i0e i1 i1e log_ndtr "
    "modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 ndtr ndtri polygamma "
    "scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0 zeta "
    "gammainc=igamma gammaincc=igammac gammaln=lgamma multigammaln=mvlgamma psi=digamma",
}
_NAMES = {
    word.partition("=")[0]: (module, word.rpartition("=")[2])
    for module, words in _PLACES.items()
    for word in words.split()
}
_KINDS = ("chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w")
_POLYNOMIALS = {
    *_KINDS,
    *(f"shifted_{name}" for name in _KINDS),
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        module, theirs = _NAMES[name]
        found = checked(getattr(module, theirs))
    elif name in _POLYNOMIALS:
        found = checked(special.polynomial(name), name)
    else:
        raise AttributeError(f"module 'minigrad.special' has no attribute {name!r}")
    rule = "same" if name.endswith("softmax") else "cast"
    globals()[name] = found = with_out(name, found, rule, __name__)
    return found


def __dir__() -> list[str]:
    return sorted({*_NAMES, *_POLYNOMIALS})
