"""Convolution and pooling as nested loops over numbers, slow and plain: what the fast ones are held against."""

import numpy as np


def pair(v):
    return (v, v) if isinstance(v, int) else tuple(v)


def conv_forward_naive(x, w, b, conv_param):
    """cs231n's: x (N, C, H, W), w (F, C, HH, WW), b (F,), conv_param {'stride', 'pad'} -> out, cache"""
    stride, pad = conv_param["stride"], conv_param["pad"]
    (n, c, h, width), (f, _, hh, ww) = x.shape, w.shape
    oh, ow = 1 + (h + 2 * pad - hh) // stride, 1 + (width + 2 * pad - ww) // stride
    padded = np.zeros((n, c, h + 2 * pad, width + 2 * pad))
    padded[:, :, pad : pad + h, pad : pad + width] = x
    out = np.zeros((n, f, oh, ow))
    for image in range(n):
        for filter_ in range(f):
            for i in range(oh):
                for j in range(ow):
                    total = b[filter_]
                    for channel in range(c):
                        for u in range(hh):
                            for v in range(ww):
                                total += (
                                    padded[image, channel, i * stride + u, j * stride + v] * w[filter_, channel, u, v]
                                )
                    out[image, filter_, i, j] = total
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    """cs231n's: dout (N, F, OH, OW) -> dx, dw, db"""
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    (n, c, h, width), (f, _, hh, ww) = x.shape, w.shape
    padded = np.zeros((n, c, h + 2 * pad, width + 2 * pad))
    padded[:, :, pad : pad + h, pad : pad + width] = x
    d_padded, dw, db = np.zeros_like(padded), np.zeros(w.shape), np.zeros(b.shape)
    for image in range(n):
        for filter_ in range(f):
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    g = dout[image, filter_, i, j]
                    db[filter_] += g
                    for channel in range(c):
                        for u in range(hh):
                            for v in range(ww):
                                dw[filter_, channel, u, v] += g * padded[image, channel, i * stride + u, j * stride + v]
                                d_padded[image, channel, i * stride + u, j * stride + v] += (
                                    g * w[filter_, channel, u, v]
                                )
    return d_padded[:, :, pad : pad + h, pad : pad + width], dw, db


def places(size, kernel, stride, padding, dilation, ceil_mode=False):
    """The starts of all windows along one axis, in the unpadded image's coordinates, one after the other.

    In ceil_mode a window may hang over the padding by less than a stride, if it starts inside the image.
    """
    starts, start = [], -padding
    extent = dilation * (kernel - 1) + 1
    while True:
        overhang = start + extent - (size + padding)
        if overhang > 0 and not (ceil_mode and overhang < stride and start < size):
            return starts
        starts.append(start)
        start += stride


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation with all options, cell by cell."""
    stride, padding, dilation = pair(stride), pair(padding), pair(dilation)
    (n, _, h, width), (f, cg, kh, kw) = x.shape, w.shape
    rows = places(h, kh, stride[0], padding[0], dilation[0])
    columns = places(width, kw, stride[1], padding[1], dilation[1])
    out = np.zeros((n, f, len(rows), len(columns)))
    for filter_ in range(f):
        group = filter_ // (f // groups)
        for i, top in enumerate(rows):
            for j, left in enumerate(columns):
                for u in range(kh):
                    for v in range(kw):
                        y, x_ = top + u * dilation[0], left + v * dilation[1]
                        if 0 <= y < h and 0 <= x_ < width:
                            patch = x[:, group * cg : (group + 1) * cg, y, x_]
                            out[:, filter_, i, j] += patch @ w[filter_, :, u, v]
        if b is not None:
            out[:, filter_] += b[filter_]
    return out


def max_pool2d(x, kernel, stride, padding=0, dilation=1, ceil_mode=False):
    """The largest value under each window and its place in the plane; the first one, NaN before all."""
    kernel, stride, padding, dilation = pair(kernel), pair(stride), pair(padding), pair(dilation)
    n, c, h, width = x.shape
    rows = places(h, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    columns = places(width, kernel[1], stride[1], padding[1], dilation[1], ceil_mode)
    y = np.zeros((n, c, len(rows), len(columns)), x.dtype)
    indices = np.zeros(y.shape, np.int64)
    for at in np.ndindex(n, c):
        plane = x[at]
        for i, top in enumerate(rows):
            for j, left in enumerate(columns):
                best, where = None, None
                for u in range(kernel[0]):
                    for v in range(kernel[1]):
                        p, q = top + u * dilation[0], left + v * dilation[1]
                        if not (0 <= p < h and 0 <= q < width):
                            continue
                        value = plane[p, q]
                        if best is None or value > best or (np.isnan(value) and not np.isnan(best)):
                            best, where = value, p * width + q
                y[(*at, i, j)], indices[(*at, i, j)] = best, where
    return y, indices


def avg_pool2d(x, kernel, stride, padding=0, ceil_mode=False, count_include_pad=True, divisor=None):
    """The mean under each window; a divisor that counts padding never counts cells beyond it."""
    kernel, stride, padding = pair(kernel), pair(stride), pair(padding)
    n, c, h, width = x.shape
    rows = places(h, kernel[0], stride[0], padding[0], 1, ceil_mode)
    columns = places(width, kernel[1], stride[1], padding[1], 1, ceil_mode)
    y = np.zeros((n, c, len(rows), len(columns)))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            padded_cells = cells = 0
            for p in range(top, top + kernel[0]):
                for q in range(left, left + kernel[1]):
                    if p < h + padding[0] and q < width + padding[1]:
                        padded_cells += 1
                    if 0 <= p < h and 0 <= q < width:
                        cells += 1
                        y[:, :, i, j] += x[:, :, p, q]
            y[:, :, i, j] /= divisor or (padded_cells if count_include_pad else cells)
    return y


def im2col(x, kh, kw, stride=1, pad=0):
    """The book's: one row per window, (N*OH*OW, C*KH*KW)"""
    n, c, h, w = x.shape
    padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    return np.array(
        [
            [padded[image, ch, i + u, j + v] for ch in range(c) for u in range(kh) for v in range(kw)]
            for image in range(n)
            for i in range(0, h + 2 * pad - kh + 1, stride)
            for j in range(0, w + 2 * pad - kw + 1, stride)
        ]
    )
