"""The loops. Every kernel writes arrays that the caller has allocated, and lets other Python threads run meanwhile.

Along a row, `span` says for which places of the window a tap is on the image, so that the innermost
loop has no condition in it and becomes vector instructions.
"""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def span(size, places, stride, offset):
    """The places [first, last) for which 0 <= place*stride + offset < size."""
    first = 0 if offset >= 0 else (-offset + stride - 1) // stride
    last = (size - offset + stride - 1) // stride if size > offset else 0
    return first, max(first, min(last, places))


@njit(cache=True, nogil=True)
def im2col(x, cols, window):
    """x (N, C, H, W) -> cols (N, C, KH*KW, OH, OW), which holds the fill where a tap is beside the image."""
    kh, kw, sh, sw, ph, pw, dh, dw = window
    n, c, h, w = x.shape
    oh, ow = cols.shape[3:]
    for i in range(n):
        for k in range(c):
            for a in range(kh):
                for e in range(kw):
                    left = e * dw - pw
                    first, last = span(w, ow, sw, left)
                    for r in range(oh):
                        row = r * sh + a * dh - ph
                        if 0 <= row < h:
                            for s in range(first, last):
                                cols[i, k, a * kw + e, r, s] = x[i, k, row, s * sw + left]


@njit(cache=True, nogil=True)
def col2im(cols, x, window):
    """cols (N, C, KH*KW, OH, OW) is added to x (N, C, H, W)."""
    kh, kw, sh, sw, ph, pw, dh, dw = window
    n, c, h, w = x.shape
    oh, ow = cols.shape[3:]
    for i in range(n):
        for k in range(c):
            for a in range(kh):
                for e in range(kw):
                    left = e * dw - pw
                    first, last = span(w, ow, sw, left)
                    for r in range(oh):
                        row = r * sh + a * dh - ph
                        if 0 <= row < h:
                            for s in range(first, last):
                                x[i, k, row, s * sw + left] += cols[i, k, a * kw + e, r, s]


@njit(cache=True, nogil=True)
def conv2d(x, w, y, window, groups):
    """x (N, C, H, W), w (F, C/G, KH, KW) are added to y (N, F, OH, OW)."""
    kh, kw, sh, sw, ph, pw, dh, dw = window
    n, _, h, width = x.shape
    f, each = w.shape[:2]
    oh, ow = y.shape[2:]
    for i in range(n):
        for out in range(f):
            channel = out // (f // groups) * each
            for k in range(each):
                for a in range(kh):
                    for e in range(kw):
                        weight, left = w[out, k, a, e], e * dw - pw
                        first, last = span(width, ow, sw, left)
                        for r in range(oh):
                            row = r * sh + a * dh - ph
                            if 0 <= row < h:
                                for s in range(first, last):
                                    y[i, out, r, s] += weight * x[i, channel + k, row, s * sw + left]


@njit(cache=True, nogil=True)
def conv2d_input_grad(gy, w, gx, window, groups):
    """gy (N, F, OH, OW), w (F, C/G, KH, KW) are added to gx (N, C, H, W)."""
    kh, kw, sh, sw, ph, pw, dh, dw = window
    n, _, h, width = gx.shape
    f, each = w.shape[:2]
    oh, ow = gy.shape[2:]
    for i in range(n):
        for out in range(f):
            channel = out // (f // groups) * each
            for k in range(each):
                for a in range(kh):
                    for e in range(kw):
                        weight, left = w[out, k, a, e], e * dw - pw
                        first, last = span(width, ow, sw, left)
                        for r in range(oh):
                            row = r * sh + a * dh - ph
                            if 0 <= row < h:
                                for s in range(first, last):
                                    gx[i, channel + k, row, s * sw + left] += weight * gy[i, out, r, s]


@njit(cache=True, nogil=True)
def conv2d_weight_grad(gy, x, gw, window, groups):
    """gy (N, F, OH, OW), x (N, C, H, W) are added to gw (F, C/G, KH, KW)."""
    kh, kw, sh, sw, ph, pw, dh, dw = window
    n, _, h, width = x.shape
    f, each = gw.shape[:2]
    oh, ow = gy.shape[2:]
    for i in range(n):
        for out in range(f):
            channel = out // (f // groups) * each
            for k in range(each):
                for a in range(kh):
                    for e in range(kw):
                        left = e * dw - pw
                        first, last = span(width, ow, sw, left)
                        for r in range(oh):
                            row = r * sh + a * dh - ph
                            if 0 <= row < h:
                                total = gw[out, k, a, e]
                                for s in range(first, last):
                                    total += gy[i, out, r, s] * x[i, channel + k, row, s * sw + left]
                                gw[out, k, a, e] = total


@njit(cache=True, nogil=True)
def max_pool2d(x, y, indices, lowest, window):
    """x (N, C, H, W) -> y and indices (N, C, OH, OW): the first maximum wins, the first NaN wins over all.

    A window that sees no cell of the image is `lowest` and names cell 0.
    """
    kh, kw, sh, sw, ph, pw, dh, dw = window
    n, c, h, w = x.shape
    oh, ow = y.shape[2:]
    for i in range(n):
        for k in range(c):
            for r in range(oh):
                for s in range(ow):
                    cell, best = -1, lowest
                    for a in range(kh):
                        row = r * sh + a * dh - ph
                        if not 0 <= row < h:
                            continue
                        for e in range(kw):
                            column = s * sw + e * dw - pw
                            if not 0 <= column < w:
                                continue
                            value = x[i, k, row, column]
                            if cell < 0 or value > best or (value != value and best == best):
                                cell, best = row * w + column, value
                    y[i, k, r, s], indices[i, k, r, s] = best, max(cell, 0)


@njit(cache=True, nogil=True)
def max_pool2d_grad(gy, indices, gx):
    """gy and indices (N, C, OH, OW) are added to gx (N, C, H, W)."""
    n, c, _, w = gx.shape
    oh, ow = gy.shape[2:]
    for i in range(n):
        for k in range(c):
            for r in range(oh):
                for s in range(ow):
                    row, column = divmod(indices[i, k, r, s], w)
                    gx[i, k, row, column] += gy[i, k, r, s]
