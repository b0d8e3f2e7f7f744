"""Training programs in plain PyTorch style, run unchanged on PyTorch and on minigrad: what they print must agree.

Every other file of this directory is such a program. It knows nothing of minigrad; here its `import torch` means PyTorch
the first time and minigrad the second, and the two outputs are compared: the same words, and every number to 1e-4 in
float32 and 1e-9 in float64, over all steps.
"""

from __future__ import annotations

import contextlib
import io
import math
import random
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as pytorch

import minigrad
from minigrad.torch import Finder, Renamed, install, uninstall

HERE = Path(__file__).parent
PROGRAMS = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("test_"))
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
NUMBER = re.compile(r"(?<![\w.])-?(?:\d+\.?\d*(?:e[+-]?\d+)?|nan|inf)(?![\w.])")


def _is_pytorch(module: str) -> bool:
    return module.partition(".")[0] in ("torch", "torchvision")


@contextlib.contextmanager
def torch_means_minigrad() -> Iterator[None]:
    """Inside, `import torch` finds minigrad, as in `python -m minigrad.torch`; afterwards all is as before."""
    away = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_pytorch(name)}
    install()
    try:
        yield
    finally:
        uninstall()
        sys.modules.update(away)


def execute(source: str, name: str, library: Any, dtype: str) -> tuple[str, dict[str, Any]]:
    """Run a program as a script; what it printed and its names."""
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(HERE / f"{name}.py")}
    printed, argv, before = io.StringIO(), sys.argv, library.get_default_dtype()
    random.seed(0)
    np.random.seed(0)
    library.set_default_dtype(getattr(library, dtype))
    sys.argv = [names["__file__"]]
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, names["__file__"], "exec"), names)
    finally:
        library.set_default_dtype(before)
        sys.argv = argv
    return printed.getvalue(), names


@cache
def on_pytorch(name: str, dtype: str) -> str:
    """What a program prints on PyTorch, with one thread."""
    threads = pytorch.get_num_threads()
    pytorch.set_num_threads(1)
    try:
        return execute((HERE / f"{name}.py").read_text(), name, pytorch, dtype)[0]
    finally:
        pytorch.set_num_threads(threads)


def on_minigrad(name: str, dtype: str) -> str:
    """What it prints on minigrad's active backend."""
    with torch_means_minigrad():
        printed, names = execute((HERE / f"{name}.py").read_text(), name, minigrad, dtype)
    assert isinstance(names["torch"], Renamed), "the program must have run on minigrad"
    return printed


def difference(ours: str, theirs: str, tolerance: float) -> str | None:
    """The first place where two outputs disagree, in words; None if there is none."""
    for i, (a, b) in enumerate(zip(ours.splitlines(), theirs.splitlines(), strict=False), 1):
        if NUMBER.sub("#", a) != NUMBER.sub("#", b):
            return f"line {i}: {a!r} is not PyTorch's {b!r}"
        for x, y in zip(map(float, NUMBER.findall(a)), map(float, NUMBER.findall(b)), strict=True):
            if not abs(x - y) <= tolerance * max(1.0, abs(y)):
                return f"line {i}: {x!r} is not PyTorch's {y!r}, off by {abs(x - y):.2e}"
    if len(ours.splitlines()) != len(theirs.splitlines()):
        return f"{len(ours.splitlines())} lines, PyTorch prints {len(theirs.splitlines())}"
    return None


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("engine", ["numpy", "cpp"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_prints_what_it_prints_on_pytorch(name: str, engine: str, dtype: str) -> None:
    theirs = on_pytorch(name, dtype)
    numbers = [float(x) for x in NUMBER.findall(theirs)]
    assert all(map(math.isfinite, numbers)), "a program that diverges compares nothing"
    assert len(set(numbers)) >= 20, "a program must print what it learns, step by step"
    with minigrad.use_backend(engine):
        ours = on_minigrad(name, dtype)
    assert difference(ours, theirs, TOLERANCE[dtype]) is None


def test_there_are_programs_of_many_kinds() -> None:
    assert len(PROGRAMS) >= 26


def test_the_comparison_notices_another_number_word_or_length() -> None:
    theirs = "step 1 loss 0.25\nstep 2 loss 0.125\n"
    assert difference(theirs, theirs, 1e-9) is None
    assert difference(theirs.replace("0.125", "0.12500001"), theirs, 1e-4) is None
    assert "off by" in str(difference(theirs.replace("0.125", "0.1252"), theirs, 1e-4))
    assert "off by" in str(difference(theirs.replace("0.125", "nan"), theirs, 1e-4))
    assert "is not" in str(difference(theirs.replace("loss", "cost"), theirs, 1e-4))
    assert "prints 2" in str(difference(theirs.splitlines()[0], theirs, 1e-4))


def test_another_seed_is_another_output() -> None:
    source = (HERE / "mlp.py").read_text()
    assert "manual_seed(0)" in source
    with torch_means_minigrad():
        other, _ = execute(source.replace("manual_seed(0)", "manual_seed(1)"), "mlp", minigrad, "float32")
    assert difference(other, on_pytorch("mlp", "float32"), TOLERANCE["float32"]) is not None


def test_pytorch_is_itself_again_afterwards() -> None:
    with torch_means_minigrad():
        import torch

        assert torch.Tensor is minigrad.Tensor
    import torch

    assert torch is pytorch
    assert not any(isinstance(finder, Finder) for finder in sys.meta_path)


def test_names_of_shapes_types_and_variables() -> None:
    source = """
import torch
from torch.autograd import Variable
x = torch.ones(2, 3, dtype=torch.float64)
print(x.shape, x.size(), x.dtype, x.long().dtype, x, [x.shape])
v = Variable(x, requires_grad=True)
print(isinstance(v, Variable), isinstance(x, Variable), isinstance(3, Variable), v.requires_grad, (v * 2).sum().grad_fn is None)
(v * v).sum().backward()
print(v.grad, x.requires_grad, Variable(v).requires_grad)
"""
    theirs, _ = execute(source, "names", pytorch, "float32")
    with torch_means_minigrad():
        ours, _ = execute(source, "names", minigrad, "float32")
    assert ours == theirs
    assert repr(minigrad.ones(2).shape) == "minigrad.Size([2])"
