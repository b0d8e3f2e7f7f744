"""Functions of nn.functional against PyTorch: outputs and gradients."""

from __future__ import annotations

import pytest
from both import compare

CALLS = [
    # losses
    "F.mse_loss(x(3, 4), x(3, 4))",
    "F.mse_loss(x(3, 4), x(3, 4), reduction='sum')",
    "F.l1_loss(x(3, 4), x(3, 4), reduction='none')",
    "F.smooth_l1_loss(x(3, 4), x(3, 4), beta=0.5)",
    "F.smooth_l1_loss(x(3, 4), x(3, 4), beta=0.0)",
    "F.huber_loss(x(3, 4), x(3, 4), delta=0.7)",
    "F.nll_loss(F.log_softmax(x(5, 4), 1), i(4, 5))",
    "F.nll_loss(F.log_softmax(x(5, 4, 3), 1), i(4, 5, 3), weight=u(4).detach(), ignore_index=2)",
    "F.cross_entropy(x(5, 4), i(4, 5))",
    "F.cross_entropy(x(5, 4), i(4, 5), reduction='none')",
    "F.cross_entropy(x(5, 4, 3, 2), i(4, 5, 3, 2), ignore_index=1)",
    "F.cross_entropy(x(5, 4), i(4, 5), weight=u(4).detach(), label_smoothing=0.2)",
    "F.cross_entropy(x(5, 4), F.softmax(x(5, 4), 1), label_smoothing=0.1)",
    "F.cross_entropy(x(5, 4), i(4, 5), weight=u(4).detach(), label_smoothing=0.2, reduction='sum')",
    "F.binary_cross_entropy(u(3, 4), u(3, 4))",
    "F.binary_cross_entropy(u(3, 4), t.ones(3, 4), weight=u(4).detach(), reduction='sum')",
    "F.binary_cross_entropy(t.tensor([0.0, 1.0, 1.0]), t.tensor([1.0, 1.0, 0.0]))",
    "F.binary_cross_entropy_with_logits(x(3, 4) * 30, u(3, 4))",
    "F.binary_cross_entropy_with_logits(x(3, 4), u(3, 4), weight=u(4).detach(), pos_weight=u(4).detach())",
    "F.kl_div(F.log_softmax(x(3, 4), 1), F.softmax(x(3, 4), 1), reduction='batchmean')",
    "F.kl_div(F.log_softmax(x(3, 4), 1), F.log_softmax(x(3, 4), 1), reduction='sum', log_target=True)",
    "F.kl_div(x(2), t.tensor([0.0, 1.0]), reduction='none')",
    "F.poisson_nll_loss(x(3, 4), u(3, 4) * 5, full=True)",
    "F.poisson_nll_loss(u(3, 4), u(3, 4) * 5, log_input=False)",
    "F.gaussian_nll_loss(x(3, 4), x(3, 4), u(3, 4), full=True)",
    "F.gaussian_nll_loss(x(3, 4), x(3, 4), u(3, 1), reduction='none')",
    "F.gaussian_nll_loss(x(3, 4), x(3, 4), 0.5)",
    "F.soft_margin_loss(x(3, 4), x(3, 4).sign().detach())",
    "F.hinge_embedding_loss(x(3, 4), x(3, 4).sign().detach(), margin=0.5)",
    "F.margin_ranking_loss(x(5), x(5), x(5).sign().detach(), margin=0.3)",
    "F.cosine_embedding_loss(x(5, 3), x(5, 3), x(5).sign().detach(), margin=0.2)",
    "F.triplet_margin_loss(x(5, 3), x(5, 3), x(5, 3), swap=True)",
    "F.triplet_margin_loss(x(5, 3), x(5, 3), x(5, 3), p=1.0, margin=0.3, reduction='sum')",
    "F.triplet_margin_with_distance_loss(x(5, 3), x(5, 3), x(5, 3), distance_function=lambda a, b: ((a - b) ** 2).sum(1))",
    "F.multi_margin_loss(x(5, 4), i(4, 5))",
    "F.multi_margin_loss(x(5, 4), i(4, 5), p=2, margin=0.5, weight=u(4).detach(), reduction='none')",
    "F.multi_margin_loss(x(4), i(4))",
    "F.multilabel_margin_loss(x(2, 4), t.tensor([[3, 0, -1, 1], [1, -1, 0, 2]]))",
    "F.multilabel_margin_loss(x(4), t.tensor([3, 0, 1, 2]), reduction='sum')",
    "F.multilabel_soft_margin_loss(x(3, 4), u(3, 4).detach().round(), weight=u(4).detach())",
    "nn.CrossEntropyLoss(label_smoothing=0.1)(x(5, 4), i(4, 5))",
    "nn.BCEWithLogitsLoss(pos_weight=u(4).detach())(x(3, 4), u(3, 4))",
    "nn.NLLLoss(ignore_index=1)(x(5, 4), i(4, 5))",
    "nn.GaussianNLLLoss()(x(3, 4), x(3, 4), u(3, 4))",
    "nn.TripletMarginLoss(margin=0.2, p=2)(x(5, 3), x(5, 3), x(5, 3))",
    "nn.CosineEmbeddingLoss()(x(3), x(3), t.tensor(1.0))",
    "nn.KLDivLoss(reduction='batchmean')(x(3, 4), u(3, 4))",
    "F.ctc_loss(F.log_softmax(x(7, 3, 4), 2), i(3, 3, 3) + 1, t.tensor([7, 6, 5]), t.tensor([3, 2, 1]))",
    "F.ctc_loss(F.log_softmax(x(7, 3, 4), 2), i(3, 6) + 1, (7, 6, 5), (3, 2, 1), reduction='none')",
    "F.ctc_loss(F.log_softmax(x(7, 4), 1), t.tensor([2, 2, 1]), t.tensor(7), t.tensor(3), reduction='sum')",
    "F.ctc_loss(F.log_softmax(x(3, 2, 4), 2), t.tensor([[1, 1, 1], [2, 1, 3]]), [3, 3], [3, 2], 0, 'sum', True)",
    "nn.CTCLoss(blank=3)(F.log_softmax(x(7, 2, 4), 2), i(3, 2, 3), t.tensor([7, 6]), t.tensor([3, 0]))",
    # distances
    "F.normalize(x(3, 4))",
    "F.normalize(x(3, 4), p=1, dim=0)",
    "F.cosine_similarity(x(3, 4), x(3, 4), dim=0)",
    "F.pairwise_distance(x(3, 4), x(3, 4), p=1)",
    "F.pdist(x(4, 3))",
    "F.one_hot(i(5, 3, 2), 6)",
    "F.one_hot(i(5, 30))",
    # activations that have no layer, or other forms
    "F.softmax(x(3, 4), -1, dtype=t.float64)",
    "F.gelu(x(3, 4) * 3)",
    "F.relu(x(3, 4), inplace=False)",
    "F.elu(x(3, 4) * 1, 0.5, inplace=True)",
    "F.leaky_relu(x(3, 4) * 1, 0.1, inplace=True)",
    "F.hardtanh(t.tensor([-1.0, 1.0, 2.0]))",
    "F.relu_(x(3, 4) * 1)",
    "F.leaky_relu_(x(3, 4) * 1, 0.3)",
    "F.gumbel_softmax(x(3, 4), tau=0.5)",
    "F.gumbel_softmax(x(3, 4), hard=True)",
    "F.rrelu(x(3, 4), 0.1, 0.3, True)",
    "F.glu(x(3, 4), 1)",
    # dropout
    "F.dropout(x(3, 40), 0.4)",
    "F.dropout(x(3, 4), 0.4, training=False)",
    "F.alpha_dropout(x(3, 40), 0.4, True)",
    "F.feature_alpha_dropout(x(3, 8, 2), 0.4, True)",
    # padding
    "F.pad(x(3, 4), (1, 2), value=3.0)",
    "F.pad(x(2, 3, 4), (1, -2, 0, 1))",
    "F.pad(x(2, 3, 4), (3, 2), mode='reflect')",
    "F.pad(x(3, 4), (-1, 2), mode='reflect')",
    "F.pad(x(2, 3, 4), (5, -1), mode='replicate')",
    "F.pad(x(1, 2, 3, 4), (1, 2, 3, 0), mode='circular')",
    # attention
    "F.scaled_dot_product_attention(x(2, 3, 5, 4), x(2, 3, 6, 4), x(2, 3, 6, 7))",
    "F.scaled_dot_product_attention(x(2, 5, 4), x(2, 5, 4), x(2, 5, 4), is_causal=True)",
    "F.scaled_dot_product_attention(x(2, 5, 4), x(2, 6, 4), x(2, 6, 4), attn_mask=x(5, 6), scale=0.3)",
    "F.scaled_dot_product_attention(x(1, 2, 4), x(1, 3, 4), x(1, 3, 4), t.tensor([[True, False, True], [True] * 3]))",
    "F.scaled_dot_product_attention(x(2, 4, 5, 4), x(2, 2, 6, 4), x(2, 2, 6, 4), enable_gqa=True)",
    "F.scaled_dot_product_attention(x(1, 2, 4), x(1, 3, 4), x(1, 3, 4), dropout_p=0.5)",
    "F.scaled_dot_product_attention(x(1, 2, 4), x(1, 3, 4), x(1, 3, 4), t.tensor([[True, False, True], [False] * 3]))",
    # norms
    "F.layer_norm(x(2, 3, 4), (3, 4), x(3, 4), x(3, 4), 1e-3)",
    "F.group_norm(x(2, 6, 3), 3, x(6), x(6))",
    "F.instance_norm(x(2, 3, 5), weight=x(3), bias=x(3))",
    "F.rms_norm(x(2, 3, 4), (4,), x(4))",
    "F.batch_norm(x(5, 3), None, None, training=True)",
    "F.local_response_norm(x(2, 6, 3, 3), 4, 0.1, 0.5, 2.0)",
    # resizing
    "F.interpolate(x(1, 2, 4, 5), scale_factor=0.5)",
    "F.interpolate(x(1, 2, 4, 5), size=(6, 7), mode='nearest-exact')",
    "F.interpolate(x(1, 2, 6, 5), size=(3, 2), mode='area')",
    "F.interpolate(x(1, 2, 6, 5), scale_factor=(1.3, 0.7), mode='bilinear', recompute_scale_factor=True)",
    "F.interpolate(x(1, 2, 4, 5), size=(4, 9), mode='bicubic', align_corners=True)",
    "F.interpolate(x(1, 2, 6), scale_factor=1.9)",
    "F.pixel_unshuffle(F.pixel_shuffle(x(2, 12, 3, 2), 2), 2)",
    # grids
    "F.affine_grid(x(2, 2, 3), (2, 1, 3, 4), align_corners=True)",
    "F.affine_grid(x(2, 2, 3), t.Size((2, 1, 3, 4)), align_corners=False)",
    "F.grid_sample(x(2, 3, 4, 5), x(2, 3, 2, 2), align_corners=False)",
    "F.grid_sample(x(2, 3, 4, 5), x(2, 3, 2, 2), padding_mode='border', align_corners=True)",
    "F.grid_sample(x(2, 3, 4, 5), x(2, 3, 2, 2) * 3, padding_mode='reflection', align_corners=False)",
    "F.grid_sample(x(2, 3, 4, 5), x(2, 3, 2, 2) * 3, padding_mode='reflection', align_corners=True)",
    "F.grid_sample(x(2, 3, 4, 5), x(2, 3, 2, 2).detach(), mode='nearest', align_corners=False)",
    # convolution
    "F.conv2d(x(2, 4, 7, 6), x(6, 2, 3, 2), x(6), stride=(2, 1), padding=(1, 0), dilation=(2, 1), groups=2)",
    "F.conv_transpose2d(x(2, 4, 3, 4), x(4, 3, 2, 3), x(6), stride=(3, 2), padding=1, output_padding=(2, 1), groups=2)",
    "F.conv_transpose2d(x(4, 3, 4), x(4, 3, 2, 3), dilation=2, output_padding=1)",
    "F.conv1d(x(2, 4, 7), x(6, 2, 3), padding='valid', groups=2)",
    "F.conv_transpose1d(x(4, 3), x(4, 3, 2), stride=2)",
    "F.conv_transpose3d(x(1, 2, 2, 3, 2), x(2, 2, 3, 2, 3), x(2), padding=1, dilation=2, stride=2, output_padding=1)",
    "nn.grad.conv2d_input((2, 4, 7, 6), x(6, 2, 3, 2), x(2, 6, 5, 5), groups=2)",
    "nn.grad.conv2d_weight(x(2, 4, 7, 6), (6, 2, 3, 2), x(2, 6, 5, 5), groups=2)",
    "nn.grad.conv1d_input((2, 4, 7), x(6, 2, 3), x(2, 6, 5), groups=2)",
    "nn.grad.conv1d_weight(x(2, 4, 7), (6, 2, 3), x(2, 6, 5), groups=2)",
    "F.embedding(i(7, 3, 4), x(7, 2), padding_idx=0)",
    "F.bilinear(x(2, 3), x(2, 4), x(5, 3, 4), x(5))",
    "F.adaptive_avg_pool2d(x(2, 3, 7, 5), (3, 4))",
    "F.max_unpool2d(*F.max_pool2d(x(1, 2, 4, 6), 2, return_indices=True), 2)",
]


@pytest.mark.parametrize("call", CALLS)
def test_function(call: str) -> None:
    compare("", call)


def test_warnings_are_pytorchs() -> None:
    with pytest.warns(UserWarning, match="Using a target size .* that is different to the input size"):
        compare("", "F.l1_loss(x(3, 1), x(3))")
    with pytest.warns(UserWarning, match="divides the total loss by both the batch size and the support size"):
        compare("", "F.kl_div(x(3, 4), u(3, 4))")
    with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
        compare("", "F.l1_loss(x(3, 4), x(3, 4), size_average=False)")
