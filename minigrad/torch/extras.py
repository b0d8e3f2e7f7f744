"""Small PyTorch modules that have no counterpart of their own in minigrad."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def _no() -> bool:
    """This is not there."""
    return False


def _cuda() -> bool:
    import minigrad

    return bool(minigrad.cuda.is_available())


# Switches that scripts set: there is one way to compute here, so they change nothing.
backends_cudnn = SimpleNamespace(
    __doc__="torch.backends.cudnn", benchmark=False, deterministic=True, enabled=False, allow_tf32=False,
    is_available=_no, version=lambda: None,
)  # fmt: skip
backends_cuda = SimpleNamespace(
    __doc__="torch.backends.cuda", matmul=SimpleNamespace(allow_tf32=False), is_built=_cuda
)  # fmt: skip
backends_mps = SimpleNamespace(__doc__="torch.backends.mps", is_available=_no, is_built=_no)
backends = SimpleNamespace(__doc__="torch.backends")


class _AnyTensor(type):
    def __instancecheck__(cls, instance: object) -> bool:
        from minigrad.autograd import Variable

        return isinstance(instance, Variable)


class _Wrapper(metaclass=_AnyTensor):
    """`Variable(tensor)` of old scripts: the tensor, detached; every tensor is an instance."""

    def __new__(cls, data: Any, requires_grad: bool = False) -> Any:
        return data.detach().requires_grad_(requires_grad)


class _Autograd:
    """torch.autograd"""

    Variable = _Wrapper

    def __getattr__(self, name: str) -> Any:
        import minigrad.autograd

        return getattr(minigrad.autograd, name)

    def __dir__(self) -> list[str]:
        import minigrad.autograd

        return dir(minigrad.autograd)


autograd = _Autograd()


class _Types:
    """torch.types"""

    def __getattr__(self, name: str) -> Any:
        import minigrad

        found = {"Tensor": minigrad.Tensor, "Device": Any, "Number": (int, float, bool)}
        if name not in found:
            raise AttributeError(name)
        return found[name]


types = _Types()
torchvision = SimpleNamespace(__doc__="torchvision", __version__="0.0+minigrad")
