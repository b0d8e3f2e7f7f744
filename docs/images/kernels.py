"""Draw the pictures of docs/kernels.md: python docs/images/kernels.py"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

HERE = Path(__file__).parent
BLUE, ORANGE, GREEN, GREY, WHITE = "#7eb0d5", "#ffb55a", "#b2e061", "#dddddd", "#ffffff"
matplotlib.rcParams.update({"svg.hashsalt": "minigrad", "font.size": 9, "svg.fonttype": "none"})


def grid(ax: Any, x: float, y: float, rows: int, cols: int, colour: Any, text: Any = None) -> None:
    """Cells from the top left corner (x, y) down; colour and text may depend on (row, column)."""
    for i in range(rows):
        for j in range(cols):
            fill = colour(i, j) if callable(colour) else colour
            ax.add_patch(Rectangle((x + j, y - i - 1), 1, 1, facecolor=fill, edgecolor="#666666", linewidth=0.6))
            if text is not None:
                ax.text(x + j + 0.5, y - i - 0.5, text(i, j), ha="center", va="center", fontsize=7)


def canvas(width: float, height: float, xmax: float, ymin: float) -> tuple[Any, Any]:
    """Axes without frame, y upwards from ymin to 2."""
    figure, ax = plt.subplots(figsize=(width, height))
    ax.set_xlim(-0.5, xmax)
    ax.set_ylim(ymin, 2)
    ax.set_aspect("equal")
    ax.axis("off")
    return figure, ax


def save(figure: Any, name: str) -> None:
    """Write one picture, the same bytes each time."""
    figure.savefig(HERE / f"kernels_{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def lines() -> None:
    """A 3x3 window on 4x6 places: the lines of three taps."""
    figure, ax = canvas(9, 4.2, 47, -13)
    inner = lambda i, j: BLUE if 1 <= i <= 4 and 1 <= j <= 6 else GREY
    grid(ax, 0, 0, 6, 8, inner, lambda i, j: str(i * 8 + j))
    ax.text(4, 0.6, "padded image, WQ = 8", ha="center")
    ax.text(29, 0.6, "what each tap sees of it: the plane itself, shifted by offset[k]", ha="center")
    for row, (tap, offset) in enumerate([("(0,0)", 0), ("(0,1)", 1), ("(1,0)", 8)]):
        mark = lambda i, j: WHITE if j % 8 > 5 else GREEN
        grid(ax, 14, -row * 2.2, 1, 30, mark, lambda i, j, offset=offset: str(offset + j))
        ax.text(13.6, -row * 2.2 - 0.5, f"tap {tap}", ha="right", va="center")
    place = lambda i, j: "" if j % 8 > 5 else str(j)
    grid(ax, 14, -8, 1, 30, lambda i, j: WHITE if j % 8 > 5 else ORANGE, place)
    ax.text(13.6, -8.5, "y[f]", ha="right", va="center")
    ax.text(29, -10.2, "vectors run over the ends of rows; the white places are computed and never read", ha="center")
    save(figure, "lines")


def tile() -> None:
    """The register tile and where its operands come from."""
    figure, ax = canvas(8, 5, 40, -18)
    grid(ax, 12, 0, 6, 16, lambda i, j: GREEN if i == 2 else WHITE)
    ax.text(20, 0.6, "B panel: k x 2 vectors, first-level cache", ha="center")
    grid(ax, 3, -8, 6, 6, lambda i, j: BLUE if j == 2 else WHITE)
    ax.text(6, -7.4, "A panel: rows x k", ha="center")
    grid(ax, 12, -8, 6, 16, lambda i, j: ORANGE)
    ax.text(20, -7.4, "C tile: rows x 2 vectors, in registers", ha="center")
    ax.annotate("", (12, -11), (9.2, -11), arrowprops={"arrowstyle": "->"})
    ax.annotate("", (20, -8), (20, -6.2), arrowprops={"arrowstyle": "->"})
    ax.text(
        29,
        -11,
        "each step of k:\nload 2 vectors of B,\nbroadcast each a[i],\n2 x rows fused multiply-adds",
        va="center",
    )
    ax.text(20, -15.4, "6 x 16 floats on AVX2, 12 x 32 on AVX-512, 12 x 8 on NEON", ha="center")
    save(figure, "tile")


def winograd() -> None:
    """Winograd's path of one block of tiles."""
    figure, ax = canvas(9, 3.4, 46, -9)
    overlap = lambda i, j: BLUE if j % 4 < 4 and j < 16 else GREY
    grid(ax, 0, 0, 6, 18, overlap)
    for t in range(4):
        ax.add_patch(Rectangle((4 * t, -6), 6, 6, fill=False, edgecolor="#cc3311", linewidth=1.5 if t == 1 else 0.5))
    ax.text(9, 0.6, "6x6 cells per tile, 4 apart: one tile per lane", ha="center")
    ax.annotate("B' d B", (23, -3), (18.6, -3), va="center", arrowprops={"arrowstyle": "->"}, fontsize=8)
    for p in range(3):
        grid(ax, 23.5 + p * 0.7, -0.4 - p * 0.7, 4, 5, GREEN)
    ax.text(27, 0.6, "36 products", ha="center")
    ax.text(27, -7.4, "(F x C) (C x tiles)", ha="center")
    ax.annotate("A' m A", (35, -3), (30.6, -3), va="center", arrowprops={"arrowstyle": "->"}, fontsize=8)
    grid(ax, 35.5, -0.5, 4, 8, lambda i, j: ORANGE)
    for t in range(2):
        ax.add_patch(Rectangle((35.5 + 4 * t, -4.5), 4, 4, fill=False, edgecolor="#cc3311", linewidth=1.5))
    ax.text(39.5, 0.6, "4x4 places per tile,\n+ bias, ReLU", ha="center", va="center")
    save(figure, "winograd")


def winners() -> None:
    """Only the winners of the pool carry a gradient back."""
    figure, ax = canvas(9, 3.6, 46, -11)
    won = {(0, 1), (1, 2), (2, 0), (3, 3)}
    grid(ax, 0, 0, 4, 4, lambda i, j: ORANGE if (i, j) in won else WHITE, lambda i, j: "g" if (i, j) in won else "0")
    ax.text(2, 0.6, "gradient", ha="center")
    grid(ax, 11, 0, 2, 2, ORANGE, lambda i, j: str([[1, 2], [0, 3]][i][j]))
    ax.text(12, 0.6, "codes, one byte each", ha="center")
    grid(ax, 20, 0, 8, 12, lambda i, j: GREEN if i in (1, 4, 6) else WHITE)
    ax.text(26, 0.6, "patches, one row per place", ha="center")
    ax.annotate(
        "row = corner + tap[code]", (20, -4.5), (7, -3.6), arrowprops={"arrowstyle": "->"}, ha="left", fontsize=8
    )
    ax.text(
        33.5,
        -4,
        "gw[f] += g * row:\none multiplication of a vector\nfor each winner, instead of\none for every place",
        va="center",
    )
    save(figure, "winners")


if __name__ == "__main__":
    lines()
    tile()
    winograd()
    winners()
