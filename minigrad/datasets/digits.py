"""The digits that scikit-learn carries with it: for a machine without network.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minigrad.creation import from_numpy
from minigrad.datasets.vision import ImageArrays, Images, Transform

_TEST = 297  # of the 1,797; the rest is for training


class Digits(ImageArrays):
    """1,797 handwritten digits: the first 1,500 to train on, the last 297 to test with.

    They are 8 x 8 with 17 shades. `size=28` enlarges them for programs written for MNIST: to 20 x 20, by
    linear interpolation, in a black border of 4.

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: size is neither 8 nor 28.
    """

    classes = tuple("0123456789")

    def __init__(
        self,
        train: bool = True,
        size: int = 28,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        if size not in (8, 28):
            raise ValueError(f"Digits(): size must be 8 or 28, but got size={size}")
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise ImportError("Digits needs scikit-learn: pip install scikit-learn") from error
        bunch = load_digits()
        part = slice(None, -_TEST) if train else slice(-_TEST, None)
        images = (bunch.images[part] * (255 / 16)).round()
        self.train = train
        self.data = from_numpy((_enlarged(images) if size == 28 else images).astype(np.uint8))
        self.targets = from_numpy(bunch.target[part].astype(np.int64))

    def _images(self) -> Images:
        return self.data.numpy()

    def _labels(self) -> npt.NDArray[np.int64]:
        return self.targets.numpy()

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


def _enlarged(images: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, 8, 8) -> (N, 28, 28): a 20 x 20 picture in a border of 4, as MNIST's digits stand."""
    places = np.clip((np.arange(20) + 0.5) * (8 / 20) - 0.5, 0, 7)
    low = np.minimum(places.astype(int), 6)
    weights = np.zeros((20, 8))
    weights[np.arange(20), low] = 1 - (places - low)
    weights[np.arange(20), low + 1] = places - low
    return np.pad((weights @ images @ weights.T).round(), ((0, 0), (4, 4), (4, 4)))
