"""The older place of minigrad.func.functional_call."""

from __future__ import annotations

import warnings
from typing import Any

from minigrad import func


def functional_call(
    module: Any,
    parameters_and_buffers: Any,
    args: Any = None,
    kwargs: Any = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in the places of its parameters and buffers: func.functional_call."""
    warnings.warn(
        "`nn.utils.stateless.functional_call` is deprecated: use `func.functional_call` instead.",
        FutureWarning,
        stacklevel=2,
    )
    return func.functional_call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)
