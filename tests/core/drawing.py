"""How the table of operations draws its arguments: values that keep clear of kinks, ties and poles."""

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draw:
    """An array to be drawn: its shape, and a word for its values."""

    shape: tuple
    kind: str = "real"
    low: int = 0
    high: int = 0

    def array(self, rng, dtype=np.float64):
        count = int(np.prod(self.shape))
        if self.kind == "bool":
            return (rng.permutation(count) % 2 == 0).reshape(self.shape)
        if self.kind == "index":
            return rng.integers(self.low, self.high, self.shape)
        if self.kind == "permutation":
            return rng.permutation(count).reshape(self.shape)
        # Evenly spaced values in random order: no two are closer than half a step, none is near an end of its interval.
        places = (rng.permutation(count) + rng.uniform(0.25, 0.75, count)) / max(count, 1)
        low, high = {
            "real": (-2.0, 2.0),
            "positive": (0.3, 2.5),
            "unit": (-0.9, 0.9),
            "above": (1.2, 3.0),
            "logit": (-3.0, 3.0),
        }[self.kind]
        values = low + places * (high - low)
        if self.kind == "real":  # no value near zero
            values += np.where(values >= 0, 0.1, -0.1)
        return values.reshape(self.shape).astype(dtype)

    @property
    def floating(self):
        return self.kind not in ("bool", "index", "permutation")


def R(*shape):
    return Draw(shape)


def P(*shape):
    return Draw(shape, "positive")


def U(*shape):
    return Draw(shape, "unit")


def above(*shape):
    return Draw(shape, "above")


def B(*shape):
    return Draw(shape, "bool")


def index(high, *shape, low=0):
    return Draw(shape, "index", low, high)


def permutation(*shape):
    return Draw(shape, "permutation")


def rng_for(*words):
    return np.random.default_rng(zlib.crc32(repr(words).encode()))
