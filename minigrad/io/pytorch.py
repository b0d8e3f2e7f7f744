"""Reading PyTorch's .pt and .pth files (zip archives since version 1.6) without executing anything.

The pickle inside may only name the few functions of `_KNOWN`, and these are ours: each makes a tensor or a plain value
from arguments that it checks. Everything else is refused. Storages are read by exact member name, uncompressed, and
their sizes are held against the archive's directory first.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from minigrad import dtypes
from minigrad.errors import CheckpointError
from minigrad.size import Size
from minigrad.tensor import Tensor

Place = Callable[[Any, Any], Tensor]  # array, PyTorch's name of the device -> tensor

_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool", "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
}  # fmt: skip
_DTYPES = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64",
    "bool", "complex64", "complex128",
)  # fmt: skip
PICKLE_LIMIT = 1 << 28  # bytes; the tensors' bytes stand elsewhere


class StorageType:
    """PyTorch's class of a storage, of which only the element type matters here."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Storage:
    """The memory of one or several tensors."""

    def __init__(self, array: Any, location: str) -> None:
        self.array, self.location = array, location


class Reader(pickle.Unpickler):
    """An unpickler whose whole world is `_KNOWN`."""

    def __init__(self, data: bytes, storages: Callable[[Any], Storage], place: Place) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self.storages, self.place = storages, place
        self.tensors: dict[Any, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a global that the pickle names."""
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return StorageType(_STORAGES[name])
        if module == "torch" and name in _DTYPES:
            return dtypes.from_name(name)
        if (module, name) in (("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor")):
            return self.tensor
        known = _KNOWN.get(("builtins" if module == "__builtin__" else module, name))
        if known is None:
            raise CheckpointError(
                f"the file names {module}.{name}, which is neither a tensor nor a plain value: it is not loaded. "
                "Save state_dict() instead of whole objects."
            )
        return known

    def persistent_load(self, pid: Any) -> Storage:
        """A storage that the pickle names by its key."""
        return self.storages(pid)

    def tensor(
        self, storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, *ignored: Any
    ) -> Tensor:
        """A tensor on a storage; its places must all lie inside."""
        numbers = (offset, *size, *stride)
        if not isinstance(storage, Storage) or not all(type(n) is int and n >= 0 for n in numbers):
            raise CheckpointError(f"a tensor of size {size!r}, stride {stride!r}, offset {offset!r} cannot be")
        if len(size) != len(stride) or len(size) > 64:
            raise CheckpointError(f"a tensor has the size {size!r} but the stride {stride!r}")
        flat = storage.array
        count = int(np.prod(size, dtype=object)) if size else 1
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        if count > flat.size or (count and last >= flat.size):
            raise CheckpointError(
                f"a tensor of size {tuple(size)}, stride {tuple(stride)}, offset {offset} does not fit into a storage of "
                f"{flat.size} elements"
            )
        step = flat.dtype.itemsize
        view = np.lib.stride_tricks.as_strided(flat[min(offset, flat.size) :], size, [s * step for s in stride])
        y = self.place(view, storage.location)
        if requires_grad is True:
            y.requires_grad_()
        return y


def _parameter(data: Any, requires_grad: Any = False, *ignored: Any) -> Any:
    from minigrad.nn import Parameter

    if not isinstance(data, Tensor):
        raise CheckpointError("a parameter without a tensor")
    return Parameter(data, requires_grad is True)


def _plain(kind: Any) -> Any:
    """A call of a builtin type on plain values."""

    def make(*args: Any) -> Any:
        return kind(*args)

    return make


def _device(*args: Any) -> Any:
    from minigrad.device import device

    return device(*args)


def _numpy_scalar(kind: Any, data: Any = b"") -> Any:
    if not isinstance(kind, NumpyType) or not isinstance(data, bytes):
        raise CheckpointError("a NumPy scalar of an unknown type")
    return np.frombuffer(data, kind.dtype, 1)[0]


class NumpyType:
    """Stands for numpy.dtype: numbers only, and whatever state the pickle sets is left aside."""

    def __init__(self, code: Any, *ignored: Any) -> None:
        if not isinstance(code, str) or np.dtype(code).kind not in "biufc":
            raise CheckpointError(f"a NumPy type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        pass


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How older pickles spell bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise CheckpointError(f"bytes spelled in {encoding!r}")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): _plain(Size),
    ("torch", "device"): _device,
    ("builtins", "set"): _plain(set),
    ("builtins", "complex"): _plain(complex),
    ("builtins", "bytearray"): _plain(bytes),
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): NumpyType,
    ("numpy.core.multiarray", "scalar"): _numpy_scalar,
    ("numpy._core.multiarray", "scalar"): _numpy_scalar,
}


def read_archive(file: BinaryIO, place: Place) -> Any:
    """What a PyTorch archive holds, if that is tensors and plain values.

    Raises:
        CheckpointError: if it holds anything else, or is damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _read(archive, place)
    except CheckpointError:
        raise
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        raise CheckpointError(f"the file is no archive that PyTorch wrote, or it is damaged: {error!r}") from error


def _read(archive: zipfile.ZipFile, place: Place) -> Any:
    names = archive.namelist()
    roots = [name.removesuffix("data.pkl") for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise CheckpointError("the archive has no data.pkl: PyTorch did not write it with save()")
    root = roots[0]
    if f"{root}constants.pkl" in names:
        raise CheckpointError("the archive holds a TorchScript program: only saved tensors are read")
    order = _member(archive, f"{root}byteorder", 16).decode() if f"{root}byteorder" in names else "little"
    if order not in ("little", "big"):
        raise CheckpointError(f"the archive's byte order is {order!r}")
    kept: dict[Any, Storage] = {}

    def storage(pid: Any) -> Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], StorageType):
            raise CheckpointError(f"the archive names a storage as {pid!r}")
        _, kind, key, location, numel = pid[:5]
        if type(key) is not str or not key.isalnum() or type(numel) is not int or numel < 0:
            raise CheckpointError(f"the archive names a storage as {pid!r}")
        if key not in kept:
            element = dtypes.from_name(kind.kind).numpy
            data = _member(archive, f"{root}data/{key}", numel * element.itemsize)
            if len(data) != numel * element.itemsize:
                raise CheckpointError(
                    f"storage {key} holds {len(data)} bytes instead of {numel} elements of {kind.kind}"
                )
            array = np.frombuffer(bytearray(data), element)
            if kind.kind == "bool" and array.size and int(array.view(np.uint8).max()) > 1:
                raise CheckpointError(f"storage {key} is boolean but holds other bytes than 0 and 1")
            kept[key] = Storage(array if order == "little" else array.byteswap(), str(location))
        return kept[key]

    data = _member(archive, f"{root}data.pkl", PICKLE_LIMIT)
    return Reader(data, storage, place).load()


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """One member's bytes; at most `limit`, and never compressed, so that it cannot be larger than the file."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise CheckpointError(f"the archive's {name!r} is compressed: PyTorch stores its members as they are")
    if info.file_size > limit:
        raise CheckpointError(f"the archive's {name!r} holds {info.file_size} bytes where {limit} are expected")
    return archive.read(info)
