"""A backend that says nothing but the floor."""

import numpy as np

from minigrad.backend import Backend


class Floor(Backend):
    """xp, im2col and col2im, as plainly as they can be said; the rest is inherited."""

    name = "floor"
    xp = np

    def im2col(self, x, window, fill=0):
        n, c, h, w = x.shape
        oh, ow = window.out_size(h, w)
        cols = np.full((n, c, window.taps, oh, ow), fill, x.dtype)
        for tap, r, s, i, j in self._meetings(window, h, w):
            cols[:, :, tap, r, s] = x[:, :, i, j]
        return cols.reshape(n, c * window.taps, oh * ow)

    def col2im(self, cols, x_shape, window):
        n, c, h, w = x_shape
        cols = cols.reshape(n, c, window.taps, *window.out_size(h, w))
        x = np.zeros(x_shape, cols.dtype)
        for tap, r, s, i, j in self._meetings(window, h, w):
            x[:, :, i, j] += cols[:, :, tap, r, s]
        return x

    def _meetings(self, window, h, w):
        (oh, ow), (kh, kw) = window.out_size(h, w), window.kernel
        for r, s, a, e in np.ndindex(oh, ow, kh, kw):
            i = r * window.stride[0] + a * window.dilation[0] - window.padding[0]
            j = s * window.stride[1] + e * window.dilation[1] - window.padding[1]
            if 0 <= i < h and 0 <= j < w:
                yield a * kw + e, r, s, i, j
