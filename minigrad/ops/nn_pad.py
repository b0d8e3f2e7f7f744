"""Padding by mode: constant, reflect, replicate, circular."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.base import Array, Grads, Tensor, Unary, backend_of, mixed
from minigrad.ops.region import Regions
from minigrad.ops.shape import pad as constant_pad


class PadByCopy(Unary):
    """Cells around the last dimensions that are copies of inner ones: `places` says of which, per dimension."""

    __slots__ = ("places", "shape")
    keeps = False

    def __init__(self, places: tuple[Any, ...]) -> None:
        self.places = places

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        xp = backend_of(x).xp
        for axis, places in self.places:
            x = xp.take(x, xp.asarray(places), axis)
        return xp.ascontiguousarray(x)

    def backward(self, gy: Tensor) -> Grads:
        return PadByCopyGrad(self.places, self.shape).apply(gy)


class PadByCopyGrad(Unary):
    """The adjoint of PadByCopy: every copy's gradient goes back to its original."""

    __slots__ = ("places", "shape")
    keeps = False

    def __init__(self, places: tuple[Any, ...], shape: tuple[int, ...]) -> None:
        self.places, self.shape = places, shape

    def forward(self, gy: Array) -> Array:
        xp = backend_of(gy).xp
        for axis, places in reversed(self.places):
            size = self.shape[axis]
            before, lead = _core(places, size), (slice(None),) * axis
            if before is None:  # cut off: nothing stands as it stood
                before = len(places)
                gx = xp.zeros(tuple(size if i == axis else n for i, n in enumerate(gy.shape)), gy.dtype)
            else:
                gx = gy[(*lead, slice(before, before + size))].copy()
            for i, place in enumerate(places):
                if not before <= i < before + size:
                    gx[(*lead, place)] += gy[(*lead, i)]
            gy = gx
        return xp.ascontiguousarray(gy)

    def backward(self, ggx: Tensor) -> Grads:
        return PadByCopy(self.places).apply(ggx)


def _core(places: list[int], size: int) -> int | None:
    """Where the untouched 0, 1, 2, ... begins among the places; None if it does not stand there whole."""
    inner = list(range(size))
    return next((i for i in range(len(places)) if places[i : i + size] == inner), None)


def _reflected(i: int, n: int) -> int:
    return -i if i < 0 else 2 * (n - 1) - i if i >= n else i


_PLACE: dict[str, Callable[[int, int], int]] = {
    "reflect": _reflected,
    "replicate": lambda i, n: min(max(i, 0), n - 1),
    "circular": lambda i, n: i % n,
}


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Cells around the last dimensions: pad = (left, right, top, bottom, ...), the last dimension first.

    "constant" lays `value` around (0), "reflect" mirrors without the edge, "replicate" repeats the edge, "circular"
    goes on at the other end. Negative widths cut off.

    Raises:
        ShapeError: if a width is larger than the mode allows, or `pad` names too many dimensions.
    """
    if mode == "constant":
        return constant_pad(input, pad, 0 if value is None else value)
    if mode not in _PLACE:
        raise ShapeError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise ShapeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if input.array.dtype.kind == "b" and mode != "circular":
        raise DtypeError(f"pad(): mode {mode!r} not implemented for 'bool', the dtype of argument 'input'")
    widths, rank, shape = [int(w) for w in pad], input.array.ndim, input.array.shape
    dims = len(widths) // 2
    if len(widths) % 2 or not 1 <= dims <= 3 or rank not in (dims + 1, dims + 2):
        raise ShapeError(
            f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now: got pad={tuple(widths)} and "
            f"input of size {list(shape)}"
        )
    plan = []
    for d in range(dims):
        before, after = widths[2 * d], widths[2 * d + 1]
        axis = rank - 1 - d
        n = shape[axis]
        if not before and not after:
            continue
        if mode == "reflect" and max(before, after) >= n:
            raise ShapeError(
                f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({before}, {after}) at dimension {axis} of input {list(shape)}"
            )
        if mode == "circular" and max(before, after) > n:
            raise ShapeError("Padding value causes wrapping around more than once.")
        if n + before + after < 1 or n < 1:
            raise ShapeError(
                f"The input size {n}, plus negative padding {before} and {after}, resulted in an invalid output size. "
                f"Check dimension {axis} of your input."
            )
        if mode == "circular" and min(before, after) < 0:
            cut = [0] * (2 * d) + [min(before, 0), min(after, 0)]
            input = constant_pad(input, cut)
            n = input.array.shape[axis]
            before, after = max(before, 0), max(after, 0)
        plan.append((axis, [_PLACE[mode](i, n) for i in range(-before, n + after)]))
    if Regions.open:  # autocast computes it in float32
        (input,) = mixed("full", (input,))
    return PadByCopy(tuple(plan)).apply(input) if plan else input.clone()
