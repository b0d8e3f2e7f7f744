"""MNIST in small, and the ways a server can answer."""

import gzip
import hashlib
import http.server
import struct

import numpy as np

from minigrad.datasets import MNIST
from minigrad.datasets.fetch import Resource
from minigrad.datasets.idx import parse_idx


def idx(array, kind):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


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


def put(folder, names=tuple(CONTENTS), zipped=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(CONTENTS[name]))
        else:
            (folder / name).write_bytes(CONTENTS[name])


def images(part="train"):
    return parse_idx(CONTENTS[f"{part}-images-idx3-ubyte"])
