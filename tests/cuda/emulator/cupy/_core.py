"""The emulated device array, and NumPy's functions on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _stream

_DATA_DEPENDENT = {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.array_equal, np.allclose}


def unwrap(value: Any) -> Any:
    """Device arrays inside an argument as the host arrays behind them; a host array is refused."""
    if isinstance(value, ndarray):
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, tuple):
        return tuple(unwrap(v) for v in value)
    if isinstance(value, list):
        return [unwrap(v) for v in value]
    return value


def wrap(value: Any) -> Any:
    """Host results as device arrays: scalars too, as a device cannot say a value without being asked."""
    if isinstance(value, (np.ndarray, np.generic)):
        return ndarray(np.asarray(value))
    if isinstance(value, tuple):
        return type(value)(*map(wrap, value)) if hasattr(value, "_fields") else tuple(map(wrap, value))
    if isinstance(value, list):
        return [wrap(v) for v in value]
    return value


def owner_of(array: ndarray) -> ndarray:
    """The array whose memory a view shows: itself, if it has its own."""
    return array if array.base is None else array.base


def quiet(call: Any, *args: Any, **kwargs: Any) -> Any:
    with np.errstate(all="ignore"):
        return call(*args, **kwargs)


def compute(call: Any, *args: Any, **kwargs: Any) -> Any:
    """Run a function of arrays that writes nothing but its result (or `out`)."""
    if call in _DATA_DEPENDENT:
        _stream.synchronisation("the shape of the result depends on values")
    devices = [a for a in args if isinstance(a, ndarray)]
    out = kwargs.get("out")
    args, kwargs = unwrap(args), {k: unwrap(v) for k, v in kwargs.items()}
    if out is not None:
        _stream.work(lambda: quiet(call, *args, **kwargs))
        return out
    result = wrap(quiet(call, *args, **kwargs))
    for made in result if isinstance(result, (tuple, list)) else [result]:
        if isinstance(made, ndarray):
            made.base = next((owner_of(a) for a in devices if np.may_share_memory(a.host, made.host)), None)
    if _stream.capturing() is not None:
        _record(call, args, kwargs, result)
    return result


def _record(call: Any, args: Any, kwargs: Any, result: Any) -> None:
    """In a capture only the shape of a result is known: fill it with rubbish, and compute it at replay."""
    inputs = [a for a in args if isinstance(a, np.ndarray)]
    outs = [r.host for r in (result if isinstance(result, (tuple, list)) else [result])]
    if all(any(np.may_share_memory(out, a) for a in inputs) for out in outs):
        return  # a view

    def replay() -> None:
        again = quiet(call, *args, **kwargs)
        for out, value in zip(outs, again if isinstance(result, (tuple, list)) else [again], strict=True):
            out[...] = value

    _stream.work(replay)
    for out in outs:
        rubbish(out)


def rubbish(host: np.ndarray) -> np.ndarray:
    """What fresh device memory holds: nothing to rely on."""
    if host.flags.c_contiguous and host.size:
        host.reshape(-1).view(np.uint8).fill(0xFF)
    return host


def function(call: Any) -> Any:
    """NumPy's function as CuPy's."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return compute(call, *args, **kwargs)

    wrapped.__name__ = getattr(call, "__name__", "function")
    return wrapped


class Ufunc:
    """A function that also has .at, .reduce and .outer."""

    def __init__(self, host: np.ufunc) -> None:
        self.host = host
        self.__name__ = host.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return compute(self.host, *args, **kwargs)

    def at(self, target: ndarray, index: Any, values: Any) -> None:
        target, index, values = unwrap(target), unwrap(index), unwrap(values)
        _stream.work(lambda: self.host.at(target, index, values))

    def reduce(self, *args: Any, **kwargs: Any) -> Any:
        return compute(self.host.reduce, *args, **kwargs)

    def outer(self, *args: Any, **kwargs: Any) -> Any:
        return compute(self.host.outer, *args, **kwargs)


def wrapped_key(key: Any, shape: tuple[int, ...]) -> Any:
    """An index as NumPy needs it; integer arrays out of range wrap around, as CuPy's do."""
    items = key if isinstance(key, tuple) else (key,)
    items = tuple(i.host if isinstance(i, ndarray) else i for i in items)
    simple = all(isinstance(i, (int, slice, np.integer, np.ndarray)) for i in items)
    if simple:
        items = tuple(
            i % max(shape[axis], 1) if isinstance(i, np.ndarray) and i.dtype.kind in "iu" and axis < len(shape) else i
            for axis, i in enumerate(items)
        )
    return items if isinstance(key, tuple) else items[0]


def _check_key(key: Any) -> None:
    if any(isinstance(i, ndarray) and i.dtype.kind == "b" for i in (key if isinstance(key, tuple) else (key,))):
        _stream.synchronisation("a boolean mask makes the shape of the result depend on values")


class ndarray:
    """An array in the memory of the device: NumPy's methods, but no way to a host array other than get()."""

    __slots__ = ("__weakref__", "base", "host")
    __array_priority__ = 100

    def __new__(cls, shape_or_host: Any, dtype: Any = float) -> ndarray:
        self = object.__new__(cls)
        self.base: ndarray | None = None  # the array whose memory this one shows
        if isinstance(shape_or_host, np.ndarray):
            self.host = shape_or_host
        else:
            self.host = rubbish(np.empty(shape_or_host, dtype))
        if self.host.dtype.kind not in "biufc":
            raise ValueError(f"Unsupported dtype {self.host.dtype}")
        owner = self.host
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        _stream.account(owner)
        _stream.keep(owner)
        return self

    # what an array is
    shape = property(lambda self: self.host.shape, lambda self, shape: setattr(self.host, "shape", shape))
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    strides = property(lambda self: self.host.strides)
    flags = property(lambda self: self.host.flags)
    T = property(lambda self: compute(lambda a: a.T, self))
    mT = property(lambda self: compute(lambda a: a.mT, self))
    real = property(lambda self: compute(lambda a: a.real, self))
    data = property(lambda self: Pointer(self.host))
    device = property(lambda self: _stream.Device(0))
    __cuda_array_interface__ = property(
        lambda self: {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.data.ptr, False),
            "strides": None if self.host.flags.c_contiguous else self.strides,
            "version": 3,
        }
    )

    # the ways to the host
    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        _stream.synchronisation("a copy to the host")
        if out is not None:
            out[...] = self.host
            return out
        return self.host.copy(order)

    def set(self, host: np.ndarray, stream: Any = None) -> None:
        if not isinstance(host, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if host.shape != self.shape or host.dtype != self.dtype:
            raise ValueError("Shape or dtype mismatch")
        if stream is None:
            _stream.synchronisation("a copy from the host without a stream")
        elif not _page_locked(host):
            _stream.synchronisation("a copy from memory that is not page-locked")
        else:
            _stream.asynchronous_copies += 1
        _stream.host_copy(host)
        target = self.host
        _stream.work(lambda: np.copyto(target, host))

    def item(self, *args: Any) -> Any:
        return self.get().item(*args)

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec != "" and self.ndim == 0 else str(self), spec)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        if isinstance(kwargs.get("out"), tuple):
            kwargs["out"] = kwargs["out"][0]
        return compute(ufunc, *inputs, **kwargs)

    def __array_function__(self, call: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return compute(call, *args, **kwargs)

    # indexing
    def __getitem__(self, key: Any) -> ndarray:
        _check_key(key)
        return compute(lambda a: a[wrapped_key(key, a.shape)], self)  # a replay reads the indices anew

    def __setitem__(self, key: Any, value: Any) -> None:
        _check_key(key)
        target = self.host
        if isinstance(value, np.ndarray):
            _stream.host_copy(value)
        else:
            value = unwrap(value)

        def write() -> None:
            target[wrapped_key(key, target.shape)] = value

        _stream.work(lambda: quiet(write))

    def __len__(self) -> int:
        return len(self.host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    __hash__ = None  # type: ignore[assignment]

    # methods that are not functions of the same name
    def astype(
        self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True
    ) -> ndarray:
        if not copy and self.dtype == dtype:
            return self
        return compute(lambda a: a.astype(dtype), self)

    def view(self, dtype: Any = None) -> ndarray:
        return compute(lambda a: a.view() if dtype is None else a.view(dtype), self)

    def copy(self, order: str = "C") -> ndarray:
        return compute(lambda a: a.copy(order), self)

    def fill(self, value: Any) -> None:
        target, value = self.host, unwrap(value)
        _stream.work(lambda: target.fill(value))

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        return compute(lambda a: a.reshape(*shape, order=order), self)

    def transpose(self, *axes: Any) -> ndarray:
        return compute(lambda a: a.transpose(*axes), self)

    def flatten(self, order: str = "C") -> ndarray:
        return compute(lambda a: a.flatten(order), self)


def _page_locked(host: Any) -> bool:
    while isinstance(host, np.ndarray):
        host = host.base
    return isinstance(getattr(host, "obj", host), _stream.PinnedMemoryPointer)


class Pointer:
    """`array.data`: where the memory is."""

    def __init__(self, host: np.ndarray) -> None:
        self.ptr = host.__array_interface__["data"][0]
        self.mem = host
        self.device_id = 0


def _method(name: str) -> Any:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return compute(lambda a, *rest, **named: getattr(a, name)(*rest, **named), self, *args, **kwargs)

    method.__name__ = name
    return method


for _name in (
    "sum mean max min argmax argmin any all prod cumsum cumprod std var clip round conj dot diagonal trace take repeat "
    "squeeze ravel swapaxes argsort nonzero choose compress searchsorted ptp argpartition"
).split():
    if hasattr(np.ndarray, _name):
        setattr(ndarray, _name, _method(_name))
ndarray.take = lambda self, indices, axis=None, out=None: take(self, indices, axis)  # type: ignore[attr-defined]
ndarray.sort = lambda self, axis=-1: _stream.work(lambda: self.host.sort(axis))  # type: ignore[attr-defined]


def _operator(name: str) -> None:
    forward = getattr(np.ndarray, f"__{name}__")

    def binary(self: ndarray, other: Any) -> Any:
        if not isinstance(other, (ndarray, np.ndarray, np.generic, int, float, complex, bool)):
            return NotImplemented
        return compute(forward, self, other)

    setattr(ndarray, f"__{name}__", binary)


for _name in (
    "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift eq ne lt le gt ge divmod "
    "radd rsub rmul rtruediv rfloordiv rmod rpow rmatmul rand ror rxor rlshift rrshift"
).split():
    _operator(_name)
for _name in "neg pos abs invert".split():
    setattr(ndarray, f"__{_name}__", _method(f"__{_name}__"))


def _in_place(name: str) -> None:
    call = getattr(np.ndarray, f"__{name}__")

    def update(self: ndarray, other: Any) -> ndarray:
        target, value = self.host, unwrap(other)
        _stream.work(lambda: quiet(call, target, value))
        return self

    setattr(ndarray, f"__{name}__", update)


for _name in "iadd isub imul itruediv ifloordiv imod ipow iand ior ixor ilshift irshift".split():
    _in_place(_name)


# -------------------------------------------------------------------- making arrays


def array(value: Any, dtype: Any = None, copy: bool = True, order: str = "C", ndmin: int = 0, **_: Any) -> ndarray:
    if isinstance(value, ndarray):
        if not copy and (dtype is None or value.dtype == dtype):
            return value
        return compute(lambda a: np.array(a, dtype=dtype, copy=True, order=order, ndmin=ndmin), value)
    if isinstance(value, (list, tuple)) and any(isinstance(v, ndarray) for v in value):
        return compute(lambda *a: np.array(a, dtype=dtype), *value)
    host = np.array(value, dtype=dtype, copy=True, order=order, ndmin=ndmin)
    _stream.host_copy(host)
    return ndarray(host)


def asarray(value: Any, dtype: Any = None, order: str = "C", **_: Any) -> ndarray:
    return array(value, dtype, copy=False, order=order)


def ascontiguousarray(value: Any, dtype: Any = None) -> ndarray:
    value = asarray(value, dtype)
    return value if value.flags.c_contiguous and value.ndim else compute(lambda a: np.ascontiguousarray(a), value)


def asnumpy(value: Any, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
    return value.get(stream, order, out) if isinstance(value, ndarray) else np.asarray(value)


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return ndarray(shape, dtype)


def empty_like(like: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
    host = np.empty_like(like.host, dtype=dtype, shape=shape)
    return ndarray(rubbish(host))


def take_along_axis(a: ndarray, indices: ndarray, axis: int | None) -> ndarray:
    def host(values: np.ndarray, places: np.ndarray) -> np.ndarray:
        size = values.size if axis is None else values.shape[axis]
        return np.take_along_axis(values, places % max(size, 1), axis)

    return compute(host, a, indices)


def take(a: ndarray, indices: Any, axis: int | None = None, out: Any = None) -> ndarray:
    return compute(lambda values, places: np.take(values, places, axis, mode="wrap"), a, indices)
