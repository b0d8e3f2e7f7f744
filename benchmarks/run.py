"""One table: minigrad beside PyTorch, the book's NumPy method and its own NumPy backend.

    python benchmarks/run.py [--quick] [--write]

All sides take turns in one run; a figure is the median over rounds, and the ratio is ours to the better of PyTorch's
layouts. --write puts the table and a plot into BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import sides  # noqa: E402

FAST = [s for s in sides.SIDES if "NumPy" not in s and "numpy" not in s]
SLOW = [s for s in sides.SIDES if s not in FAST]
TARGETS = {  # of PyTorch's best, as the project promises
    "seed net, batch 100, training": 0.20,
    "seed net, batch 1, training": 0.5,
    "VGG-style net, batch 64, training": 0.70,
    "MLP, batch 100, training": 0.5,
    "seed net, batch 1000, inference": 0.25,
}


def timed(steps: dict[str, Callable[[], Any]], rounds: int, each: float) -> dict[str, float]:
    """Milliseconds per step of every side: the median over rounds in which the sides take turns."""
    counts, found = {}, {name: [] for name in steps}
    for name, step in steps.items():
        step()
        start = time.perf_counter()
        step()
        counts[name] = max(1, int(each / (time.perf_counter() - start)))
    for _ in range(rounds):
        for name, step in steps.items():
            time.sleep(0.05)  # until the other sides' idle threads stop spinning: OpenBLAS's do for some 20 ms
            step()
            start = time.perf_counter()
            for _ in range(counts[name]):
                step()
            found[name].append((time.perf_counter() - start) / counts[name] * 1e3)
    return {name: statistics.median(values) for name, values in found.items()}


def rows(args: argparse.Namespace) -> list[tuple[str, dict[str, float]]]:
    """Training and inference of the three networks."""
    cases = [
        ("seed net, batch 1, training", "seed", 1, True),
        ("seed net, batch 100, training", "seed", 100, True),
        ("seed net, batch 1000, training", "seed", 1000, True),
        ("VGG-style net, batch 64, training", "vgg", 64, True),
        ("MLP, batch 100, training", "mlp", 100, True),
        ("seed net, batch 1, inference", "seed", 1, False),
        ("seed net, batch 100, inference", "seed", 100, False),
        ("seed net, batch 1000, inference", "seed", 1000, False),
    ]
    # cpp and PyTorch take turns first; the NumPy sides come after, since the threads of NumPy's BLAS, once
    # started, disturb whoever shares the process with them.
    found: dict[str, dict[str, float]] = {label: {} for label, *_ in cases}
    for group in (FAST, SLOW):
        for label, net, batch, train in cases:
            names = [s for s in group if not (net == "mlp" and "channels_last" in s)]
            if not (args.quick and group is SLOW):
                found[label] |= timed({s: sides.side(s, net, batch, train) for s in names}, args.rounds, args.each)
    for label, *_ in cases:
        print(format_row(label, found[label]), flush=True)
    return list(found.items())


def best_of_torch(found: dict[str, float]) -> float:
    """The better of PyTorch's layouts."""
    return min(v for s, v in found.items() if s.startswith("PyTorch"))


def format_row(label: str, found: dict[str, float]) -> str:
    """One line of the table."""
    cells = [f"{found[s]:.3f}" if s in found else "" for s in sides.SIDES]
    ratio = found["minigrad cpp"] / best_of_torch(found)
    target = f"{TARGETS[label]:.2f}" if label in TARGETS else ""
    return f"| {label} | {' | '.join(cells)} | **{ratio:.2f}** | {target} |"


HEADER = f"| ms per step | {' | '.join(sides.SIDES)} | ratio to PyTorch's best | at most |\n|---|{'---:|' * (len(sides.SIDES) + 2)}"


def memory(args: argparse.Namespace) -> dict[str, float]:
    """Peak resident memory in MiB of a process that trains the seed net for 30 steps."""
    found = {}
    for name in ("minigrad cpp", "minigrad numpy", "PyTorch NCHW", "PyTorch channels_last", "book NumPy"):
        out = subprocess.run(
            [sys.executable, __file__, "--memory-of", name], capture_output=True, text=True, check=True
        )
        found[name] = float(out.stdout.split()[-1])
    return found


def threads() -> dict[str, float]:
    """What the second thread brings on the VGG-style net: time with one over time with two."""
    import minigrad

    backend: Any = minigrad.get_backend("cpp")
    step, times = sides.side("minigrad cpp", "vgg", 64), {1: [], 2: []}
    for _ in range(7):
        for count in (1, 2):
            backend.set_num_threads(count)
            step()
            start = time.perf_counter()
            for _ in range(3):
                step()
            times[count].append((time.perf_counter() - start) / 3 * 1e3)
    return {f"{count} threads": statistics.median(v) for count, v in times.items()}


def operations(args: argparse.Namespace) -> list[tuple[str, float, float]]:
    """Single operations over a sweep of shapes, forward and backward, beside PyTorch in NCHW."""
    import numpy as np
    import torch

    import minigrad

    rng = np.random.default_rng(0)
    cases: list[tuple[str, tuple[int, ...], Callable[[Any, Any, Any], Any], tuple[int, ...] | None]] = []
    for n, c, hw, f, k in (
        (100, 1, 28, 30, 5),
        (64, 3, 32, 32, 3),
        (64, 32, 32, 32, 3),
        (64, 64, 16, 64, 3),
        (64, 128, 8, 128, 3),
        (16, 64, 28, 64, 1),
    ):
        cases.append(
            (f"conv2d {n}x{c}x{hw}x{hw}, {f}@{k}x{k}", (n, c, hw, hw), lambda m, x, w: m.conv2d(x, w), (f, c, k, k))
        )
    cases += [
        ("max_pool2d 100x30x24x24, 2", (100, 30, 24, 24), lambda m, x, w: m.max_pool2d(x, 2), None),
        ("relu 100x30x24x24", (100, 30, 24, 24), lambda m, x, w: m.relu(x), None),
        ("matmul 512x512x512", (512, 512), lambda m, x, w: x @ w, (512, 512)),
        ("matmul 100x4320x100", (100, 4320), lambda m, x, w: x @ w, (4320, 100)),
    ]
    table = []
    for label, shape, op, weight in cases:
        steps = {}
        for name, m in (("ours", minigrad), ("torch", torch)):
            x = m.tensor(rng.random(shape, dtype=np.float32), requires_grad=True)
            w = None if weight is None else m.tensor(rng.random(weight, dtype=np.float32), requires_grad=True)

            def step(m: Any = m, x: Any = x, w: Any = w, op: Any = op) -> None:
                x.grad = None
                if w is not None:
                    w.grad = None
                op(m, x, w).sum().backward()

            steps[name] = step
        found = timed(steps, max(3, args.rounds // 2), args.each / 2)
        table.append((label, found["ours"], found["torch"]))
        print(
            f"| {label} | {found['ours']:.3f} | {found['torch']:.3f} | {found['ours'] / found['torch']:.2f} |",
            flush=True,
        )
    return table


def epoch(limit: int) -> dict[str, float]:
    """Seconds for an epoch over `limit` images with Adam: the book's method, and both backends through the whole of minigrad."""
    import book
    import numpy as np

    import minigrad
    from minigrad import nn, optim
    from minigrad.models import SimpleConvNet
    from minigrad.utils.data import DataLoader, TensorDataset

    rng = np.random.default_rng(0)
    x, t = rng.random((limit, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, limit)
    found = {}
    for name in ("cpp", "numpy"):
        with minigrad.use_backend(name):
            model = SimpleConvNet()
            optimizer, criterion = optim.Adam(model.parameters(), lr=1e-3), nn.CrossEntropyLoss()
            loader = DataLoader(TensorDataset(minigrad.tensor(x), minigrad.tensor(t)), batch_size=100, shuffle=True)
            start = time.perf_counter()
            for xb, tb in loader:
                optimizer.zero_grad()
                criterion(model(xb), tb).backward()
                optimizer.step()
            found[name] = time.perf_counter() - start
    net = book.seed_net(adam=True)
    start = time.perf_counter()
    order = rng.permutation(limit)
    for i in range(0, limit, 100):
        net.step(x[order[i : i + 100]], t[order[i : i + 100]], 1e-3)
    found["book"] = time.perf_counter() - start
    return found


def main() -> None:
    """Measure, print, and perhaps write BENCHMARKS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="minigrad cpp and PyTorch only, fewer rounds")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--each", type=float, default=0.15, help="seconds per side and round")
    parser.add_argument("--write", action="store_true", help="write BENCHMARKS.md and its plot")
    parser.add_argument("--epoch", type=int, default=60000, help="images of the epoch")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.rounds = args.rounds or (5 if args.quick else 11)
    if args.memory_of:
        step = sides.side(args.memory_of, "seed", 100)
        for _ in range(30):
            step()
        status = Path("/proc/self/status").read_text()  # ru_maxrss would start from the parent's peak
        print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
        return
    import torch

    torch.set_num_threads(2)
    scaling = threads()
    print(HEADER)
    table = rows(args)
    peak = memory(args)
    ratio = peak["minigrad cpp"] / min(v for s, v in peak.items() if s.startswith("PyTorch"))
    cells = " | ".join(f"{peak[s]:.0f}" for s in sides.SIDES)
    memory_row = f"| peak memory in MiB, seed net, batch 100 | {cells} | **{ratio:.2f}** | 0.35 |"
    print(memory_row)
    print(f"VGG-style net: {scaling} ms; speed-up {scaling['1 threads'] / scaling['2 threads']:.2f} (at least 1.8)")
    print("\n| operation, forward and backward, ms | minigrad cpp | PyTorch NCHW | ratio |\n|---|---:|---:|---:|")
    single = operations(args)
    learned = epoch(6000 if args.quick else args.epoch)
    print(
        f"an epoch over {6000 if args.quick else args.epoch:,} images, Adam, batch 100: "
        + ", ".join(f"{k} {v:.2f} s" for k, v in learned.items())
    )
    if args.write:
        from report import write

        write(HERE.parent, table, memory_row, scaling, single, learned, args.epoch, TARGETS, format_row, HEADER)
    print(
        json.dumps(
            {
                "machine": platform.processor() or platform.machine(),
                "cores": os.cpu_count(),
                "date": str(datetime.date.today()),
            }
        )
    )


if __name__ == "__main__":
    main()
