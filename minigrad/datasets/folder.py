"""A folder of pictures, one sub-folder for each class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.datasets.vision import VisionDataset

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def default_loader(path: str | os.PathLike[str]) -> Any:
    """A picture file as a (H, W, 3) uint8 array.

    Raises:
        ImportError: Pillow, which reads the files, is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("reading picture files needs Pillow: pip install pillow") from error
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _files(root: Path) -> Iterator[str]:
    """Every file below a folder, in alphabetical order."""
    for folder, folders, files in os.walk(root, followlinks=True):
        folders.sort()
        for file in sorted(files):
            yield os.path.join(folder, file)


class DatasetFolder(VisionDataset):
    """Files under root/CLASS/..., the classes numbered in alphabetical order.

    A sample is what `loader` makes of a file, through `transform`, and the number of its class. `samples` lists
    (path, class number), `targets` the numbers alone.

    Raises:
        FileNotFoundError: there is no sub-folder, or one without any file of the wanted kind.
        ValueError: both `extensions` and `is_valid_file` are given, or neither.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable[[str], Any],
        extensions: Sequence[str] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if (extensions is None) == (is_valid_file is None):
            raise ValueError("Both extensions and is_valid_file cannot be None or not None at the same time")
        self.loader = loader
        self.extensions = extensions
        self.classes, numbers = self.find_classes(root)
        wanted = is_valid_file or (lambda path: path.lower().endswith(tuple(extensions or ())))
        self.samples: list[tuple[str, int]] = []
        for name, number in numbers.items():
            here = [path for path in _files(Path(root) / name) if wanted(path)]
            if not here and not allow_empty:
                kinds = f" Supported extensions are: {', '.join(extensions)}" if extensions else ""
                raise FileNotFoundError(f"Found no valid file for the class {name} in {root}.{kinds}")
            self.samples += [(path, number) for path in here]
        self.targets = [number for _, number in self.samples]

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """The names of the classes and their numbers: a place for subclasses to have it otherwise."""
        classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        if not classes:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return classes, {name: i for i, name in enumerate(classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self._sample(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Pictures under root/CLASS/..., read by Pillow as (H, W, 3) uint8 arrays. Else as DatasetFolder."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
