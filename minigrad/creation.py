"""Making tensors: from data, filled, in ranges, at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.device import backend_for
from minigrad.device import device as device_class
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.base import fitted, number
from minigrad.ops.shape import shape_of
from minigrad.ops.steps import even_steps
from minigrad.random import Generator
from minigrad.tensor import Tensor, make

Array = Any


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A tensor with a copy of the data: numbers, nested lists, arrays or tensors. Python floats become the default dtype.

    Raises:
        ValueError: for ragged lists; TypeError, for elements that are no numbers; DtypeError, for other arrays.
    """
    backend = backend_for(device if device is not None or not isinstance(data, Tensor) else data.device)
    if isinstance(data, Tensor):
        array = data.array.copy()
        if not isinstance(array, backend.array_type):
            array = backend.from_numpy(data.numpy_array())
        if dtype is not None:
            array = _checked_cast(array, dtypes.as_numpy(dtype, "tensor"))
        return make(array, requires_grad)
    array = host_array("tensor", data, None if dtype is None else dtypes.as_numpy(dtype, "tensor"))
    return make(backend.from_numpy(array), requires_grad)


def _checked_cast(array: Array, wanted: Any) -> Array:
    if wanted.kind in "iu" and array.dtype.kind == "f" and array.size and not np.isfinite(array).all():
        raise ShapeError("tensor(): cannot convert float NaN or infinity to integer")
    with np.errstate(all="ignore"):  # what is too large becomes inf, without a word
        return array.astype(wanted)


def host_array(op: str, data: Any, wanted: Any = None) -> Array:
    """A fresh NumPy array from anything that holds numbers, of a NumPy type or of the one that PyTorch infers."""
    if isinstance(data, np.ndarray | np.generic):
        dtypes.check_supported(data.dtype, op)
        array = np.array(data, dtype=data.dtype.newbyteorder("="), order="C")
        return array if wanted is None else _checked_cast(array, wanted)
    if hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        return host_array(op, np.asarray(data), wanted)
    if isinstance(data, Sequence) and not isinstance(data, (list, tuple, str, bytes)):
        data = list(data)  # a range, a deque
    if not isinstance(data, (list, tuple, bool, int, float, complex)):
        raise TypeError(
            f"{op}(): argument 'data' must be numbers, nested lists of numbers or an array, not {type(data).__name__}"
        )
    data = _plain(op, data)
    try:
        array = np.array(data)
    except ValueError as error:
        raise ShapeError(
            f"{op}(): expected sequences of equal length at every depth, but the lists are ragged"
        ) from error
    except OverflowError as error:
        raise ShapeError(f"{op}(): Overflow when unpacking long: an integer does not fit into 64 bits") from error
    if array.dtype.kind not in "Ou" and wanted is not None:
        return _checked_cast(array, wanted)
    if array.size == 0 and array.dtype.kind != "c":
        return array.astype(dtypes.default_numpy())
    if array.dtype.kind == "f" and not _has_numpy(data):
        return array.astype(dtypes.default_numpy())
    if array.dtype.kind == "c":
        return array.astype(np.complex64)
    if array.dtype.kind == "O" or array.dtype.kind == "u":
        if array.dtype.kind == "u" and wanted == np.uint64:
            return array.astype(wanted)
        if all(isinstance(v, int) for v in array.reshape(-1)[:1]) or array.dtype.kind == "u":
            raise ShapeError(f"{op}(): Overflow when unpacking long: an integer does not fit into 64 bits")
        raise TypeError(f"{op}(): not a number among the data: {array.reshape(-1)[0]!r}")
    return array


def _plain(op: str, data: Any) -> Any:
    """Nested lists with tensors turned into NumPy's arrays, and what is no number refused."""
    if isinstance(data, (list, tuple)):
        return [_plain(op, v) for v in data]
    if isinstance(data, Tensor):
        return data.numpy_array()
    if isinstance(data, (bool, int, float, complex, np.generic, np.ndarray)):
        return data
    if hasattr(data, "__index__") or hasattr(data, "__float__"):
        return data.__index__() if hasattr(data, "__index__") else float(data)
    raise TypeError(f"{op}(): not a number among the data: {data!r} of type {type(data).__name__}")


def _has_numpy(data: Any) -> bool:
    while isinstance(data, list) and data:
        data = data[0]
    return isinstance(data, (np.ndarray, np.generic))


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor, sharing memory where that is possible."""
    if isinstance(data, Tensor):
        return data if dtype is None and device is None else data.to(device=device, dtype=dtype)
    if isinstance(data, np.ndarray) and dtype is None and device is None:
        return from_numpy(data)
    return tensor(data, dtype=dtype, device=device)


def from_numpy(ndarray: Array) -> Tensor:
    """A tensor on the array's own memory: a write to one is seen in the other.

    Byte-swapped, misaligned and negatively strided arrays are copied.

    Raises:
        TypeError: if it is no array, or one whose elements are no numbers.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy(): expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.check_supported(ndarray.dtype, "from_numpy")
    array = ndarray.view(np.ndarray)
    if not array.flags.aligned or not array.dtype.isnative or any(s < 0 for s in array.strides):
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    backend = backend_for("cpu")
    t = make(array if backend.array_type is np.ndarray else backend.from_numpy(array))
    t.shared_memory().foreign = True
    return t


def _sizes(op: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and isinstance(size[0], Tensor):
        size = (tuple(size[0].tolist()),)
    shape = shape_of(op, size)
    for n in shape:
        if n < 0:
            raise ShapeError(f"{op}(): Trying to create tensor with negative dimension {n}: {list(shape)}")
    return shape


def _allocate(op: str, allocate: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Fresh memory, or a MemoryError that names the request."""
    try:
        return allocate()
    except (MemoryError, ValueError, OverflowError) as error:
        count = np.dtype(dtype).itemsize
        for n in shape:
            count *= n
        raise MemoryError(
            f"{op}(): can't allocate memory: you tried to allocate {count} bytes for shape {list(shape)}"
        ) from error


def _filled(
    op: str, how: str, size: tuple[Any, ...], dtype: Any, device: Any, requires_grad: bool, out: Any = None
) -> Tensor:
    shape = _sizes(op, size)
    wanted = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype, op)
    xp = backend_for(device).xp
    return make(_allocate(op, lambda: getattr(xp, how)(shape, wanted), shape, wanted), requires_grad)


def _uniform_maker(name: str, about: str) -> Any:
    def made(
        *sizes: Any,
        size: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        layout: Any = None,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        return _filled(name, name, sizes if size is None else (size,), dtype, device, requires_grad)

    made.__name__ = made.__qualname__ = name
    made.__doc__ = about
    return made


zeros, ones = _uniform_maker("zeros", "Zeros."), _uniform_maker("ones", "Ones.")
empty = _uniform_maker("empty", "Memory as it was found.")


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """One number everywhere; its type, unless dtype says otherwise."""
    shape = _sizes("full", (size,))
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    wanted = (
        dtypes.result_numpy((number(value, "full", "fill_value"),)) if dtype is None else dtypes.as_numpy(dtype, "full")
    )
    value = fitted(number(value, "full", "fill_value"), wanted)
    xp = backend_for(device).xp
    return make(_allocate("full", lambda: xp.full(shape, value, wanted), shape, wanted), requires_grad)


def _like(maker: Any) -> Any:
    def like(
        input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, memory_format: Any = None
    ) -> Tensor:
        return maker(
            input.array.shape, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad
        )

    like.__name__ = like.__qualname__ = f"{maker.__name__}_like"
    like.__doc__ = f"{maker.__doc__} In the shape, dtype and device of a tensor."
    return like


zeros_like, ones_like, empty_like = _like(zeros), _like(ones), _like(empty)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **_: Any
) -> Tensor:
    """One number everywhere, in the shape, dtype and device of a tensor."""
    return full(
        input.array.shape,
        fill_value,
        dtype=dtype or input.dtype,
        device=device or input.device,
        requires_grad=requires_grad,
    )


def arange(
    start: Any = None,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from start (0, if one is given) up to but without end."""
    if end is None:
        start, end = 0, start
    if end is None:
        raise TypeError("arange() missing 1 required positional argument: 'end'")
    start = 0 if start is None else start
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0:
        raise ShapeError("arange(): step must be nonzero")
    if (end - start) * (1 if step > 0 else -1) < 0:
        raise ShapeError(f"arange(): upper bound and lower bound inconsistent with step sign: {start}, {end}, {step}")
    if dtype is None:
        whole = all(isinstance(v, int) for v in (start, end, step))
        wanted = dtypes.int64.numpy if whole else dtypes.default_numpy()
    else:
        wanted = dtypes.as_numpy(dtype, "arange")
    count = max(-int(-((end - start) / step) // 1), 0)  # the ceiling
    steps = np.arange(count, dtype=np.int64 if all(isinstance(v, int) for v in (start, step)) else np.float64)
    array = (start + steps * step).astype(wanted)
    return make(backend_for(device).from_numpy(array), requires_grad)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers at even distances, from start to end inclusive."""
    if steps < 0:
        raise ShapeError(f"linspace(): number of steps must be non-negative, but got {steps}")
    wanted = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype, "linspace")
    start, end = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    kind = wanted if wanted.kind == "f" else np.dtype(np.float64)
    array = even_steps(start, end, steps, kind)
    return make(backend_for(device).from_numpy(array.astype(wanted)), requires_grad)


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, **options: Any) -> Tensor:
    """`steps` numbers from base**start to base**end, at even ratios."""
    wanted = options.pop("dtype", None)
    whole = wanted is not None and dtypes.as_numpy(wanted, "logspace").kind in "iu"
    y = base ** linspace(start, end, steps, dtype=dtypes.float64 if whole else wanted, **options)
    return y.to(wanted) if whole else y


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal: (n, m), or (n, n)."""
    n, m = _sizes("eye", (n, n if m is None else m))
    wanted = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype, "eye")
    return make(backend_for(device).from_numpy(np.eye(n, m, dtype=wanted)), requires_grad)


# ---------------------------------------------------------------------- at random


def _drawn(array: Array, device: Any, requires_grad: bool) -> Tensor:
    """Random numbers are drawn on the host on every backend, so that a seed means the same everywhere."""
    return make(backend_for(device).from_numpy(np.asarray(array)), requires_grad)


def _floating(op: str, dtype: Any) -> Any:
    wanted = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype, op)
    if dtypes.category(wanted.kind) != 2:
        raise DtypeError(f'"{op}" not implemented for {dtypes.of_numpy(wanted)}: expected a floating type')
    return wanted


def _random_maker(name: str, drawn: str, about: str) -> Any:
    def made(
        *sizes: Any,
        size: Any = None,
        generator: Generator | None = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        layout: Any = None,
        pin_memory: bool = False,
    ) -> Tensor:
        from minigrad.random import distributions

        shape = _sizes(name, sizes if size is None else (size,))
        wanted = _floating(name, dtype)
        draw = lambda: getattr(distributions, drawn)(shape, dtype=wanted, generator=generator)
        return _drawn(_allocate(name, draw, shape, wanted), device, requires_grad)

    made.__name__ = made.__qualname__ = name
    made.__doc__ = about
    return made


rand = _random_maker("rand", "uniform", "Numbers spread evenly over [0, 1).")
randn = _random_maker("randn", "normal", "Normally distributed numbers: mean 0, variance 1.")


def randint(
    low: Any = None,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Whole numbers of [low, high); randint(high, size) starts at 0."""
    from minigrad.random import integers

    if size is None:
        low, high, size = 0, low, high
    elif high is None:  # randint(3, size=(2,))
        low, high = 0, low
    low = 0 if low is None else low
    if low >= high:
        raise ShapeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    wanted = dtypes.int64.numpy if dtype is None else dtypes.as_numpy(dtype, "randint")
    return _drawn(integers.randint(_sizes("randint", (size,)), low, high, wanted, generator), device, requires_grad)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers 0 .. n-1 in random order."""
    from minigrad.random import integers

    wanted = dtypes.int64.numpy if dtype is None else dtypes.as_numpy(dtype, "randperm")
    return _drawn(integers.randperm(n, wanted, generator), device, requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **_: Any) -> Tensor:
    """rand in the shape, dtype and device of a tensor."""
    from minigrad.random import distributions, layout

    wanted = _floating("rand_like", dtype or input.dtype)
    numbers = layout.filled_like(input.array, lambda shape, _: distributions.uniform(shape, dtype=wanted))
    return _drawn(numbers, device or input.device, requires_grad)


def randn_like(
    input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, **_: Any
) -> Tensor:
    """randn in the shape, dtype and device of a tensor."""
    from minigrad.random import distributions, layout

    wanted = _floating("randn_like", dtype or input.dtype)
    draw = lambda shape, plain: distributions.normal(shape, dtype=wanted, contiguous=plain)
    return _drawn(layout.filled_like(input.array, draw), device or input.device, requires_grad)


def randint_like(
    input: Tensor,
    low: int = 0,
    high: int | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """randint in the shape, dtype and device of a tensor."""
    from minigrad.random import integers, layout

    first, last = (0, low) if high is None else (low, high)
    wanted = dtypes.as_numpy(dtype or input.dtype, "randint_like")
    numbers = layout.filled_like(input.array, lambda shape, _: integers.randint(shape, first, last, wanted))
    return _drawn(numbers, device or input.device, requires_grad)


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normally distributed numbers with means and deviations given as numbers or tensors."""
    if size is not None:
        from minigrad.random import distributions

        numbers = distributions.normal(_sizes("normal", (size,)), mean, std, _floating("normal", dtype), generator)
        return _drawn(numbers, device, requires_grad)
    like = mean if isinstance(mean, Tensor) else std
    shape = np.broadcast_shapes(getattr(mean, "shape", ()), getattr(std, "shape", ()))
    return randn(shape, generator=generator, dtype=like.dtype, device=like.device) * std + mean


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element states (or p), else 0."""
    from minigrad.random import distributions

    if p is not None:
        return _drawn(distributions.bernoulli(input.array.shape, p, input.array.dtype, generator), input.device, False)
    return _drawn(distributions.bernoulli_array(input.numpy_array(), input.array.dtype, generator), input.device, False)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Column numbers drawn with probabilities in proportion to the elements: (C,) or (N, C) -> (..., num_samples)"""
    from minigrad.random import integers

    return _drawn(integers.multinomial(input.numpy_array(), num_samples, replacement, generator), input.device, False)


Generator.wrap_state = staticmethod(from_numpy)  # a saved state is a tensor to whoever asks for one
Generator.as_device = staticmethod(device_class)
