"""Layers for seldom uses, beside PyTorch's: values, gradients, random windows, state, errors."""

import pytest
from both import compare, same_error

ADAPTIVE = "nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10, 15], div_value=2.0)"
CASES = {
    "lp_pool3d": ("nn.LPPool3d(2, 2)", "m(x(1, 2, 4, 4, 4))"),
    "lp_pool3d, stride": ("", "F.lp_pool3d(x(2, 5, 5, 5), 3.0, (2, 1, 3), 2, True)"),
    "max_unpool3d": ("nn.MaxUnpool3d(2)", "m(*F.max_pool3d(x(1, 2, 4, 4, 4), 2, return_indices=True))"),
    "max_unpool3d, size": ("", "F.max_unpool3d(*F.max_pool3d(x(2, 5, 4, 5), 2, return_indices=True), 2, output_size=(5, 4, 5))"),
    "fractional 2d": ("nn.FractionalMaxPool2d(2, output_size=(4, 3))", "m(x(2, 3, 9, 8))"),
    "fractional 2d, ratio": ("nn.FractionalMaxPool2d((3, 2), output_ratio=(0.5, 0.6), return_indices=True)", "m(x(3, 10, 11))"),
    "fractional 2d, one": ("", "F.fractional_max_pool2d(x(1, 2, 5, 5), 2, output_size=1)"),
    "fractional 3d": ("nn.FractionalMaxPool3d(2, output_size=(3, 4, 2))", "m(x(2, 2, 6, 8, 5))"),
    "fractional 3d, samples": (
        "", "F.fractional_max_pool3d(x(2, 6, 7, 8), (2, 1, 3), output_ratio=0.5, return_indices=True, _random_samples=t.rand(1, 2, 3))"),
    "with indices": ("", "F.max_pool1d_with_indices(x(1, 2, 6), 2), F.max_pool2d_with_indices(x(2, 4, 4), 2), "
        "F.max_pool3d_with_indices(x(2, 4, 4, 4), 2)"),
    "adaptive, with indices": (
        "", "F.adaptive_max_pool1d_with_indices(x(2, 6), 4), F.adaptive_max_pool2d_with_indices(x(2, 5, 5), 3), "
        "F.adaptive_max_pool3d_with_indices(x(2, 4, 4, 4), (2, 3, 1))"),
    "adaptive log-softmax": (ADAPTIVE, "m(x(6, 8), t.tensor([0, 3, 4, 12, 19, 9]))"),
    "adaptive log-softmax, one row": (ADAPTIVE, "m(x(8), t.tensor(12))"),
    "adaptive log-softmax, no rare class": (ADAPTIVE, "m(x(2, 8), t.tensor([1, 2]))"),
    "adaptive log-softmax, bias": ("nn.AdaptiveLogSoftmaxWithLoss(8, 12, [5], head_bias=True)", "m(x(3, 8), t.tensor([7, 3, 11]))"),
    "adaptive log-softmax, all": (ADAPTIVE, "m.log_prob(x(5, 8))"),
    "adaptive log-softmax, best": (ADAPTIVE, "m.predict(x(30, 8))"),
    "linear cross entropy": ("nn.LinearCrossEntropyLoss(3, 4, bias=True)", "m(x(5, 3), i(4, 5))"),
    "linear cross entropy, sizes": (
        "nn.LinearCrossEntropyLoss(3, 4, out_features=(2,), bias=True, reduction='none')", "m(x(5, 3), i(4, 5, 2))"),
    "linear cross entropy, one row": ("", "F.linear_cross_entropy(x(3), x(4, 3), t.tensor(2), label_smoothing=0.1)"),
    "linear cross entropy, probabilities": ("", "F.linear_cross_entropy(x(2, 3), x(4, 3), u(2, 4), reduction='sum')"),
    "linear cross entropy, ignored": (
        "", "F.linear_cross_entropy(x(2, 3), x(4, 3), t.tensor([1, 3]), ignore_index=3, weight=t.arange(4.0))"),
    "lazy instance norm 1d": ("nn.LazyInstanceNorm1d()", "m(x(2, 3, 5)), m.running_mean"),
    "lazy instance norm 2d": ("nn.LazyInstanceNorm2d()", "m(x(2, 3, 5, 4)), m.running_var"),
    "lazy instance norm 3d": ("nn.LazyInstanceNorm3d(track_running_stats=False)", "m(x(2, 3, 3, 2, 4))"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize("name", CASES)
def test_as_pytorch(name, backend):
    compare(*CASES[name])


ERRORS = [
    ("nn.FractionalMaxPool2d(2)", "requires specifying either an output size, or a pooling ratio"),
    ("nn.FractionalMaxPool3d(2, 3, 0.5)", "only one of output_size and output_ratio may be specified"),
    ("nn.FractionalMaxPool2d(2, output_ratio=1.5)", "output_ratio must be between 0 and 1"),
    ("F.fractional_max_pool2d(t.ones(1, 4, 4), 2)", "requires specifying either an output_size or an output_ratio"),
    ("F.fractional_max_pool2d(t.ones(1, 4, 4), 3, output_size=3)", "pool height 3 too large relative to input height 4"),
    ("F.fractional_max_pool3d(t.ones(4, 4), 2, output_size=2)", "Expected 4D or 5D tensor"),
    ("F.fractional_max_pool2d(t.ones(2, 1, 4, 4), 2, output_size=2, _random_samples=t.rand(1, 1, 2))", "Expect _random_samples"),
    ("F.max_unpool3d(t.ones(1, 2, 2, 2), t.zeros(1, 2, 2, 1, dtype=t.int64), 2)", "Expected shape of indices to be same"),
    ("F.max_unpool3d(t.ones(1, 2, 2, 2), t.zeros(1, 2, 2, 2, dtype=t.int64), 2, output_size=(6, 4, 4))", "dim 0 must be between 2 and 6"),
    ("F.max_unpool2d(t.ones(1, 2, 2), t.zeros(1, 2, 2, dtype=t.int64), 2, output_size=(4,))", "containing 2 or 4 elements"),
    ("F.max_unpool1d(t.ones(1, 2), t.zeros(1, 2, dtype=t.int64), 2, output_size=(1,))", "dim 0 must be between 2 and 6"),
    ("F.max_unpool3d(t.ones(1, 1, 1, 1), t.full((1, 1, 1, 1), 8), 2)", "Found an invalid max index: 8"),
    ("nn.AdaptiveLogSoftmaxWithLoss(4, 5, [])", "cutoffs should be a sequence of length larger than 0"),
    ("nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2])", "unique, positive integers sorted in an increasing order"),
    ("nn.AdaptiveLogSoftmaxWithLoss(4, 5, [5])", "each value is between 1 and n_classes-1"),
    ("nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(t.ones(2, 4), t.tensor([1, 5]))", "Target values should be in [0, 4]"),
    ("nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(t.ones(2, 4), t.tensor([1]))", "same size in the batch dimension"),
    ("nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(t.ones(4), t.tensor([1]))", "1D target tensor expects 2D input tensors"),
    ("nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(t.ones(1, 4), t.tensor([[1]]))", "multi-target not supported"),
    ("F.linear_cross_entropy(t.ones(2, 2, 2), t.ones(3, 2), t.tensor([1, 1]))", "Expected input of shape (N, in_features)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "part"), ERRORS)
def test_refused(text, part):
    same_error(text, part)
