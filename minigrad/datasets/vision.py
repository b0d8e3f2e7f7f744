"""What data sets of images have in common.

A sample's image is an array of bytes, (H, W) or (H, W, C): what `transforms` take, and what a picture
library reads with `fromarray`. No such library is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from minigrad.creation import from_numpy
from minigrad.utils.data.dataset import Dataset, row_numbers
from minigrad.utils.data.fetch import to_default_device

Images = npt.NDArray[np.uint8]
Transform = Callable[[Any], Any]


class VisionDataset(Dataset[tuple[Any, Any]]):
    """Pairs of an image and a target, each through its own transform, or both through `transforms`."""

    classes: Sequence[str] = ()

    def __init__(
        self,
        root: Any = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.root = root
        self.transforms = transforms
        self.transform = transform
        self.target_transform = target_transform

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    def _sample(self, image: Any, target: Any) -> tuple[Any, Any]:
        if self.transforms is not None:
            return self.transforms(image, target)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def extra_repr(self) -> str:
        """A line of the repr, for subclasses."""
        return ""

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]  # type: ignore[arg-type]
        if self.root is not None:
            lines.append(f"    Root location: {self.root}")
        if self.extra_repr():
            lines.append(f"    {self.extra_repr()}")
        if self.transform is not None or self.target_transform is not None:
            lines.append("    StandardTransform")
            lines += [_titled("Transform", self.transform), _titled("Target transform", self.target_transform)]
        return "\n".join(line for line in lines if line)


def _titled(title: str, transform: Transform | None) -> str:
    if transform is None:
        return ""
    first, *rest = repr(transform).splitlines()
    return "\n".join([f"{title}: {first}", *(" " * (len(title) + 2) + line for line in rest)])


class ImageArrays(VisionDataset):
    """Images that all fit into memory: `images` (N, H, W[, C]) uint8 and `labels` (N,) int64."""

    def _images(self) -> Images:
        raise NotImplementedError

    def _labels(self) -> npt.NDArray[np.int64]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._images())

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        return self._sample(self._images()[index], int(self._labels()[index]))

    def arrays(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """All at once: images (N, C, H, W) float32 in [0, 1], labels (N,) int64. No transform is applied."""
        images = self._images()
        images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        scaled = images.astype(np.float32, order="C")
        scaled /= np.float32(255)
        return scaled, self._labels().copy()

    def tensors(self) -> tuple[Any, Any]:
        """`arrays` as tensors where new tensors live, ready for a TensorDataset."""
        images, labels = self.arrays()
        return to_default_device((from_numpy(images), from_numpy(labels)))

    def _collated(self, indices: Sequence[int]) -> list[Any] | None:
        """A whole batch through the transform at once, where each of its steps can do that."""
        rows, batched = row_numbers(indices), getattr(self.transform, "batched", None)
        own = type(self).__getitem__ is not ImageArrays.__getitem__ or self.target_transform or self.transforms
        if rows is None or batched is None or own:
            return None
        images = batched(self._images().take(rows, 0))
        return None if images is None else [images, from_numpy(self._labels().take(rows, 0))]
