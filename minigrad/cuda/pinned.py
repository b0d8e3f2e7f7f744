"""Page-locked host memory, which the GPU reads by itself while the host goes on."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

from minigrad.cuda.device import backend, is_available
from minigrad.errors import DeviceError
from minigrad.tensor import Tensor, make


def pin_memory(input: Tensor, device: Any = None) -> Tensor:
    """The tensor in page-locked memory, from where `to("cuda", non_blocking=True)` copies while the host goes on.

    Raises:
        DeviceError: if the tensor is not on the CPU, or there is no GPU.
    """
    if input.device.type != "cpu":
        raise DeviceError(f"cannot pin a tensor on {input.device}: only dense CPU tensors can be pinned")
    if not is_available():
        raise DeviceError("Cannot access accelerator device when none is available.")
    return input if is_pinned(input) else make(backend().pinned(input.detach().array))


def is_pinned(input: Tensor, device: Any = None) -> bool:
    """Whether the tensor lies in page-locked memory."""
    return input.device.type == "cpu" and is_available() and backend().is_pinned(input.array)


def pinned_batch(data: Any) -> Any:
    """The tensors of a batch in page-locked memory, in sequences and mappings; others are asked for their `pin_memory()`.

    As in PyTorch a tuple becomes a list, unless it has names.
    """
    if isinstance(data, Tensor):
        return pin_memory(data)
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, Mapping):
        items = {key: pinned_batch(value) for key, value in data.items()}
        if not isinstance(data, MutableMapping) or type(data) is dict:
            return items
        found = copy.copy(data)
        found.update(items)
        return found
    if isinstance(data, tuple):
        each = [pinned_batch(value) for value in data]
        return type(data)(*each) if hasattr(data, "_fields") else each
    if isinstance(data, Sequence):
        each = [pinned_batch(value) for value in data]
        if not isinstance(data, MutableSequence) or type(data) is list:
            return each
        same = copy.copy(data)
        for i, value in enumerate(each):
            same[i] = value
        return same
    return data.pin_memory() if hasattr(data, "pin_memory") else data
