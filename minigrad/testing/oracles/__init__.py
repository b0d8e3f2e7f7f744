"""What every word of a backend means, said once more in plain loops over float64.

Nothing here calls a backend, and nothing here is clever: `windows` lists, loop by loop, which cell
of the image a tap of the window meets, and the rest follows definitions word by word. Each oracle
takes the word's own arguments as host arrays and returns `Expected` values with their scales.
"""

from minigrad.testing.oracles.convolution import (
    conv2d,
    conv2d_bias_grad,
    conv2d_input_grad,
    conv2d_relu,
    conv2d_relu_max_pool2d,
    conv2d_relu_max_pool2d_grad,
    conv2d_weight_grad,
)
from minigrad.testing.oracles.dense import linear, linear_grads, linear_relu, matmul
from minigrad.testing.oracles.elementwise import relu, relu_grad, sigmoid, sigmoid_grad, tanh, tanh_grad
from minigrad.testing.oracles.norm import batch_norm, batch_norm_grad, batch_norm_stats
from minigrad.testing.oracles.pooling import (
    avg_pool2d,
    avg_pool2d_grad,
    max_pool2d,
    max_pool2d_gather,
    max_pool2d_grad,
)
from minigrad.testing.oracles.rows import (
    cross_entropy,
    cross_entropy_grad,
    log_softmax,
    log_softmax_grad,
    softmax,
    softmax_grad,
)
from minigrad.testing.oracles.steps import adam_step, sgd_step
from minigrad.testing.oracles.windows import col2im, im2col

__all__ = [
    "adam_step",
    "avg_pool2d",
    "avg_pool2d_grad",
    "batch_norm",
    "batch_norm_grad",
    "batch_norm_stats",
    "col2im",
    "conv2d",
    "conv2d_bias_grad",
    "conv2d_input_grad",
    "conv2d_relu",
    "conv2d_relu_max_pool2d",
    "conv2d_relu_max_pool2d_grad",
    "conv2d_weight_grad",
    "cross_entropy",
    "cross_entropy_grad",
    "im2col",
    "linear",
    "linear_grads",
    "linear_relu",
    "log_softmax",
    "log_softmax_grad",
    "matmul",
    "max_pool2d",
    "max_pool2d_gather",
    "max_pool2d_grad",
    "relu",
    "relu_grad",
    "sgd_step",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_grad",
    "tanh",
    "tanh_grad",
]
