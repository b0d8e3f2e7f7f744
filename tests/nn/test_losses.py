"""Every loss layer against PyTorch."""

from __future__ import annotations

import pytest
from both import PLACES, compare, evaluate

LOSSES = [
    ("nn.L1Loss()", "m(x(3, 4), x(3, 4))"),
    ("nn.MSELoss(reduction='sum')", "m(x(3, 4), x(3, 4))"),
    ("nn.SmoothL1Loss(beta=0.5)", "m(x(3, 4), x(3, 4))"),
    ("nn.HuberLoss(delta=0.5)", "m(x(3, 4), x(3, 4))"),
    ("nn.NLLLoss(weight=t.tensor([0.1, 0.2, 0.3]))", "m(F.log_softmax(x(5, 3), 1), i(3, 5))"),
    ("nn.CrossEntropyLoss(reduction='none', ignore_index=1)", "m(x(5, 3), i(3, 5))"),
    ("nn.BCELoss(weight=t.tensor([0.1, 0.2]))", "m(u(3, 2), u(3, 2))"),
    ("nn.BCEWithLogitsLoss(reduction='none')", "m(x(3, 2), u(3, 2))"),
    ("nn.KLDivLoss(reduction='batchmean', log_target=True)", "m(x(3, 4), x(3, 4))"),
    ("nn.PoissonNLLLoss(full=True)", "m(x(3, 4), u(3, 4) * 4)"),
    ("nn.GaussianNLLLoss(full=True)", "m(x(3, 4), x(3, 4), u(3, 4))"),
    ("nn.SoftMarginLoss()", "m(x(3, 4), x(3, 4).sign().detach())"),
    ("nn.HingeEmbeddingLoss(margin=0.5)", "m(x(3, 4), x(3, 4).sign().detach())"),
    ("nn.MarginRankingLoss(margin=0.5)", "m(x(3), x(3), x(3).sign().detach())"),
    ("nn.CosineEmbeddingLoss(margin=0.5)", "m(x(3, 4), x(3, 4), x(3).sign().detach())"),
    ("nn.TripletMarginLoss(swap=True)", "m(x(3, 4), x(3, 4), x(3, 4))"),
    ("nn.TripletMarginWithDistanceLoss(margin=0.5, swap=True)", "m(x(3, 4), x(3, 4), x(3, 4))"),
    ("nn.TripletMarginWithDistanceLoss(distance_function=nn.PairwiseDistance(p=1.0))", "m(x(3, 4), x(3, 4), x(3, 4))"),
    ("nn.MultiMarginLoss(p=2)", "m(x(5, 3), i(3, 5))"),
    ("nn.MultiLabelMarginLoss()", "m(x(2, 4), t.tensor([[3, 0, -1, 1], [1, -1, 0, 2]]))"),
    ("nn.MultiLabelSoftMarginLoss()", "m(x(3, 4), u(3, 4).detach().round())"),
    ("nn.CTCLoss(zero_infinity=True)", "m(F.log_softmax(x(7, 2, 4), 2), i(3, 2, 3) + 1, [7, 6], [3, 2])"),
]


@pytest.mark.parametrize(("build", "call"), LOSSES)
def test_loss(build: str, call: str) -> None:
    compare(build, call)
    theirs, ours = (evaluate(place, build) for place in PLACES)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())


MORE = [
    ("nn.Hardtanh(min_value=-0.3, max_value=0.4)", "m(x(3, 4))"),
    ("nn.Threshold(0.1, 20, inplace=True)", "m(x(3, 4) * 1)"),
    ("nn.LocalResponseNorm(3)", "m(x(2, 5, 4))"),
    ("nn.Embedding(7, 3, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True)", "m(i(7, 2, 4))"),
    ("nn.Embedding.from_pretrained(t.ones(3, 2), freeze=False)", "m(i(3, 4))"),
    ("nn.EmbeddingBag(7, 3, max_norm=1.0, norm_type=1.0, padding_idx=1)", "m(i(7, 2, 4))"),
    ("nn.EmbeddingBag.from_pretrained(t.ones(3, 2), mode='sum')", "m(i(3, 4, 2))"),
    ("nn.MaxPool1d(2, return_indices=True)", "m(x(3, 8))"),
    ("nn.AvgPool1d(2)", "m(x(3, 8))"),
    ("nn.MaxPool3d(2)", "m(x(2, 4, 4, 4))"),
    ("nn.AvgPool3d(2, divisor_override=3)", "m(x(2, 4, 4, 4))"),
    ("nn.AdaptiveMaxPool3d(2)", "m(x(2, 4, 4, 4))"),
    ("nn.AdaptiveAvgPool1d(3)", "m(x(2, 7))"),
    ("nn.ConvTranspose3d(2, 3, 2)", "m(x(2, 3, 2, 2))"),
    ("nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True)", "m(x(5, 3), (x(4, 4), x(4, 4)))"),
    ("nn.GRUCell(3, 4, bias=False)", "m(x(3), x(4))"),
    ("nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8), 1, nn.LayerNorm(4))", "m(x(5, 2, 4), x(6, 2, 4))"),
    ("nn.Transformer(4, 2, 1, 1, 8)", "m(x(5, 2, 4), x(3, 2, 4))"),
    ("nn.TransformerEncoderLayer(4, 2, 8, activation=F.silu, bias=False)", "m(x(5, 2, 4))"),
]


@pytest.mark.filterwarnings("ignore:.*enable_nested_tensor.*|.*is deprecated and renamed.*")
@pytest.mark.parametrize(("build", "call"), MORE)
def test_more_options(build: str, call: str) -> None:
    compare(build, call)
    theirs, ours = (evaluate(place, build) for place in PLACES)
    assert repr(ours) == repr(theirs)
