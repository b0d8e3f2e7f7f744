"""Small PyTorch modules that have no counterpart of their own in minigrad.

Switches are accepted and change nothing, for there is one way to compute here. What compiles, records a profile or writes a
log gives back what it was given; what would need another machine, a network or a file format says that it is not there.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from itertools import repeat
from types import SimpleNamespace
from typing import Any


def _no(*ignored: Any, **options: Any) -> bool:
    """This is not there."""
    return False


def _none(*ignored: Any, **options: Any) -> None:
    """Nothing is done."""


def _cuda() -> bool:
    from minigrad import cuda

    return bool(cuda.is_available())


def _same(function: Any = None, *ignored: Any, **options: Any) -> Any:
    """The function or module itself; a decorator that gives it back, where none is given."""
    return function if function is not None else _same


def _not_here(what: str) -> Callable[..., Any]:
    def refuse(*ignored: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{what} is not there in minigrad")

    return refuse


@contextlib.contextmanager
def _nothing(*ignored: Any, **options: Any) -> Iterator[None]:
    """A `with` block like any other."""
    yield


# ------------------------------------------------------------------------------------------------ torch.backends

backends_cudnn = SimpleNamespace(
    __doc__="torch.backends.cudnn", benchmark=False, deterministic=True, enabled=False, allow_tf32=False,
    is_available=_no, version=lambda: None, flags=_nothing,
)  # fmt: skip
backends_cuda = SimpleNamespace(
    __doc__="torch.backends.cuda", matmul=SimpleNamespace(allow_tf32=False), is_built=_cuda, sdp_kernel=_nothing,
    enable_flash_sdp=_none, enable_math_sdp=_none, enable_mem_efficient_sdp=_none,
)  # fmt: skip
backends_mps = SimpleNamespace(__doc__="torch.backends.mps", is_available=_no, is_built=_no)
backends_mkl = SimpleNamespace(__doc__="torch.backends.mkl", is_available=_no)
backends_openmp = SimpleNamespace(__doc__="torch.backends.openmp", is_available=_no)
backends = SimpleNamespace(__doc__="torch.backends")

# ------------------------------------------------------------------------------------------------ other devices

mps = SimpleNamespace(
    __doc__="torch.mps", is_available=_no, device_count=int, manual_seed=_none, empty_cache=_none, synchronize=_none
)
xpu = SimpleNamespace(
    __doc__="torch.xpu", is_available=_no, device_count=int, manual_seed=_none, manual_seed_all=_none,
    empty_cache=_none, synchronize=_none,
)  # fmt: skip


def _current_accelerator(check_available: bool = False) -> Any:
    """The GPU as a device; None where there is none."""
    import minigrad

    return minigrad.device("cuda") if _cuda() else None


def _accelerators() -> int:
    from minigrad import cuda

    return int(cuda.device_count())


def _accelerator_synchronize(device: Any = None) -> None:
    from minigrad import cuda

    if _cuda():
        cuda.synchronize()


accelerator = SimpleNamespace(
    __doc__="torch.accelerator", is_available=_cuda, current_accelerator=_current_accelerator,
    device_count=_accelerators, synchronize=_accelerator_synchronize, empty_cache=_none,
)  # fmt: skip
version = SimpleNamespace(__doc__="torch.version", __version__="2.13.0+minigrad", cuda=None, hip=None, git_version="")
distributed = SimpleNamespace(__doc__="torch.distributed", is_available=_no, is_initialized=_no)

# ------------------------------------------------------------------------------------------------ compilers

compiler = SimpleNamespace(__doc__="torch.compiler", disable=_same, allow_in_graph=_same, is_compiling=_no, reset=_none)


class _Jit:
    """torch.jit: Python is what runs."""

    script = trace = ignore = unused = export = script_method = staticmethod(_same)
    interface = freeze = optimize_for_inference = script_if_tracing = staticmethod(_same)
    is_scripting = is_tracing = staticmethod(_no)
    save = load = staticmethod(_not_here("TorchScript's file format"))

    @staticmethod
    def annotate(the_type: Any, the_value: Any) -> Any:
        """The value."""
        return the_value

    def __getattr__(self, name: str) -> Any:
        import typing

        from minigrad.nn import Module

        if name == "Final":
            return typing.Final
        if name in ("ScriptModule", "ScriptFunction"):  # no module is one
            found = type(name, (Module,), {"__doc__": "TorchScript's; none is ever made."})
            setattr(self, name, found)
            return found
        raise AttributeError(name)


jit = _Jit()

# ------------------------------------------------------------------------------------------------ profiles and logs


class _Averages(list[Any]):
    def table(self, *ignored: Any, **options: Any) -> str:
        """There is nothing to show."""
        return "minigrad records no profile; Python's cProfile does."

    def total_average(self) -> Any:
        """There is nothing to sum."""
        return self


class _Profile:
    """Profiles of PyTorch: the block runs, and nothing is recorded."""

    def __init__(self, *ignored: Any, **options: Any) -> None:
        pass

    def __enter__(self) -> _Profile:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def key_averages(self, *ignored: Any, **options: Any) -> _Averages:
        """Nothing was recorded."""
        return _Averages()

    events = key_averages
    start = stop = step = export_chrome_trace = staticmethod(_none)


profiler = SimpleNamespace(
    __doc__="torch.profiler", profile=_Profile, record_function=_nothing, schedule=_none, tensorboard_trace_handler=_none,
    ProfilerActivity=SimpleNamespace(CPU="CPU", CUDA="CUDA"),
)  # fmt: skip
autograd_profiler = SimpleNamespace(
    __doc__="torch.autograd.profiler", profile=_Profile, record_function=_nothing, emit_nvtx=_nothing
)


class _SummaryWriter:
    """The writer of TensorBoard's logs, which are not written here: a warning says so once."""

    def __init__(self, log_dir: str | None = None, *ignored: Any, **options: Any) -> None:
        warnings.warn("minigrad writes no TensorBoard logs: what this SummaryWriter is given is dropped", stacklevel=2)
        self.log_dir = log_dir

    def __getattr__(self, name: str) -> Any:
        if name.startswith("add_") or name in ("close", "flush"):
            return _none
        raise AttributeError(f"'SummaryWriter' object has no attribute {name!r}")

    def __enter__(self) -> _SummaryWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


tensorboard = SimpleNamespace(__doc__="torch.utils.tensorboard", SummaryWriter=_SummaryWriter)
_download = _not_here("loading weights from the network")
hub = SimpleNamespace(__doc__="torch.hub", load=_download, load_state_dict_from_url=_download)
model_zoo = SimpleNamespace(__doc__="torch.utils.model_zoo", load_url=_download)

# ------------------------------------------------------------------------------------------------ torch.autograd


class _Autograd:
    """torch.autograd"""

    def __getattr__(self, name: str) -> Any:
        import minigrad.autograd

        return getattr(minigrad.autograd, name)

    def __dir__(self) -> list[str]:
        import minigrad.autograd

        return dir(minigrad.autograd)


autograd = _Autograd()

# ------------------------------------------------------------------------------------------------ torch.nn


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], Any]:
    """A function that makes n numbers of one."""

    def parse(x: Any) -> Any:
        return tuple(x) if hasattr(x, "__iter__") else tuple(repeat(x, n))

    parse.__name__ = name
    return parse


nn_modules_utils = SimpleNamespace(
    __doc__="torch.nn.modules.utils", _ntuple=_ntuple, _single=_ntuple(1), _pair=_ntuple(2), _triple=_ntuple(3),
    _quadruple=_ntuple(4),
)  # fmt: skip
nn_attention = SimpleNamespace(
    __doc__="torch.nn.attention", sdpa_kernel=_nothing,
    SDPBackend=SimpleNamespace(
        MATH="MATH", FLASH_ATTENTION="FLASH_ATTENTION", EFFICIENT_ATTENTION="EFFICIENT_ATTENTION", CUDNN_ATTENTION="CUDNN_ATTENTION"
    ),
)  # fmt: skip


class _Types:
    """torch.types"""

    def __getattr__(self, name: str) -> Any:
        import minigrad

        found = {"Tensor": minigrad.Tensor, "Device": Any, "Number": (int, float, bool)}
        if name not in found:
            raise AttributeError(name)
        return found[name]


types = _Types()
torchvision = SimpleNamespace(__doc__="torchvision")
