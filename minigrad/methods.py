"""Which operations are methods of Tensor, under which names, and which have an in-place form."""

from __future__ import annotations

from typing import Any

from minigrad import dtypes, surface
from minigrad.ops import (
    activation,
    arithmetic,
    elementwise,
    extreme,
    fused,
    index,
    inplace,
    join,
    logic,
    matmul,
    power,
    reduce,
    scan,
    shape,
    slices,
)  # fmt: skip
from minigrad.ops.base import cast
from minigrad.ops.checked import checked
from minigrad.ops.numpy_names import renamed

# Every function of these modules whose first argument is a tensor is also a method; those with an in-place form get
# one under the name with an underscore. This is the one place where methods are attached.
METHODS = {
    arithmetic: "add sub mul div maximum minimum floor_divide remainder fmod atan2 neg",
    logic: "eq ne lt le gt ge logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not "
    "floor ceil trunc round sign nonzero",
    elementwise: "exp expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos atan sinh cosh asinh acosh "
    "atanh",
    power: "absolute pow clamp",
    activation: "sigmoid tanh softmax log_softmax",
    fused: "relu",
    reduce: "sum mean var std any all count_nonzero",
    scan: "prod cumsum cumprod",
    extreme: "max min amax amin argmax argmin logsumexp",
    shape: "reshape view flatten unflatten permute transpose t movedim squeeze unsqueeze expand broadcast_to sum_to_size "
    "narrow flip roll clone contiguous",
    join: "split chunk unbind repeat tile",
    index: "gather scatter scatter_add index_select take take_along_dim",
    slices: "index_add index_fill masked_fill masked_select",
    matmul: "matmul mm bmm mv dot outer addmm baddbmm diagonal",
}
ALIASES = {
    "multiply": "mul", "subtract": "sub", "divide": "div", "true_divide": "div", "abs": "absolute", "negative": "neg",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne", "arctan2": "atan2",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "fix": "trunc", "clip": "clamp", "swapaxes": "transpose", "swapdims": "transpose", "moveaxis": "movedim", "ger": "outer",
}  # fmt: skip
IN_PLACE = (
    "add sub mul div maximum minimum floor_divide remainder fmod atan2 neg eq ne lt le gt ge logical_and logical_or "
    "logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not floor ceil trunc round sign exp expm1 log log2 "
    "log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos atan sinh cosh asinh acosh atanh absolute pow clamp relu sigmoid "
    "tanh cumsum cumprod scatter scatter_add index_add index_fill masked_fill addmm baddbmm"
)


def hang_on(cls: Any) -> None:
    """Give a class the operations as its methods, operators and in-place forms."""
    for module, names in METHODS.items():
        for name in names.split():
            setattr(cls, name, renamed(getattr(module, name)))
    for name in IN_PLACE.split():
        setattr(cls, f"{name}_", inplace.inplace(f"{name}_", getattr(cls, name)))
    for alias, name in ALIASES.items():
        setattr(cls, alias, getattr(cls, name))
        if hasattr(cls, f"{name}_"):
            setattr(cls, f"{alias}_", getattr(cls, f"{name}_"))
    for name, kind in _CASTS.items():
        setattr(cls, name, _caster(name, kind))
    for name, function in (("fill_", inplace.fill), ("zero_", inplace.zero), ("copy_", inplace.copy)):
        setattr(cls, name, inplace.inplace(name, function))
    for sign, name in _OPERATORS.items():
        setattr(cls, f"__i{sign}__", getattr(cls, f"{name}_"))
    for sign, name in (("lshift", "bitwise_left_shift"), ("rshift", "bitwise_right_shift")):
        setattr(cls, f"__{sign}__", _calling(name))
        setattr(cls, f"__i{sign}__", _calling(f"{name}_"))
        setattr(cls, f"__r{sign}__", _calling(name, True))
    for name in ("view_as", "reshape_as", "expand_as"):
        setattr(cls, name, checked(getattr(cls, name)))
    cls.where, cls.polygamma = _where, _polygamma
    cls.polygamma_ = inplace.inplace("polygamma_", _polygamma)
    surface.hang_on(cls)


_CASTS = {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "long": dtypes.int64, "int": dtypes.int32,
    "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8, "bool": dtypes.bool_,
}  # fmt: skip
_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "pow", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}  # fmt: skip


def _caster(name: str, kind: dtypes.dtype) -> Any:
    def method(self: Any, memory_format: Any = None) -> Any:
        return cast(self, kind.numpy)

    method.__name__ = name
    method.__doc__ = f"Cast to {kind}."
    return method


def _calling(name: str, swapped: bool = False) -> Any:
    """An operator that calls a method, which the table loads when it is first used."""

    def method(self: Any, other: Any) -> Any:
        return surface.operation(name)(other, self) if swapped else getattr(self, name)(other)

    method.__name__ = name
    return method


def _polygamma(self: Any, n: int) -> Any:
    """The n-th derivative of digamma."""
    return surface.operation("polygamma")(n, self)


def _where(self: Any, condition: Any, other: Any) -> Any:
    """self where condition is true, else other."""
    return logic.where(condition, self, other)
