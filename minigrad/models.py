"""The network that this project grew from."""

from __future__ import annotations

from typing import Any

from minigrad import nn
from minigrad.nn import functional as F
from minigrad.tensor import Tensor


class SimpleConvNet(nn.Module):
    """Conv - ReLU - MaxPool 2 - Affine - ReLU - Affine: the convolutional network of the book, without the loss.

    (N, C, H, W) -> (N, output_size) logits. Source: Saitoh, "Deep Learning from Scratch" (2016), chapter 7.
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        filter_num: int = 30,
        filter_size: int = 5,
        pad: int = 0,
        stride: int = 1,
        hidden_size: int = 100,
        output_size: int = 10,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels, height, width = input_dim
        size = [(n + 2 * pad - filter_size) // stride + 1 for n in (height, width)]
        self.conv1 = nn.Conv2d(channels, filter_num, filter_size, stride, pad)
        self.pool1 = nn.MaxPool2d(2)
        self.affine1 = nn.Affine(filter_num * (size[0] // 2) * (size[1] // 2), hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.affine2 = nn.Affine(hidden_size, output_size)

    def forward(self, x: Tensor) -> Any:
        """(N, C, H, W) -> (N, output_size)"""
        x = self.pool1(F.relu(self.conv1(x)))
        x = F.relu(self.affine1(x.flatten(1)))
        return self.affine2(self.dropout(x) if self.dropout.p else x)

    def predict(self, x: Tensor) -> Any:
        """(N, C, H, W) -> (N, output_size) probabilities"""
        return F.softmax(self(x), dim=1)
