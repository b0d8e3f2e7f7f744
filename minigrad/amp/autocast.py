"""autocast: products in a 16-bit type, losses and what needs it in float32, the rest as it comes.

Which functions are computed in float32 is listed in minigrad/ops/region.py.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import fused
from minigrad.ops.region import Region, Regions, here

F = TypeVar("F", bound=Callable[..., Any])


class autocast:
    """Compute products (matmul, linear, convolutions) in bfloat16 or float16, as a `with` block or a decorator.

    Inputs of 32 bits are cast on the way in, gradients come back in the parameters' own type; cross entropy is
    computed in float32. The choice holds for this thread and this kind of device; regions may stand in one another, and
    `enabled=False` switches an outer one off. A weight is cast once per outermost region (`cache_enabled`). On a machine
    without a GPU, autocast("cuda") warns and does nothing, as PyTorch's.

    Raises:
        DtypeError: if the type is neither; ShapeError, if there is no such kind of device.
    """

    def __init__(
        self, device_type: str = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not is_autocast_available(device_type):
            raise ShapeError(f"User specified an unsupported autocast device_type '{device_type}'")
        if dtype is None:
            dtype = get_autocast_dtype(device_type)
        self.device, self.fast_dtype, self._enabled = device_type, dtype, bool(enabled)
        if self._enabled and dtype.name not in ("bfloat16", "float16"):
            raise DtypeError(
                f"In {device_type} autocast, the supported dtypes are bfloat16 and float16, but got {dtype}"
            )
        if self._enabled and device_type == "cuda" and not _has_cuda():
            warnings.warn(
                "User provided device_type of 'cuda', but CUDA is not available. Disabling", UserWarning, stacklevel=2
            )
            self._enabled = False
        self._cache = _State.cache if cache_enabled is None else bool(cache_enabled)
        self._before: list[Region | None] = []

    def __enter__(self) -> autocast:
        before = here.get()
        self._before.append(before)
        low, named = (dict(before.low), dict(before.named)) if before is not None else ({}, {})
        named[self.device] = self.fast_dtype
        low[self.device] = self.fast_dtype.numpy if self._enabled else None
        kept = before.cast if before is not None and before.cast is not None else {}
        here.set(Region(low, named, kept if self._cache else None))
        _opened(1)
        return self

    def __exit__(self, *error: object) -> None:
        here.set(self._before.pop())
        _opened(-1)

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class _State:
    """What is set for regions to come, and what fusion was before the first of those that are open."""

    lock = threading.Lock()
    types: ClassVar[dict[str, Any]] = {}
    cache = True
    fusing = True


def _opened(change: int) -> None:
    """Count the open regions of all threads. The fused kernels know one type for all that they do: they rest meanwhile."""
    with _State.lock:
        if Regions.open == 0:
            _State.fusing = fused._enabled
            fused.set_fusion(False)
        Regions.open += change
        if Regions.open == 0:
            fused.set_fusion(_State.fusing)


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether this thread is in a region for a kind of device (the GPU, unless it is said)."""
    region = here.get()
    return region is not None and region.low.get("cuda" if device_type is None else device_type) is not None


def get_autocast_dtype(device_type: str) -> Any:
    """The type of this thread's region, or of those to come: bfloat16 on the CPU, float16 on the GPU."""
    if not is_autocast_available(device_type):
        raise ShapeError(f"unknown device type for autocast in get_autocast_dtype: '{device_type}'")
    region = here.get()
    named = None if region is None else region.named.get(device_type)
    return named or _State.types.get(device_type) or (dtypes.float16 if device_type == "cuda" else dtypes.bfloat16())


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """The type of regions to come that do not say one."""
    get_autocast_dtype(device_type)
    _State.types[device_type] = dtype


def is_autocast_cache_enabled() -> bool:
    """Whether regions to come remember the weights that they have cast."""
    return _State.cache


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Let regions to come remember the weights that they have cast, or not."""
    _State.cache = bool(enabled)


def clear_autocast_cache() -> None:
    """Forget the weights that this thread's region has cast."""
    region = here.get()
    if region is not None and region.cast is not None:
        region.cast.clear()


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows a kind of device."""
    return device_type in ("cpu", "cuda")


def _has_cuda() -> bool:
    import minigrad

    return bool(minigrad.cuda.is_available())
