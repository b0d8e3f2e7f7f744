"""All operations under test, in the order in which they build on one another."""

from minigrad.testing.families import (
    activations,
    convolution,
    fused,
    gradients,
    matrices,
    norm,
    pooling,
    rows,
    steps,
    windows,
)
from minigrad.testing.words import Word

WORDS: dict[str, Word] = {
    word.name: word
    for module in (windows, matrices, convolution, pooling, activations, rows, norm, steps, fused, gradients)
    for word in module.WORDS
}

__all__ = ["WORDS"]
