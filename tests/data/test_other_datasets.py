"""Digits, CIFAR and folders of pictures."""

import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from minigrad.datasets import CIFAR10, CIFAR100, DatasetFolder, DataUnavailable, Digits, ImageFolder, VisionDataset
from minigrad.utils.data import DataLoader


def test_digits():
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1500, 297)
    x, y = train.tensors()
    assert tuple(x.shape) == (1500, 1, 28, 28) and set(y.tolist()) == set(range(10))
    assert (train[0][0][:4] == 0).all() and train[0][0].max() > 200
    small = Digits(size=8)
    from sklearn.datasets import load_digits

    np.testing.assert_array_equal(small._images()[0], (load_digits().images[0] * 255 / 16).round())
    centre = train._images()[:, 4:24, 4:24].reshape(1500, 10, 2, 10, 2).mean((2, 4))
    assert abs(centre.mean() - small._images().mean()) < 3  # the same picture, larger
    with pytest.raises(ValueError, match="size must be 8 or 28, but got size=9"):
        Digits(size=9)


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="Digits needs scikit-learn"):
        Digits()


# ---------------------------------------------------------------------- CIFAR


class SmallCIFAR10(CIFAR10):
    records = 4


class SmallCIFAR100(CIFAR100):
    records = 4


def cifar_files(kind):
    """name -> content of a small CIFAR."""
    state = np.random.RandomState(2)
    files = {}
    for name in (*kind.train_files, *kind.test_files):
        count = 20 if name == "train.bin" else 4
        records = state.randint(0, 256, (count, kind.labels_per_record + 3072)).astype(np.uint8)
        records[:, : kind.labels_per_record] = state.randint(0, 3, (count, kind.labels_per_record))
        files[f"{kind.folder}/{name}"] = records.tobytes()
    files[f"{kind.folder}/{kind.names_file}"] = b"cat\ndog\nfrog\n\n"
    return files


def tar(files, path):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("kind", [SmallCIFAR10, SmallCIFAR100])
@pytest.mark.parametrize("packed", [True, False])
def test_cifar(kind, packed, tmp_path):
    files = cifar_files(kind)
    if packed:
        tar({"../evil": b"x", f"{kind.folder}/../evil": b"x", **files}, tmp_path / kind.archive.name)
    else:
        (tmp_path / kind.folder).mkdir()
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    train, test = kind(tmp_path, download=False), kind(tmp_path, train=False, download=False)
    assert (len(train), len(test), train.classes) == (20, 4, ("cat", "dog", "frog"))
    record = np.frombuffer(files[f"{kind.folder}/{kind.test_files[0]}"], np.uint8).reshape(4, -1)[1]
    image, label = test[1]
    assert (image.shape, image.dtype, type(label)) == ((32, 32, 3), np.uint8, int)
    assert label == record[kind.labels_per_record - 1]
    for channel in range(3):
        plane = record[kind.labels_per_record + 1024 * channel :][:1024]
        np.testing.assert_array_equal(image[:, :, channel], plane.reshape(32, 32))
    x, _ = test.arrays()
    np.testing.assert_array_equal(x[1], image.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    assert sorted(tmp_path.rglob("*")) == before  # nothing was extracted


def test_cifar_files_that_are_not_right(tmp_path):
    files = cifar_files(SmallCIFAR10)
    archive = tmp_path / SmallCIFAR10.archive.name
    first = "cifar-10-batches-bin/data_batch_1.bin"

    def expect(text):
        with pytest.raises(ValueError, match=text):
            SmallCIFAR10(tmp_path, download=False)

    tar({**files, first: files[first][:-1]}, archive)
    expect("data_batch_1.bin: expected 4 records of 3073 bytes, but it has 12291 bytes")
    tar({**files, first: files[first] + b"x"}, archive)
    expect("data_batch_1.bin: expected 4 records of 3073 bytes, but it has 12293 bytes")
    tar({**files, first: b"\x09" + files[first][1:]}, archive)
    expect("label 9, but there are 3 classes")
    tar({name: content for name, content in files.items() if name != first}, archive)
    expect("the archive lacks cifar-10-batches-bin/data_batch_1.bin")
    tar(files, archive)
    archive.write_bytes(archive.read_bytes()[:-5000])
    expect("damaged archive")
    with tarfile.open(archive, "w:gz") as bomb:
        member = tarfile.TarInfo("huge")
        member.size = 1 << 20
        bomb.addfile(member, io.BytesIO(bytes(1 << 20)))
    limit = pytest.MonkeyPatch()
    limit.setattr("minigrad.datasets.cifar._LARGEST", 1 << 19)
    expect("huge declares 1048576 bytes: too many")
    limit.undo()


def test_cifar_that_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(DataUnavailable, match=r"Dataset not found.*\nA folder cifar-10-batches-bin"):
        CIFAR10(tmp_path, download=False)


# ---------------------------------------------------------------------- folders


def test_image_folder(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.random.RandomState(3).randint(0, 256, (4, 5, 3)).astype(np.uint8)
    for name in ("dogs/b.png", "cats/deep/er/c.PNG", "cats/a.png", "cats/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("txt"):
            (tmp_path / name).write_text("no picture")
        else:
            image_module.fromarray(pixels).save(tmp_path / name, format="PNG")
    folder = ImageFolder(tmp_path)
    assert folder.classes == ["cats", "dogs"] and folder.class_to_idx == {"cats": 0, "dogs": 1}
    assert [Path(path).name for path, _ in folder.samples] == ["a.png", "c.PNG", "b.png"]
    assert folder.targets == [0, 0, 1] and folder.imgs is folder.samples
    image, label = folder[2]
    np.testing.assert_array_equal(image, pixels)
    assert label == 1
    only = ImageFolder(tmp_path, is_valid_file=lambda path: path.endswith("a.png") or "dogs" in path)
    assert len(only) == 2


def test_folders_of_other_files(tmp_path):
    for name in ("a/1.npy", "b/2.npy"):
        (tmp_path / name).parent.mkdir()
        np.save(tmp_path / name, np.full(2, int(name[2])))
    dataset = DatasetFolder(tmp_path, np.load, (".npy",), transform=np.sum, target_transform=str)
    assert [dataset[i] for i in range(2)] == [(2, "0"), (4, "1")]
    batch = next(iter(DataLoader(DatasetFolder(tmp_path, np.load, (".npy",)), batch_size=2)))
    assert batch[0].tolist() == [[1, 1], [2, 2]] and batch[1].tolist() == [0, 1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no valid file for the class empty.*Supported extensions are: \.npy"):
        DatasetFolder(tmp_path, np.load, (".npy",))
    assert DatasetFolder(tmp_path, np.load, (".npy",), allow_empty=True).classes == ["a", "b", "empty"]
    with pytest.raises(ValueError, match="Both extensions and is_valid_file"):
        DatasetFolder(tmp_path, np.load)
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        DatasetFolder(tmp_path / "empty", np.load, (".npy",))


def test_pictures_without_pillow(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="needs Pillow"):
        ImageFolder(tmp_path)[0]


def test_transforms_come_alone(tmp_path):
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        VisionDataset(transforms=abs, transform=abs)
    both = VisionDataset(transforms=lambda image, target: (target, image))
    assert both._sample(1, 2) == (2, 1)
