"""autocast: products in a 16-bit type, the rest as it comes, losses in float32."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from minigrad import dtypes
from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import fused
from minigrad.ops.base import Mixed

F = TypeVar("F", bound=Callable[..., Any])


class autocast:
    """Compute products (matmul, linear, convolutions) in bfloat16 or float16, as a `with` block or a decorator.

    Inputs of 32 bits are cast on the way in, gradients come back in the parameters' own type; cross entropy is
    computed in float32. The choice holds for the whole process, not for one thread. On a machine without a GPU,
    autocast("cuda") warns and does nothing, as PyTorch's.

    Raises:
        DtypeError: if the type is neither; ShapeError, if there is no such kind of device.
    """

    def __init__(
        self, device_type: str = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not is_autocast_available(device_type):
            raise ShapeError(f"User specified an unsupported autocast device_type '{device_type}'")
        if dtype is None:
            dtype = dtypes.float16 if device_type == "cuda" else dtypes.bfloat16()
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
        self._before: list[tuple[Any, bool]] = []

    def __enter__(self) -> autocast:
        self._before.append((Mixed.low, fused._enabled))
        Mixed.low = self.fast_dtype.numpy if self._enabled else None
        if self._enabled:
            fused.set_fusion(False)  # the fused kernels know one type for all that they do
        return self

    def __exit__(self, *error: object) -> None:
        Mixed.low, fusing = self._before.pop()
        fused.set_fusion(fusing)

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows a kind of device."""
    return device_type in ("cpu", "cuda")


def _has_cuda() -> bool:
    import minigrad

    return bool(minigrad.cuda.is_available())
