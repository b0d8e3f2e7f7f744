"""What a tensor tells about itself: its shape, its type, its place, and its elements as Python's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.autograd.graph import Variable
from minigrad.device import device
from minigrad.errors import ShapeError
from minigrad.layout import layout, strided
from minigrad.ops.base import normal_axis
from minigrad.registry import backend_of
from minigrad.size import Size

Array = Any


class Described(Variable):
    """The part of Tensor that only looks."""

    __slots__ = ()

    @property
    def shape(self) -> Size:
        """The size of every dimension."""
        return Size(self.array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        return self.shape if dim is None else self.array.shape[normal_axis("size", dim, self.array.ndim)]

    @property
    def ndim(self) -> int:
        """How many dimensions."""
        return self.array.ndim

    def dim(self) -> int:
        """How many dimensions."""
        return self.array.ndim

    def numel(self) -> int:
        """How many elements."""
        return int(self.array.size)

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return int(self.array.dtype.itemsize)

    @property
    def dtype(self) -> dtypes.dtype:
        """The elements' type."""
        return dtypes.of(self.array)

    @property
    def device(self) -> device:
        """Where the elements live."""
        return device(backend_of(self.array).device)

    @property
    def is_cuda(self) -> bool:
        """Whether the elements live on a GPU."""
        return self.device.type == "cuda"

    def get_device(self) -> int:
        """The GPU's number, -1 on the CPU."""
        return -1 if self.device.type == "cpu" else self.device.index or 0

    @property
    def layout(self) -> layout:
        """Every tensor here is dense."""
        return strided

    def stride(self, dim: int | None = None) -> Any:
        """Elements from one place to the next, per dimension."""
        steps = tuple(s // self.array.dtype.itemsize for s in self.array.strides)
        return steps if dim is None else steps[normal_axis("stride", dim, self.array.ndim)]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether the elements lie in order."""
        return bool(self.array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        """Whether the elements are real numbers."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the elements can be negative."""
        return self.dtype.is_signed

    def data_ptr(self) -> int:
        """The address of the first element."""
        array = self.array
        return int(array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr)

    # ------------------------------------------------------------------ the elements, outside

    def numpy_array(self) -> Array:
        """The elements as a NumPy array on the host, shared where that is possible, whatever the graph says."""
        return backend_of(self.array).to_numpy(self.array)

    def tolist(self) -> Any:
        """The elements as nested lists of numbers."""
        return self.numpy_array().tolist()

    def item(self) -> Any:
        """The only element, as a number."""
        if self.array.size != 1:
            raise ShapeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
        array = self.numpy_array()
        return array.item() if array.dtype.kind != "V" else float(array.reshape(-1)[0])

    def __bool__(self) -> bool:
        if self.array.size != 1:
            what = "no values" if not self.array.size else "more than one value"
            raise ShapeError(f"Boolean value of Tensor with {what} is ambiguous")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.size != 1 or self.array.dtype.kind not in "iub":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self.array)
