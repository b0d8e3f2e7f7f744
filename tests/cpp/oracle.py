"""What the kernels are held against: PyTorch in float64, and nested loops."""

import numpy as np
import torch

from minigrad.backends.cpp_backend import CppBackend
from minigrad.window import Window

CPP = CppBackend()
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}  # relative to the largest value; Winograd's float32 included


def draw(shape, dtype="float32", seed=0):
    """Normal values, the same for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def close(ours, theirs, tolerance):
    """Compare shapes, finiteness and values, the latter relative to the largest."""
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.flags.c_contiguous
    scale = max(np.abs(theirs[np.isfinite(theirs)]).max(initial=0), 1e-30)
    np.testing.assert_allclose(ours.astype(np.float64) / scale, theirs / scale, rtol=0, atol=tolerance)


def torch_conv(x, w, b, window, groups):
    """PyTorch's convolution of float64 copies, and a function that gives its gradients."""
    xs, ws, bs = (torch.tensor(a.astype(np.float64), requires_grad=True) for a in (x, w, b))
    y = torch.nn.functional.conv2d(xs, ws, bs, window.stride, window.padding, window.dilation, groups)

    def gradients(gy):
        return [g.numpy() for g in torch.autograd.grad(y, (xs, ws, bs), torch.tensor(gy.astype(np.float64)))]

    return y.detach().numpy(), gradients


# n, c, h, w, f, kernel, stride, padding, dilation, groups: every tail, stride remainder and odd corner
CONVOLUTIONS = [
    (2, 3, 7, 9, 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (3, 1, 28, 28, 30, (5, 5), (1, 1), (0, 0), (1, 1), 1),
    (3, 4, 11, 8, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2),
    (2, 16, 13, 17, 20, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (3, 32, 8, 8, 26, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    (2, 13, 3, 33, 14, (3, 3), (1, 1), (0, 2), (1, 1), 1),
    (2, 8, 9, 9, 8, (3, 3), (1, 1), (2, 2), (2, 2), 8),
    (5, 6, 10, 10, 33, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 5, 12, 12, 7, (4, 4), (3, 2), (2, 1), (1, 1), 1),
    (1, 2, 5, 5, 3, (3, 3), (1, 1), (4, 4), (1, 1), 1),  # more padding than the kernel sees
    (2, 40, 6, 7, 50, (5, 5), (1, 1), (2, 2), (1, 1), 1),
    (1, 3, 9, 20, 2, (2, 3), (2, 3), (0, 0), (3, 2), 1),
    (2, 2, 1, 70, 3, (1, 7), (1, 1), (0, 3), (1, 1), 1),
    (2, 2, 70, 1, 3, (7, 1), (1, 1), (3, 0), (1, 1), 1),
    (1, 4, 6, 6, 4, (6, 6), (1, 1), (0, 0), (1, 1), 4),
    (1, 2, 4, 4, 2, (1, 1), (5, 5), (0, 0), (1, 1), 1),  # a stride longer than the image
]


def conv_case(case, dtype):
    """(x, w, b, window, groups) of one line of the table."""
    n, c, h, w, f, kernel, stride, padding, dilation, groups = case
    window = Window(kernel, stride, padding, dilation)
    return draw((n, c, h, w), dtype), draw((f, c // groups, *kernel), dtype, 1), draw((f,), dtype, 2), window, groups
