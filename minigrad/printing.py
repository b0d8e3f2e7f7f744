"""repr(tensor), as PyTorch prints: aligned columns, four digits, scientific where magnitudes are far apart."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minigrad import dtypes


@dataclass(frozen=True)
class Options:
    """What set_printoptions sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = Options()
_PROFILES = {"default": Options(), "short": Options(2, 1000, 2), "full": Options(threshold=math.inf)}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors are printed, in this process."""
    global _options
    base = _PROFILES[profile] if profile is not None else _options
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options = replace(base, **{k: v for k, v in given.items() if v is not None}, sci_mode=sci_mode)  # type: ignore[arg-type]


@contextmanager
def printoptions(**options: Any) -> Any:
    """set_printoptions for the length of a `with` block."""
    global _options
    before = _options
    try:
        set_printoptions(**options)
        yield
    finally:
        _options = before


class Formatter:
    """How the numbers of one tensor look: all in the same width."""

    def __init__(self, values: Any) -> None:
        self.floating = values.dtype.kind == "f"
        self.whole = self.scientific = False
        self.width = 1
        if not self.floating:
            self.width = max((len(str(v)) for v in values.tolist()), default=1)
            return
        finite = values[np.isfinite(values) & (values != 0)]
        self.whole = bool((finite == np.ceil(finite)).all())
        if not finite.size:
            return
        size = np.abs(finite.astype(np.float64))
        low, high = float(size.min()), float(size.max())
        self.scientific = bool(high / low > 1000.0 or high > 1e8 or low < 1e-4)
        if _options.sci_mode is not None:
            self.scientific = _options.sci_mode
        # Zeros and what is not finite do not widen the columns.
        self.width = max(len(self._one(v, _options.precision)) for v in finite.tolist())

    def _one(self, v: float, digits: int) -> str:
        if self.scientific:
            return f"{v:.{digits}e}"
        if self.whole:
            return f"{v:.0f}." if math.isfinite(v) else f"{v:.0f}"
        return f"{v:.{digits}f}"

    def __call__(self, v: Any) -> str:
        text = self._one(v, _options.precision) if self.floating else str(v)
        return text.rjust(self.width)


def tensor_repr(t: Any) -> str:
    """`tensor([[1., 2.]], dtype=..., grad_fn=<...>)`"""
    prefix = "Parameter containing:\n" if t.is_parameter else ""
    array = t.numpy_array()
    kind = t.dtype
    suffixes = []
    if t.device.type != "cpu":
        suffixes.append(f"device='{t.device}'")
    if not array.size and array.ndim != 1:
        suffixes.append(f"size={tuple(array.shape)}")
    implied = (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
    if not any(kind is d for d in implied) or (not array.size and kind is not dtypes.get_default_dtype()):
        suffixes.append(f"dtype={kind}")
    body = _body(array, len("tensor("))
    if t.node is not None:
        suffixes.append(f"grad_fn=<{t.node.title}>")
    elif t.tracked:
        suffixes.append("requires_grad=True")
    return prefix + _joined("tensor(" + body, suffixes)


def _joined(text: str, suffixes: list[str]) -> str:
    """Suffixes go on the same line while they fit."""
    last = len(text) - text.rfind("\n") - 1
    for suffix in suffixes:
        if last + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * len("tensor(") + suffix
            last = len("tensor(") + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text + ")"


def _body(array: Any, indent: int) -> str:
    if not array.size:
        return "[]"
    shown = array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    short = array.size > _options.threshold
    values = _edges(shown) if short else shown
    formatter = Formatter(np.asarray(values).reshape(-1))
    if not array.ndim:
        return formatter(shown.item()).strip() if formatter.floating else str(shown.item())
    return _nested(shown, indent, short, formatter)


def _edges(array: Any) -> Any:
    """The elements that a summary shows."""
    n = _options.edgeitems
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * n:
            take = np.r_[0:n, array.shape[axis] - n : array.shape[axis]]
            array = np.take(array, take, axis)
    return array


def _nested(array: Any, indent: int, short: bool, formatter: Formatter) -> str:
    n = _options.edgeitems
    cut = short and len(array) > 2 * n
    if array.ndim == 1:
        cells = [formatter(v) for v in (array[:n].tolist() + array[-n:].tolist() if cut else array.tolist())]
        if cut:
            cells.insert(n, " ...")
        per_line = max(1, (_options.linewidth - indent) // (formatter.width + 2))
        lines = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [_nested(a, indent + 1, short, formatter) for a in ([*array[:n], *array[-n:]] if cut else array)]
    if cut:
        parts.insert(n, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
