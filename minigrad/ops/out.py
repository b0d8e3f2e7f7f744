"""`out=`: which functions take it, and what it means. The functions themselves know nothing of it.

What `minigrad` shows of a function of the table is a wrapper of the same signature and one argument more. Methods,
operators and whatever minigrad calls itself are the function without it.

A result is computed first and then written, so `out` may share memory with the inputs, and may lie in memory as it likes.
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from minigrad import dtypes
from minigrad.autograd.grad_mode import is_grad_enabled
from minigrad.autograd.graph import Duties, Variable
from minigrad.errors import DeviceError, DtypeError, GraphError
from minigrad.ops.base import cast
from minigrad.ops.checked import checked
from minigrad.ops.inplace import check_writable
from minigrad.ops.storage import resized

# What the type of `out` may be.
RULES: dict[str, str] = {
    # Any but one of a lower category: no float goes into integers.
    "cast": "acos acosh add addcdiv addcmul addr asin asinh atan atan2 atanh bernoulli bitwise_and bitwise_left_shift "
    "bitwise_or bitwise_right_shift bitwise_xor cat clamp clamp_max clamp_min column_stack copysign cos cosh "
    "deg2rad digamma div dstack eq erf erfc erfinv exp exp2 expm1 float_power floor_divide fmax fmin fmod gcd ge gt "
    "hstack hypot i0 igamma igammac kron lcm ldexp le lerp lgamma log log10 log1p log2 logaddexp logaddexp2 logical_and "
    "logical_not logical_or logical_xor logit logsumexp lt maximum minimum mul mvlgamma ne nextafter normal outer polygamma pow "
    "rad2deg reciprocal remainder rsqrt sigmoid sin sinc sinh sqrt square stack std sub tan tanh var vstack xlogy",
    # The result's own.
    "same": "absolute addbmm addmm addmv all alias_copy amax amin aminmax any argmax argmin argsort as_strided_copy baddbmm "
    "bitwise_not bmm bucketize ceil cholesky cross cummax cummin diag diagonal_copy diff dot expand_copy floor frac frexp "
    "gather heaviside histc histogram index_add index_copy index_reduce index_select inner isin isneginf isposinf kthvalue "
    "log_softmax logcumsumexp masked_select matmul max median min mm mode msort multinomial mv nan_to_num nanmedian "
    "nanquantile narrow_copy neg nonzero norm permute_copy qr quantile renorm round scatter scatter_add "
    "scatter_reduce searchsorted select_copy sgn sign signbit slice_scatter softmax sort squeeze_copy svd t_copy take "
    "take_along_dim tensordot topk transpose_copy tril triu trunc unfold_copy unsqueeze_copy vdot view_copy where",
    # It is the type that the function computes in.
    "counts": "cumprod cumsum mean nanmean nansum prod sum",
    # It is the type of what is made, and out may have any shape.
    "makes": "arange empty eye full linspace logspace ones rand randint randn randperm zeros",
}
RULE: dict[str, str] = {name: rule for rule, names in RULES.items() for name in names.split()}

# The same under other names, as functions of minigrad.
ALIASES = {
    "abs": "absolute", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan",
    "arctan2": "atan2", "arctanh": "atanh", "clip": "clamp", "concat": "cat", "concatenate": "cat", "divide": "div", "fix": "trunc",
    "ger": "outer", "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "multiply": "mul", "negative": "neg",
    "not_equal": "ne", "row_stack": "vstack", "subtract": "sub", "true_divide": "div",
}  # fmt: skip
RULE.update({alias: RULE[name] for alias, name in ALIASES.items()})


def hang_on(names: dict[str, Any]) -> None:
    """Give out= to those of a module's functions that have it."""
    for name in RULE:
        if name in names:
            names[name] = with_out(name, names[name])


def with_out(name: str, compute: Any, rule: str = "", module: str = "minigrad") -> Any:
    """A function with out=, otherwise of the signature of `compute`, which it calls as it was called.

    Arguments:
        rule: a key of RULES; the table's, unless one is given.
        module: where the function will be found.
    """
    plain: Any = inspect.unwrap(compute)
    found = {"compute": compute, "into": into, "rule": rule or RULE[name], "__name__": module}
    made = checked(plain, compute.__name__, found)
    made.__name__ = made.__qualname__ = name
    made.__kwdefaults__ = {**(plain.__kwdefaults__ or {}), "out": None}
    made.__annotations__ = {**plain.__annotations__, "out": "Any"}
    return made


def into(out: Any, rule: str, compute: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Compute, and write the results into the tensors given as out=; these are returned.

    Raises:
        TypeError: if `out` is no tensor, or not as many as there are results.
        GraphError: if a gradient would have to flow through them. DtypeError: if they cannot hold the results.
        DeviceError: if they are on another device. ShapeError: if several of their elements are one cell of memory.
    """
    name = compute.__name__
    wants_grad = False
    if rule in ("counts", "makes") and isinstance(out, Variable):
        asked = options.get("dtype")
        if asked is not None and dtypes.as_numpy(asked, name) != out.array.dtype:
            raise DtypeError(f"dtype {asked} does not match dtype of out parameter ({out.dtype})")
        if rule == "makes":
            wants_grad = bool(options.pop("requires_grad", False))
            if options.get("device") is None and "device" in options:
                options["device"] = out.device
        elif name in ("mean", "nanmean"):
            check_cast(args[0], out, name)
        options["dtype"] = out.dtype
    results = compute(*args, **options)
    if not isinstance(results, tuple):
        y = put(name, rule, results, out)
        return y.requires_grad_() if wants_grad else y
    if not isinstance(out, (tuple, list)) or len(out) != len(results):
        raise TypeError(f"{name}(): argument 'out' must be {len(results)} Tensors, not {shown(out)}")
    for y, o in zip(results, out, strict=True):
        check(name, rule, y, o)
    kept = [put(name, rule, y, o) for y, o in zip(results, out, strict=True)]
    return type(results)(*kept) if hasattr(results, "_fields") else tuple(kept)


def check(name: str, rule: str, result: Any, out: Any) -> None:
    """Refuse an `out` that cannot take a result."""
    if not isinstance(out, Variable):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {shown(out)}")
    if result.tracked or (out.tracked and is_grad_enabled()):
        raise GraphError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    if result.array.__class__ is not out.array.__class__:
        raise DeviceError(f"Expected out tensor to have device {result.device}, but got {out.device} instead")
    if rule == "cast":
        check_cast(result, out, name)
    elif result.array.dtype != out.array.dtype:
        raise DtypeError(f"{name}(): Expected out tensor to have dtype {result.dtype}, but got {out.dtype} instead")


def check_cast(result: Any, out: Any, name: str) -> None:
    """Refuse to store a result in a type of a lower category."""
    if not dtypes.can_cast(dtypes.of(result.array), dtypes.of(out.array)):
        raise DtypeError(f"{name}(): result type {result.dtype} can't be cast to the desired output type {out.dtype}")


def put(name: str, rule: str, result: Any, out: Any) -> Any:
    """Write one result into `out`, which is resized where its shape is another."""
    check(name, rule, result, out)
    array = result.array
    Duties.before_write()
    if out.array.shape != array.shape:
        if out.tracked:
            raise GraphError("cannot resize variables that require grad")
        if out.array.size and rule != "makes":
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(out.array.shape)}, which does not "
                f"match the required output shape {list(array.shape)}. You can explicitly reuse an out tensor t by resizing "
                "it, inplace, to zero elements with t.resize_(0).",
                UserWarning,
                stacklevel=4,
            )
        out.array, out.base = resized(out.array, array.shape), None
    check_writable(name, out, False)
    out.array[...] = cast(result, out.array.dtype).array
    out.shared_memory().written(name)
    return out


def shown(value: Any) -> str:
    """What a wrong `out` is."""
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, (tuple, list)) else type(value).__name__
