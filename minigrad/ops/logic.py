"""Comparison, logic, choice and rounding: what picks or classifies values, and needs no arithmetic to be differentiated."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes
from minigrad.errors import DtypeError
from minigrad.ops.base import (
    Array,
    Binary,
    Grads,
    Nary,
    Tensor,
    Unary,
    Variable,
    backend_of,
    broadcast_error,
    cast,
    fitted,
    wrap,
)


def kind_of(a: Array, b: Array) -> str:
    """NumPy's kind of the operand that is an array."""
    return str((a if hasattr(a, "dtype") else b).dtype.kind)


def _comparison(label: str, sign: str, compute: Any) -> type[Binary]:
    """An op that answers True or False for every pair of elements."""

    def forward(self: Binary, a: Array, b: Array) -> Array:
        return compute(a, b)

    return type(
        label,
        (Binary,),
        {
            "__slots__": (),
            "compares": True,
            "keeps": False,
            "forward": forward,
            "__doc__": f"a {sign} b, element by element",
        },
    )


Eq = _comparison("Eq", "==", lambda a, b: a == b)
Ne = _comparison("Ne", "!=", lambda a, b: a != b)
Lt = _comparison("Lt", "<", lambda a, b: a < b)
Le = _comparison("Le", "<=", lambda a, b: a <= b)
Gt = _comparison("Gt", ">", lambda a, b: a > b)
Ge = _comparison("Ge", ">=", lambda a, b: a >= b)


def _logical(label: str, compute: Any, same_bits: bool) -> type[Binary]:
    """An op on truth values; on the bits of integers if `same_bits`."""

    def forward(self: Binary, a: Array, b: Array) -> Array:
        if same_bits and kind_of(a, b) not in "iub":
            raise DtypeError(f"{label.lower()}(): expected integers or bools, but got {dtypes.of(a)}")
        return compute(backend_of(a if hasattr(a, "dtype") else b).xp, a, b)

    return type(label, (Binary,), {"__slots__": (), "compares": True, "keeps": False, "forward": forward})


BitwiseAnd = _logical("Bitwise_and", lambda xp, a, b: a & b, True)
BitwiseOr = _logical("Bitwise_or", lambda xp, a, b: a | b, True)
BitwiseXor = _logical("Bitwise_xor", lambda xp, a, b: a ^ b, True)
LogicalAnd = _logical("Logical_and", lambda xp, a, b: xp.logical_and(a, b), False)
LogicalOr = _logical("Logical_or", lambda xp, a, b: xp.logical_or(a, b), False)
LogicalXor = _logical("Logical_xor", lambda xp, a, b: xp.logical_xor(a, b), False)


class Where(Nary):
    """a where the condition holds, else b, all broadcast."""

    __slots__ = ()

    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        try:
            return backend_of(condition).xp.where(condition, a, b)
        except ValueError as error:
            raise broadcast_error(a if getattr(a, "shape", ()) else condition, b) from error

    def backward(self, gy: Tensor) -> Grads:
        condition = self.inputs[0]
        return None, self.needs[1] and where(condition, gy, 0.0), self.needs[2] and where(condition, 0.0, gy)

    def record(self, inputs: Any, results: Any) -> None:
        super().record(inputs, results)
        self.shapes = tuple(v.array.shape if isinstance(v, Variable) else () for v in inputs)
        self.inputs = inputs[:1]


class _Round(Unary):
    """A step function: its gradient is 0."""

    __slots__ = ()
    keeps = False

    def backward(self, gy: Tensor) -> Grads:
        return gy.new_zeros(gy.array.shape)


def _step(label: str, text: str, compute: Any) -> type[Unary]:
    """A rounding op; integers are whole already."""

    def forward(self: Unary, a: Array) -> Array:
        if a.dtype.kind == "b":
            raise DtypeError(f'{label.lower()}(): "{label.lower()}" not implemented for bool')
        return a.copy() if a.dtype.kind in "iu" else compute(backend_of(a).xp, a)

    return type(label, (_Round,), {"__slots__": (), "forward": forward, "__doc__": text})


Floor = _step("Floor", "The next whole number below.", lambda xp, a: xp.floor(a))
Ceil = _step("Ceil", "The next whole number above.", lambda xp, a: xp.ceil(a))
Trunc = _step("Trunc", "The next whole number towards 0.", lambda xp, a: xp.trunc(a))
Round = _step("Round", "The nearest whole number, halves to the even one.", lambda xp, a: xp.rint(a))


class RoundTo(_Round):
    """The nearest number with so many decimals, halves to the even one."""

    __slots__ = ("decimals",)

    def __init__(self, decimals: int) -> None:
        self.decimals = decimals

    def forward(self, a: Array) -> Array:
        scale, rint = a.dtype.type(10.0 ** abs(self.decimals)), backend_of(a).xp.rint
        return rint(a * scale) / scale if self.decimals > 0 else rint(a / scale) * scale


class Sign(_Round):
    """-1, 0 or 1."""

    __slots__ = ()

    def forward(self, a: Array) -> Array:
        if a.dtype.kind == "b":
            return a.copy()
        if a.dtype.kind == "f":  # NaN's sign is 0, which keeps it out of the gradient of abs
            return (a > 0).astype(a.dtype) - (a < 0).astype(a.dtype)
        return backend_of(a).xp.sign(a)


class LogicalNot(Unary):
    """Whether an element is 0."""

    __slots__ = ()

    def forward(self, a: Array) -> Array:
        return a == 0


class BitwiseNot(Unary):
    """All bits turned over."""

    __slots__ = ()

    def forward(self, a: Array) -> Array:
        if a.dtype.kind not in "iub":
            raise DtypeError(f"bitwise_not(): expected integers or bools, but got {dtypes.of(a)}")
        return ~a


def floor(input: Tensor) -> Tensor:
    """The next whole number below."""
    return Floor().apply(input)


def ceil(input: Tensor) -> Tensor:
    """The next whole number above."""
    return Ceil().apply(input)


def trunc(input: Tensor) -> Tensor:
    """The next whole number towards 0."""
    return Trunc().apply(input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals, halves to the even one."""
    if not isinstance(decimals, int) or abs(decimals) > 300:
        raise TypeError(f"round(): argument 'decimals' must be int within [-300, 300], but got {decimals!r}")
    if decimals == 0:
        return Round().apply(input)
    if input.array.dtype.kind in "iub":
        raise DtypeError(f'round(): "round" to decimals not implemented for {dtypes.of(input.array)}')
    return RoundTo(decimals).apply(input)


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1."""
    return Sign().apply(input)


def logical_not(input: Tensor) -> Tensor:
    """Whether an element is 0."""
    return LogicalNot().apply(input)


def bitwise_not(input: Tensor) -> Tensor:
    """~input"""
    return BitwiseNot().apply(input)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Where the elements that are not 0 stand: (count, ndim), or one vector of indices per dimension."""
    x = input.array
    xp = backend_of(x).xp
    if not x.ndim:
        x = x.reshape(1)
        found = xp.nonzero(x)
        return (wrap(found[0]),) if as_tuple else wrap(xp.zeros((len(found[0]), 0), xp.int64))
    found = xp.nonzero(x)
    return tuple(wrap(f) for f in found) if as_tuple else wrap(xp.stack(found, 1))


def eq(input: Tensor, other: Tensor | complex) -> Tensor:
    """input == other"""
    return Eq().apply(input, other)


def ne(input: Tensor, other: Tensor | complex) -> Tensor:
    """input != other"""
    return Ne().apply(input, other)


def lt(input: Tensor, other: Tensor | complex) -> Tensor:
    """input < other"""
    return Lt().apply(input, other)


def le(input: Tensor, other: Tensor | complex) -> Tensor:
    """input <= other"""
    return Le().apply(input, other)


def gt(input: Tensor, other: Tensor | complex) -> Tensor:
    """input > other"""
    return Gt().apply(input, other)


def ge(input: Tensor, other: Tensor | complex) -> Tensor:
    """input >= other"""
    return Ge().apply(input, other)


def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Both are true."""
    return LogicalAnd().apply(input, other)


def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Either is true."""
    return LogicalOr().apply(input, other)


def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Just one is true."""
    return LogicalXor().apply(input, other)


def bitwise_and(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input & other"""
    return BitwiseAnd().apply(input, other)


def bitwise_or(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input | other"""
    return BitwiseOr().apply(input, other)


def bitwise_xor(input: Tensor | complex, other: Tensor | complex) -> Tensor:
    """input ^ other"""
    return BitwiseXor().apply(input, other)


def where(condition: Tensor, input: Tensor | complex | None = None, other: Tensor | complex | None = None) -> Tensor:
    """input where condition is true, else other; with the condition alone, the indices where it is true."""
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Variable) or condition.array.dtype.kind != "b":
        kind = dtypes.of(condition.array) if isinstance(condition, Variable) else type(condition).__name__
        raise TypeError(f"where(): expected condition to be a boolean tensor, but got {kind}")
    if input is None or other is None:
        name = "input" if input is None else "other"
        raise TypeError(f"where(): argument '{name}' must be Tensor or Number, not NoneType")
    arrays = tuple(v.array if isinstance(v, Variable) else v for v in (input, other))
    wanted = dtypes.result_numpy(arrays)
    scalar = backend_of(condition.array).scalar
    a, b = (cast(v, wanted) if isinstance(v, Variable) else scalar(fitted(v, wanted), wanted) for v in (input, other))
    return Where().apply(condition, a, b)
