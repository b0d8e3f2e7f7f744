"""Running PyTorch scripts on minigrad: `python -m minigrad.torch script.py [args]`.

In that process, and in no other, `torch` and `torchvision` are other names of minigrad's modules. Importing this package
changes nothing; `install()` does, and `python -m` calls it. Nothing is written to disk.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from minigrad.dtypes import dtype
from minigrad.size import Size

WHERE = "`python -m minigrad.torch --list` and docs/surface.md say what there is"

# PyTorch's module -> minigrad's. A name with "+" is made here: see minigrad/torch/extras.py.
MODULES: dict[str, str] = {
    "torch": "minigrad",
    "torch.amp": "minigrad.amp",
    "torch.autograd": "+autograd",
    "torch.autograd.functional": "minigrad.autograd.functional",
    "torch.backends": "+backends",
    "torch.backends.cuda": "+backends_cuda",
    "torch.backends.cudnn": "+backends_cudnn",
    "torch.backends.mps": "+backends_mps",
    "torch.cuda": "minigrad.cuda",
    "torch.cuda.amp": "minigrad.amp.legacy",
    "torch.distributions": "minigrad.distributions",
    "torch.func": "minigrad.func",
    "torch.linalg": "minigrad.linalg",
    "torch.multiprocessing": "multiprocessing",
    "torch.nn": "minigrad.nn",
    "torch.nn.functional": "minigrad.nn.functional",
    "torch.nn.grad": "minigrad.nn.grad",
    "torch.nn.init": "minigrad.nn.init",
    "torch.nn.modules": "minigrad.nn",
    "torch.nn.parameter": "minigrad.nn.parameter",
    "torch.nn.utils": "minigrad.nn.utils",
    "torch.nn.utils.rnn": "minigrad.nn.utils.rnn",
    "torch.optim": "minigrad.optim",
    "torch.optim.lr_scheduler": "minigrad.optim.lr_scheduler",
    "torch.optim.optimizer": "minigrad.optim",
    "torch.random": "minigrad.random",
    "torch.special": "minigrad.special",
    "torch.types": "+types",
    "torch.utils": "minigrad.utils",
    "torch.utils.checkpoint": "minigrad.utils.checkpoint",
    "torch.utils.data": "minigrad.utils.data",
    "torch.utils.data.dataset": "minigrad.utils.data",
    "torch.utils.data.dataloader": "minigrad.utils.data",
    "torch.utils.data.sampler": "minigrad.utils.data",
    "torchvision": "+torchvision",
    "torchvision.datasets": "minigrad.datasets",
    "torchvision.models": "minigrad.models",
    "torchvision.transforms": "minigrad.transforms",
    "torchvision.transforms.functional": "minigrad.transforms.functional",
    "torchvision.utils": "minigrad.utils.images",
}


class Renamed(ModuleType):
    """A module under PyTorch's name whose contents are those of a module of minigrad."""

    def __init__(self, name: str, target: Any) -> None:
        super().__init__(name, target.__doc__)
        self.__dict__["_target"] = target
        self.__dict__["__file__"] = f"a part of minigrad: {WHERE}"  # Python shows it where `from ... import` fails

    def __getattr__(self, name: str) -> Any:
        target = self.__dict__["_target"]
        whole = f"{self.__name__}.{name}"
        if whole in MODULES:
            return importlib.import_module(whole)
        try:
            return getattr(target, name)
        except AttributeError:
            if name.startswith("__"):
                raise
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} in minigrad: {WHERE}") from None

    def __dir__(self) -> list[str]:
        below = [m.rpartition(".")[2] for m in MODULES if m.rpartition(".")[0] == self.__name__]
        return sorted({*dir(self.__dict__["_target"]), *below})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds PyTorch's modules among minigrad's."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module under PyTorch's name; an ImportError that says so for those minigrad lacks."""
        root = fullname.partition(".")[0]
        if root not in ("torch", "torchvision"):
            return None
        if fullname not in MODULES or not _exists(MODULES[fullname]):
            raise ModuleNotFoundError(f"No module named {fullname!r} in minigrad: {WHERE}", name=fullname)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module itself."""
        source = MODULES[spec.name]
        if source.startswith("+"):
            from minigrad.torch import extras

            return Renamed(spec.name, getattr(extras, source[1:]))
        return Renamed(spec.name, importlib.import_module(source))

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do."""


def _exists(source: str) -> bool:
    if source.startswith("+"):
        return True
    try:
        return importlib.util.find_spec(source) is not None
    except ModuleNotFoundError:
        return False


def install() -> None:
    """Make `torch` and `torchvision` mean minigrad from now on, in this process; shapes and types are printed as PyTorch's.

    Raises:
        RuntimeError: if the real ones are loaded already.
    """
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    for name in ("torch", "torchvision"):
        if name in sys.modules:
            raise RuntimeError(
                f"{name} is already imported in this process: install() comes before the first import of it"
            )
    sys.meta_path.insert(0, Finder())
    Size.library = dtype.library = "torch"
