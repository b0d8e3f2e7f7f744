"""autocast's regions: which type products are computed in, per thread and kind of device, and what is never lowered.

Source of the lists: PyTorch's page on automatic mixed precision, under "ops that autocast to float32".
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, ClassVar, NamedTuple

LOSSES = (
    "binary_cross_entropy_with_logits cosine_embedding_loss hinge_embedding_loss huber_loss kl_div l1_loss margin_ranking_loss "
    "multi_margin_loss multilabel_margin_loss nll_loss poisson_nll_loss smooth_l1_loss soft_margin_loss triplet_margin_loss"
)
CPU = (
    "adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d binary_cross_entropy cdist cholesky ctc_loss fractional_max_pool2d "
    "fractional_max_pool3d geqrf grid_sample inverse max_pool3d max_unpool2d max_unpool3d nanquantile pinverse prod qr "
    "quantile svd trace "
)
CUDA = (
    "acos asin cdist cosh cosine_similarity cumprod cumsum dist erfinv exp expm1 group_norm interpolate layer_norm log log10 "
    "log1p log2 log_softmax logsumexp norm pdist pow prod reciprocal renorm rsqrt sinh softmax softplus sum tan "
)
FULL: dict[str, frozenset[str]] = {
    "cpu": frozenset((CPU + LOSSES).split()),
    "cuda": frozenset((CUDA + LOSSES).split()),
}


class Region(NamedTuple):
    """One thread's autocast: per kind of device NumPy's type (None: off) and the last one named; weights cast already."""

    low: dict[str, Any]
    named: dict[str, Any]
    cast: dict[int, Any] | None


here: ContextVar[Region | None] = ContextVar("minigrad_autocast", default=None)


class Regions:
    """How many regions are open in all threads: while there is none, nobody looks further."""

    open: ClassVar[int] = 0
