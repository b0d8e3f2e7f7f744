"""Short programs that run with minigrad and with PyTorch, and what both make of them."""

import numpy as np
import torch

import minigrad


def leaves(value):
    """The tensors, numbers and texts of a result, in order."""
    if isinstance(value, (list, tuple)):
        return [v for part in value for v in leaves(part)]
    if isinstance(value, dict):
        return [v for k in value for v in (k, *leaves(value[k]))]
    return [value]


def agree(program, tolerance=1e-5):
    """Run a program with both libraries from the same seed and compare what it returns."""
    results = []
    for library in (minigrad, torch):
        library.manual_seed(0)
        results.append(leaves(program(library)))
    assert len(results[0]) == len(results[1])
    for mine, theirs in zip(*results, strict=True):
        if isinstance(theirs, torch.Tensor):
            got, expected = mine.detach().cpu().numpy(), theirs.detach().numpy()
            assert got.shape == expected.shape and got.dtype == expected.dtype
            np.testing.assert_allclose(got, expected, tolerance, tolerance)
        else:
            assert mine == theirs


def trained(library, layer, *shape, steps=3):
    """Some steps of SGD; what the layer says after each, and its state in the end."""
    optimizer = library.optim.SGD(layer.parameters(), lr=0.1)
    x = library.randn(*shape)
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (layer(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        seen.append(loss.detach())
    layer.eval()
    return seen, layer(x), dict(layer.state_dict())
