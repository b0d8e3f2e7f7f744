"""The safetensors layout: eight bytes of header length, a JSON header, the tensors' bytes.

Everything that a header says is checked against the file's size before anything is allocated: the file may be
truncated, damaged, or made to harm. Source: the format's description at https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from minigrad import dtypes
from minigrad.errors import CheckpointError
from minigrad.tensor import Tensor, make

HEADER_LIMIT = 100_000_000  # bytes, as in the reference implementation
CHECKSUM = "minigrad.crc32"

_CODES = {
    "F64": dtypes.float64, "F32": dtypes.float32, "F16": dtypes.float16, "I64": dtypes.int64, "I32": dtypes.int32,
    "I16": dtypes.int16, "I8": dtypes.int8, "U64": dtypes.uint64, "U32": dtypes.uint32, "U16": dtypes.uint16,
    "U8": dtypes.uint8, "BOOL": dtypes.bool_, "C64": dtypes.complex64,
}  # fmt: skip
_NAMES = {kind.name: code for code, kind in _CODES.items()} | {"bfloat16": "BF16"}


def _numpy_of(code: Any, name: str) -> Any:
    if code == "BF16":
        return dtypes.bfloat16().numpy
    if not isinstance(code, str) or code not in _CODES:
        raise CheckpointError(f"tensor {name!r} has the unknown dtype {code!r}")
    return _CODES[code].numpy


# ---------------------------------------------------------------------- writing


def save_file(tensors: Mapping[str, Tensor], filename: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write named tensors to a safetensors file: wholly or not at all.

    Raises:
        TypeError: if a name is no string or a value no tensor; DtypeError, if the format has no such type.
    """
    arrays = {}
    for name, t in tensors.items():
        if not isinstance(name, str) or not isinstance(t, Tensor):
            raise TypeError(f"save_file(): expected tensors by name, but got {name!r}: {type(t).__name__}")
        arrays[name] = t.numpy_array()
    with replacing(filename) as file:
        write(file, arrays, dict(metadata or {}))


def write(file: BinaryIO, arrays: Mapping[str, Any], metadata: dict[str, str]) -> None:
    """Write header and arrays; a checksum of the bytes goes into the metadata."""
    from minigrad.errors import DtypeError

    # Larger elements first, so that every array is aligned in the file.
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, Any] = {}
    start = checksum = 0
    for name in order:
        array = arrays[name]
        code = _NAMES.get(dtypes.of(array).name)
        if code is None:
            raise DtypeError(f"save(): safetensors has no type for {name!r} of {dtypes.of(array)}")
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
        checksum = zlib.crc32(_bytes_of(array), checksum)
    header = {name: header[name] for name in arrays}  # readers see the names in the order that was given
    header["__metadata__"] = {**metadata, CHECKSUM: f"{checksum:08x}"}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        file.write(_bytes_of(arrays[name]))


def _bytes_of(array: Any) -> Any:
    flat: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return memoryview(flat)


@contextlib.contextmanager
def replacing(target: Any) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `target` when all is written; a file object is written to directly.

    A crash, a kill or a full disk in between leaves the old file as it was.
    """
    if hasattr(target, "write"):
        yield target
        return
    path = os.path.abspath(os.fspath(target))
    folder = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # as open() would have made it
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)  # the new name must survive, too
        finally:
            os.close(descriptor)


# ---------------------------------------------------------------------- reading


def load_file(filename: Any, device: Any = None) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file by name.

    Raises:
        CheckpointError: if the file is damaged or is none.
    """
    from minigrad.device import backend_for

    with opened(filename) as file:
        arrays, _ = read(file)
    backend = backend_for("cpu" if device is None else device)
    return {name: make(backend.from_numpy(array)) for name, array in arrays.items()}


@contextlib.contextmanager
def opened(source: Any) -> Iterator[BinaryIO]:
    """A file to read from, given by name or as an object that can seek."""
    if hasattr(source, "read"):
        yield source
        return
    with open(source, "rb") as file:
        yield file


def size_of(file: BinaryIO) -> int:
    """Bytes from the present place to the end of a file."""
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return end - here


def read(file: BinaryIO) -> tuple[dict[str, Any], dict[str, str]]:
    """The arrays and the metadata of a file, all of it checked first."""
    size = size_of(file)
    if size < 8:
        raise CheckpointError(f"the file holds {size} bytes: too few to be a safetensors file")
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, HEADER_LIMIT):
        raise CheckpointError(f"the header claims {length} bytes, but only {min(size - 8, HEADER_LIMIT)} can be there")
    header = _parsed(file.read(length))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise CheckpointError("the header's metadata must be texts by name")
    places = _checked(header, size - 8 - length)
    arrays, checksum = {}, 0
    for name, kind, shape, nbytes in places:
        array = np.empty(shape, kind)
        view: Any = array.reshape(-1).view(np.uint8)
        if view.size != nbytes or _fill(file, view) != nbytes:
            raise CheckpointError(f"the file ended within tensor {name!r}")
        checksum = zlib.crc32(memoryview(view), checksum)
        if kind == np.bool_ and view.size and int(view.max()) > 1:
            raise CheckpointError(f"tensor {name!r} is boolean but holds other bytes than 0 and 1")
        arrays[name] = array
    wanted = metadata.get(CHECKSUM)
    if wanted is not None and wanted != f"{checksum:08x}":
        raise CheckpointError(
            f"the tensors' checksum is {checksum:08x}, but the header says {wanted}: the file is damaged"
        )
    return {name: arrays[name] for name in header}, metadata


def _fill(file: Any, view: Any) -> int:
    """Read into an array of bytes; returns how many there were."""
    done = 0
    while done < view.size:
        count = file.readinto(memoryview(view)[done:]) if hasattr(file, "readinto") else 0
        if not count:
            break
        done += count
    return done


def _parsed(text: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise CheckpointError("the header names something twice")
        return found

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"the header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise CheckpointError("the header is no JSON object")
    return header


def _checked(header: dict[str, Any], room: int) -> list[tuple[str, Any, tuple[int, ...], int]]:
    """Name, type, shape and size of every tensor in the order of the file, which they must fill without gap or overlap."""
    found = []
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise CheckpointError(
                f"tensor {name!r} needs dtype, shape and data_offsets in the header, and nothing else"
            )
        kind = _numpy_of(entry["dtype"], name)
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
            raise CheckpointError(f"tensor {name!r} has the shape {shape!r} and the offsets {offsets!r}")
        if len(shape) > 64 or any(n >= 2**63 for n in shape):
            raise CheckpointError(f"tensor {name!r} has the impossible shape {shape!r}")
        begin, end = offsets
        nbytes = math.prod(shape) * kind.itemsize
        if end - begin != nbytes or end > room:
            raise CheckpointError(
                f"tensor {name!r} of shape {shape} takes {nbytes} bytes, but its place is {offsets} in {room} bytes"
            )
        found.append((begin, end, name, kind, tuple(shape)))
    found.sort(key=lambda place: (place[0], place[1]))
    reached = 0
    for begin, end, name, *_ in found:
        if begin != reached:
            raise CheckpointError(f"tensor {name!r} begins at byte {begin}, but the tensor before it ends at {reached}")
        reached = end
    if reached != room:
        raise CheckpointError(f"the tensors end at byte {reached}, but the file holds {room}")
    return [(name, kind, shape, end - begin) for begin, end, name, kind, shape in found]


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(n) is int and n >= 0 for n in numbers)
