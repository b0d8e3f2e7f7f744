"""Module: a tree of parameters, buffers and other modules, with a call at its top."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from minigrad import dtypes
from minigrad.autograd.grad_mode import no_grad
from minigrad.creation import empty_like
from minigrad.device import device as Device
from minigrad.nn import hooks as hooking
from minigrad.nn.hooks import Hooked
from minigrad.nn.parameter import Buffer
from minigrad.nn.state import Stateful
from minigrad.tensor import Tensor

T = TypeVar("T", bound="Module")


class Module(Hooked, Stateful):
    """The base class of all layers and networks.

    A subclass calls `super().__init__()`, assigns Parameters and Modules as attributes and says `forward`; calling the
    module calls `forward`, with hooks if there are any.
    """

    training: bool
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            given = f"{len(args) + 1} were given" if args else f"got unexpected keyword argument {next(iter(kwargs))!r}"
            raise TypeError(f"{type(self).__name__}.__init__() takes 1 positional argument but {given}")
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Every subclass says its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return hooking.call(self, args, kwargs)

    # ------------------------------------------------------------------ attributes

    def __getattr__(self, name: str) -> Any:
        mine = self.__dict__
        found = mine.get("_parameters")
        if found is not None:
            if name in found:
                return found[name]
            found = mine["_modules"]
            if name in found:
                return found[name]
            found = mine["_buffers"]
            if name in found:
                return found[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        mine = self.__dict__
        tensor = isinstance(value, Tensor)
        if tensor and value.is_parameter:
            _before_init(mine, "parameters")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            _before_init(mine, "module")
            self._forget(name, "_modules")
            mine["_modules"][name] = value
        elif name in mine.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_kind(value)}' as parameter '{name}' (minigrad.nn.Parameter or None expected)"
                )
            mine["_parameters"][name] = None
        elif name in mine.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_kind(value)}' as child module '{name}' (minigrad.nn.Module or None expected)"
                )
            mine["_modules"][name] = None
        elif name in mine.get("_buffers", ()):
            if value is not None and not tensor:
                raise TypeError(
                    f"cannot assign '{_kind(value)}' as buffer '{name}' (minigrad.nn.Buffer, minigrad.Tensor or None expected)"
                )
            mine["_buffers"][name] = value
        elif tensor and isinstance(value, Buffer):
            _before_init(mine, "buffer")
            self._forget(name, "_buffers")
            self.register_buffer(name, value, value.persistent)
        else:
            object.__setattr__(self, name, value)

    def _forget(self, name: str, kept: str) -> None:
        """A name is of one kind: take it away from the others. In its own table it keeps its place in the order."""
        mine = self.__dict__
        mine.pop(name, None)
        for table in ("_parameters", "_buffers", "_modules"):
            if table != kept:
                mine[table].pop(name, None)
        if kept != "_buffers":
            mine["_non_persistent_buffers_set"].discard(name)

    def __delattr__(self, name: str) -> None:
        for place in (self._parameters, self._modules, self._buffers):
            if name in place:
                del place[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = [*object.__dir__(self), *self._parameters, *self._modules, *self._buffers]
        return sorted({name for name in names if not name[0].isdigit()})

    def register_parameter(self, name: str, param: Any) -> None:
        """Add a Parameter, or None to keep its place."""
        _before_init(self.__dict__, "parameter")
        self._check_name("parameter", name, self._parameters)
        if param is not None and not (isinstance(param, Tensor) and param.is_parameter):
            raise TypeError(
                f"cannot assign '{_kind(param)}' object to parameter '{name}' (minigrad.nn.Parameter or None required)"
            )
        if param is not None and param.node is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. "
                f"To express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a tensor that is state but no parameter; state_dict leaves it out unless it is `persistent`."""
        _before_init(self.__dict__, "buffer")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_kind(tensor)}' object to buffer '{name}' (minigrad.Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_kind(module)} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, what: str, name: Any, known: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {_kind(name)}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in known:
            raise KeyError(f"attribute '{name}' already exists")

    # ------------------------------------------------------------------ the tree

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module, its children and theirs, each once, with their names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module, its children and theirs."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The children, with their names."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        """The children."""
        for _, child in self.named_children():
            yield child

    def _named(self, table: str, prefix: str, recurse: bool, once: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for path, module in self.named_modules(prefix=prefix, remove_duplicate=once) if recurse else [(prefix, self)]:
            for name, v in getattr(module, table).items():
                if v is None or id(v) in seen:
                    continue
                if once:
                    seen.add(id(v))
                yield f"{path}.{name}" if path else name, v

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """All parameters, each once, with their names."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        """All parameters, each once."""
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """All buffers, each once, with their names."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Any]:
        """All buffers, each once."""
        for _, b in self.named_buffers(recurse=recurse):
            yield b

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path."""
        module: Any = self
        for item in target.split(".") if target else []:
            if not hasattr(module, item):
                raise AttributeError(f"{type(module).__name__} has no attribute `{item}`")
            module = getattr(module, item)
            if not isinstance(module, Module):
                raise AttributeError(f"`{item}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module) -> None:
        """Put a module at a dotted path."""
        path, _, name = target.rpartition(".")
        setattr(self.get_submodule(path), name, module)

    def get_parameter(self, target: str) -> Any:
        """The parameter at a dotted path."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in module._parameters:
            raise AttributeError(f"`{name}` is not an nn.Parameter of {type(module).__name__}")
        return module._parameters[name]

    def get_buffer(self, target: str) -> Any:
        """The buffer at a dotted path."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer of {type(module).__name__}")
        return module._buffers[name]

    def apply(self: T, fn: Callable[[Module], Any]) -> T:
        """Call fn on every module, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # ------------------------------------------------------------------ modes

    def train(self: T, mode: bool = True) -> T:
        """Training (dropout drops, batch norm moves its statistics), or not."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self: T) -> T:
        """train(False)"""
        return self.train(False)

    def requires_grad_(self: T, requires_grad: bool = True) -> T:
        """Ask for the parameters' gradients, or no longer."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients."""
        for p in self.parameters():
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad = p.grad.detach()
                p.grad.zero_()

    # ------------------------------------------------------------------ moving and casting

    def _apply(self: T, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> T:
        for module in self.modules() if recurse else [self]:
            with no_grad():
                for p in module._parameters.values():
                    if p is not None:
                        p.array = fn(p.data).array
                        if p.grad is not None:
                            p.grad = fn(p.grad)
                for name, b in module._buffers.items():
                    if b is not None:
                        module._buffers[name] = fn(b)
        return self

    def to(self: T, *args: Any, **options: Any) -> T:
        """Move everything to a device, and cast what is floating to a dtype: to(device), to(dtype), to(tensor)."""
        where, kind = options.get("device"), options.get("dtype")
        for arg in args:
            if isinstance(arg, Tensor):
                where, kind = arg.device, arg.dtype
            elif isinstance(arg, (str, Device, int)) and not isinstance(arg, bool):
                where = arg
            elif isinstance(arg, dtypes.dtype):
                kind = arg
        if str(where) == "meta":  # a module without data, in PyTorch; here it keeps them
            where = None
        if kind is not None and not (kind.is_floating_point or kind.is_complex):
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={kind}")
        return self._apply(lambda t: t.to(device=where, dtype=kind if t.is_floating_point() else None))

    def cpu(self: T) -> T:
        """Move everything to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self: T, device: Any = None) -> T:
        """Move everything to the GPU."""
        return self._apply(lambda t: t.cuda(device))

    def to_empty(self: T, *, device: Any, recurse: bool = True) -> T:
        """Move everything to a device, without its values."""
        return self._apply(lambda t: empty_like(t, device=device), recurse)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted for PyTorch's scripts: there is nothing to compile here."""

    def share_memory(self: T) -> T:
        """Tensors can be handed to other processes as they are."""
        return self

    def type(self: T, dst_type: Any) -> T:
        """Cast everything."""
        return self._apply(lambda t: t.to(dtype=dst_type))

    def float(self: T) -> T:
        """Cast what is floating to float32."""
        return self.to(dtypes.float32)

    def double(self: T) -> T:
        """Cast what is floating to float64."""
        return self.to(dtypes.float64)

    def half(self: T) -> T:
        """Cast what is floating to float16."""
        return self.to(dtypes.float16)

    def bfloat16(self: T) -> T:
        """Cast what is floating to bfloat16."""
        return self.to(dtypes.bfloat16())

    # ------------------------------------------------------------------ repr

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of the repr."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        body = [*lines, *children]
        return f"{self._get_name()}(" + ("\n  " + "\n  ".join(body) + "\n" if body else "") + ")"


def _before_init(mine: dict[str, Any], what: str) -> None:
    if "_parameters" not in mine:
        raise AttributeError(f"cannot assign {what} before Module.__init__() call")


def _kind(value: Any) -> str:
    cls = type(value)
    return f"{cls.__module__}.{cls.__qualname__}" if cls.__module__ != "builtins" else cls.__qualname__
