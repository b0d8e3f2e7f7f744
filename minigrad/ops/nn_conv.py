"""Convolution in one and three dimensions, and transposed, all said with the ops of two-dimensional convolution."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import ShapeError
from minigrad.ops.arithmetic import add
from minigrad.ops.base import Tensor, check_same_dtype
from minigrad.ops.conv import Conv2dInputGrad, Conv2dWeightGrad, conv2d
from minigrad.ops.shape import Pad, Slice, permute, reshape, unsqueeze
from minigrad.ops.shape import pad as constant_pad
from minigrad.ops.titles import shown
from minigrad.window import conv_window, pair


def numbers(op: str, name: str, value: Any, rank: int) -> tuple[int, ...]:
    """One integer for every dimension, or as many as there are.

    Raises:
        TypeError: if a value is no integer. ShapeError, if there are too many or too few.
    """
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(hasattr(v, "__index__") and not isinstance(v, bool) for v in items):
        raise TypeError(f"{op}(): argument '{name}' must be int or a tuple of {rank} ints, but got {value!r}")
    if len(items) == 1:
        items = items * rank
    if len(items) != rank:
        raise ShapeError(
            f"{op}(): expected {name} to be a single integer value or a list of {rank} values, but got {name}={value!r}"
        )
    return tuple(v.__index__() for v in items)


def check_rank(op: str, input: Tensor, weight: Tensor, dims: int) -> bool:
    """Whether the input is a batch.

    Raises:
        ShapeError: if the ranks of input and weight do not fit the operation.
    """
    rank = input.array.ndim
    if weight.array.ndim != dims + 2:
        raise ShapeError(f"{op}(): expected a {dims + 2}-D weight, but got weight of size: {list(weight.array.shape)}")
    if rank not in (dims + 1, dims + 2):
        raise ShapeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {op}, but got input of size: "
            f"{list(input.array.shape)}"
        )
    return bool(rank == dims + 2)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slide filters along a sequence: input (N, C, L) or (C, L), weight (F, C/groups, K) -> (N, F, OL) or (F, OL)

    Raises:
        ShapeError: as conv2d.
    """
    batched = check_rank("conv1d", input, weight, 1)
    (step,), (gap,) = numbers("conv1d", "stride", stride, 1), numbers("conv1d", "dilation", dilation, 1)
    sides = padding if isinstance(padding, str) else (0, *numbers("conv1d", "padding", padding, 1))
    x = unsqueeze(input if batched else unsqueeze(input, 0), 2)  # (N, C, 1, L)
    y = conv2d(x, unsqueeze(weight, 2), bias, (1, step), sides, (1, gap), groups)
    shape = y.array.shape
    y = reshape(y, (shape[0], shape[1], shape[3]) if batched else (shape[1], shape[3]))
    return shown(y, "ConvolutionBackward0")


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Slide filters through volumes: input (N, C, D, H, W), weight (F, C/groups, KD, KH, KW) -> (N, F, OD, OH, OW)

    A sum over the filter's depth of two-dimensional convolutions, all depths of the output at once.

    Raises:
        ShapeError: as conv2d.
    """
    op = "conv3d"
    if not check_rank(op, input, weight, 3):
        y = conv3d(unsqueeze(input, 0), weight, bias, stride, padding, dilation, groups)
        return reshape(y, y.array.shape[1:])
    sd, *steps = numbers(op, "stride", stride, 3)
    dd, *gaps = numbers(op, "dilation", dilation, 3)
    kd = weight.array.shape[2]
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ShapeError(f"Invalid padding string: {padding!r}: {op}() knows 'valid' and 'same'")
        total = dd * (kd - 1) if padding == "same" else 0
        input = constant_pad(input, (0, 0, 0, 0, total // 2, total - total // 2))
        sides: Any = padding
    else:
        pd, *sides = numbers(op, "padding", padding, 3)
        conv_window(op, (kd, kd), (sd, sd), (pd, pd), (dd, dd))  # the checks
        input = constant_pad(input, (0, 0, 0, 0, pd, pd))
    n, c, d, h, w = input.array.shape
    extent = dd * (kd - 1) + 1
    if d < extent:
        raise ShapeError(
            f"{op}(): Calculated padded input size per channel: ({d} x {h} x {w}). Kernel size: ({extent} x "
            f"{weight.array.shape[3]} x {weight.array.shape[4]}). Kernel size can't be greater than actual input size"
        )
    od = (d - extent) // sd + 1
    planes = permute(input, (0, 2, 1, 3, 4))  # (N, D, C, H, W)
    y = None
    for k in range(kd):
        seen = Slice((slice(None), slice(k * dd, k * dd + sd * (od - 1) + 1, sd), ...)).apply(planes)
        part = conv2d(
            reshape(seen, (n * od, c, h, w)), Slice((slice(None), slice(None), k, ...)).apply(weight),
            bias if k == 0 else None, tuple(steps), sides, tuple(gaps), groups,
        )  # fmt: skip
        y = part if y is None else add(y, part)
    assert y is not None
    _, f, oh, ow = y.array.shape
    return shown(permute(reshape(y, (n, od, f, oh, ow)), (0, 2, 1, 3, 4)), "ConvolutionBackward0")


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The adjoint of conv2d in its input: (N, C, H, W), weight (C, F/groups, KH, KW) -> (N, F, OH, OW)

    OH = (H - 1)*stride - 2*padding + dilation*(KH - 1) + output_padding + 1.

    Raises:
        ShapeError: if channels, groups or sizes do not fit, or output_padding is not below stride or dilation.
    """
    op = "conv_transpose2d"
    if not check_rank(op, input, weight, 2):
        y = conv_transpose2d(unsqueeze(input, 0), weight, bias, stride, padding, output_padding, groups, dilation)
        return reshape(y, y.array.shape[1:])
    x, w = input.array, weight.array
    check_same_dtype(op, ("input", "weight"), x, w)
    kernel = w.shape[2:]
    steps, gaps = pair(op, "stride", stride), pair(op, "dilation", dilation)
    sides, extra = pair(op, "padding", padding), pair(op, "output_padding", output_padding)
    window = conv_window(op, kernel, steps, sides, gaps)
    if groups < 1:
        raise ShapeError(f"{op}(): groups must be a positive integer, but got groups={groups}")
    if x.shape[1] != w.shape[0]:
        raise ShapeError(
            f"Given transposed=1, weight of size {list(w.shape)}, expected input{list(x.shape)} to have {w.shape[0]} "
            f"channels, but got {x.shape[1]} channels instead"
        )
    if w.shape[0] % groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
            f"{list(w.shape)} instead"
        )
    features = w.shape[1] * groups
    if bias is not None and bias.array.shape != (features,):
        raise ShapeError(
            f"Given transposed=1, weight of size {list(w.shape)}, expected bias to be 1-dimensional with {features} "
            f"elements, but got bias of size {list(bias.array.shape)} instead"
        )
    for e, s, g in zip(extra, steps, gaps, strict=True):
        if e < 0 or (e >= s and e >= g):
            raise ShapeError(
                f"{op}(): output padding must be smaller than either stride or dilation, but got output_padding={extra}, "
                f"stride={steps} and dilation={gaps}"
            )
    size = tuple(
        (n - 1) * s - 2 * p + span + e
        for n, s, p, span, e in zip(x.shape[2:], steps, sides, window.extent, extra, strict=True)
    )
    if min(size) < 1:
        raise ShapeError(
            f"Given input size per channel: ({x.shape[2]} x {x.shape[3]}). Calculated output size per channel: "
            f"({size[0]} x {size[1]}). Output size is too small"
        )
    if all(e < s for e, s in zip(extra, steps, strict=True)):
        y = Conv2dInputGrad(window, groups, (x.shape[0], features, *size)).apply(input, weight)
    else:  # further than a stride no window reaches: make all cells without padding, then cut and lay zeros around
        bare = conv_window(op, kernel, steps, (0, 0), gaps)
        whole = tuple((n - 1) * s + span for n, s, span in zip(x.shape[2:], steps, window.extent, strict=True))
        y = Conv2dInputGrad(bare, groups, (x.shape[0], features, *whole)).apply(input, weight)
        (ph, pw), (eh, ew) = sides, extra
        y = constant_pad(y, (-pw, ew - pw, -ph, eh - ph))
    return y if bias is None else shown(add(y, reshape(bias, (1, -1, 1, 1))), "ConvolutionBackward0")


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The adjoint of conv1d in its input: (N, C, L), weight (C, F/groups, K) -> (N, F, OL)

    Raises:
        ShapeError: as conv_transpose2d.
    """
    op = "conv_transpose1d"
    batched = check_rank(op, input, weight, 1)
    (step,), (gap,) = numbers(op, "stride", stride, 1), numbers(op, "dilation", dilation, 1)
    (side,), (extra,) = numbers(op, "padding", padding, 1), numbers(op, "output_padding", output_padding, 1)
    x = unsqueeze(input if batched else unsqueeze(input, 0), 2)
    y = conv_transpose2d(x, unsqueeze(weight, 2), bias, (1, step), (0, side), (0, extra), groups, (1, gap))
    shape = y.array.shape
    y = reshape(y, (shape[0], shape[1], shape[3]) if batched else (shape[1], shape[3]))
    return shown(y, "ConvolutionBackward0")


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The adjoint of conv3d in its input: (N, C, D, H, W), weight (C, F/groups, KD, KH, KW) -> (N, F, OD, OH, OW)

    Every depth of the filter is a two-dimensional transposed convolution, whose planes are set apart by the stride.

    Raises:
        ShapeError: as conv_transpose2d.
    """
    op = "conv_transpose3d"
    if not check_rank(op, input, weight, 3):
        y = conv_transpose3d(unsqueeze(input, 0), weight, bias, stride, padding, output_padding, groups, dilation)
        return reshape(y, y.array.shape[1:])
    sd, *steps = numbers(op, "stride", stride, 3)
    dd, *gaps = numbers(op, "dilation", dilation, 3)
    pd, *sides = numbers(op, "padding", padding, 3)
    ed, *extra = numbers(op, "output_padding", output_padding, 3)
    if ed >= max(sd, dd):
        raise ShapeError(
            f"{op}(): output padding must be smaller than either stride or dilation, but got output_padding="
            f"{(ed, *extra)}, stride={(sd, *steps)} and dilation={(dd, *gaps)}"
        )
    outputs = weight.array.shape[1] * groups
    if bias is not None and (bias.array.shape != (outputs,) or bias.array.dtype != weight.array.dtype):
        raise ShapeError(
            f"{op}(): expected bias to be 1-dimensional with {outputs} elements of {dtypes.of(weight.array)}, but got bias of size "
            f"{list(bias.array.shape)} and {dtypes.of(bias.array)}"
        )
    n, c, d, h, w = input.array.shape
    kd = weight.array.shape[2]
    planes = reshape(permute(input, (0, 2, 1, 3, 4)), (n * d, c, h, w))
    full = (d - 1) * sd + dd * (kd - 1) + 1 + ed
    y = None
    for k in range(kd):
        slab = Slice((slice(None), slice(None), k, ...)).apply(weight)
        part = conv_transpose2d(planes, slab, None, tuple(steps), tuple(sides), tuple(extra), groups, tuple(gaps))
        _, f, oh, ow = part.array.shape
        part = reshape(part, (n, d, 1, f, oh, ow))
        part = Pad(((0, 0), (0, 0), (0, sd - 1), (0, 0), (0, 0), (0, 0)), 0).apply(part)  # zeros between the planes
        part = reshape(part, (n, d * sd, f, oh, ow))
        part = Pad(((0, 0), (k * dd, full - k * dd - d * sd), (0, 0), (0, 0), (0, 0)), 0).apply(part)
        y = part if y is None else add(y, part)
    assert y is not None
    if full - 2 * pd < 1:
        raise ShapeError(f"{op}(): Calculated output depth: {full - 2 * pd}. Output size is too small")
    y = permute(Pad(((0, 0), (-pd, -pd), (0, 0), (0, 0), (0, 0)), 0).apply(y), (0, 2, 1, 3, 4))
    return y if bias is None else shown(add(y, reshape(bias, (1, -1, 1, 1, 1))), "ConvolutionBackward0")


def conv2d_input(
    input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of conv2d in its input, which has the shape input_size."""
    op = "conv2d_input"
    window = conv_window(
        op, weight.array.shape[2:], pair(op, "stride", stride), pair(op, "padding", padding),
        pair(op, "dilation", dilation),
    )  # fmt: skip
    return Conv2dInputGrad(window, groups, tuple(input_size)).apply(grad_output, weight)


def conv2d_weight(
    input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of conv2d in its weight, which has the shape weight_size."""
    op = "conv2d_weight"
    window = conv_window(
        op, tuple(weight_size)[2:], pair(op, "stride", stride), pair(op, "padding", padding),
        pair(op, "dilation", dilation),
    )  # fmt: skip
    return Conv2dWeightGrad(window, groups, tuple(weight_size)).apply(grad_output, input)


def conv1d_input(
    input_size: Any, weight: Tensor, grad_output: Tensor, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of conv1d in its input, which has the shape input_size."""
    n, c, length = input_size
    (s,), (p,), (d,) = (numbers("conv1d_input", "stride", v, 1) for v in (stride, padding, dilation))
    gy, w = unsqueeze(grad_output, 2), unsqueeze(weight, 2)
    return reshape(conv2d_input((n, c, 1, length), w, gy, (1, s), (0, p), (1, d), groups), (n, c, length))


def conv1d_weight(
    input: Tensor, weight_size: Any, grad_output: Tensor, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """The gradient of conv1d in its weight, which has the shape weight_size."""
    f, c, k = weight_size
    (s,), (p,), (d,) = (numbers("conv1d_weight", "stride", v, 1) for v in (stride, padding, dilation))
    gy, x = unsqueeze(grad_output, 2), unsqueeze(input, 2)
    return reshape(conv2d_weight(x, (f, c, 1, k), gy, (1, s), (0, p), (1, d), groups), (f, c, k))


__all__ = [
    "conv1d", "conv1d_input", "conv1d_weight", "conv2d", "conv2d_input", "conv2d_weight", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
]  # fmt: skip
