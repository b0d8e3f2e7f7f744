"""Element types and PyTorch's rules for mixing them.

Source of the rules: PyTorch's "Type promotion" note. Types come in categories, bool < integer < floating; a
higher category wins, and within one category tensors with dimensions outrank those without, which
outrank Python's numbers.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minigrad.errors import DtypeError


class dtype:
    """An element type, printed as `minigrad.float32`."""

    __slots__ = ("is_complex", "is_floating_point", "is_signed", "itemsize", "name", "numpy")
    library: ClassVar[str] = "minigrad"  # how it is printed

    def __init__(self, name: str, numpy: Any) -> None:
        self.name = name
        self.numpy = np.dtype(numpy)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind not in "biuc"
        self.is_complex = self.numpy.kind == "c"
        self.is_signed = self.numpy.kind not in "bu"

    def __repr__(self) -> str:
        return f"{self.library}.{self.name}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dtype):
            return self is other
        try:
            return bool(self.numpy == np.dtype(other))  # type: ignore[call-overload]
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.numpy)

    def __reduce__(self) -> tuple[Any, ...]:
        return from_name, (self.name,)

    def to_complex(self) -> dtype:
        """The complex type of the same precision."""
        return complex128 if self is float64 else complex64

    def to_real(self) -> dtype:
        """The real type of the same precision."""
        return {complex64: float32, complex128: float64}.get(self, self)


float64 = double = dtype("float64", np.float64)
float32 = float_ = dtype("float32", np.float32)
float16 = half = dtype("float16", np.float16)
int64 = long = dtype("int64", np.int64)
int32 = int_ = dtype("int32", np.int32)
int16 = short = dtype("int16", np.int16)
int8 = dtype("int8", np.int8)
uint8 = dtype("uint8", np.uint8)
uint16 = dtype("uint16", np.uint16)
uint32 = dtype("uint32", np.uint32)
uint64 = dtype("uint64", np.uint64)
bool_ = dtype("bool", np.bool_)
complex64 = dtype("complex64", np.complex64)
complex128 = dtype("complex128", np.complex128)

ALL = (
    float64, float32, float16, int64, int32, int16, int8, uint8, uint16, uint32, uint64, bool_, complex64, complex128,
)  # fmt: skip
_by_numpy: dict[Any, dtype] = {d.numpy: d for d in ALL}
_by_name = {d.name: d for d in ALL}
# The older constructors, by which PyTorch's Tensor.type() names a type.
CONSTRUCTORS: dict[dtype, str] = {
    float64: "DoubleTensor", float32: "FloatTensor", float16: "HalfTensor", int64: "LongTensor", int32: "IntTensor",
    int16: "ShortTensor", int8: "CharTensor", uint8: "ByteTensor", uint16: "UInt16Tensor", uint32: "UInt32Tensor",
    uint64: "UInt64Tensor", bool_: "BoolTensor", complex64: "ComplexFloatTensor", complex128: "ComplexDoubleTensor",
}  # fmt: skip
_python = {float: float32, int: int64, bool: bool_, complex: complex64}


def from_name(name: str) -> dtype:
    """The type called `float32`, `bool`, ..."""
    return bfloat16() if name == "bfloat16" and name not in _by_name else _by_name[name]


def bfloat16() -> dtype:
    """minigrad.bfloat16, which needs the package ml_dtypes."""
    if "bfloat16" not in _by_name:
        try:
            from ml_dtypes import bfloat16 as scalar
        except ImportError as error:
            raise ImportError("minigrad.bfloat16 needs the package ml_dtypes: pip install ml_dtypes") from error
        made = dtype("bfloat16", scalar)
        _by_name["bfloat16"] = _by_numpy[made.numpy] = made
    return _by_name["bfloat16"]


def constructor(kind: dtype) -> str:
    """The name of a dtype's older constructor."""
    return CONSTRUCTORS.get(kind, "BFloat16Tensor")


def of_constructor(kind: Any) -> Any:
    """The dtype that `FloatTensor`, or its name with or without a library before it, stands for; anything else as it is."""
    name = kind.rpartition(".")[2] if isinstance(kind, str) else getattr(kind, "__name__", "")
    return next((d for d, constructor in CONSTRUCTORS.items() if constructor == name), kind)


def of(array: Any) -> dtype:
    """The type of an array's elements."""
    try:
        return _by_numpy[array.dtype]
    except KeyError:
        if array.dtype.name == "bfloat16":
            return bfloat16()
        return _by_numpy[array.dtype.newbyteorder("=")]


def as_numpy(wanted: Any, op: str = "dtype") -> Any:
    """A user's dtype (ours, NumPy's, `float`, `int`, `bool`) as NumPy's.

    Raises:
        TypeError: if it is none.
        DtypeError: if it is one that tensors cannot have.
    """
    if isinstance(wanted, dtype):
        return wanted.numpy
    if wanted in (float, int, bool, complex):
        return default_numpy() if wanted is float else _python[wanted].numpy
    try:
        found = np.dtype(wanted)
    except TypeError:
        raise TypeError(f"{op}(): argument 'dtype' must be minigrad.dtype, not {wanted!r}") from None
    check_supported(found, op)
    return found.newbyteorder("=")


def check_supported(found: Any, op: str) -> None:
    """Refuse object, string and structured arrays."""
    if found.newbyteorder("=") not in _by_numpy and found.name != "bfloat16":
        raise DtypeError(
            f"{op}(): can't convert np.ndarray of type {found}. The only supported types are: "
            "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
        )


_default = float32


def get_default_dtype() -> dtype:
    """The floating type of new tensors: minigrad.float32 unless it was set."""
    return _default


def set_default_dtype(d: Any) -> None:
    """Make a floating type the one of new tensors.

    Raises:
        TypeError: if it is not a floating type.
    """
    global _default
    wanted = _by_numpy[as_numpy(d, "set_default_dtype")]
    if not wanted.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, but got {wanted}")
    _default = wanted


def default_numpy() -> Any:
    """The default floating type as NumPy's."""
    return _default.numpy


def category(kind: str) -> int:
    """bool 0, integer 1, floating 2, complex 3."""
    return 0 if kind == "b" else 1 if kind in "iu" else 3 if kind == "c" else 2


_NUMBERS = {bool: "b", int: "i", float: "f", complex: "c"}


def promote_pair(a: Any, b: Any) -> Any:
    """The type of the result of two NumPy types of equal rank."""
    if a == b:
        return a
    ca, cb = category(a.kind), category(b.kind)
    if ca != cb:
        return _complex_of(a, b) if max(ca, cb) == 3 else a if ca > cb else b
    if ca == 2 and "bfloat16" in (a.name, b.name):
        other = b if a.name == "bfloat16" else a
        return np.dtype(np.float32) if other.itemsize <= 4 else other
    return np.promote_types(a, b)


def _complex_of(a: Any, b: Any) -> Any:
    wide = np.dtype(np.complex128)
    return wide if np.dtype(np.float64) in (a, b) or wide in (a, b) else np.dtype(np.complex64)


def result_numpy(operands: tuple[Any, ...]) -> Any:
    """The common type of arrays and Python numbers."""
    ranked: list[Any] = [None, None, None]  # with dimensions, without, plain numbers
    for x in operands:
        kind = _NUMBERS.get(x.__class__)
        if kind is not None:
            rank, found = (
                2,
                default_numpy() if kind == "f" else np.dtype({"b": "bool", "i": "int64", "c": "complex64"}[kind]),
            )
        else:
            rank, found = (0 if x.ndim else 1), x.dtype
        ranked[rank] = found if ranked[rank] is None else promote_pair(ranked[rank], found)
    result = None
    for found in ranked:
        if found is None:
            continue
        if result is None:
            result = found
        elif category(found.kind) > category(result.kind):
            result = promote_pair(result, found) if category(found.kind) == 3 else found
    return result


def promote_types(type1: Any, type2: Any) -> dtype:
    """The type of a result of two tensors of these types."""
    return _by_numpy[promote_pair(as_numpy(type1), as_numpy(type2))]


def can_cast(from_: Any, to: Any) -> bool:
    """Whether an in-place result of one type may be stored as another: no step down in category."""
    return category(as_numpy(from_).kind) <= category(as_numpy(to).kind)


class finfo:
    """The limits of a floating type: bits, eps, max, min, tiny, resolution."""

    def __init__(self, type: Any = None) -> None:
        found = as_numpy(type if type is not None else _default, "finfo")
        if category(found.kind) != 2:
            raise TypeError(f"finfo(): {of_numpy(found)} is not a floating point type: use iinfo")
        limits: Any = np.finfo
        if found.name == "bfloat16":
            import ml_dtypes

            limits = ml_dtypes.finfo
        info = limits(found)
        self.dtype = of_numpy(found).name
        self.bits = found.itemsize * 8
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.tiny)
        self.resolution = 10.0 ** -int(info.precision)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.tiny:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer type: bits, max, min."""

    def __init__(self, type: Any) -> None:
        found = as_numpy(type, "iinfo")
        if category(found.kind) != 1:
            raise TypeError(f"iinfo(): {of_numpy(found)} is not an integer type: use finfo")
        info = np.iinfo(found)
        self.dtype, self.bits = of_numpy(found).name, info.bits
        self.max, self.min = int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def of_numpy(found: Any) -> dtype:
    """NumPy's type as ours."""
    return _by_numpy[found] if found.name != "bfloat16" else bfloat16()
