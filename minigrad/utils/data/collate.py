"""From a list of samples to a batch, with PyTorch's rules for what becomes a tensor of which type."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from minigrad.creation import from_numpy, tensor
from minigrad.ops.join import stack
from minigrad.tensor import Tensor

_NOT_NUMBERS = "SUO"  # kinds of arrays: strings, objects


def default_convert(data: Any) -> Any:
    """NumPy arrays and scalars as tensors, inside lists, tuples, named tuples and mappings; the rest as it is."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if data.dtype.kind in _NOT_NUMBERS else from_numpy(np.asarray(data))
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple):
        converted = [default_convert(d) for d in data]
        return type(data)(*converted) if hasattr(data, "_fields") else converted
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(d) for d in data])
    return data


def default_collate(batch: Any) -> Any:
    """Samples as a batch: a new first axis over tensors, arrays and numbers.

    Tensors are stacked; arrays and NumPy scalars become tensors of their own type, floats float64, integers
    int64, bools bool. Strings stay a list. Tuples and lists of equal length are collated place by place (into a
    list), mappings key by key.

    Raises:
        TypeError: the samples are of none of these kinds.
        RuntimeError: samples that are lists or tuples differ in length.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Any, *, collate_fn_map: dict[Any, Callable[..., Any]] | None = None) -> Any:
    """As `default_collate`, with a table of one's own: type, or tuple of types -> function of a batch.

    Each function is called as f(batch, collate_fn_map=...). The exact type of the first sample is looked up first,
    then the first entry that it is an instance of.
    """
    first, table = batch[0], collate_fn_map or {}
    rule = table.get(type(first)) or next((f for kind, f in table.items() if isinstance(first, kind)), None)
    if rule is not None:
        return rule(batch, collate_fn_map=collate_fn_map)

    def again(samples: Any) -> Any:
        return collate(samples, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        return _like_mapping(first, {key: again([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        if len({len(sample) for sample in batch}) > 1:
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [again(samples) for samples in zip(*batch, strict=True)]
        if isinstance(first, tuple):
            return type(first)(*columns) if hasattr(first, "_fields") else columns
        return _like_sequence(first, columns)
    raise _unknown(type(first))


def _unknown(found: Any) -> TypeError:
    return TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {found}"
    )


def _like_mapping(original: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """The items in a mapping of the original's class, if that can be made, else in a dict."""
    try:
        if isinstance(original, MutableMapping):  # it may carry more than its items
            twin = copy.copy(original)
            twin.update(items)
            return twin
        return type(original)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def _like_sequence(original: Sequence[Any], items: list[Any]) -> Any:
    """The items in a sequence of the original's class, if that can be made, else in a list."""
    try:
        if isinstance(original, MutableSequence):
            twin = copy.copy(original)
            for i, item in enumerate(items):
                twin[i] = item
            return twin
        return type(original)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def _stack(batch: Any, *, collate_fn_map: Any = None) -> Any:
    return stack(list(batch), 0)


def _arrays(batch: Any, *, collate_fn_map: Any = None) -> Any:
    if batch[0].dtype.kind in _NOT_NUMBERS:
        raise _unknown(batch[0].dtype)
    return collate([from_numpy(array) for array in batch], collate_fn_map=collate_fn_map)


def _scalars(batch: Any, *, collate_fn_map: Any = None) -> Any:
    return from_numpy(np.array(batch))


def _floats(batch: Any, *, collate_fn_map: Any = None) -> Any:
    return from_numpy(np.array(batch, np.float64))


def _integers(batch: Any, *, collate_fn_map: Any = None) -> Any:
    return tensor(list(batch), device="cpu")


def _as_they_are(batch: Any, *, collate_fn_map: Any = None) -> Any:
    return batch


default_collate_fn_map: dict[Any, Callable[..., Any]] = {
    Tensor: _stack,
    np.ndarray: _arrays,
    (np.bool_, np.number): _scalars,
    float: _floats,
    int: _integers,
    str: _as_they_are,
    bytes: _as_they_are,
}
