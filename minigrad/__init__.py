"""minigrad: a mini-PyTorch to read and extend.

import minigrad
x = minigrad.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
x.grad                      # tensor([2., 4.])
"""

from importlib import import_module as _import_module
from typing import Any as _Any

from minigrad import autograd
from minigrad import surface as _surface
from minigrad.autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.creation import (
    arange,
    as_tensor,
    bernoulli,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    multinomial,
    normal,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from minigrad.device import device
from minigrad.dtypes import bool_ as bool
from minigrad.dtypes import (
    can_cast,
    complex64,
    complex128,
    double,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from minigrad.dtypes import float_ as float
from minigrad.dtypes import int_ as int
from minigrad.errors import BackendError, CheckpointError, DeviceError, DtypeError, GraphError, ShapeError
from minigrad.methods import ALIASES as _ALIASES
from minigrad.ops.activation import log_softmax, sigmoid, softmax, tanh
from minigrad.ops.arithmetic import (
    add,
    atan2,
    div,
    floor_divide,
    fmod,
    maximum,
    minimum,
    mul,
    neg,
    remainder,
    sub,
)  # fmt: skip
from minigrad.ops.checked import checked as _checked
from minigrad.ops.conv import col2im, im2col
from minigrad.ops.einsum import einsum, tensordot
from minigrad.ops.elementwise import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    cos,
    cosh,
    exp,
    expm1,
    log,
    log1p,
    log2,
    log10,
    reciprocal,
    rsqrt,
    sin,
    sinh,
    sqrt,
    tan,
)  # fmt: skip
from minigrad.ops.extreme import amax, amin, argmax, argmin, logsumexp, max, min
from minigrad.ops.fused import conv2d, fusion, max_pool2d, relu, set_fusion
from minigrad.ops.index import (
    gather,
    index_select,
    scatter,
    scatter_add,
    take,
    take_along_dim,
)  # fmt: skip
from minigrad.ops.join import cat, chunk, repeat, split, stack, tile, unbind
from minigrad.ops.logic import (
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    ceil,
    eq,
    floor,
    ge,
    gt,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
    nonzero,
    round,
    sign,
    trunc,
    where,
)  # fmt: skip
from minigrad.ops.matmul import addmm, baddbmm, bmm, diagonal, dot, matmul, mm, mv, outer
from minigrad.ops.numpy_names import renamed as _renamed
from minigrad.ops.out import hang_on as _take_out
from minigrad.ops.power import absolute, clamp, pow
from minigrad.ops.reduce import (
    all,
    any,
    count_nonzero,
    mean,
    std,
    std_mean,
    sum,
    var,
    var_mean,
)  # fmt: skip
from minigrad.ops.scan import cumprod, cumsum, prod
from minigrad.ops.shape import (
    broadcast_to,
    clone,
    flatten,
    flip,
    movedim,
    narrow,
    permute,
    reshape,
    roll,
    squeeze,
    t,
    transpose,
    unflatten,
    unsqueeze,
)  # fmt: skip
from minigrad.ops.slices import index_add, index_fill, masked_fill, masked_select
from minigrad.printing import printoptions, set_printoptions
from minigrad.random import (
    Generator,
    default_generator,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from minigrad.registry import active_backend as _active_backend
from minigrad.registry import get_backend, list_backends, set_backend, use_backend
from minigrad.size import Size
from minigrad.tensor import Tensor

__version__ = "0.1.0"
abs = absolute
concat = concatenate = cat
newaxis = None
pi, e, inf, nan = 3.141592653589793, 2.718281828459045, 1e400, 1e400 - 1e400
for _alias, _name in _ALIASES.items():
    globals().setdefault(_alias, globals()[_name])
# Arguments are checked before what a user calls, except where time counts: these look at their arguments themselves.
_OPEN = ("relu", "conv2d", "max_pool2d", "fusion", "set_fusion", "_checked")
for _name, _function in list(globals().items()):
    _home = str(getattr(_function, "__module__", ""))
    if (_home.startswith("minigrad.ops.") and _name not in _OPEN) or _name.endswith(("_like", "space")):
        globals()[_name] = _checked(_function)
_take_out(globals())
for _name, _function in list(globals().items()):
    if not _name.startswith("_"):
        globals()[_name] = _renamed(_function)

# What is heavy, or seldom used, is loaded when it is first asked for.
_LAZY = (
    "amp",
    "cuda",
    "datasets",
    "distributions",
    "func",
    "io",
    "linalg",
    "masked",
    "models",
    "nn",
    "optim",
    "sparse",
    "special",
    "testing",
    "transforms",
    "utils",
)
_FROM = {
    "autocast": "amp", "load": "io", "save": "io", "channels_last": "layout", "channels_last_3d": "layout",
    "contiguous_format": "layout", "memory_format": "layout", "preserve_format": "layout", "strided": "layout",
}  # fmt: skip


def __getattr__(name: str) -> _Any:
    if name in _LAZY:
        return _import_module(f"minigrad.{name}")
    if name == "bfloat16":
        from minigrad.dtypes import bfloat16

        return bfloat16()
    if name in _FROM:
        return getattr(_import_module(f"minigrad.{_FROM[name]}"), name)
    found = _surface.function(name)
    if found is not None:
        globals()[name] = found
        return found
    if name == "backends":
        return _import_module("minigrad.backends")
    if not name.startswith("_"):  # PyTorch's switches and compilers, for scripts that say `import minigrad as torch`
        source = _import_module("minigrad.torch").MODULES.get(f"torch.{name}", "")
        if source.startswith("+"):
            return getattr(_import_module("minigrad.torch.extras"), source[1:])
    raise AttributeError(f"module 'minigrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_FROM, *_surface.functions()})


def is_tensor(obj: object) -> "_Any":
    """Whether an object is a Tensor."""
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> "_Any":
    """How many elements a tensor has."""
    return input.numel()


def is_floating_point(input: Tensor) -> "_Any":
    """Whether a tensor's elements are real numbers."""
    return input.is_floating_point()


@_checked
def allclose(
    input: "Tensor", other: "Tensor", rtol: "_Any" = 1e-05, atol: "_Any" = 1e-08, equal_nan: "_Any" = False
) -> "_Any":
    """Whether all elements are near each other: |input - other| <= atol + rtol * |other|."""
    return _surface.function("isclose")(input, other, rtol, atol, equal_nan).all().item()


@_checked
def equal(input: "Tensor", other: "Tensor") -> "_Any":
    """Whether two tensors have the same shape and elements."""
    return input.array.shape == other.array.shape and not (input != other).any().item()


def get_num_threads() -> "_Any":
    """How many threads the kernels of the active CPU backend use."""
    return _active_backend("cpu").num_threads()


def set_num_threads(num: "_Any") -> None:
    """Let the kernels of the active CPU backend use so many threads. Results do not depend on it."""
    _active_backend("cpu").set_num_threads(num)


def memory_stats(on: "_Any" = None) -> "_Any":
    """What the memory pool of a device's active backend holds, in bytes."""
    return _active_backend(on).memory_stats()


def empty_cache(on: "_Any" = None) -> None:
    """Give memory that a device's active backend keeps for reuse back to the system."""
    _active_backend(on).empty_cache()
