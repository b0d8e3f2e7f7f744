"""MNIST and the data sets that took its place and its format.

Sources: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998);
Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017); Clanuwat et al., "Deep Learning for Classical Japanese
Literature" (2018).
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from minigrad.creation import from_numpy
from minigrad.datasets.fetch import Resource, obtain, read_verified
from minigrad.datasets.idx import parse_idx
from minigrad.datasets.vision import ImageArrays, Images, Transform

# file -> bytes of its content, the same in all three data sets
_SIZES = {
    "train-images-idx3-ubyte.gz": 47_040_016,
    "train-labels-idx1-ubyte.gz": 60_008,
    "t10k-images-idx3-ubyte.gz": 7_840_016,
    "t10k-labels-idx1-ubyte.gz": 10_008,
}


def _resources(kind: str, digests: tuple[str, str, str, str]) -> tuple[Resource, ...]:
    return tuple(Resource(name, size, **{kind: d}) for (name, size), d in zip(_SIZES.items(), digests, strict=True))


class MNIST(ImageArrays):
    """70,000 handwritten digits, 28 x 28: 60,000 to train on, 10,000 to test with.

    The files are looked for in $MINIGRAD_DATA, in `root` and in the cache folder, each time in MNIST/raw
    and in the folder itself, plain or gzipped; failing that they are downloaded into `root` (or the cache).
    Every content is verified.

    A sample is (image, label): a (28, 28) uint8 array, or what `transform` makes of it, and an int. `data`
    (N, 28, 28) uint8 and `targets` (N,) int64 are tensors and may be replaced.

    Raises:
        DataUnavailable: the files are not there and may not, or cannot, be downloaded.
        ValueError: a file is there, but its content is not the right one.
    """

    mirrors: ClassVar[tuple[str, ...]] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    )
    resources: ClassVar[tuple[Resource, ...]] = _resources(
        "sha256",
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    )
    # The contents are pinned, so the files are known even without a folder that bears the name.
    layouts: ClassVar[tuple[str, ...]] = ("MNIST/raw", "")
    classes = (
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    )

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        images, labels = (self._read(r, download) for r in (self.resources[:2] if train else self.resources[2:]))
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or images.dtype != np.uint8:
            raise ValueError(f"{type(self).__name__}: images {images.shape} and labels {labels.shape} do not fit")
        self.data = from_numpy(images)
        self.targets = from_numpy(labels.astype(np.int64))

    def _read(self, resource: Resource, download: bool) -> npt.NDArray[Any]:
        path = obtain(type(self).__name__, resource, self.mirrors, self.layouts, self.root, download)
        return parse_idx(read_verified(path, resource), path)

    def _images(self) -> Images:
        return self.data.numpy()

    def _labels(self) -> npt.NDArray[np.int64]:
        return self.targets.numpy()

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """70,000 pictures of clothes, 28 x 28, in ten classes; looked for in FashionMNIST/raw. Else as MNIST."""

    mirrors: ClassVar[tuple[str, ...]] = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    resources: ClassVar[tuple[Resource, ...]] = _resources(
        "md5",
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    )
    layouts: ClassVar[tuple[str, ...]] = ("FashionMNIST/raw",)
    classes = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )


class KMNIST(MNIST):
    """70,000 handwritten Japanese syllables, 28 x 28, in ten classes; looked for in KMNIST/raw. Else as MNIST."""

    mirrors: ClassVar[tuple[str, ...]] = (
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    )
    resources: ClassVar[tuple[Resource, ...]] = _resources(
        "md5",
        (
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
    )
    layouts: ClassVar[tuple[str, ...]] = ("KMNIST/raw",)
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
