"""Train SimpleConvNet on handwritten digits, and show what it learned.

    python examples/train_simple_convnet.py --backend cpp --epochs 3

MNIST if it can be had, else scikit-learn's bundled digits. Into --out go the weights, a checkpoint to resume
from, the learning curve and the filters before and after, as pictures.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import minigrad
from minigrad import nn, optim
from minigrad.models import SimpleConvNet
from minigrad.registry import active_backend
from minigrad.utils.data import DataLoader, TensorDataset

OPTIMISERS = {
    "adam": lambda p, lr: optim.Adam(p, lr=lr),
    "adamw": lambda p, lr: optim.AdamW(p, lr=lr),
    "sgd": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9),
}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--backend", help="numpy, cpp, cuda or a plug-in (default: MINIGRAD_BACKEND, or the fastest here)"
    )
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--optimizer", choices=sorted(OPTIMISERS), default="adam")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--data", choices=["mnist", "fashion", "digits"], help="default: mnist, or digits without network"
    )
    parser.add_argument("--limit", type=int, help="train and test on so many images only")
    parser.add_argument("--resume", type=Path, help="a checkpoint.safetensors to go on from")
    parser.add_argument("--out", type=Path, default=Path("runs/simple_convnet"))
    return parser.parse_args()


def load(wanted: str | None, limit: int | None) -> tuple[str, TensorDataset, TensorDataset]:
    """Training and test images (N, 1, 28, 28) in [0, 1], and labels (N,)."""
    from minigrad import datasets

    kinds = {"mnist": datasets.MNIST, "fashion": datasets.FashionMNIST, "digits": datasets.Digits}
    name = wanted or "mnist"
    try:
        parts = [kinds[name](train=train).tensors() for train in (True, False)]
    except OSError as error:
        if wanted is not None:
            raise SystemExit(f"{name}: {error}") from error
        print(f"MNIST cannot be had here ({error}).\nTraining on scikit-learn's 1,797 handwritten digits instead.\n")
        name = "digits"
        parts = [datasets.Digits(train=train).tensors() for train in (True, False)]
    train, test = (TensorDataset(*[t[:limit] for t in part]) for part in parts)
    return name, train, test


def progress(loader: Any, label: str) -> Any:
    """A bar on a terminal, nothing where nobody looks."""
    from tqdm import tqdm

    return tqdm(loader, desc=label, unit="batch", leave=False, disable=not sys.stderr.isatty())


def accuracy(model: nn.Module, data: TensorDataset) -> float:
    """The part of the images that the model names correctly."""
    model.eval()
    right = 0
    with minigrad.no_grad():
        for x, t in DataLoader(data, batch_size=1000):
            right += int((model(x).argmax(1) == t).sum())
    model.train()
    return right / len(data)


def main() -> None:
    """Train, report, and write what came of it."""
    args = parse()
    if args.backend:
        minigrad.set_backend(args.backend)
    minigrad.manual_seed(args.seed)
    name, train, test = load(args.data, args.limit)
    device = minigrad.device(active_backend().device)
    model = SimpleConvNet(dropout=args.dropout).to(device)
    optimizer = OPTIMISERS[args.optimizer](model.parameters(), args.lr)
    criterion = nn.CrossEntropyLoss()
    start = 0
    if args.resume:
        checkpoint = minigrad.load(args.resume)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        minigrad.set_rng_state(checkpoint["rng"])
        start = int(checkpoint["epoch"])
    filters = [model.conv1.weight.detach().cpu().clone()]
    print(
        f"{name}: {len(train):,} training and {len(test):,} test images | backend {active_backend().name} | "
        f"{args.optimizer}, lr {args.lr:g}, batch {args.batch_size}, seed {args.seed}"
    )
    losses: list[float] = []
    curve: list[tuple[int, float]] = []
    loader = DataLoader(train, batch_size=args.batch_size, shuffle=True)
    for epoch in range(start, start + args.epochs):
        began, seen, bar = time.perf_counter(), 0, progress(loader, f"epoch {epoch + 1}")
        for x, t in bar:
            optimizer.zero_grad()
            loss = criterion(model(x.to(device)), t.to(device))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            seen += len(x)
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
        spent = time.perf_counter() - began
        curve.append((len(losses), accuracy(model, test)))
        recent = losses[-len(loader) :]
        print(
            f"epoch {epoch + 1}: loss {sum(recent) / len(recent):.4f}, test accuracy {curve[-1][1]:.2%}, "
            f"{seen / spent:,.0f} images/s, {spent:.2f} s"
        )
    filters.append(model.conv1.weight.detach().cpu().clone())
    write(args.out, model, optimizer, start + args.epochs, losses, curve, filters)


def write(out: Path, model: Any, optimizer: Any, epoch: int, losses: list[float], curve: Any, filters: Any) -> None:
    """Weights, checkpoint, learning curve and filters."""
    out.mkdir(parents=True, exist_ok=True)
    minigrad.save(model.state_dict(), out / "weights.safetensors")
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": minigrad.get_rng_state(),
        "epoch": epoch,
    }
    minigrad.save(state, out / "checkpoint.safetensors")
    os.environ.setdefault("MPLBACKEND", "Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    axis.plot(losses, lw=0.7, color="tab:blue", label="training loss per batch")
    axis.set(xlabel="batch", ylabel="loss", yscale="log")
    right = axis.twinx()
    right.plot(*zip(*curve, strict=True), "o-", color="tab:red", label="test accuracy")
    right.set(ylabel="accuracy")
    figure.legend(loc="outside upper center", ncols=2)
    figure.savefig(out / "learning_curve.png", dpi=120)
    figure, axes = plt.subplots(6, 11, figsize=(9, 5), gridspec_kw={"width_ratios": [1] * 5 + [0.4] + [1] * 5})
    for axis in axes.flat:
        axis.axis("off")
    for side, (title, weights) in enumerate(zip(("before", "after"), filters, strict=True)):
        axes[0, 2 + 6 * side].set_title(title)
        for i, image in enumerate(weights[:30, 0].numpy()):
            axes[i // 5, i % 5 + 6 * side].imshow(image, cmap="gray")
    figure.savefig(out / "filters.png", dpi=120)
    print(f"wrote {', '.join(sorted(p.name for p in out.iterdir()))} to {out}/")


if __name__ == "__main__":
    main()
