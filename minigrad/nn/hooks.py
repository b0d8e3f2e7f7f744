"""Hooks of a Module: functions that see, and may replace, what goes in and out, forward and backward."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from minigrad.handles import RemovableHandle
from minigrad.ops.nn_tap import tap
from minigrad.tensor import Tensor


class Hooks:
    """The hooks of one module; each kind maps a key to (function, whether it wants keyword arguments)."""

    __slots__ = (
        "backward",
        "backward_pre",
        "forward",
        "forward_pre",
        "load_post",
        "load_pre",
        "state_post",
        "state_pre",
    )

    def __init__(self) -> None:
        self.load_pre: dict[int, Any] = {}
        self.load_post: dict[int, Any] = {}
        self.state_pre: dict[int, Any] = {}
        self.state_post: dict[int, Any] = {}
        self.forward_pre: dict[int, Any] = {}
        self.forward: dict[int, Any] = {}
        self.backward_pre: dict[int, Any] = {}
        self.backward: dict[int, Any] = {}


def register(hooks: dict[int, Any], hook: Callable[..., Any], with_kwargs: bool, prepend: bool) -> RemovableHandle:
    """Add a hook, behind the others or in front of them."""
    before = dict(hooks)
    handle = RemovableHandle(hooks, (hook, with_kwargs))
    if prepend:
        for key in before:
            hooks[key] = hooks.pop(key)
    return handle


class Hooked:
    """The part of Module that registers hooks."""

    _hooks: Hooks | None = None

    def _my_hooks(self) -> Hooks:
        found = self._hooks
        if found is None:
            found = self.__dict__["_hooks"] = Hooks()
        return found

    @property
    def _forward_pre_hooks(self) -> OrderedDict[int, Any]:
        """The hooks that run before forward, by key, to be looked at."""
        return (
            OrderedDict((k, hook) for k, (hook, _) in self._hooks.forward_pre.items()) if self._hooks else OrderedDict()
        )

    @property
    def _forward_hooks(self) -> OrderedDict[int, Any]:
        """The hooks that run after forward, by key, to be looked at."""
        return OrderedDict((k, hook) for k, (hook, _) in self._hooks.forward.items()) if self._hooks else OrderedDict()

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """hook(module, args) runs before forward and may return other arguments."""
        return register(self._my_hooks().forward_pre, hook, with_kwargs, prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """hook(module, args, output) runs after forward and may return another output."""
        return register(self._my_hooks().forward, hook, with_kwargs, prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """hook(module, grad_output) runs before the module's backward and may return another grad_output."""
        return register(self._my_hooks().backward_pre, hook, False, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """hook(module, grad_input, grad_output) runs when both are known and may return another grad_input."""
        return register(self._my_hooks().backward, hook, False, prepend)

    register_backward_hook = register_full_backward_hook

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors) runs before loading."""
        return register(self._my_hooks().load_pre, hook, True, False)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        """The same; the module is the first argument only if asked for."""
        return register(self._my_hooks().load_pre, hook, with_module, False)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """hook(module, incompatible_keys) runs after loading and may change the keys."""
        return register(self._my_hooks().load_post, hook, False, False)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """hook(module, prefix, keep_vars) runs before the module says its state."""
        return register(self._my_hooks().state_pre, hook, False, False)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """hook(module, state_dict, prefix, local_metadata) runs when the module has said its state."""
        return register(self._my_hooks().state_post, hook, False, False)


def call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """module.forward(*args, **kwargs) with the module's hooks around it."""
    hooks: Hooks = module._hooks
    for hook, with_kwargs in list(hooks.forward_pre.values()):
        if with_kwargs:
            changed = hook(module, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
        else:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    if not (hooks.backward or hooks.backward_pre):
        return _after(module, hooks, args, kwargs, module.forward(*args, **kwargs))
    watch = _Backward(module, hooks)
    args = watch.inputs(args)
    return watch.outputs(_after(module, hooks, args, kwargs, module.forward(*args, **kwargs)))


def _after(module: Any, hooks: Hooks, args: Any, kwargs: Any, result: Any) -> Any:
    for hook, with_kwargs in list(hooks.forward.values()):
        changed = hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
        if changed is not None:
            result = changed
    return result


class _Backward:
    """Catches the gradients of one call's outputs and, later in the same backward pass, of its inputs."""

    def __init__(self, module: Any, hooks: Hooks) -> None:
        self.module, self.hooks = module, hooks
        self.places: list[int] = []  # of the tensors among the inputs
        self.count = 0
        self.grad_output: tuple[Any, ...] = ()

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, the tensors among them tapped."""
        places = [i for i, v in enumerate(args) if isinstance(v, Tensor)]
        self.count = len(args)
        if not any(args[i].tracked for i in places):
            return args
        self.places = places
        tapped = list(args)
        for i, v in zip(places, tap(self._arrived, [args[i] for i in places]), strict=True):
            tapped[i] = v
        return tuple(tapped)

    def outputs(self, result: Any) -> Any:
        """The result, tapped."""
        single = isinstance(result, Tensor)
        items = [result] if single else list(result) if isinstance(result, (tuple, list)) else []
        places = [i for i, v in enumerate(items) if isinstance(v, Tensor)]
        if not any(items[i].tracked for i in places):
            return result
        for i, v in zip(places, tap(self._left, [items[i] for i in places]), strict=True):
            items[i] = v
        return items[0] if single else type(result)(items)

    def _left(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook, _ in list(self.hooks.backward_pre.values()):
            changed = hook(self.module, grads)
            if changed is not None:
                grads = changed if isinstance(changed, tuple) else (changed,)
        self.grad_output = grads
        if not self.places:  # no input wants a gradient, so this is the only moment
            self._run((None,) * self.count)
        return grads

    def _arrived(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        full: list[Any] = [None] * self.count
        for i, g in zip(self.places, grads, strict=True):
            full[i] = g
        replaced = self._run(tuple(full))
        return tuple(replaced[i] for i in self.places)

    def _run(self, grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook, _ in list(self.hooks.backward.values()):
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = changed if isinstance(changed, tuple) else (changed,)
        return grad_input
