"""autograd Functions of one's own under autocast: forward in a chosen type, backward as forward was."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minigrad import dtypes
from minigrad.amp.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from minigrad.errors import ShapeError
from minigrad.tensor import Tensor


def custom_fwd(fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """For `forward`: with cast_inputs, floating tensors come in that type, and nothing is lowered inside."""
    _check(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorated(ctx: Any, *args: Any, **options: Any) -> Any:
        ctx._dtype = get_autocast_dtype(device_type)
        on = ctx._fwd_used_autocast = is_autocast_enabled(device_type)
        if cast_inputs is None or not on:
            return fwd(ctx, *args, **options)
        ctx._fwd_used_autocast = False
        with autocast(device_type, enabled=False):
            return fwd(
                ctx, *[_cast(v, cast_inputs) for v in args], **{k: _cast(v, cast_inputs) for k, v in options.items()}
            )

    return decorated


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """For `backward`: autocast is on, or off, as it was in a forward under custom_fwd."""
    _check(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorated(ctx: Any, *args: Any, **options: Any) -> Any:
        with autocast(device_type, dtype=ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(ctx, *args, **options)

    return decorated


def _check(device_type: str) -> None:
    if not isinstance(device_type, str):
        raise ShapeError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def _cast(value: Any, wanted: Any) -> Any:
    """Nested containers with their floating tensors, but for float64, in another type."""
    if isinstance(value, Tensor):
        return value.to(dtype=wanted) if value.is_floating_point() and value.dtype is not dtypes.float64 else value
    if isinstance(value, dict):
        return {key: _cast(v, wanted) for key, v in value.items()}
    return type(value)(_cast(v, wanted) for v in value) if isinstance(value, (list, tuple)) else value
