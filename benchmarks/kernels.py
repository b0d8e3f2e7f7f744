"""Training steps written straight in a backend's words, next to PyTorch's, in one run.

    python benchmarks/kernels.py [--rounds 20] [--threads 2] [--net seed vgg mlp] [--parts]

No autograd on our side: what is compared is the kernels. Both sides alternate; the figure is the
ratio of the two minima (and of the two medians). PyTorch runs in NCHW and in channels_last, and the
better one counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minigrad.backends import _cpp
from minigrad.backends.cpp_backend import CppBackend
from minigrad.window import Window

BACKEND = CppBackend()
POOL = Window((2, 2), (2, 2))
spent: dict[str, float] = {}


@contextmanager
def part(name: str) -> Iterator[None]:
    """Add the time of a block to a part of the step."""
    start = time.perf_counter()
    yield
    spent[name] = spent.get(name, 0.0) + time.perf_counter() - start


class Net:
    """Convolution blocks (padding, pooled or not), then linear layers; ReLU between all of them."""

    def __init__(self, convs: list[tuple[int, int, int, int, bool]], linears: list[tuple[int, int]]) -> None:
        rng = np.random.default_rng(0)
        draw = lambda *shape: (rng.standard_normal(shape) * 0.05).astype(np.float32)
        self.convs = [
            (draw(f, c, k, k), draw(f), Window((k, k), padding=(p, p)), pooled) for c, f, k, p, pooled in convs
        ]
        self.linears = [(draw(o, i), draw(o)) for i, o in linears]

    def step(self, x: Any, target: Any) -> None:
        """Forward, backward and a plain SGD step."""
        b, saved = BACKEND, []
        for i, (w, bias, window, pooled) in enumerate(self.convs):
            with part(f"conv{i + 1} forward"):
                if pooled:
                    y, winners = b.conv2d_relu_max_pool2d(x, w, bias, window, 1, POOL)
                else:
                    y, winners = b.conv2d_relu(x, w, bias, window), None
            saved.append((x, y, winners))
            x = y
        shape = x.shape
        x = x.reshape(len(x), -1)
        hidden = []
        for i, (w, bias) in enumerate(self.linears):
            hidden.append(x)
            with part(f"linear{i + 1} forward"):
                x = (b.linear_relu if i + 1 < len(self.linears) else b.linear)(x, w, bias)
        with part("loss"):
            _, p = b.cross_entropy(x, target)
            g = b.cross_entropy_grad(np.full(len(target), 1 / len(target), np.float32), p, target)
        params, grads = [], []
        for i in reversed(range(len(self.linears))):
            w, bias = self.linears[i]
            with part(f"linear{i + 1} weight grad"):
                grads += [b.matmul(g.T, hidden[i]), g.sum(0)]
            params += [w, bias]
            if i or self.convs:
                with part(f"linear{i + 1} input grad"):
                    g = b.matmul(g, w)
            if i:
                g = b.relu_grad(g, hidden[i])
        g = g.reshape(shape) if self.convs else g
        for i in reversed(range(len(self.convs))):
            w, bias, window, pooled = self.convs[i]
            x, y, winners = saved[i]
            if pooled:
                with part(f"conv{i + 1} pooled grad"):
                    g, gw, gb = b.conv2d_relu_max_pool2d_grad(g, y, winners, x, w, window, 1, POOL, (i > 0, True, True))
            else:
                with part(f"conv{i + 1} relu and bias grad"):
                    g = b.relu_grad(g, y)
                    gb = b.conv2d_bias_grad(g)
                with part(f"conv{i + 1} weight grad"):
                    gw = b.conv2d_weight_grad(g, x, w.shape, window)
                if i:
                    with part(f"conv{i + 1} input grad"):
                        g = b.conv2d_input_grad(g, w, x.shape, window)
            grads += [gw, gb]
            params += [w, bias]
        with part("sgd"):
            b.sgd_step(params, grads, None, lr=1e-3)


def rival(convs: list[tuple[int, int, int, int, bool]], linears: list[tuple[int, int]]) -> nn.Sequential:
    """The same net in PyTorch."""
    layers: list[nn.Module] = []
    for c, f, k, p, pooled in convs:
        layers += [nn.Conv2d(c, f, k, padding=p), nn.ReLU()] + ([nn.MaxPool2d(2)] if pooled else [])
    layers.append(nn.Flatten())
    for i, (inputs, outputs) in enumerate(linears):
        layers += [nn.Linear(inputs, outputs)] + ([nn.ReLU()] if i + 1 < len(linears) else [])
    return nn.Sequential(*layers)


SEED = [(1, 30, 5, 0, True)], [(4320, 100), (100, 10)]
VGG = (
    [
        (3, 32, 3, 1, False),
        (32, 32, 3, 1, True),
        (32, 64, 3, 1, False),
        (64, 64, 3, 1, True),
        (64, 128, 3, 1, False),
        (128, 128, 3, 1, True),
    ],
    [(2048, 128), (128, 10)],
)
MLP: Any = [], [(784, 100), (100, 10)]
NETS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "seed": (SEED, (100, 1, 28, 28)),
    "seed1": (SEED, (1, 1, 28, 28)),
    "vgg": (VGG, (64, 3, 32, 32)),
    "mlp": (MLP, (100, 784)),
}


def compare(name: str, rounds: int, parts: bool) -> None:
    """Time one net on both sides and print a line."""
    sizes, shape = NETS[name]
    rng = np.random.default_rng(1)
    x, target = rng.standard_normal(shape).astype(np.float32), rng.integers(0, 10, shape[0])
    ours = Net(*sizes)
    sides: dict[str, Callable[[], None]] = {"minigrad": lambda: ours.step(x, target)}
    for form in (torch.contiguous_format, torch.channels_last) if len(shape) == 4 else (torch.contiguous_format,):
        net = rival(*sizes).to(memory_format=form)
        image = torch.from_numpy(x.copy())
        image = image.contiguous(memory_format=form) if len(shape) == 4 else image
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)

        def theirs(net: nn.Module = net, image: torch.Tensor = image, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            F.cross_entropy(net(image), torch.from_numpy(target)).backward()
            optimizer.step()

        sides["torch " + ("NCHW" if form is torch.contiguous_format else "channels_last")] = theirs
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(3):
        for run in sides.values():
            run()
    spent.clear()
    for _ in range(rounds):
        for side, run in sides.items():
            for _ in range(3):
                start = time.perf_counter()
                run()
                times[side].append(time.perf_counter() - start)
    best = {side: (min(t) * 1e3, statistics.median(t) * 1e3) for side, t in times.items()}
    low, middle = (min(best[s][k] for s in best if s != "minigrad") for k in (0, 1))
    figures = ", ".join(f"{side} {a:.3f} ({m:.3f})" for side, (a, m) in best.items())
    ratio, median = best["minigrad"][0] / low, best["minigrad"][1] / middle
    print(f"{name}: ratio {ratio:.3f} ({median:.3f}); ms, min (median): {figures}")
    if parts:
        for key, value in spent.items():
            print(f"    {key:24s} {value / (3 * rounds) * 1e3:8.3f} ms")


def main() -> None:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--net", nargs="*", default=list(NETS), choices=list(NETS))
    parser.add_argument("--parts", action="store_true", help="mean time of each part of our step")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    _cpp.set_num_threads(args.threads)
    print(f"{_cpp.isa()}, {args.threads} threads, NumPy {np.__version__}, PyTorch {torch.__version__}")
    for name in args.net:
        compare(name, args.rounds, args.parts)


if __name__ == "__main__":
    main()
