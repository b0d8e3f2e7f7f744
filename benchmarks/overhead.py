"""What a small operation costs, beside PyTorch: chains of 1,000 ops on 16 floats, forward and backward.

    python benchmarks/overhead.py

Both sides alternate in one run; the medians per op are printed, and the ratio of their sums.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

import minigrad

CHAINS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "y + c": lambda m, y, c: y + c,
    "y * c": lambda m, y, c: y * c,
    "y * 0.999": lambda m, y, c: y * 0.999,
    "y - c": lambda m, y, c: y - c,
    "y / c": lambda m, y, c: y / c,
    "tanh": lambda m, y, c: m.tanh(y),
    "sin": lambda m, y, c: m.sin(y),
    "relu": lambda m, y, c: m.relu(y),
    "relu(y + c)": lambda m, y, c: m.relu(y + c),
    "reshape": lambda m, y, c: y.reshape(4, 4).reshape(16),
}


def once(m: Any, step: Callable[[Any, Any, Any], Any], length: int) -> tuple[float, float]:
    """Microseconds per step, forward and backward."""
    x, c = m.ones(16, requires_grad=True), m.ones(16) * 0.999
    start = time.perf_counter()
    y = x
    for _ in range(length):
        y = step(m, y, c)
    middle = time.perf_counter()
    y.sum().backward()
    end = time.perf_counter()
    return (middle - start) / length * 1e6, (end - middle) / length * 1e6


def main() -> None:
    """Measure every chain and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=21)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"minigrad {minigrad.__version__}, PyTorch {torch.__version__}; us per step, median of {args.repeats}")
    print(f"{'chain':<14}{'ours fwd':>10}{'bwd':>8}{'torch fwd':>11}{'bwd':>8}{'ratio':>8}")
    total = [0.0, 0.0]
    for name, step in CHAINS.items():
        rows: dict[Any, list[tuple[float, float]]] = {minigrad: [], torch: []}
        for _ in range(args.repeats):
            for m in rows:
                rows[m].append(once(m, step, args.length))
        ours, theirs = ([statistics.median(c) for c in zip(*rows[m], strict=True)] for m in rows)
        print(
            f"{name:<14}{ours[0]:>10.2f}{ours[1]:>8.2f}{theirs[0]:>11.2f}{theirs[1]:>8.2f}{sum(ours) / sum(theirs):>8.2f}"
        )
        total[0] += sum(ours)
        total[1] += sum(theirs)
    print(f"all chains: {total[0]:.1f} us, PyTorch {total[1]:.1f} us, ratio {total[0] / total[1]:.2f}")


if __name__ == "__main__":
    main()
