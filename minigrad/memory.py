"""The memory of tensors, as users see it: storages, and tensors that are laid over other memory or other sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.autograd.graph import Duties
from minigrad.device import device as Device
from minigrad.errors import DtypeError, GraphError, ShapeError
from minigrad.ops.base import Array, backend_of
from minigrad.ops.inplace import check_writable
from minigrad.ops.shape import shape_of
from minigrad.ops.storage import resized
from minigrad.ops.storage import storage as whole
from minigrad.tensor import Tensor, make


class UntypedStorage:
    """The memory that a tensor and its views share, byte by byte."""

    def __init__(self, row: Array) -> None:
        self.row = row

    def data_ptr(self) -> int:
        """The address of the first byte: equal where memory is shared."""
        return int(make(self.row).data_ptr())

    def nbytes(self) -> int:
        """How many bytes."""
        return int(self.row.nbytes)

    def size(self) -> int:
        """How many elements: bytes, unless the storage has a type."""
        return int(self.row.size)

    def __len__(self) -> int:
        return self.size()

    def element_size(self) -> int:
        """Bytes per element."""
        return int(self.row.dtype.itemsize)

    def __getitem__(self, place: Any) -> Any:
        found = self.row[place]
        return type(self)(found) if isinstance(place, slice) else found.item()

    def __setitem__(self, place: Any, value: Any) -> None:
        Duties.before_write()
        self.row[place] = value

    def tolist(self) -> list[Any]:
        """The elements as numbers."""
        return list(make(self.row).tolist())

    @property
    def device(self) -> Device:
        """Where the memory is."""
        return make(self.row).device

    def untyped(self) -> UntypedStorage:
        """The same memory byte by byte."""
        return UntypedStorage(self.row.view(np.uint8))


class TypedStorage(UntypedStorage):
    """The memory that a tensor and its views share, element by element."""

    @property
    def dtype(self) -> dtypes.dtype:
        """The elements' type."""
        return dtypes.of(self.row)


def untyped_storage(input: Tensor) -> UntypedStorage:
    """The memory that the tensor lies in, and its views with it."""
    return UntypedStorage(whole(input.array)[0].view(np.uint8))


def storage(input: Tensor) -> TypedStorage:
    """The memory that the tensor lies in, as elements of its type."""
    return TypedStorage(whole(input.array)[0])


def storage_offset(input: Tensor) -> int:
    """How many elements of the memory stand before the tensor's first."""
    return whole(input.array)[1]


def is_set_to(input: Tensor, tensor: Tensor) -> bool:
    """Whether both show the same memory in the same way."""
    a, b = input.array, tensor.array
    return bool(
        a.shape == b.shape and a.strides == b.strides and a.dtype == b.dtype and input.data_ptr() == tensor.data_ptr()
    )


def _laid(input: Tensor, array: Array, name: str) -> Tensor:
    """Let a tensor show another array."""
    Duties.before_write()
    input.array, input.base = array, None
    input.shared_memory().written(name)
    return input


def resize_(input: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Another size on the same memory, its elements in order; on more memory, with anything behind them, if it is larger.

    Raises:
        GraphError: if the tensor requires grad. ShapeError: for a negative size.
    """
    shape = shape_of("resize_", sizes)
    if input.tracked:
        raise GraphError("cannot resize variables that require grad")
    if min(shape, default=0) < 0:
        raise ShapeError(f"resize_(): Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return input if shape == input.array.shape else _laid(input, resized(input.array, shape), "resize_")


def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """resize_ to another tensor's size."""
    return resize_(input, the_template.array.shape)


def set_(input: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Show the memory of another tensor, or of a storage; nothing, without one.

    Raises:
        DtypeError: if the source has other elements. ShapeError: if size and stride reach beyond the memory.
    """
    if source is None:
        return _laid(input, backend_of(input.array).xp.empty(0, input.array.dtype), "set_")
    row = source.row.view(input.array.dtype) if isinstance(source, UntypedStorage) else whole(source.array)[0]
    if row.dtype != input.array.dtype:
        raise DtypeError(f"Could not set tensor of type {dtypes.of(row)} to a tensor of type {input.dtype}")
    if isinstance(source, Tensor) and size is None:
        _laid(input, source.array[...], "set_")
        input.memory = source.shared_memory()
        return input
    shape = (row.size - storage_offset,) if size is None else shape_of("set_", (size,))
    if stride is None:
        steps = [1] * len(shape)
        for i in reversed(range(len(shape) - 1)):
            steps[i] = steps[i + 1] * shape[i + 1]
        stride = steps
    last = storage_offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    if 0 not in shape and last >= row.size:
        raise ShapeError(
            f"setStorage: sizes {list(shape)}, strides {list(stride)}, storage offset {storage_offset} are out of bounds "
            f"for storage of size {row.size}"
        )
    shown: Any = np.ndarray(shape, row.dtype, row, storage_offset * row.itemsize, [s * row.itemsize for s in stride])
    _laid(input, shown, "set_")
    if isinstance(source, Tensor):
        input.memory = source.shared_memory()
    return input


def map_(input: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace every element by callable(element, the other's element). Slow."""
    return _mapped("map_", input, (tensor,), callable)


def map2_(input: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """Replace every element by callable(element, x's element, y's element). Slow."""
    return _mapped("map2_", input, (x, y), callable)


def _mapped(name: str, input: Tensor, others: tuple[Tensor, ...], function: Callable[..., Any]) -> Tensor:
    if any(t.tracked for t in (input, *others)):
        raise GraphError(f"can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    if any(t.array.dtype != input.array.dtype for t in others):
        raise DtypeError(f"{name}(): all tensors must be of type {input.dtype}")
    check_writable(name, input, False)
    Duties.before_write()
    backend = backend_of(input.array)
    hosts = [backend.to_numpy(t.array) for t in (input, *others)]
    found = np.vectorize(function, otypes=[hosts[0].dtype])(*np.broadcast_arrays(*hosts))
    if found.shape != input.array.shape:
        raise ShapeError(f"{name}(): output with shape {list(input.array.shape)} doesn't match {list(found.shape)}")
    input.array[...] = backend.from_numpy(found)
    input.shared_memory().written(name)
    return input


# ---------------------------------------------------------------------- questions that scripts ask


def H(input: Tensor) -> Tensor:
    """The conjugate transpose of a matrix."""
    if input.array.ndim not in (0, 2):
        raise ShapeError(f"tensor.H is only supported on matrices (2-D tensors). Got {input.array.ndim}-D tensor.")
    return input.transpose(0, 1).conj() if input.array.ndim else input.conj()


def retains_grad(input: Tensor) -> bool:
    """Whether retain_grad was called on a tensor that is no leaf."""
    hooks: Any = getattr(input.node, "hooks", None)
    return bool(hooks) and -1 - input.output_nr in hooks


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape."""
    return bool(input.array.shape == other.array.shape)


def dim_order(input: Tensor) -> tuple[int, ...]:
    """The dimensions in the order in which they lie in memory, outermost first."""
    return tuple(sorted(range(input.array.ndim), key=lambda d: -abs(input.array.strides[d])))


def detach(input: Tensor) -> Tensor:
    """The same memory, outside the graph."""
    return input.detach()


def get_device(input: Tensor) -> int:
    """The GPU's number, -1 on the CPU."""
    return input.get_device()


def is_signed(input: Tensor) -> bool:
    """Whether the elements can be negative."""
    return input.is_signed()


def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: what would be resolved is never put off here."""
    return input


def is_conj(input: Tensor) -> bool:
    """No tensor here is of that kind."""
    return False


resolve_neg = resolve_conj
is_neg = is_distributed = is_shared = is_conj
is_meta = is_mkldnn = is_mps = is_mtia = is_nested = is_vulkan = is_xla = is_xpu = is_ipu = is_maia = is_sparse_csr = (
    is_conj
)
