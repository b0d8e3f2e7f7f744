"""MNIST: where its files are found, how they are downloaded, and everything that can go wrong with it."""

import gzip
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_mnist import CONTENTS, Small, SmallByArchive, give, images, put, whole

import minigrad
from minigrad.datasets import (
    KMNIST,
    MNIST,
    DataUnavailable,
    FashionMNIST,
    fetch,
)


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
        "    StandardTransform",
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
    with pytest.raises(DataUnavailable, match=r"train-images-idx3-ubyte\.gz has no place to be downloaded to"):
        Small(tmp_path / "file/below")
    assert mirrored.asked == []


def test_without_download_nothing_is_asked_for(tmp_path, mirrored):
    with pytest.raises(DataUnavailable, match="Dataset not found"):
        Small(tmp_path, download=False)
    assert mirrored.asked == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", bytes(100), gzip.compress(bytes(10**6)), gzip.compress(bytes(50))[:-3]], ids="abcd"
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
