"""What bad shapes and hyper-parameters get: the class, and a text that names the operation, the value and the rule."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import minigrad
from minigrad import DtypeError, ShapeError, ones, zeros
from minigrad.ops.conv import conv2d, fold, unfold
from minigrad.ops.loss import cross_entropy, mse_loss, nll_loss
from minigrad.ops.matmul import linear
from minigrad.ops.norm import batch_norm
from minigrad.ops.pool import avg_pool2d, max_pool2d

pytestmark = pytest.mark.usefixtures("backend")

IMAGE, FILTERS = (1, 2, 6, 6), (4, 2, 3, 3)


def conv(*args, x=IMAGE, w=FILTERS, **options):
    return lambda: conv2d(zeros(*x), zeros(*w), *args, **options)


def pool(*args, x=IMAGE, of=max_pool2d, **options):
    return lambda: of(zeros(*x), *args, **options)


HUGE = [2**31, 2**62, 2**63 - 1, 2**70]
CASES = {
    "1 stride 0": (conv(stride=0), ShapeError, "conv2d(): non-positive stride is not supported, but got stride=(0, 0)"),
    "1 stride -1": (conv(stride=(1, -1)), ShapeError, "non-positive stride is not supported"),
    "1 pool": (pool(2, 0), ShapeError, "max_pool2d(): stride should not be zero"),
    "1 avg": (pool(2, -2, of=avg_pool2d), ShapeError, "avg_pool2d(): stride should not be zero"),
    "2 conv": (conv(padding=-1), ShapeError, "conv2d(): negative padding is not supported, but got padding=(-1, -1)"),
    "2 pool": (pool(2, padding=-1), ShapeError, "max_pool2d(): pad must be non-negative, but got pad=(-1, -1)"),
    "3 conv": (conv(dilation=0), ShapeError, "conv2d(): dilation should be greater than zero, but got dilation=(0, 0)"),
    "3 pool": (pool(2, dilation=-1), ShapeError, "max_pool2d(): dilation should be greater than zero"),
    "4 zero": (conv(groups=0), ShapeError, "groups must be a positive integer, but got groups=0"),
    "4 negative": (conv(groups=-2), ShapeError, "groups must be a positive integer"),
    "4 filters": (conv(groups=2, w=(3, 1, 3, 3)), ShapeError, "expected weight to be divisible by 2 at dimension 0"),
    "4 float": (conv(groups=1.0), TypeError, "conv2d(): argument 'groups' must be int, not float"),
    "5": (conv(x=(1, 2, 4, 4), w=(4, 2, 10, 10)), ShapeError, "Calculated padded input size per channel: (4 x 4). "
          "Kernel size: (10 x 10). Kernel size can't be greater than actual input size"),
    "5 dilated": (conv(dilation=3), ShapeError, "Kernel size: (7 x 7)"),
    "6": (pool(7), ShapeError, "Given input size: (2x6x6). Calculated output size: (2x0x0). Output size is too small"),
    "7": (pool(3, padding=2), ShapeError, "pad should be at most half of effective kernel size, but got pad=(2, 2)"),
    "7 avg": (pool(2, padding=2, of=avg_pool2d), ShapeError, "pad should be at most half of effective kernel size"),
    "9 float": (pool(2.5), TypeError, "max_pool2d(): argument 'kernel_size' must be int or a tuple of 2 ints, but got 2.5"),
    "9 bool": (pool(True), TypeError, "but got True"),
    "9 str": (pool("2"), TypeError, "but got '2'"),
    "9 None": (pool(None), TypeError, "but got None"),
    "9 conv": (conv(stride=1.5), TypeError, "conv2d(): argument 'stride' must be int or a tuple of 2 ints, but got 1.5"),
    "9 padding": (conv(padding=None), TypeError, "conv2d(): argument 'padding'"),
    "9 inside": (pool((2, 2.0)), TypeError, "but got (2, 2.0)"),
    "10": (pool((2, 2, 2)), ShapeError, "expected kernel_size to be a single integer value or a list of 2 values"),
    "10 conv": (conv(stride=(1, 1, 1)), ShapeError, "expected stride to be a single integer value or a list of 2 values"),
    "10 empty": (conv(stride=()), ShapeError, "list of 2 values"),
    "11": (conv(x=(1, 3, 6, 6)), ShapeError, "Given groups=1, weight of size [4, 2, 3, 3], expected input[1, 3, 6, 6] to have "
           "2 channels, but got 3 channels instead"),
    "12": (conv(zeros(3)), ShapeError, "expected bias to be 1-dimensional with 4 elements, but got bias of size [3] instead"),
    "12 rank": (conv(zeros(4, 1)), ShapeError, "expected bias to be 1-dimensional with 4 elements"),
    "12 type": (conv([0, 0, 0, 0]), TypeError, "argument 'bias' must be Tensor, not list"),
    "13": (conv(x=(6, 6)), ShapeError, "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [6, 6]"),
    "13 five": (conv(x=(1, 1, 2, 6, 6)), ShapeError, "Expected 3D (unbatched) or 4D (batched) input to conv2d"),
    "13 weight": (conv(w=(2, 3, 3)), ShapeError, "expected a 4-D weight"),
    "13 pool": (pool(2, x=(6, 6)), ShapeError, "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input"),
    "15": (conv(x=(1, 2, 0, 6), padding=2), ShapeError, "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size"),
    "15 channels": (conv(x=(1, 0, 6, 6), w=(4, 0, 3, 3)), ShapeError, "optional 0 dim batch size"),
    "15 pool": (pool(2, x=(1, 2, 0, 6)), ShapeError, "optional 0 dim batch size"),
    "16": (lambda: zeros(6).reshape(4), ShapeError, "shape '[4]' is invalid for input of size 6"),
    "16 two": (lambda: zeros(6).reshape(-1, -1), ShapeError, "only one dimension can be inferred"),
    "16 -2": (lambda: zeros(6).reshape(-2, 3), ShapeError, "invalid shape dimension -2"),
    "16 view": (lambda: zeros(2, 3).t().view(6), ShapeError, "view size is not compatible with input tensor's size and stride"),
    "17": (lambda: zeros(2, 3) @ zeros(4, 5), ShapeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
    "17 linear": (lambda: linear(zeros(2, 3), zeros(5, 4)), ShapeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
    "17 bmm": (lambda: minigrad.bmm(zeros(2, 3, 4), zeros(2, 3, 4)), ShapeError, "Expected size for first two dimensions of batch2"),
    "18": (lambda: zeros(2, 3) + zeros(2, 4), ShapeError, "The size of tensor a (3) must match the size of tensor b (4) at "
           "non-singleton dimension 1"),
    "18 where": (lambda: minigrad.where(zeros(2) > 0, zeros(2), zeros(3)), ShapeError, "must match the size of tensor b (3)"),
    "20 string": (conv(padding="full"), ShapeError, "Invalid padding string: 'full'"),
    "fold": (lambda: fold(zeros(1, 5, 4), (3, 3), 2), ShapeError, "divisible by the product of kernel_size"),
    "fold places": (lambda: fold(zeros(1, 4, 5), (3, 3), 2), ShapeError, "to match the calculated number of sliding blocks"),
    "unfold": (lambda: unfold(zeros(1, 1, 2, 2), 3), ShapeError, "Kernel size can't be greater than actual input size"),
    "dim": (lambda: zeros(2).sum(1), IndexError, "Dimension out of range (expected to be in range of [-1, 0], but got 1)"),
    "dims": (lambda: zeros(2, 2).sum((0, 0)), ShapeError, "dim (0, 0) appears multiple times"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_class_and_the_text(name):
    call, kind, text = CASES[name]
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)


def test_every_shape_error_is_a_value_error_and_a_runtime_error():
    for call, kind, _ in CASES.values():
        if kind is ShapeError:
            for habit in (ValueError, RuntimeError):
                with pytest.raises(habit):
                    call()
    assert issubclass(DtypeError, TypeError) and issubclass(DtypeError, RuntimeError)


@pytest.mark.parametrize("value", HUGE)
def test_8_numbers_that_overflow(value):
    calls = [
        conv(stride=value), conv(padding=value), conv(dilation=value), pool(value), pool(2, value), pool(2, padding=value),
        pool(2, dilation=value), pool((value, 1)), pool(value, of=avg_pool2d), pool(2, value, of=avg_pool2d),
        lambda: unfold(zeros(1, 1, 4, 4), 2, stride=value),
    ]  # fmt: skip
    for call in calls[:-1]:
        with pytest.raises(ShapeError, match="too large"):
            call()
    with pytest.raises(ShapeError, match="too large"):
        calls[-1]()


def test_8_numbers_just_below():
    top = 2**31 - 1
    for call, text in (
        (conv(dilation=top), "Kernel size can't be greater"),
        (pool(top), "Output size is too small"),
        (pool(2, dilation=top), "Output size is too small"),
    ):
        with pytest.raises(ShapeError, match=text):
            call()
    assert conv(stride=top)().shape == (1, 4, 1, 1)
    assert pool(2, top)().shape == (1, 2, 1, 1)
    with pytest.raises(MemoryError, match=r"conv2d\(\): can't allocate memory: you tried to pad an image"):
        conv(padding=top)()


def test_14_an_empty_batch_everywhere():
    x = zeros(0, 2, 6, 6, requires_grad=True)
    for y in (max_pool2d(x, 2), avg_pool2d(x, 2), unfold(x, 2), x.relu(), batch_norm(x, None, None, training=True)):
        assert y.shape[0] == 0
        y.sum().backward()
        assert x.grad.shape == x.shape
    assert linear(zeros(0, 3), zeros(4, 3)).shape == (0, 4)


def test_17_an_inner_size_of_zero_gives_zeros():
    for a, b in (((2, 0), (0, 3)), ((4, 2, 0), (4, 0, 3)), ((0,), (0,))):
        y = ones(*a) @ ones(*b)
        assert not y.numpy_array().any() and y.shape == (torch.ones(a) @ torch.ones(b)).shape


def test_19_a_target_that_would_be_broadcast():
    with pytest.warns(UserWarning, match="Using a target size .* that is different to the input size"):
        y = mse_loss(zeros(3, 1), ones(3))
    assert y.item() == 1.0


def test_20_a_ceil_mode_window_in_the_padding_is_dropped():
    for size, kernel, stride, padding in ((5, 2, 2, 1), (3, 2, 2, 1), (4, 3, 3, 1), (7, 3, 2, 1)):
        x = np.random.default_rng(0).standard_normal((1, 1, size, size)).astype("f4")
        mine = max_pool2d(minigrad.tensor(x), kernel, stride, padding, ceil_mode=True)
        other = TF.max_pool2d(torch.tensor(x), kernel, stride, padding, ceil_mode=True)
        np.testing.assert_array_equal(mine.numpy_array(), other.numpy())


def test_21_and_22_targets():
    logits = zeros(2, 3)
    for bad in (7, -1, 3):
        for loss in (cross_entropy, nll_loss):
            with pytest.raises(IndexError, match=f"Target {bad} is out of bounds"):
                loss(logits, minigrad.tensor([0, bad])).item()  # a GPU says it when a value is asked for
    with pytest.raises(TypeError, match="expected scalar type Long"):
        cross_entropy(logits, minigrad.tensor([0.0, 1.0]))
    with pytest.raises(TypeError, match="expected scalar type Long"):
        nll_loss(logits, minigrad.tensor([True, False]))
    with pytest.raises(ShapeError, match=r"Expected input batch_size \(2\) to match target batch_size \(3\)"):
        cross_entropy(logits, minigrad.tensor([0, 1, 2]))
    with pytest.raises(ShapeError, match="is not a valid value for reduction"):
        cross_entropy(logits, minigrad.tensor([0, 1]), reduction="average")


def test_33_one_value_per_channel():
    with pytest.raises(ShapeError, match="Expected more than 1 value per channel when training, got input size"):
        batch_norm(zeros(1, 3, 1, 1), None, None, training=True)
    with pytest.raises(ShapeError, match="running_mean should contain 3 elements not 2"):
        batch_norm(zeros(2, 3, 1, 1), zeros(2), ones(3))


def test_40_types_are_never_mixed_silently():
    wide = zeros(1, 2, 6, 6, dtype=minigrad.float64)
    for call in (
        lambda: conv2d(wide, zeros(*FILTERS)),
        lambda: linear(zeros(2, 3, dtype=minigrad.float64), zeros(4, 3)),
        lambda: zeros(2, 3, dtype=minigrad.float64) @ zeros(3, 2),
        lambda: conv2d(zeros(*IMAGE), zeros(*FILTERS), zeros(4, dtype=minigrad.float64)),
    ):
        with pytest.raises(DtypeError, match="same dtype, but got"):
            call()
