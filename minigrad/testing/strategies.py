"""hypothesis strategies for one's own properties: the cases, windows and arrays that the kit itself draws.

    @given(conv2d_cases())
    def test_mine(case):
        y = my_conv2d(case["x"], case["w"], case["b"], case["window"], case["groups"])

Everything shrinks towards one image of one channel, a 1 x 1 window, stride 1 and no padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.testing.cases import Case, Numbers
from minigrad.testing.families import convolution, pooling
from minigrad.testing.families.windows import FAMILY as WINDOWS
from minigrad.testing.families.windows import window_of
from minigrad.testing.sampling import numbers_strategy, require_hypothesis
from minigrad.testing.values import SPECIAL, special, spread
from minigrad.window import Window

st = require_hypothesis().strategies

Strategy = Any  # hypothesis.strategies.SearchStrategy[...]

VALUES = ("spread", *SPECIAL)
LAYOUTS = ("contiguous", "transposed", "sliced", "negative strides", "expanded", "zero-size")


def conv2d_cases(dtype: str = "float64", thorough: bool = False) -> Strategy:
    """Cases of a convolution: "x", "w", "b" (or None), "gy", "window", "groups", "x_shape", "w_shape".

    Batches may be empty; groups, strides that leave a remainder, and numbers that differ along the axes are common.
    """

    def build(numbers: Numbers) -> Case:
        return convolution.FAMILY.case(numbers, dtype)

    return numbers_strategy(convolution.FAMILY, thorough).map(build)


def pool2d_cases(dtype: str = "float64", thorough: bool = False, average: bool = False, ties: bool = False) -> Strategy:
    """Cases of a pooling: "x", "window", "gy", "indices", "x_shape", "count_include_pad", "divisor".

    ties: draw special values (ties, NaN, infinities, denormals) instead of distinct ones.
    """
    family = pooling.AVERAGE if average else pooling.MAXIMUM

    def build(numbers: Numbers) -> Case:
        return family.case(numbers, dtype)

    return numbers_strategy(family, thorough, special=ties).map(build)


def windows(thorough: bool = False) -> Strategy:
    """Windows together with an image size they fit on: (Window, (H, W))."""

    def build(numbers: Numbers) -> tuple[Window, tuple[int, int]]:
        return window_of(numbers), (numbers["h"], numbers["w"])

    return numbers_strategy(WINDOWS, thorough).map(build)


def shapes(min_dims: int = 1, max_dims: int = 4, max_side: int = 5, min_side: int = 0) -> Strategy:
    """Shapes; a side may be 0 unless `min_side` says no."""
    sides = st.sampled_from([*range(1, max_side + 1), *range(min_side, 1)])
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite  # type: ignore[untyped-decorator]
def broadcastable_shapes(
    draw: Any, count: int = 2, max_dims: int = 4, max_side: int = 4
) -> tuple[tuple[int, ...], ...]:
    """`count` shapes that broadcast together: sides of 1, and leading axes left out."""
    whole = draw(shapes(0, max_dims, max_side))
    out = []
    for _ in range(count):
        kept = whole[draw(st.integers(0, len(whole))) :]
        out.append(tuple(1 if draw(st.booleans()) else side for side in kept))
    return tuple(out)


@st.composite  # type: ignore[untyped-decorator]
def arrays(
    draw: Any, shape: Any = None, dtype: str = "float64", layouts: Any = LAYOUTS, values: Any = ("spread",)
) -> Any:
    """NumPy arrays of some `layouts` and some `values`.

    shape: a shape or a strategy of shapes (then "zero-size" is one of the layouts). values: "spread" is away
    from ties and from 0 by construction; apart from it stand "ties", "nan", "infinite", "minus infinity",
    "denormal", "huge" and "signed zeros".
    """
    layout, kind = draw(st.sampled_from(list(layouts))), draw(st.sampled_from(list(values)))
    if shape is None:
        shape = shapes(min_side=1)
    size: tuple[int, ...] = shape if isinstance(shape, tuple) else draw(shape)
    if layout == "zero-size" and not isinstance(shape, tuple) and size:
        axis = draw(st.integers(0, len(size) - 1))
        size = (*size[:axis], 0, *size[axis + 1 :])
    rng = np.random.default_rng(draw(st.integers(0, 2**16 - 1)))
    make = spread(size, dtype, rng) if kind == "spread" else special(size, dtype, rng, SPECIAL.index(kind) + 1)
    return lay_out(make, layout)


def lay_out(array: Any, layout: str) -> Any:
    """The same shape in another memory layout; the same values too, except when expanded."""
    if not array.ndim or layout in ("contiguous", "zero-size"):
        return array
    if layout == "transposed":
        return np.ascontiguousarray(array.swapaxes(0, -1)).swapaxes(0, -1)
    if layout == "sliced":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if layout == "negative strides":
        return np.ascontiguousarray(array[::-1])[::-1]
    return np.broadcast_to(array[..., :1], array.shape) if array.shape[-1] else array
