"""Dropout: in training, zeros at random places and the rest scaled up."""

from __future__ import annotations

from minigrad.errors import ShapeError
from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.ops.base import Tensor


class _DropoutNd(Module):
    """Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014)."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ShapeError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Every element is 0 with probability p."""

    def forward(self, input: Tensor) -> Tensor:
        """(*) -> (*)"""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Whole channels are 0 with probability p: (N, C, L)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) -> (N, C, L)"""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Whole channels are 0 with probability p: (N, C, H, W)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)"""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Whole channels are 0 with probability p: (N, C, D, H, W)"""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) -> (N, C, D, H, W)"""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean and variance of selu's outputs.

    Source: Klambauer et al., "Self-normalizing neural networks" (2017).
    """

    def forward(self, input: Tensor) -> Tensor:
        """(*) -> (*)"""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, ...) -> (N, C, ...)"""
        return F.feature_alpha_dropout(input, self.p, self.training)
