"""The IDX format of the MNIST family, and gzip with an upper bound.

An IDX file starts with two zero bytes, a byte for the element type, a byte for the number of axes and a
big-endian 32-bit length for each; the elements follow, big-endian, and nothing after them.
Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_LARGEST = 2**31  # bytes of elements that a header may declare


def open_either(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a plain or a gzipped file for reading; its first bytes say which it is."""
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if zipped else open(path, "rb")


def read_at_most(file: IO[bytes], size: int, path: str | os.PathLike[str]) -> bytes:
    """Read up to `size` bytes; a damaged gzip stream is a ValueError that names the file."""
    try:
        return file.read(size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{os.fspath(path)}: damaged gzip file: {error}") from error


def parse_idx(content: bytes, source: str | os.PathLike[str] = "IDX file") -> npt.NDArray[Any]:
    """The array that an IDX file holds, in native byte order.

    Raises:
        ValueError: not an IDX file, or its length is not the one that its header declares.
    """
    name = os.fspath(source)
    dtype, shape = _header(content, name)
    start, size = 4 + 4 * len(shape), dtype.itemsize * math.prod(shape)
    if len(content) != start + size:
        raise ValueError(
            f"{name}: an IDX file of shape {shape} and type {dtype.name} has {start + size} bytes, "
            f"but this one has {'more' if len(content) > start + size else len(content)}"
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def read_idx(path: str | os.PathLike[str], limit: int = _LARGEST) -> npt.NDArray[Any]:
    """The array in an IDX file, plain or gzipped.

    Raises:
        ValueError: as `parse_idx`, and if the header declares more than `limit` bytes: nothing is read then.
    """
    name = os.fspath(path)
    with open_either(path) as file:
        start = read_at_most(file, 4, path)
        start += read_at_most(file, 4 * start[3], path) if len(start) == 4 else b""
        dtype, shape = _header(start, name)
        size = dtype.itemsize * math.prod(shape)
        if size > limit:
            raise ValueError(f"{name}: the header declares shape {shape}, {size} bytes, more than the limit of {limit}")
        return parse_idx(start + read_at_most(file, size + 1, path), path)


def _header(content: bytes, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or not content[3]:
        raise ValueError(f"{name}: not an IDX file: wrong magic number 0x{content[:4].hex() or '00'}")
    axes = content[3]
    if len(content) < 4 + 4 * axes:
        raise ValueError(f"{name}: truncated IDX file: the header of {axes} axes is not complete")
    return np.dtype(_TYPES[content[2]]), tuple(int(n) for n in np.frombuffer(content, ">u4", axes, 4))
