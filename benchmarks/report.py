"""Write BENCHMARKS.md and its plot from the figures of one run."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path
from typing import Any


def machine() -> str:
    """Processor, cores and versions."""
    import numpy as np
    import torch

    import minigrad

    model = platform.machine()
    info = Path("/proc/cpuinfo")
    flags = ""
    if info.exists():
        text = info.read_text()
        model = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), model)
        flags = " with AVX-512" if "avx512f" in text else " with AVX2" if "avx2" in text else ""
    return (
        f"{model}{flags}, 2 threads; Python {platform.python_version()}, NumPy {np.__version__}, "
        f"PyTorch {torch.__version__}, minigrad {minigrad.__version__}; {datetime.date.today()}"
    )


def write(
    root: Path,
    table: Any,
    memory_row: str,
    scaling: Any,
    single: Any,
    learned: Any,
    images: int,
    targets: Any,
    format_row: Any,
    header: str,
) -> None:
    """BENCHMARKS.md and docs/images/benchmarks.png."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench`. All sides take turns in one run; each figure is the median over rounds; the ratio is minigrad's",
        "`cpp` backend to the better of PyTorch's two layouts, so lower is better and below 1 is faster than PyTorch.",
        "",
        machine(),
        "",
        header,
        *[format_row(label, found) for label, found in table],
        memory_row,
        "",
        f"VGG-style net, batch 64: {scaling['1 threads']:.1f} ms with one thread, {scaling['2 threads']:.1f} ms with two: "
        f"a speed-up of {scaling['1 threads'] / scaling['2 threads']:.2f}.",
        "",
        f"One epoch over {images:,} images (SimpleConvNet, Adam, batch 100, loader and all): "
        + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in learned.items())
        + f". cpp is {learned['numpy'] / learned['cpp']:.1f} times as fast as numpy and {learned['book'] / learned['cpp']:.1f} times "
        f"as fast as the book's method; numpy takes {learned['numpy'] / learned['book']:.2f} of the book's time.",
        "",
        "![training steps](docs/images/benchmarks.png)",
        "",
        "## Single operations, forward and backward",
        "",
        "| operation | minigrad cpp, ms | PyTorch NCHW, ms | ratio |",
        "|---|---:|---:|---:|",
        *[f"| {label} | {ours:.3f} | {theirs:.3f} | {ours / theirs:.2f} |" for label, ours, theirs in single],
        "",
    ]
    (root / "BENCHMARKS.md").write_text("\n".join(lines))
    readme(root / "README.md", table, memory_row, targets)
    plot(root / "docs" / "images" / "benchmarks.png", table)


def readme(path: Path, table: Any, memory_row: str, targets: Any) -> None:
    """The promised figures, between the two marks in the README."""
    rows = [
        "| time per step, ms, 2 threads | minigrad cpp | PyTorch's best | ratio |",
        "|---|---:|---:|---:|",
    ]
    for label, found in table:
        if label in targets:
            best = min(v for s, v in found.items() if s.startswith("PyTorch"))
            ours = found["minigrad cpp"]
            rows.append(f"| {label} | {ours:.2f} | {best:.2f} | **{ours / best:.2f}** |")
    cells = [c.strip() for c in memory_row.strip("|").split("|")]
    rows.append(f"| {cells[0]} | {cells[1]} | {min(float(cells[3]), float(cells[4])):.0f} | {cells[6]} |")
    text = path.read_text()
    start = text.index("<!-- figures")
    head = text[: text.index("-->", start) + 3]
    tail = text[text.index("<!-- end of figures -->") :]
    closing = f"{machine()}. All of it: [BENCHMARKS.md](BENCHMARKS.md), made by `make bench`."
    path.write_text("\n".join([head, *rows, "", closing, tail]))


def plot(path: Path, table: Any) -> None:
    """Bars: every side's time over PyTorch's best."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(s for _, found in table for s in found))
    figure, axis = plt.subplots(figsize=(10, 4.5), layout="constrained")
    for i, name in enumerate(names):
        xs = [j + (i - len(names) / 2) * 0.16 for j, (_, found) in enumerate(table) if name in found]
        ys = [
            found[name] / min(v for s, v in found.items() if s.startswith("PyTorch"))
            for _, found in table
            if name in found
        ]
        axis.bar(xs, ys, 0.15, label=name)
    axis.axhline(1, color="black", lw=0.8)
    axis.set(yscale="log", ylabel="time, of PyTorch's best")
    axis.set_xticks(range(len(table)), [label.replace(", ", "\n") for label, _ in table], fontsize=7)
    axis.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
