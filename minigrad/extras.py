"""PyTorch's functions around tensors that compute nothing: older constructors, switches, questions about types."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.autograd.engine import AfterAccumulating
from minigrad.creation import as_tensor, empty, tensor
from minigrad.errors import DtypeError, GraphError, ShapeError
from minigrad.func import vmap as vmap
from minigrad.handles import RemovableHandle
from minigrad.return_types import KINDS
from minigrad.size import Size
from minigrad.tensor import Tensor, make


class _Typed(type):
    """The older constructors: FloatTensor(2, 3) has that shape, FloatTensor([2, 3]) these elements.

    A tensor is an instance of the one for its dtype; none is ever made of these classes themselves.
    """

    kind: dtypes.dtype

    def __call__(cls, *data: Any) -> Tensor:
        return _made(data, cls.kind)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.kind


def _made(data: tuple[Any, ...], kind: dtypes.dtype, device: Any = None) -> Tensor:
    """A tensor of sizes given as integers, or with the elements of a sequence."""
    if data and all(type(n) is int for n in data):
        return empty(*data, dtype=kind, device=device)
    if data and isinstance(data[0], Size):
        return empty(data[0], dtype=kind, device=device)
    return tensor(data[0] if data else [], dtype=kind, device=device)


def new(input: Tensor, *data: Any, device: Any = None) -> Tensor:
    """The older new_empty and new_tensor: x.new(2, 3) has that shape, x.new([2, 3]) these elements, and x's dtype."""
    return _made(data, input.dtype, input.device if device is None else device)


def _typed(kind: dtypes.dtype, name: str) -> Any:
    about = f"A tensor of {kind.name}: of sizes given as integers, or with the elements of a sequence."
    return _Typed(name, (), {"kind": kind, "__doc__": about, "__module__": "minigrad"})


BoolTensor = _typed(dtypes.bool_, "BoolTensor")
ByteTensor = _typed(dtypes.uint8, "ByteTensor")
CharTensor = _typed(dtypes.int8, "CharTensor")
DoubleTensor = _typed(dtypes.float64, "DoubleTensor")
FloatTensor = _typed(dtypes.float32, "FloatTensor")
HalfTensor = _typed(dtypes.float16, "HalfTensor")
IntTensor = _typed(dtypes.int32, "IntTensor")
LongTensor = _typed(dtypes.int64, "LongTensor")
ShortTensor = _typed(dtypes.int16, "ShortTensor")


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of anything: on the same memory where that can be, unless a copy is asked for."""
    made = as_tensor(obj, dtype=dtype, device=device).detach()
    made = made.clone() if copy else made
    return made.requires_grad_() if requires_grad else made


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A number as a tensor of the default dtype."""
    kind = dtypes.get_default_dtype() if dtype is None else dtype
    return tensor(s, dtype=kind, device=device, requires_grad=requires_grad)


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes have together."""
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError as error:
        raise ShapeError(
            "Shape mismatch: objects cannot be broadcast to a single shape: " + ", ".join(map(str, shapes))
        ) from error


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The type of a result of two operands, tensors or numbers."""
    return dtypes.of_numpy(dtypes.result_numpy(tuple(getattr(v, "array", v) for v in (tensor1, tensor2))))


def typename(obj: Any) -> str:
    """The name of an object's type; of a tensor, with its element type."""
    if isinstance(obj, Tensor):
        return str(obj.type())
    kind = obj if isinstance(obj, type) else type(obj)
    return kind.__qualname__ if kind.__module__ in ("builtins", "") else f"{kind.__module__}.{kind.__qualname__}"


def is_complex(input: Tensor) -> bool:
    """Whether a tensor's elements are complex numbers."""
    return input.is_complex()


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not 0."""
    if input.array.size != 1:
        raise ShapeError(f"Boolean value of Tensor with {input.array.size or 'no'} values is ambiguous")
    return bool(input)


def compile(model: Any = None, **options: Any) -> Any:
    """The model or function itself: there is nothing to compile here."""
    return model if model is not None else lambda function: function


def set_default_device(device: Any) -> None:
    """Where new tensors live, unless they are told."""
    from minigrad import registry
    from minigrad.device import device as as_device

    registry.set_default_device(as_device("cpu" if device is None else device).type)


def get_default_device() -> Any:
    """Where new tensors live, unless they are told."""
    from minigrad import registry
    from minigrad.device import device as as_device

    return as_device(registry.default_device())


def set_default_tensor_type(t: Any) -> None:
    """The older way to say set_default_dtype."""
    kinds = {"DoubleTensor": dtypes.float64, "FloatTensor": dtypes.float32, "HalfTensor": dtypes.float16}
    name = t.rpartition(".")[2] if isinstance(t, str) else getattr(t, "__name__", "")
    if name not in kinds:
        raise DtypeError(f"only floating-point types are supported as the default type, but got {t!r}")
    dtypes.set_default_dtype(kinds[name])


def set_float32_matmul_precision(precision: str) -> None:
    """Accepted for PyTorch's scripts: products are always computed in full precision."""
    if precision not in ("highest", "high", "medium"):
        raise ShapeError(f'set_float32_matmul_precision expects "highest", "high" or "medium", but got {precision!r}')


def get_float32_matmul_precision() -> str:
    """Products are always computed in full precision."""
    return "highest"


def set_num_interop_threads(num: int) -> None:
    """Accepted for PyTorch's scripts: one operation runs at a time."""


def get_num_interop_threads() -> int:
    """One operation runs at a time."""
    return 1


def set_warn_always(b: bool) -> None:
    """Accepted for PyTorch's scripts: how often a warning is shown is Python's to say."""


def set_flush_denormal(mode: bool) -> bool:
    """Whether tiny numbers can be made zero: they are kept here."""
    return not mode


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted for PyTorch's scripts: all algorithms are deterministic."""


def are_deterministic_algorithms_enabled() -> bool:
    """All algorithms are deterministic."""
    return True


# ---------------------------------------------------------------------- methods that scripts call and that have little to do


def ndimension(input: Tensor) -> int:
    """How many dimensions."""
    return input.ndim


def pin_memory(input: Tensor, device: Any = None) -> Tensor:
    """The tensor in page-locked memory, which a GPU reads by itself. DeviceError without one."""
    from minigrad.cuda.pinned import pin_memory

    return pin_memory(input, device)


def is_pinned(input: Tensor, device: Any = None) -> bool:
    """Whether the tensor lies in page-locked memory."""
    from minigrad.cuda.pinned import is_pinned

    return is_pinned(input, device)


def share_memory_(input: Tensor) -> Tensor:
    """The tensor itself: processes do not share tensors here."""
    return input


def register_post_accumulate_grad_hook(input: Tensor, hook: Any) -> RemovableHandle:
    """Call `hook(tensor)` on a leaf after backward() has added to its `.grad`.

    Raises:
        GraphError: if it is no leaf, or wants no gradient.
    """
    if not input.tracked:
        raise GraphError("cannot register a hook on a tensor that doesn't require gradient")
    if input.node is not None:
        raise GraphError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    if input.hooks is None:
        input.hooks = {}
    return RemovableHandle(input.hooks, AfterAccumulating(hook))


def real(input: Tensor) -> Tensor:
    """The real part: of real numbers, the tensor itself."""
    return input if input.array.dtype.kind != "c" else make(input.array.real)


def conj(input: Tensor) -> Tensor:
    """The complex conjugate: of real numbers, the tensor itself."""
    return input if input.array.dtype.kind != "c" else make(input.array.conj())


def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of matrices."""
    return conj(input.transpose(-2, -1))


def is_cpu(input: Tensor) -> bool:
    """Whether the elements live on the host."""
    return input.device.type == "cpu"


def is_sparse(input: Tensor) -> bool:
    """Every tensor here is dense."""
    return False


def is_quantized(input: Tensor) -> bool:
    """No tensor here is quantised."""
    return False


def itemsize(input: Tensor) -> int:
    """Bytes per element."""
    return input.element_size()


def nbytes(input: Tensor) -> int:
    """Bytes of all elements."""
    return input.element_size() * input.numel()


def mH(input: Tensor) -> Tensor:
    """The conjugate transpose of matrices."""
    return adjoint(input)


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """U, S, V with input = U @ diag(S) @ V.T, in the order of torch.svd (torch.linalg.svd returns V transposed)."""
    from minigrad.ops import linalg

    u, s, vh = linalg.svd(input, not some)
    return KINDS["svd"](u, s, vh.transpose(-2, -1))


def qr(input: Tensor, some: bool = True) -> Any:
    """Q, R with input = Q @ R; `some=False` gives the square Q."""
    from minigrad.ops import linalg

    return KINDS["qr"](*linalg.qr(input, "reduced" if some else "complete"))


def slogdet(input: Tensor) -> Any:
    """The sign and the logarithm of the size of determinants."""
    from minigrad.ops import linalg

    return KINDS["slogdet"](*linalg.slogdet(input))


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The lower triangle L with L @ L.T = input (its transpose if `upper`)."""
    from minigrad.ops import linalg

    return linalg.cholesky(input, upper=upper)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Flat indices as one index per dimension of a shape."""
    from minigrad.registry import backend_of

    if indices.array.dtype.kind not in "iu":
        raise DtypeError(f"unravel_index(): expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    return tuple(make(v) for v in backend_of(indices.array).xp.unravel_index(indices.array, sizes))
