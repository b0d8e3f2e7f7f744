"""Which element types an operation refuses, where it would compute something: those for which PyTorch has no kernel.

Read by `minigrad/ops/checked.py`, for what users call. A type is one letter, NumPy's character of it.
"""

from __future__ import annotations

BOOL = "?"
LONG = "lq"  # int64, under either of its names in C
BYTE = "B"  # uint8
WHOLE = "bhiHILQ" + LONG + BYTE
NARROW = "eE"  # float16, bfloat16

# The names of the operations that refuse a set of types.
TABLE: dict[str, str] = {
    BOOL: "addcmul corrcoef cov cumulative_trapezoid hardtanh index_reduce isin kthvalue max_pool1d max_pool3d median mvlgamma "
    "nanmedian relu6 threshold topk trace trapezoid bucketize",
    BOOL + BYTE: "gradient",
    BOOL + WHOLE: "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d "
    "adaptive_max_pool3d batch_norm binary_cross_entropy frac gaussian_nll_loss glu grid_sample group_norm "
    "hardshrink huber_loss hypot igamma igammac instance_norm kl_div layer_norm lerp logaddexp logaddexp2 logcumsumexp "
    "max_unpool1d max_unpool2d max_unpool3d nextafter nll_loss prelu smooth_l1_loss soft_margin_loss softshrink",
    BOOL + "bhiHI" + BYTE: "avg_pool3d conv_transpose1d conv_transpose2d conv_transpose3d",
    BOOL + WHOLE + NARROW: "cdist ctc_loss histogram pdist multi_margin_loss multilabel_margin_loss",
    NARROW: "zeta ndtri log_ndtr erfcx bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0 modified_bessel_i1 "
    "modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0 "
    "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w hermite_polynomial_h "
    "hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t "
    "shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w",
}
REFUSED: dict[str, str] = {name: types for types, names in TABLE.items() for name in names.split()}

# These are computed in the common type of their first two tensors.
COMMON = "gaussian_nll_loss hypot igamma igammac logaddexp logaddexp2 nextafter smooth_l1_loss"
PROMOTING = frozenset(COMMON.split())

# These look at the type only where there is something to compute.
NOTHING = "adaptive_avg_pool1d batch_norm cdist histogram pdist"
EMPTY = frozenset(NOTHING.split())

# What is computed in float32 when it comes in half precision, and rounded once: as PyTorch's kernels do.
ROUNDED_ONCE = (
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d addbmm addmm addmv addr avg_pool1d avg_pool2d avg_pool3d "
    "baddbmm conv_transpose1d conv_transpose2d conv_transpose3d cumprod cumsum dist gelu group_norm index_reduce instance_norm "
    "interpolate layer_norm logcumsumexp rms_norm scatter_reduce tensordot upsample_bilinear"
)
WIDENED = frozenset(ROUNDED_ONCE.split())
