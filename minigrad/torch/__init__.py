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

# What scripts ask the version for is which PyTorch's behaviour they meet.
VERSIONS = {"torch": "2.13.0+minigrad", "torchvision": "0.28.0+minigrad"}
WHERE = "`python -m minigrad.torch --list` and docs/surface.md say what there is"

# PyTorch's module -> minigrad's. A name with "+" is made here: see minigrad/torch/extras.py.
MODULES: dict[str, str] = {
    "torch": "minigrad",
    "torch.accelerator": "+accelerator",
    "torch.amp": "minigrad.amp",
    "torch.autograd": "+autograd",
    "torch.autograd.forward_ad": "minigrad.autograd.forward_ad",
    "torch.autograd.function": "minigrad.autograd",
    "torch.autograd.functional": "minigrad.autograd.functional",
    "torch.autograd.graph": "minigrad.autograd.saved",
    "torch.autograd.profiler": "+autograd_profiler",
    "torch.autograd.variable": "+autograd",
    "torch.backends": "+backends",
    "torch.backends.cuda": "+backends_cuda",
    "torch.backends.cudnn": "+backends_cudnn",
    "torch.backends.mkl": "+backends_mkl",
    "torch.backends.mkldnn": "+backends_mkl",
    "torch.backends.mps": "+backends_mps",
    "torch.backends.openmp": "+backends_openmp",
    "torch.compiler": "+compiler",
    "torch.cuda": "minigrad.cuda",
    "torch.cuda.amp": "minigrad.amp.legacy",
    "torch.distributed": "+distributed",
    "torch.distributions": "minigrad.distributions",
    "torch.func": "minigrad.func",
    "torch.functional": "minigrad",
    "torch.hub": "+hub",
    "torch.jit": "+jit",
    "torch.linalg": "minigrad.linalg",
    "torch.mps": "+mps",
    "torch.multiprocessing": "multiprocessing",
    "torch.nn": "minigrad.nn",
    "torch.nn.attention": "+nn_attention",
    "torch.nn.functional": "minigrad.nn.functional",
    "torch.nn.grad": "minigrad.nn.grad",
    "torch.nn.init": "minigrad.nn.init",
    "torch.nn.modules": "minigrad.nn",
    "torch.nn.modules.utils": "+nn_modules_utils",
    "torch.nn.parallel": "minigrad.nn",
    "torch.nn.parameter": "minigrad.nn.parameter",
    "torch.nn.utils": "minigrad.nn.utils",
    "torch.nn.utils.parametrizations": "minigrad.nn.utils.parametrizations",
    "torch.nn.utils.parametrize": "minigrad.nn.utils.parametrize",
    "torch.nn.utils.prune": "minigrad.nn.utils.prune",
    "torch.nn.utils.rnn": "minigrad.nn.utils.rnn",
    "torch.nn.utils.stateless": "minigrad.nn.utils.stateless",
    "torch.optim": "minigrad.optim",
    "torch.optim.lr_scheduler": "minigrad.optim.lr_scheduler",
    "torch.optim.optimizer": "minigrad.optim.optimizer",
    "torch.optim.swa_utils": "minigrad.optim.swa_utils",
    "torch.profiler": "+profiler",
    "torch.random": "minigrad.random",
    "torch.return_types": "minigrad.return_types",
    "torch.sparse": "minigrad.sparse",
    "torch.special": "minigrad.special",
    "torch.types": "+types",
    "torch.utils": "minigrad.utils",
    "torch.utils._pytree": "minigrad.utils.pytree",
    "torch.utils.checkpoint": "minigrad.utils.checkpoint",
    "torch.utils.data": "minigrad.utils.data",
    "torch.utils.data.dataset": "minigrad.utils.data",
    "torch.utils.data.dataloader": "minigrad.utils.data",
    "torch.utils.data.sampler": "minigrad.utils.data",
    "torch.utils.hooks": "minigrad.handles",
    "torch.utils.model_zoo": "+model_zoo",
    "torch.utils.tensorboard": "+tensorboard",
    "torch.version": "+version",
    "torch.xpu": "+xpu",
    "torchvision": "+torchvision",
    "torchvision.datasets": "minigrad.datasets",
    "torchvision.models": "minigrad.image_models",
    "torchvision.transforms": "minigrad.transforms",
    "torchvision.transforms.functional": "minigrad.transforms.functional",
    "torchvision.utils": "minigrad.utils.images",
}
# Files in which PyTorch keeps what minigrad shows in one module.
SPLIT = {
    "torch.distributions": "bernoulli beta binomial categorical cauchy chi2 constraints dirichlet distribution exponential gamma "
    "geometric gumbel half_normal independent kl laplace log_normal mixture_same_family multinomial multivariate_normal "
    "normal one_hot_categorical poisson studentT transformed_distribution transforms uniform",
    "torch.nn.modules": "activation adaptive batchnorm channelshuffle container conv distance dropout flatten fold instancenorm "
    "lazy linear loss module normalization padding pixelshuffle pooling rnn sparse transformer upsampling",
    "torch.optim": "adadelta adagrad adam adamax adamw asgd lbfgs nadam radam rmsprop rprop sgd sparse_adam",
    "torchvision.datasets": "cifar fakedata folder mnist vision",
    "torchvision.models": "alexnet densenet googlenet inception mobilenet mobilenetv2 resnet squeezenet vgg",
}
MODULES.update({f"{whole}.{part}": MODULES[whole] for whole, parts in SPLIT.items() for part in parts.split()})

# Classes whose printed names scripts show: where they are, what they are called, and PyTorch's module for them.
SHOWN = (
    ("minigrad.tensor", "Tensor", "torch"),
    ("minigrad.size", "Size", "torch"),
    ("minigrad.dtypes", "dtype", "torch"),
    ("minigrad.device", "device", "torch"),
    ("minigrad.layout", "layout", "torch"),
    ("minigrad.layout", "memory_format", "torch"),
    ("minigrad.random.generator", "Generator", "torch._C"),
    ("minigrad.nn.parameter", "Parameter", "torch.nn.parameter"),
)


class Renamed(ModuleType):
    """A module under PyTorch's name whose contents are those of a module of minigrad."""

    def __init__(self, name: str, target: Any) -> None:
        super().__init__(name, target.__doc__)
        self.__dict__["_target"] = target
        if name in VERSIONS:
            self.__dict__["__version__"] = VERSIONS[name]
        self.__dict__["__file__"] = f"a part of minigrad: {WHERE}"  # Python shows it where `from ... import` fails

    def __getattr__(self, name: str) -> Any:
        target = self.__dict__["_target"]
        whole = f"{self.__name__}.{name}"
        if whole in MODULES:
            found = getattr(target, name, None)  # torchvision.models.alexnet is a file, and the function in it
            return found if callable(found) else importlib.import_module(whole)
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


def _name_all(library: str) -> None:
    """Print shapes, types and the classes of tensors as those of one library."""
    Size.library = dtype.library = library
    for module, name, theirs in SHOWN:
        getattr(importlib.import_module(module), name).__module__ = theirs if library == "torch" else module


def install() -> None:
    """Make `torch` and `torchvision` mean minigrad from now on, in this process; shapes, types and tensors are printed as PyTorch's.

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
    _name_all("torch")


def uninstall() -> None:
    """Take install() back: `torch` and `torchvision` are looked for again, and nothing prints under their names."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    for name in list(sys.modules):
        if name.partition(".")[0] in ("torch", "torchvision"):
            del sys.modules[name]
    _name_all("minigrad")
