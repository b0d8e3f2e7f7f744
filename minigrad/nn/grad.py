"""Gradients of convolution as functions of their own."""

from minigrad.ops.nn_conv import conv1d_input, conv1d_weight, conv2d_input, conv2d_weight

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight"]
