"""Data sets: the formats, the search, the download and everything that can go wrong with it."""

import gzip
import hashlib
import http.server
import io
import multiprocessing
import os
import struct
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad
from minigrad.datasets import (
    CIFAR10,
    CIFAR100,
    KMNIST,
    MNIST,
    DataUnavailable,
    Digits,
    FashionMNIST,
    ImageFolder,
    fetch,
)
from minigrad.datasets.fetch import Resource
from minigrad.datasets.folder import DatasetFolder
from minigrad.datasets.idx import parse_idx, read_idx
from minigrad.utils.data import DataLoader


@pytest.fixture(autouse=True)
def sealed(monkeypatch, tmp_path):
    """Neither the machine's data nor its cache."""
    monkeypatch.delenv("MINIGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# ---------------------------------------------------------------------- IDX


def idx(array, kind):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize(
    ("kind", "dtype"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (2, 3, 4)])
def test_idx_round_trip(kind, dtype, shape, tmp_path):
    array = (np.arange(np.prod(shape)) - 2).astype(dtype).reshape(shape)
    for content in (idx(array, kind), gzip.compress(idx(array, kind))):
        (tmp_path / "file").write_bytes(content)
        got = read_idx(tmp_path / "file")
        assert got.dtype == np.dtype(dtype) and got.dtype.isnative and got.flags.writeable
        np.testing.assert_array_equal(got, array)


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3), 0x08)
BROKEN = [
    (b"", "not an IDX file: wrong magic number 0x00"),
    (GOOD[:3], "not an IDX file"),
    (b"\1" + GOOD[1:], "wrong magic number 0x01000802"),
    (b"\0\0\7" + GOOD[3:], "wrong magic number 0x00000702"),
    (b"\0\0\10\0" + GOOD[4:], "wrong magic number 0x00000800"),
    (GOOD[:7], "header of 2 axes is not complete"),
    (GOOD[:-1], r"shape \(2, 3\) and type uint8 has 18 bytes, but this one has 17"),
    (GOOD + b"x", r"has 18 bytes, but this one has more"),
    (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**31) + b"x", "but this one has 17"),
]


@pytest.mark.parametrize(("content", "text"), BROKEN)
def test_broken_idx(content, text, tmp_path):
    with pytest.raises(ValueError, match=text):
        parse_idx(content)
    (tmp_path / "file").write_bytes(content)
    if "2147" not in text and len(content) != 17:
        with pytest.raises(ValueError, match=text):
            read_idx(tmp_path / "file")


def test_an_idx_header_that_promises_too_much_is_not_believed(tmp_path):
    bomb = struct.pack(">BBBB2I", 0, 0, 8, 2, 2**31, 2**31) + bytes(1000)
    for content in (bomb, gzip.compress(bomb)):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(ValueError, match=r"declares shape \(2147483648, 2147483648\), 4611686018427387904 bytes"):
            read_idx(tmp_path / "file")
    (tmp_path / "file").write_bytes(GOOD)
    with pytest.raises(ValueError, match="more than the limit of 5"):
        read_idx(tmp_path / "file", limit=5)


@pytest.mark.parametrize("damage", [lambda z: z[:-9], lambda z: z[:-5] + b"\0\0\0\0\0", lambda z: z[:20] + b"\xff" * 9])
def test_a_damaged_gzip_file_is_named(damage, tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(damage(gzip.compress(idx(np.random.RandomState(0).randint(0, 255, 5000).astype(np.uint8), 8))))
    with pytest.raises(ValueError, match=r"file\.gz: (damaged gzip file|an IDX file)"):
        read_idx(path)


# ---------------------------------------------------------------------- a small MNIST and a server


def small_mnist():
    """name -> content: 5 training images and 3 test images."""
    state = np.random.RandomState(1)
    contents = {}
    for part, count in (("train", 5), ("t10k", 3)):
        contents[f"{part}-images-idx3-ubyte"] = idx(state.randint(0, 256, (count, 28, 28)).astype(np.uint8), 8)
        contents[f"{part}-labels-idx1-ubyte"] = idx(np.arange(count, dtype=np.uint8), 8)
    return contents


CONTENTS = small_mnist()


class Small(MNIST):
    """MNIST in small, with its files pinned by content."""

    resources = tuple(
        Resource(f"{name}.gz", len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in CONTENTS.items()
    )


class SmallByArchive(MNIST):
    """MNIST in small, with only the published archives' checksums known, as FashionMNIST's."""

    layouts = ("SmallByArchive/raw",)
    resources = tuple(
        Resource(f"{name}.gz", len(content), md5=hashlib.md5(gzip.compress(content, mtime=0)).hexdigest())
        for name, content in CONTENTS.items()
    )


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with self.server.lock:
            self.server.asked.append(self.path)
        self.server.answer(self)

    def log_message(self, *args):
        pass


def give(handler, body, kind="application/gzip", length=None):
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    if length != "none":
        handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def whole(handler):
    name = handler.path.rsplit("/", 1)[1].removesuffix(".gz")
    give(handler, gzip.compress(CONTENTS[name], mtime=0))


@pytest.fixture
def server():
    """A mirror on this machine: set `answer`, read `asked`."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answer, server.asked, server.lock = whole, [], threading.Lock()
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mirrored(server, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", (server.url,))
    return server


def put(folder, names=tuple(CONTENTS), zipped=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(CONTENTS[name]))
        else:
            (folder / name).write_bytes(CONTENTS[name])


def images(part="train"):
    return parse_idx(CONTENTS[f"{part}-images-idx3-ubyte"])


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("layout", ["MNIST/raw", "."])
@pytest.mark.parametrize("where", ["environment", "root", "cache"])
def test_where_files_are_found(where, layout, zipped, tmp_path, monkeypatch, mirrored):
    base = {"environment": tmp_path / "env", "root": tmp_path / "root", "cache": tmp_path / "cache/minigrad"}[where]
    put(base / layout, zipped=zipped)
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "env"))
    for train, part in ((True, "train"), (False, "t10k")):
        found = Small(tmp_path / "root", train, download=False)
        np.testing.assert_array_equal(found.data.numpy(), images(part))
    assert mirrored.asked == []


def test_the_environment_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "env"))
    put(tmp_path / "env")
    put(tmp_path / "root")
    for name in CONTENTS:
        (tmp_path / "root" / f"{name}.gz").write_bytes(b"not to be read")
    assert len(Small(tmp_path / "root", download=False)) == 5


def test_samples_targets_and_arrays(tmp_path):
    put(tmp_path)
    dataset = Small(tmp_path, download=False)
    assert (dataset.data.dtype, dataset.targets.dtype) == (minigrad.uint8, minigrad.int64)
    assert (tuple(dataset.data.shape), tuple(dataset.targets.shape)) == ((5, 28, 28), (5,))
    image, label = dataset[3]
    assert (image.dtype, image.shape, label, type(label)) == (np.uint8, (28, 28), 3, int)
    assert dataset[-1][1] == 4
    with pytest.raises(IndexError):
        dataset[5]
    x, y = dataset.arrays()
    assert (x.shape, x.dtype, y.dtype) == ((5, 1, 28, 28), np.float32, np.int64)
    np.testing.assert_array_equal(x[:, 0], images().astype(np.float32) / np.float32(255))
    x, y = dataset.tensors()
    assert (x.dtype, y.tolist()) == (minigrad.float32, [0, 1, 2, 3, 4])
    seen = Small(tmp_path, transform=lambda i: i.sum(), target_transform=lambda t: -t, download=False)
    assert seen[2] == (images()[2].sum(), -2)
    dataset.targets = dataset.targets[:2]
    dataset.data = dataset.data[:2]
    assert len(dataset) == 2 and dataset.class_to_idx["3 - three"] == 3


def test_repr(tmp_path):
    put(tmp_path)
    text = repr(Small(tmp_path, train=False, transform=abs, download=False))
    assert text.splitlines() == [
        "Dataset Small",
        "    Number of datapoints: 3",
        f"    Root location: {tmp_path}",
        "    Split: Test",
        "StandardTransform",
        "Transform: <built-in function abs>",
    ]


def test_a_download_happens_once(tmp_path, mirrored):
    for _ in range(2):
        assert len(Small(tmp_path)) == 5
    assert sorted(mirrored.asked) == ["/train-images-idx3-ubyte.gz", "/train-labels-idx1-ubyte.gz"]
    folder = tmp_path / "MNIST/raw"
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    assert len(Small(train=False)) == 3  # without a root: into the cache
    assert (tmp_path / "cache/minigrad/MNIST/raw/t10k-images-idx3-ubyte.gz").is_file()


def test_archives_that_are_pinned_as_published(tmp_path, mirrored, monkeypatch):
    monkeypatch.setattr(SmallByArchive, "mirrors", (mirrored.url,))
    assert len(SmallByArchive(tmp_path)) == 5
    monkeypatch.setattr(mirrored, "answer", lambda h: give(h, gzip.compress(bytes(100))))
    with pytest.raises(DataUnavailable, match=r"wrong checksum: md5 is .*, expected"):
        SmallByArchive(tmp_path, train=False)


def broken_connection(handler):
    name = handler.path.rsplit("/", 1)[1].removesuffix(".gz")
    body = gzip.compress(CONTENTS[name])
    give(handler, body[: len(body) // 2], length=len(body))


def partial_without_length(handler):
    name = handler.path.rsplit("/", 1)[1].removesuffix(".gz")
    give(handler, gzip.compress(CONTENTS[name])[:-20], length="none")


def wrong_content(handler):
    name = handler.path.rsplit("/", 1)[1].removesuffix(".gz")
    give(handler, gzip.compress(bytes(len(CONTENTS[name]))))


def refuse(handler):
    handler.send_error(404)


FAILURES = {
    "HTML by type": (lambda h: give(h, b"<html>hello</html>", "text/html; charset=utf-8"), "sent an HTML page"),
    "HTML by content": (lambda h: give(h, b"  <!DOCTYPE html>", "application/gzip"), "sent an HTML page instead"),
    "no gzip": (lambda h: give(h, b"hello"), "sent something else instead of a gzip file"),
    "announced too long": (
        lambda h: give(h, b"\x1f\x8b" * 9, length=10**9),
        "announces 1000000000 bytes, more than the",
    ),
    "too long": (lambda h: give(h, b"\x1f\x8b" + bytes(10**6), length="none"), "sent more than the"),
    "bomb": (lambda h: give(h, gzip.compress(bytes(10**6))), "bytes of content, but it has more"),
    "empty": (lambda h: give(h, b""), "bytes of content, but it has 0 bytes"),
    "broken connection": (broken_connection, "the connection broke after|IncompleteRead"),
    "partial": (partial_without_length, "damaged gzip file"),
    "wrong content": (wrong_content, "wrong checksum: sha256 is"),
    "not found": (refuse, "Not Found"),
    "no HTTP": (lambda h: h.wfile.write(b"hello\r\n\r\n"), "hello"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_bad_answers_leave_nothing_behind(name, tmp_path, mirrored):
    mirrored.answer, text = FAILURES[name]
    with pytest.raises(DataUnavailable, match=text) as caught:
        Small(tmp_path)
    assert "MINIGRAD_DATA" in str(caught.value) and mirrored.url in str(caught.value)
    assert [path.name for path in (tmp_path / "MNIST/raw").iterdir()] == [".lock"]


def test_the_next_mirror_is_tried(tmp_path, server, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", (f"{server.url}bad/", "http://127.0.0.1:9/", f"{server.url}good/"))
    server.answer = lambda handler: refuse(handler) if handler.path.startswith("/bad/") else whole(handler)
    assert len(Small(tmp_path)) == 5
    assert server.asked[:2] == ["/bad/train-images-idx3-ubyte.gz", "/good/train-images-idx3-ubyte.gz"]


def test_a_server_that_says_nothing_is_given_up(tmp_path, mirrored, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    over = threading.Event()
    mirrored.answer = lambda handler: over.wait(30)
    with pytest.raises(DataUnavailable, match="timed out"):
        Small(tmp_path)
    over.set()


def test_no_network_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ("http://127.0.0.1:9/", "http://[::1]:9/"))
    with pytest.raises(DataUnavailable) as caught:
        MNIST(tmp_path)
    text = str(caught.value)
    assert text.count("127.0.0.1:9") == 1 and "MINIGRAD_DATA" in text and str(tmp_path / "MNIST/raw") in text
    assert isinstance(caught.value, FileNotFoundError) and isinstance(caught.value, RuntimeError)


def test_no_place_for_a_download(tmp_path, mirrored):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataUnavailable, match="train-images-idx3-ubyte.gz has no place to be downloaded to"):
        Small(tmp_path / "file/below")
    assert mirrored.asked == []


def test_without_download_nothing_is_asked_for(tmp_path, mirrored):
    with pytest.raises(DataUnavailable, match="Dataset not found"):
        Small(tmp_path, download=False)
    assert mirrored.asked == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", bytes(100), gzip.compress(bytes(10**6)), gzip.compress(GOOD)[:-3]], ids="abcd"
)
def test_a_file_with_the_wrong_content_is_named(content, tmp_path, mirrored):
    put(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz: (expected|damaged)"):
        Small(tmp_path)


def test_one_flipped_byte_is_noticed(tmp_path):
    put(tmp_path, zipped=False)
    path = tmp_path / "train-labels-idx1-ubyte"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"wrong checksum: sha256 is .*, expected .*: delete the file"):
        Small(tmp_path)


def test_images_and_labels_that_do_not_fit(tmp_path, monkeypatch):
    put(tmp_path)
    monkeypatch.setattr(Small, "resources", (Small.resources[0], Small.resources[3]))
    with pytest.raises(ValueError, match=r"images \(5, 28, 28\) and labels \(3,\) do not fit"):
        Small(tmp_path)


def fetch_in_a_process(url, root, barrier, results):
    MNIST.mirrors = (url,)
    barrier.wait(30)
    results.put(len(Small(root)))


def test_two_processes_at_once_download_once(tmp_path, server):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(3), context.Queue()
    arguments = (server.url, tmp_path, barrier, results)
    processes = [context.Process(target=fetch_in_a_process, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=30) for _ in processes] == [5, 5, 5]
    for process in processes:
        process.join(30)
    assert sorted(server.asked) == ["/train-images-idx3-ubyte.gz", "/train-labels-idx1-ubyte.gz"]


def test_the_lock_where_there_is_no_fcntl(tmp_path, mirrored, monkeypatch):
    calls = []
    windows = SimpleNamespace(LK_LOCK="lock", LK_UNLCK="unlock", locking=lambda file, what, size: calls.append(what))
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    assert len(Small(tmp_path)) == 5
    assert calls == ["lock", "unlock"] * 2


def test_an_interrupted_download_leaves_no_part(tmp_path, mirrored, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "_receive", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Small(tmp_path)
    assert [path.name for path in (tmp_path / "MNIST/raw").iterdir()] == [".lock"]


def test_the_progress_bar_is_optional(tmp_path, mirrored, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert len(Small(tmp_path)) == 5


def test_the_cache_folder(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert fetch.cache_folder() == Path.home() / ".cache/minigrad"


def test_the_relatives_have_folders_of_their_own(tmp_path):
    put(tmp_path)  # MNIST's files in the folder itself are nobody else's
    for kind in (FashionMNIST, KMNIST):
        with pytest.raises(DataUnavailable, match=f"{kind.__name__}/raw"):
            kind(tmp_path, download=False)
        assert len(kind.classes) == 10 and len(kind.resources) == 4


def test_importing_the_data_sets_imports_nothing_heavy():
    code = (
        "import sys, minigrad.datasets\n"
        "heavy = {'urllib.request', 'tqdm', 'PIL', 'sklearn', 'matplotlib', 'torch', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------------- the real ones, where they are at hand

DATA = os.environ.get("MINIGRAD_DATA")


@pytest.mark.skipif(not DATA, reason="MINIGRAD_DATA is not set")
def test_the_whole_of_mnist(monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", DATA)
    train, test = MNIST(download=False), MNIST(train=False, download=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert train._labels().min() == 0 and train._labels().max() == 9
    mean, std = train._images().mean() / 255, train._images().std() / 255
    assert (round(mean, 4), round(std, 4)) == (0.1307, 0.3081)  # the numbers that everybody normalises with


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
    from minigrad.datasets import VisionDataset

    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        VisionDataset(transforms=abs, transform=abs)
    both = VisionDataset(transforms=lambda image, target: (target, image))
    assert both._sample(1, 2) == (2, 1)
