"""save and load: nested containers of tensors and plain values, kept in a safetensors file.

The tensors stand in the file under their paths ("model.0.weight"), so other readers of the format find
them; how they were nested is a JSON text in the header's metadata. A dict of tensors needs no such text.
"""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from typing import Any

import numpy as np

from minigrad import dtypes
from minigrad.device import backend_for, device
from minigrad.errors import CheckpointError
from minigrad.io import modules, safetensors
from minigrad.size import Size
from minigrad.tensor import Tensor, make

STRUCTURE = "minigrad.structure"
_PLAIN = (str, bool, int, type(None))


def save(obj: Any, f: Any, pickle_module: Any = None, pickle_protocol: Any = None) -> None:
    """Write tensors, and numbers, texts, lists, tuples and dicts of them, to a file: wholly or not at all.

    `f` is a path or a file object. Nothing is pickled: of a module the name of its class and its attributes are written, other
    objects cannot be saved. Prefer state_dict(), which outlives changes of the class.

    Raises:
        TypeError: if there is something else among the values; the message says where.
    """
    arrays: dict[str, Any] = {}
    structure = _described(obj, "", arrays, {})
    metadata = {"format": "pt"}
    if not _flat(obj):
        metadata[STRUCTURE] = json.dumps(structure, separators=(",", ":"))
    with safetensors.replacing(f) as file:
        safetensors.write(file, arrays, metadata)


def _flat(obj: Any) -> bool:
    """Whether the tensors' names alone say everything."""
    return type(obj) is dict and all(
        type(k) is str and isinstance(v, Tensor) and not v.tracked and not v.is_cuda for k, v in obj.items()
    )


def _described(value: Any, path: str, arrays: dict[str, Any], seen: dict[int, str]) -> Any:
    """A value as JSON; tensors go to `arrays` and leave their names."""
    if isinstance(value, Tensor):
        name = seen.get(id(value.array))
        if name is None:
            name = path or "tensor"
            while name in arrays:  # "a.b" may be a key as well as a path
                name += "'"
            seen[id(value.array)], arrays[name] = name, value.numpy_array()
        extra: dict[str, Any] = {"tensor": name}
        if value.tracked:
            extra["requires_grad"] = True
        if value.is_parameter:
            extra["parameter"] = True
        if value.is_cuda:
            extra["device"] = str(value.device)
        return extra
    if type(value) in _PLAIN:
        return value
    if type(value) is float:
        return value if value - value == 0 else {"float": repr(value)}
    below = f"{path}." if path else ""
    if isinstance(value, dict):
        if all(type(k) is str for k in value) and type(value) is not OrderedDict:
            return {"dict": {k: _described(v, below + k, arrays, seen) for k, v in value.items()}}
        kind = "ordered" if isinstance(value, OrderedDict) else "pairs"
        pairs = [
            [_described(k, below + "key", arrays, seen), _described(v, f"{below}{k}", arrays, seen)]
            for k, v in value.items()
        ]
        return {kind: pairs}
    if isinstance(value, Size):
        return {"size": list(value)}
    if isinstance(value, (list, tuple, set, frozenset)):
        kind = "list" if isinstance(value, list) else "tuple" if isinstance(value, tuple) else "set"
        return {kind: [_described(v, f"{below}{i}", arrays, seen) for i, v in enumerate(value)]}
    named = modules.name_of(value)
    if named is not None and "module" in named:
        named["module"].append(_described(value.__dict__, path, arrays, seen))
    return _described_other(value, path, arrays) if named is None else named


def _described_other(value: Any, path: str, arrays: dict[str, Any]) -> Any:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, dtypes.dtype):
        return {"dtype": value.name}
    if isinstance(value, device):
        return {"device": str(value)}
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[path or "array"] = value
        return {"array": path or "array"}
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(
        f"save(): cannot save a {type(value).__module__}.{type(value).__name__} at {path or 'the top'!r}: only tensors, "
        "numbers, texts and containers of them. Of modules and optimisers, save state_dict()."
    )


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """Read what `save` has written, any safetensors file, or the tensors of a PyTorch .pt file.

    Nothing in a file is ever executed, whatever `weights_only` says. With `weights_only=False` a whole module that `save` has
    written is rebuilt if its class is defined here. map_location: a device, a dict of devices, a function of (tensor, device's
    name) that returns the tensor where it is wanted, or None.

    Raises:
        CheckpointError: if the file is damaged, is none, or holds more than tensors and plain values.
    """
    with safetensors.opened(f) as file:
        here = file.tell()
        start = file.read(9)
        file.seek(here)
        if start.startswith(b"PK\x03\x04"):
            from minigrad.io.pytorch import read_archive

            return read_archive(file, lambda array, where: _placed(array, where, map_location))
        if start[:1] == b"\x80" and start[8:] != b"{":  # after a header's length, which may begin so, stands its brace
            raise CheckpointError(
                "the file is a pickle, as PyTorch wrote them before version 1.6: it is not read, since that could execute "
                "code. Load it in PyTorch and save it again."
            )
        arrays, metadata = safetensors.read(file)
    if STRUCTURE not in metadata:
        return {name: _placed(array, "cpu", map_location) for name, array in arrays.items()}
    tensors: dict[Any, Tensor] = {}

    def tensor(name: Any, where: Any, parameter: bool) -> Tensor:
        key = name, where, parameter
        if key not in tensors:
            tensors[key] = _placed(arrays[name], where, map_location)
            if parameter:
                from minigrad.nn import Parameter

                tensors[key] = Parameter(tensors[key], False)
        return tensors[key]

    try:
        return _rebuilt(json.loads(metadata[STRUCTURE]), tensor, arrays, weights_only is False)
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError) as error:
        raise CheckpointError(f"the description of the file's contents is damaged: {error!r}") from error


def _placed(array: Any, where: Any, map_location: Any) -> Tensor:
    if callable(map_location) and not isinstance(map_location, (str, device)):
        there = make(backend_for(device(where) if str(where) == "cpu" else "cpu").from_numpy(array))
        wanted = map_location(there, str(where))
        return there if wanted is None else wanted
    if isinstance(map_location, dict):
        where = map_location.get(str(where), where)
    elif map_location is not None:
        where = map_location
    return make(backend_for(device(where)).from_numpy(array))


def _rebuilt(value: Any, tensor: Any, arrays: dict[str, Any], whole: bool) -> Any:
    """The value that a description stands for."""
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise CheckpointError("a bare list stands in the description of the file's contents")
        return value

    def again(v: Any) -> Any:
        return _rebuilt(v, tensor, arrays, whole)

    if "tensor" in value:
        t = tensor(value["tensor"], value.get("device", "cpu"), bool(value.get("parameter")))
        return t.requires_grad_() if value.get("requires_grad") and not t.requires_grad else t
    ((kind, content),) = value.items()
    if kind == "dict":
        return {k: again(v) for k, v in content.items()}
    if kind in ("ordered", "pairs"):
        pairs = [(again(k), again(v)) for k, v in content]
        return OrderedDict(pairs) if kind == "ordered" else dict(pairs)
    if kind in ("list", "tuple", "set"):
        return {"list": list, "tuple": tuple, "set": set}[kind](again(v) for v in content)
    if kind in ("module", "function"):
        if not whole:
            raise CheckpointError(
                f"the file holds more than tensors and plain values, a {kind} {'.'.join(content[:2])}: weights_only=False "
                "rebuilds it, if its class is defined here"
            )
        return (
            modules.function_from(content)
            if kind == "function"
            else modules.module_from(content[:2], again(content[2]))
        )
    return _SIMPLE[kind](content) if kind != "array" else arrays[content]


_SIMPLE: dict[str, Any] = {
    "float": float,
    "size": Size,
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "complex": lambda parts: complex(*parts),
    "dtype": dtypes.from_name,
    "device": device,
}
