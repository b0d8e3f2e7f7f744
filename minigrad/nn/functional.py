"""The doors: every operation of neural networks as a function, under PyTorch's name."""

from __future__ import annotations

from minigrad.ops.activation import sigmoid, tanh
from minigrad.ops.checked import checked
from minigrad.ops.conv import fold, unfold
from minigrad.ops.fused import conv2d, linear, max_pool2d
from minigrad.ops.loss import cross_entropy, mse_loss, nll_loss
from minigrad.ops.nn_activation import (
    celu,
    elu,
    gelu,
    glu,
    gumbel_softmax,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    prelu,
    relu6,
    rrelu,
    selu,
    silu,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)  # fmt: skip
from minigrad.ops.nn_activation import log_softmax_nn as log_softmax
from minigrad.ops.nn_activation import relu_nn as relu
from minigrad.ops.nn_activation import softmax_nn as softmax
from minigrad.ops.nn_attention import multi_head_attention_forward, scaled_dot_product_attention
from minigrad.ops.nn_conv import conv1d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from minigrad.ops.nn_ctc import ctc_loss
from minigrad.ops.nn_distance import bilinear, cosine_similarity, normalize, one_hot, pairwise_distance, pdist
from minigrad.ops.nn_dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)  # fmt: skip
from minigrad.ops.nn_embedding import embedding, embedding_bag
from minigrad.ops.nn_fractional import (
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)
from minigrad.ops.nn_grid import affine_grid, grid_sample
from minigrad.ops.nn_inplace import celu_, elu_, hardtanh_, leaky_relu_, relu_, rrelu_, selu_, threshold_
from minigrad.ops.nn_linear_loss import linear_cross_entropy
from minigrad.ops.nn_loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)  # fmt: skip
from minigrad.ops.nn_norm import group_norm, instance_norm, layer_norm, rms_norm
from minigrad.ops.nn_pad import pad
from minigrad.ops.nn_pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    avg_pool1d,
    avg_pool3d,
    local_response_norm,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool3d,
)  # fmt: skip
from minigrad.ops.nn_resize import (
    channel_shuffle,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from minigrad.ops.norm import batch_norm
from minigrad.ops.pool import avg_pool2d, max_unpool2d

# Arguments are checked before all but those whose time counts in small networks: these look at their arguments themselves.
OPEN = "checked sigmoid tanh relu conv2d linear max_pool2d cross_entropy mse_loss log_softmax softmax relu_"
for _name, _function in list(globals().items()):
    if not _name.startswith("_") and callable(_function) and _name not in OPEN.split():
        globals()[_name] = checked(_function)
