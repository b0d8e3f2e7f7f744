"""Your backend. Replace one `raise NotImplementedError` after another, from top to bottom.

    minigrad conformance --course examples/course/my_backend.py
    minigrad conformance --course examples/course/my_backend.py --operation im2col

N images of C channels and H x W cells; F filters of KH x KW taps; the window stands on OH x OW places.
`window` knows its numbers: window.kernel, .stride, .padding, .dilation (each vertical, horizontal),
window.taps = KH * KW, and window.out_size(H, W) = (OH, OW). README.md beside this file has the steps.
"""

import numpy as np

from minigrad.backend import Backend


class MyBackend(Backend):
    name = "mine"
    device = "cpu"
    xp = np

    def im2col(self, x, window, fill=0):
        """x (N, C, H, W) -> (N, C*KH*KW, OH*OW): the patch under every window as a column; `fill` outside the image."""
        raise NotImplementedError

    def col2im(self, cols, x_shape, window):
        """cols (N, C*KH*KW, OH*OW) -> x_shape = (N, C, H, W): add every cell of a column to where im2col took it from."""
        raise NotImplementedError

    def conv2d(self, x, w, b, window, groups=1):
        """x (N, C, H, W), w (F, C/groups, KH, KW), b (F,) or None -> (N, F, OH, OW)"""
        raise NotImplementedError

    def conv2d_input_grad(self, gy, w, x_shape, window, groups=1):
        """gy (N, F, OH, OW), w (F, C/groups, KH, KW) -> x_shape = (N, C, H, W)"""
        raise NotImplementedError

    def conv2d_weight_grad(self, gy, x, w_shape, window, groups=1):
        """gy (N, F, OH, OW), x (N, C, H, W) -> w_shape = (F, C/groups, KH, KW)"""
        raise NotImplementedError

    def max_pool2d(self, x, window):
        """x (N, C, H, W) -> y (N, C, OH, OW) and int64 indices (N, C, OH, OW) of the winners in the unpadded H*W plane.

        The first of equal maxima wins, the first NaN wins over all, and padding never wins.
        """
        raise NotImplementedError

    def max_pool2d_grad(self, gy, indices, x_shape):
        """gy, indices (N, C, OH, OW) -> x_shape = (N, C, H, W): each gradient goes to the cell that won."""
        raise NotImplementedError
