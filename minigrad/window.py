"""The sliding window of convolution, pooling, im2col and col2im: its numbers, checks and sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from minigrad.errors import ShapeError

Pair = tuple[int, int]

LARGEST = 2**31 - 1  # no image side, stride or kernel is longer; products stay within 64 bits


def pair(op: str, name: str, value: object) -> Pair:
    """Read one integer or two as (vertical, horizontal).

    Raises:
        TypeError: if a value is not an integer (bool counts as none).
        ShapeError: if there are not one or two of them.
    """
    if type(value) is int:
        return value, value
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(hasattr(v, "__index__") and not isinstance(v, bool) for v in items):
        raise TypeError(f"{op}(): argument '{name}' must be int or a tuple of 2 ints, but got {value!r}")
    if len(items) == 1:
        items = items * 2
    if len(items) != 2:
        raise ShapeError(
            f"{op}(): expected {name} to be a single integer value or a list of 2 values, but got {name}={value!r}"
        )
    return items[0].__index__(), items[1].__index__()


@dataclass(frozen=True, slots=True)
class Window:
    """Where a window stands on an image: five numbers per axis that always travel together.

    Each is (vertical, horizontal). The image is thought of as surrounded by `padding` cells on both
    sides; the window has KH x KW taps, `dilation` apart, and moves by `stride`. With `ceil_mode` a
    last window may hang over the right or bottom edge, if it starts inside image or left padding.
    Sources: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016).
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    @property
    def taps(self) -> int:
        """KH * KW."""
        return self.kernel[0] * self.kernel[1]

    @property
    def extent(self) -> Pair:
        """The cells that a dilated window spans: dilation * (kernel - 1) + 1."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return dh * (kh - 1) + 1, dw * (kw - 1) + 1

    def out_size(self, height: int, width: int) -> Pair:
        """(H, W) -> (OH, OW), the number of places where the window stands.

        OH = (H + 2*padding - dilation*(KH-1) - 1) // stride + 1; may be below 1 where nothing fits.
        """
        return self._along(0, height), self._along(1, width)

    def can_miss(self, height: int, width: int) -> bool:
        """Whether the window may stand around an image (H, W) with gaps so wide that no tap sees a cell of it."""
        sizes = (height, width)
        return any(p > 0 and d > n for p, d, n in zip(self.padding, self.dilation, sizes, strict=True))

    def _along(self, axis: int, size: int) -> int:
        stride, padding = self.stride[axis], self.padding[axis]
        room = size + 2 * padding - self.extent[axis]
        if not self.ceil_mode:
            return room // stride + 1
        count = -(-room // stride) + 1
        # A window that would start in the right padding is dropped.
        return count - 1 if (count - 1) * stride >= size + padding else count


@lru_cache(maxsize=4096)
def conv_window(op: str, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Window:
    """Check the numbers of a convolution and make them one value.

    Raises:
        ShapeError: stride < 1, padding < 0, dilation < 1, an empty kernel or an overflowing number.
    """
    _check(op, kernel, stride, padding, dilation)
    if min(padding) < 0:
        raise ShapeError(f"{op}(): negative padding is not supported, but got padding={padding}")
    if min(stride) < 1:
        raise ShapeError(f"{op}(): non-positive stride is not supported, but got stride={stride}")
    if min(dilation) < 1:
        raise ShapeError(f"{op}(): dilation should be greater than zero, but got dilation={dilation}")
    if min(kernel) < 1:
        raise ShapeError(f"{op}(): kernel size should be greater than zero, but got kernel_size={kernel}")
    return Window(kernel, stride, padding, dilation)


@lru_cache(maxsize=4096)
def pool_window(op: str, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool) -> Window:
    """Check the numbers of a pooling and make them one value.

    Raises:
        ShapeError: as for a convolution, and if padding is over half of the effective kernel.
    """
    _check(op, kernel, stride, padding, dilation)
    if min(kernel) < 1:
        raise ShapeError(f"{op}(): kernel size should be greater than zero, but got kernel_size={kernel}")
    if min(stride) < 1:
        raise ShapeError(f"{op}(): stride should not be zero or negative, but got stride={stride}")
    if min(dilation) < 1:
        raise ShapeError(f"{op}(): dilation should be greater than zero, but got dilation={dilation}")
    if min(padding) < 0:
        raise ShapeError(f"{op}(): pad must be non-negative, but got pad={padding}")
    window = Window(kernel, stride, padding, dilation, ceil_mode)
    if any(2 * p > e for p, e in zip(padding, window.extent, strict=True)):
        raise ShapeError(
            f"{op}(): pad should be at most half of effective kernel size, but got pad={padding}, "
            f"kernel_size={kernel} and dilation={dilation}"
        )
    return window


def _check(op: str, *pairs: Pair) -> None:
    """Python's integers do not overflow, the kernels' do: refuse what cannot be meant."""
    for values in pairs:
        if max(map(abs, values)) > LARGEST:
            raise ShapeError(f"{op}(): {values} is too large: kernel, stride, padding and dilation go up to {LARGEST}")


def conv_out_size(op: str, window: Window, height: int, width: int) -> Pair:
    """(H, W) -> (OH, OW), or the error that says by how much the window is too large."""
    (ph, pw), (eh, ew) = window.padding, window.extent
    if height + 2 * ph < eh or width + 2 * pw < ew:
        raise ShapeError(
            f"{op}(): Calculated padded input size per channel: ({height + 2 * ph} x {width + 2 * pw}). "
            f"Kernel size: ({eh} x {ew}). Kernel size can't be greater than actual input size"
        )
    if (height + 2 * ph) * (width + 2 * pw) > 2**48:  # NumPy's own words for this name no operation
        raise MemoryError(
            f"{op}(): can't allocate memory: you tried to pad an image to {height + 2 * ph} x {width + 2 * pw} cells"
        )
    return window.out_size(height, width)


def pool_out_size(op: str, window: Window, channels: int, height: int, width: int) -> Pair:
    """(H, W) -> (OH, OW), or the error that names the empty output."""
    out = window.out_size(height, width)
    if min(out) < 1:
        raise ShapeError(
            f"{op}(): Given input size: ({channels}x{height}x{width}). "
            f"Calculated output size: ({channels}x{out[0]}x{out[1]}). Output size is too small"
        )
    return out
