"""Parametrizations: a parameter that is computed from others, through modules, whenever it is asked for.

    register_parametrization(layer, "weight", Symmetric())
    layer.weight                                    Symmetric()(layer.parametrizations.weight.original)

What is trained, saved and moved is `original`. The module becomes an instance of a class of its own, on which the
name is a property; with the last parametrization it takes its old class again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from minigrad.autograd.grad_mode import no_grad
from minigrad.errors import DtypeError, ShapeError
from minigrad.nn.containers import ModuleDict, ModuleList
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

_kept: ContextVar[dict[tuple[int, str], Any] | None] = ContextVar("minigrad_parametrized", default=None)


@contextmanager
def cached() -> Iterator[None]:
    """Compute every parametrized tensor once within this block, however often it is asked for."""
    if _kept.get() is not None:  # an outer block keeps what this one finds
        yield
        return
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def _place(tensor: Tensor) -> Any:
    """What a module can register: a Parameter as it is or made, or a tensor for a buffer."""
    return tensor if tensor.is_parameter or not tensor.tracked else Parameter(tensor.detach())


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, one after another, and the tensor or tensors that they start from.

    These are `original`, or `original0`, `original1`, ... if the last parametrization's right_inverse returns several.
    """

    def __init__(self, modules: Any, original: Tensor, unsafe: bool = False) -> None:
        modules = list(modules)
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, kind = original.array.shape, original.array.dtype
        with no_grad():
            start: Any = original
            for module in reversed(modules):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        start = module.right_inverse(start)
        if not isinstance(start, Tensor) and not isinstance(start, (tuple, list)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(start).__name__}"
            )
        self.is_tensor = isinstance(start, Tensor)
        self.ntensors = 1 if isinstance(start, Tensor) else len(start)
        if isinstance(start, Tensor):
            self._check_kind(original, start)
            with no_grad():
                original.data = start.data if start is not original else original.data
            self._register("original", original)
        else:
            for i, part in enumerate(start):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                        f"Got element {i} of the sequence with type {type(part).__name__}."
                    )
                wants = original.tracked and part.is_floating_point()
                self._register(f"original{i}", Parameter(part.detach()) if original.is_parameter and wants else part)
        if not unsafe:
            self._check_result(self(), shape, kind)

    def _register(self, name: str, tensor: Tensor) -> None:
        if tensor.is_parameter:
            self.register_parameter(name, tensor)
        else:
            self.register_buffer(name, tensor)

    def _check_kind(self, original: Tensor, start: Tensor) -> None:
        if start.array.dtype != original.array.dtype:
            raise DtypeError(
                "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {start.dtype}"
            )

    def _check_result(self, result: Any, shape: tuple[int, ...], kind: Any) -> None:
        what = "Registering a parametrization may not change the {} of the tensor, unless the `unsafe` flag is enabled."
        if not isinstance(result, Tensor):
            raise DtypeError(f"A parametrization must return a tensor. Got {type(result).__name__}.")
        if result.array.dtype != kind:
            raise DtypeError(
                what.format("dtype") + f"\nunparametrized dtype: {kind}\nparametrized dtype: {result.dtype}"
            )
        if result.array.shape != shape:
            raise ShapeError(
                what.format("shape")
                + f"\nunparametrized shape: {list(shape)}\nparametrized shape: {list(result.array.shape)}"
            )

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the result becomes `value`, as far as the parametrizations can say how.

        Raises:
            GraphError: if one of them has no right_inverse. DtypeError, ShapeError: if what it returns does not fit.
        """
        with no_grad():
            start: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse: nothing can be assigned to it"
                    )
                start = module.right_inverse(start)
            parts = [start] if self.is_tensor else list(start)
            if len(parts) != self.ntensors:
                raise ShapeError(f"'right_inverse' must return {self.ntensors} tensors. Got {len(parts)}.")
            names = ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]
            for name, part in zip(names, parts, strict=True):
                target = getattr(self, name)
                if part.array.dtype != target.array.dtype:
                    raise DtypeError(f"right_inverse gave {name} the dtype {part.dtype}, but it has {target.dtype}")
                target.data = part.clone() if part is value else part

    def forward(self) -> Any:
        """The parametrized tensor."""
        first, *others = self
        start = (
            (self.original,) if self.is_tensor else tuple(getattr(self, f"original{i}") for i in range(self.ntensors))
        )
        result = first(*start)
        for module in others:
            result = module(result)
        return result


def _look_up(name: str) -> property:
    """The property that stands in the parameter's place."""

    def get(self: Any) -> Any:
        kept = _kept.get()
        if kept is None:
            return self.parametrizations[name]()
        if (id(self), name) not in kept:
            kept[id(self), name] = self.parametrizations[name]()
        return kept[id(self), name]

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(get, put)


def _copied(self: Any, memo: dict[int, Any]) -> Any:
    replica = self.__class__.__new__(self.__class__)
    memo[id(self)] = replica
    replica.__dict__ = copy.deepcopy(self.__dict__, memo)
    cls = type(self)
    replica.__class__ = type(
        cls.__name__, cls.__bases__, dict(vars(cls))
    )  # its properties come and go apart from these
    return replica


def _no_state(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(): "
        "save that, and load it into a module with the same parametrizations."
    )


def register_parametrization(module: Any, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Any:
    """Compute a parameter or buffer through a module: `parametrization(original)` takes its place.

    A method `right_inverse(tensor)` says which original gives a value: it is called now, and at every assignment. With
    `unsafe`, shape and dtype may change. Several parametrizations of one tensor are applied in the order of registration.

    Raises:
        ValueError: if the module has no such parameter, buffer or parametrized tensor.
        DtypeError, ShapeError: if the result has another dtype or shape, unless `unsafe`.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        found: Any = module.parametrizations[tensor_name]
        if not unsafe:
            now = getattr(module, tensor_name)
            found._check_result(parametrization(now), now.array.shape, now.array.dtype)
            if hasattr(parametrization, "right_inverse"):
                back = parametrization.right_inverse(now)
                if not isinstance(back, Tensor):
                    raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
                found._check_result(back, now.array.shape, now.array.dtype)
        found.append(parametrization)
        found.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            cls = type(module)
            own = {"__getstate__": _no_state, "__module__": cls.__module__}
            if not hasattr(cls, "__deepcopy__"):
                own["__deepcopy__"] = _copied
            module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), own)
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _look_up(tensor_name))
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    return module


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Whether a module has parametrizations, or one of this name."""
    found = module.__dict__.get("_modules", {}).get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Any:
    """Make a parametrized tensor a parameter or buffer again: with its present value, or with the original's.

    Raises:
        ValueError: if it is not parametrized, or is parametrized by several tensors and should not be left as it is.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    found: Any = module.parametrizations[tensor_name]
    if found.is_tensor:
        original = found.original
        if leave_parametrized:
            with no_grad():
                now = getattr(module, tensor_name)
            original.data = now.clone() if now is original else now
    elif leave_parametrized:
        now = getattr(module, tensor_name)
        original = _place(now)
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if original.is_parameter:
        module.register_parameter(tensor_name, original)
    else:
        module.register_buffer(tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Any) -> type:
    """The class that a module had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Any, to_module: Any, tensor_name: str | None = None) -> Any:
    """Give a module the parametrizations of another, of the same kind, with their originals."""
    if is_parametrized(from_module):
        if type_before_parametrizations(from_module) is not type_before_parametrizations(to_module):
            raise TypeError("from_module and to_module must be of the same class, apart from parametrizations")
        names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
        for name in names:
            source: Any = from_module.parametrizations[name]
            if not hasattr(to_module, name):
                setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
            for parametrization in source:
                register_parametrization(to_module, name, parametrization, unsafe=True)
            target: Any = to_module.parametrizations[name]
            for key, tensor in [*source._parameters.items(), *source._buffers.items()]:
                target._register(key, tensor)
    return to_module
