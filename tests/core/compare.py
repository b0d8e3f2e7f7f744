"""Bringing minigrad and PyTorch side by side."""

import numpy as np
import torch

import minigrad


def ours(value, dtype=None, grad=False):
    """An array as a tensor of the active backend; what is no array stays as it is."""
    if not isinstance(value, np.ndarray):
        return value
    floating = value.dtype.kind == "f"
    t = minigrad.tensor(value if dtype is None or not floating else value.astype(dtype))
    return t.requires_grad_() if grad and floating else t


def theirs(value, dtype=None, grad=False):
    """The same as PyTorch's tensor."""
    if not isinstance(value, np.ndarray):
        return value
    floating = value.dtype.kind == "f"
    t = torch.tensor(value if dtype is None or not floating else value.astype(dtype))
    return t.requires_grad_() if grad and floating else t


def listed(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def array(t):
    """The elements on the host, whatever the graph says."""
    return t.numpy_array() if isinstance(t, minigrad.Tensor) else t.detach().numpy()


TOLERANCE = {"float64": 1e-9, "float32": 2e-5, "float16": 4e-3}


def assert_same(mine, other, tolerance=None, what=""):
    """Shape, dtype and values, NaN equal to NaN."""
    a, b = array(mine), array(other)
    assert tuple(a.shape) == tuple(b.shape), what
    assert a.dtype == b.dtype, what
    if a.dtype.kind != "f":
        np.testing.assert_array_equal(a, b, what)
        return
    t = TOLERANCE[a.dtype.name] if tolerance is None else tolerance
    np.testing.assert_allclose(a, b, rtol=t, atol=t, err_msg=str(what))
