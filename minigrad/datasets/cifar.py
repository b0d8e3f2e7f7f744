"""CIFAR-10 and CIFAR-100, read from their binary versions: the others are pickles, which are never loaded.

A record is one label byte (two in CIFAR-100: coarse, fine) and 3,072 bytes of picture: 32 rows of 32, red, then
green, then blue. Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009).
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, ClassVar

import numpy as np
import numpy.typing as npt

from minigrad.datasets.fetch import DataUnavailable, Resource, obtain, search_folders
from minigrad.datasets.vision import ImageArrays, Images, Transform

_PICTURE = 3 * 32 * 32
_LARGEST = 1 << 28  # bytes: no archive of this kind holds more


class CIFAR10(ImageArrays):
    """60,000 colour pictures, 32 x 32, in ten classes: 50,000 to train on, 10,000 to test with.

    Looked for in $MINIGRAD_DATA, in `root` and in the cache folder: the folder cifar-10-batches-bin, or the
    archive cifar-10-binary.tar.gz, which is read in place; nothing is extracted from it. Else the archive is
    downloaded. A sample is (image, label): a (32, 32, 3) uint8 array, or what `transform` makes of it, and an
    int. `data` (N, 32, 32, 3) uint8 and the list `targets` may be replaced.

    Raises:
        DataUnavailable: the files are not there and may not, or cannot, be downloaded.
        ValueError: a file is there, but it is not what it should be.
    """

    mirrors: ClassVar[tuple[str, ...]] = (
        "https://www.cs.toronto.edu/~kriz/",
        "https://cave.cs.toronto.edu/kriz/",
    )
    archive: ClassVar[Resource] = Resource(
        "cifar-10-binary.tar.gz", 170_052_171, md5="c32a1d4ab5d03f1284b67883e8d87530"
    )
    folder: ClassVar[str] = "cifar-10-batches-bin"
    train_files: ClassVar[tuple[str, ...]] = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
    test_files: ClassVar[tuple[str, ...]] = ("test_batch.bin",)
    names_file: ClassVar[str] = "batches.meta.txt"
    records: ClassVar[int] = 10_000  # in each file, but for CIFAR-100's training file
    labels_per_record: ClassVar[int] = 1  # of which the last counts

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
        files = self.train_files if train else self.test_files
        *batches, names = self._contents((*files, self.names_file), download)
        self.classes = tuple(names.decode("ascii", "replace").split())
        records = np.concatenate([self._parse(b, name) for b, name in zip(batches, files, strict=True)])
        labels = records[:, self.labels_per_record - 1]
        if labels.max() >= len(self.classes):
            raise ValueError(f"{type(self).__name__}: label {labels.max()}, but there are {len(self.classes)} classes")
        self.targets = labels.tolist()
        pictures = records[:, self.labels_per_record :].reshape(-1, 3, 32, 32)
        self.data = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))

    def _parse(self, content: bytes, name: str) -> npt.NDArray[np.uint8]:
        width, count = self.labels_per_record + _PICTURE, self._count(name)
        if len(content) != count * width:
            raise ValueError(f"{name}: expected {count} records of {width} bytes, but it has {len(content)} bytes")
        return np.frombuffer(content, np.uint8).reshape(count, width)

    def _count(self, name: str) -> int:
        return self.records

    def _contents(self, names: Sequence[str], download: bool) -> list[bytes]:
        """The files, from the first folder that has them all, or from the archive."""
        for place in search_folders(("",), self.root):
            folder = place / self.folder
            if all((folder / name).is_file() for name in names):
                return [self._bounded((folder / name).open("rb"), name) for name in names]
        title = type(self).__name__
        try:
            archive = obtain(title, self.archive, self.mirrors, ("",), self.root, download)
        except DataUnavailable as error:
            raise DataUnavailable(f"{error}\nA folder {self.folder} with the unpacked files does as well.") from error
        return self._members(archive, [f"{self.folder}/{name}" for name in names])

    def _members(self, archive: Path, names: Sequence[str]) -> list[bytes]:
        """The archive's members of exactly these names, read one after another."""
        found: dict[str, bytes] = {}
        try:
            with tarfile.open(archive, "r|gz") as tar:  # a stream: what comes after the last one is not unzipped
                for member in tar:
                    if member.offset_data + member.size > _LARGEST:
                        raise ValueError(f"{archive}: {member.name} declares {member.size} bytes: too many")
                    if member.name in names and member.isreg():
                        file = tar.extractfile(member)
                        assert file is not None  # it is a regular file
                        found[member.name] = self._bounded(file, member.name)
                    if len(found) == len(names):
                        break
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ValueError(f"{archive}: damaged archive: {error}") from error
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(f"{archive}: the archive lacks {', '.join(missing)}")
        return [found[name] for name in names]

    def _bounded(self, file: IO[bytes], name: str) -> bytes:
        width = self.labels_per_record + _PICTURE
        with file:
            return file.read(self._count(os.path.basename(name)) * width + 1)

    def _images(self) -> Images:
        return self.data

    def _labels(self) -> npt.NDArray[np.int64]:
        return np.asarray(self.targets, np.int64)

    def __getitem__(self, index: int) -> tuple[object, object]:
        return self._sample(self.data[index], self.targets[index])

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """60,000 colour pictures, 32 x 32, in a hundred classes. As CIFAR10, from cifar-100-binary(.tar.gz)."""

    archive: ClassVar[Resource] = Resource(
        "cifar-100-binary.tar.gz", 168_513_733, md5="03b5dce01913d631647c71ecec9e9cb8"
    )
    folder: ClassVar[str] = "cifar-100-binary"
    train_files: ClassVar[tuple[str, ...]] = ("train.bin",)
    test_files: ClassVar[tuple[str, ...]] = ("test.bin",)
    names_file: ClassVar[str] = "fine_label_names.txt"
    labels_per_record: ClassVar[int] = 2

    def _count(self, name: str) -> int:
        return 5 * self.records if name == "train.bin" else self.records
