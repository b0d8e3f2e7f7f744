"""`make bench-gpu`: training steps on the GPU beside PyTorch, step by step and captured, and how near the kernels come to the roof.

Sides take turns in one run; a figure is the median over rounds, in milliseconds per step. PyTorch runs in float32 without
TF32, in both layouts, and captured with its own CUDA graphs. Without PyTorch's CUDA build its columns are missing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sides import build, data

import minigrad as mg
import minigrad.cuda

NETS = {"seed": 100, "vgg": 64, "mlp": 100}  # and their batches


# ---------------------------------------------------------------------- training steps


def minigrad_side(net: str, batch: int, captured: bool) -> tuple[Callable[[], Any], Callable[[], None]]:
    """A training step and a wait."""
    from minigrad import nn, optim

    with mg.use_backend("cuda"):
        mg.manual_seed(0)
        x, t = (mg.tensor(a) for a in data(net, batch))
        model = build(nn, net)
        optimizer, criterion = optim.SGD(model.parameters(), lr=0.001), nn.CrossEntropyLoss()

    def step(images: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    chosen = minigrad.cuda.graph(step, optimizer) if captured else step

    def run() -> Any:
        with mg.use_backend("cuda"):
            return chosen(x, t)

    return run, minigrad.cuda.synchronize


def torch_side(net: str, batch: int, variant: str) -> tuple[Callable[[], Any], Callable[[], None]]:
    """The same in PyTorch: "eager", "channels_last" or "captured"."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    x, t = (torch.tensor(a, device="cuda") for a in data(net, batch))
    model = build(torch.nn, net).cuda()
    if variant == "channels_last" and x.ndim == 4:
        x, model = x.to(memory_format=torch.channels_last), model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    criterion = torch.nn.CrossEntropyLoss()

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(x), t)
        loss.backward()
        optimizer.step()
        return loss

    if variant != "captured":
        return step, torch.cuda.synchronize
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    captured = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(captured):
        step()
    return captured.replay, torch.cuda.synchronize


def sides_of(net: str, batch: int) -> dict[str, tuple[Callable[[], Any], Callable[[], None]]]:
    """Every side that can run here."""
    found = {f"minigrad {way}": minigrad_side(net, batch, way == "captured") for way in ("eager", "captured")}
    try:
        import torch

        if torch.cuda.is_available():
            found |= {f"PyTorch {v}": torch_side(net, batch, v) for v in ("eager", "channels_last", "captured")}
    except ImportError:
        pass
    return found


def take_turns(sides: dict[str, Any], rounds: int, steps: int) -> dict[str, float]:
    """Milliseconds per step of each side, the median over rounds."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for run, wait in sides.values():
        for _ in range(6):  # compile, capture, fill the pools
            run()
        wait()
    for _ in range(rounds):
        for name, (run, wait) in sides.items():
            start = time.perf_counter()
            for _ in range(steps):
                run()
            wait()
            times[name].append((time.perf_counter() - start) / steps * 1e3)
    return {name: statistics.median(t) for name, t in times.items()}


# ---------------------------------------------------------------------- kernels under the roof


def kernels(batch: int) -> dict[str, tuple[Callable[[], Any], float, float]]:
    """The main kernels: what to call, its floating-point operations, and the bytes that have to move at least."""
    from minigrad.window import Window

    words = mg.get_backend("cuda")
    rng = np.random.default_rng(0)

    def fresh(*shape: int) -> Any:
        return words.from_numpy(rng.standard_normal(shape, dtype=np.float32))

    x, w, b = fresh(batch, 64, 32, 32), fresh(64, 64, 3, 3), fresh(64)
    first, filters = fresh(batch, 1, 28, 28), fresh(30, 1, 5, 5)
    same, five, two = Window((3, 3), (1, 1), (1, 1)), Window((5, 5)), Window((2, 2), (2, 2))
    multiplied, seen = 2.0 * x.size * 64 * 9, 2.0 * batch * 30 * 24 * 24 * 25
    y, places = words.max_pool2d(x, two)
    logits = fresh(4096, 1000)
    return {
        "conv2d 64->64 3x3": (lambda: words.conv2d(x, w, b, same), multiplied, 8.0 * x.size),
        "its input gradient": (lambda: words.conv2d_input_grad(x, w, x.shape, same), multiplied, 8.0 * x.size),
        "its weight gradient": (lambda: words.conv2d_weight_grad(x, x, w.shape, same), multiplied, 8.0 * x.size),
        "conv 1->30 5x5, relu, pool": (
            lambda: words.conv2d_relu_max_pool2d(first, filters, None, five, 1, two),
            seen,
            4.0 * first.size + 5.0 * batch * 30 * 144,
        ),
        "relu": (lambda: words.relu(x), 0, 8.0 * x.size),
        "max_pool2d": (lambda: words.max_pool2d(x, two), 0, 4.0 * x.size + 12.0 * y.size),
        "its gradient": (lambda: words.max_pool2d_grad(y, places, x.shape), 0, 4.0 * x.size + 12.0 * y.size),
        "batch_norm_stats": (lambda: words.batch_norm_stats(x), 0, 8.0 * x.size),
        "softmax of (4096, 1000)": (lambda: words.softmax(logits, 1), 0, 8.0 * 4096 * 1000),
    }


def roof(times: int) -> tuple[float, float]:
    """What this GPU does at best, measured: float32 operations per second (cuBLAS), bytes per second (a copy)."""
    words = mg.get_backend("cuda")
    a = words.xp.ones((4096, 4096), "float32") if times > 1 else words.xp.ones((64, 64), "float32")
    product = milliseconds(lambda: words.matmul(a, a), times)
    copy = milliseconds(lambda: a.copy(), times)
    return 2 * len(a) ** 3 / product * 1e3, 2 * a.nbytes / copy * 1e3


def milliseconds(call: Callable[[], Any], times: int) -> float:
    """The time of one of many calls in a row, by the GPU's own clock."""
    call()
    start, end = minigrad.cuda.Event(enable_timing=True), minigrad.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(times):
        call()
    end.record()
    end.synchronize()
    return max(start.elapsed_time(end) / times, 1e-6)


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20, help="per round and side")
    parser.add_argument("--batch", type=int, default=0, help="instead of 100, 64 and 100")
    parser.add_argument("--nets", nargs="*", default=list(NETS), choices=list(NETS))
    given = parser.parse_args(arguments)
    if not minigrad.cuda.is_available():
        try:
            mg.get_backend("cuda")
        except mg.BackendError as error:
            raise SystemExit(str(error)) from error
    print(f"{minigrad.cuda.get_device_name()}, milliseconds per training step (float32, no TF32)\n")
    for net in given.nets:
        batch = given.batch or NETS[net]
        figures = take_turns(sides_of(net, batch), given.rounds, given.steps)
        print(f"{net}, batch {batch}")
        for name, figure in figures.items():
            ratios = [
                f"{figure / figures[f'PyTorch {v}']:.2f} of {v}"
                for v in ("eager", "captured")
                if f"PyTorch {v}" in figures
            ]
            print(f"  {name:24}{figure:9.3f}   {', '.join(ratios)}")
    flops, bandwidth = roof(given.steps)
    print(
        f"\nMeasured roof: {flops / 1e12:.1f} TFLOP/s, {bandwidth / 1e9:.0f} GB/s; part of it that each kernel reaches"
    )
    for name, (call, operations, moved) in kernels(given.batch or 64).items():
        took = milliseconds(call, given.steps)
        bound = max(operations / flops, moved / bandwidth) * 1e3
        print(f"  {name:28}{took:9.4f} ms   {bound / took:6.1%}")


if __name__ == "__main__":
    main()
