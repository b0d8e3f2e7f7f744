"""The same networks in every library, as functions that do one training step or one inference."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import book
import numpy as np

SHAPES = {"seed": (1, 28, 28), "vgg": (3, 32, 32), "mlp": (784,)}
SIDES = ["minigrad cpp", "minigrad numpy", "PyTorch NCHW", "PyTorch channels_last", "book NumPy"]


def data(net: str, batch: int) -> tuple[Any, Any]:
    """Images or vectors, and labels."""
    rng = np.random.default_rng(0)
    return rng.random((batch, *SHAPES[net]), dtype=np.float32), rng.integers(0, 10, batch)


def build(nn: Any, net: str) -> Any:
    """A network out of a library's `nn`."""
    if net == "mlp":
        return nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    if net == "seed":
        return nn.Sequential(
            nn.Conv2d(1, 30, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(4320, 100),
            nn.ReLU(),
            nn.Linear(100, 10),
        )
    layers, channels = [], 3
    for filters in (32, 64, 128):
        for _ in range(2):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 128), nn.ReLU(), nn.Linear(128, 10))


def side(name: str, net: str, batch: int, train: bool = True, optimiser: str = "sgd") -> Callable[[], Any]:
    """A function that does one step of a network on one side of the comparison."""
    x, t = data(net, batch)
    if name == "book NumPy":
        ours = {"seed": book.seed_net, "vgg": book.vgg, "mlp": book.mlp}[net]()
        return (lambda: ours.step(x, t)) if train else (lambda: ours.predict(x))
    library, _, variant = name.partition(" ")
    if library == "PyTorch":
        import torch as m
        from torch import nn, optim

        context: Any = contextlib.nullcontext
    else:
        import minigrad as m
        from minigrad import nn, optim

        backend = m.get_backend(variant)
        context = lambda: m.use_backend(backend)
    with context():
        m.manual_seed(0)
        model = build(nn, net)
        images, labels = m.tensor(x), m.tensor(t)
        if variant == "channels_last":
            model = model.to(memory_format=m.channels_last)
            images = images.to(memory_format=m.channels_last) if images.ndim == 4 else images
        optimizer = (optim.Adam if optimiser == "adam" else optim.SGD)(model.parameters(), lr=0.001)
        criterion = nn.CrossEntropyLoss()

    def train_step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    def inference() -> Any:
        with m.no_grad():
            return model(images)

    def run() -> Any:
        with context():
            y = (train_step if train else inference)()
            return y.item() if train else y.numpy()

    return run
