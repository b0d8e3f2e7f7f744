"""What all optimisers have in common: parameter groups, state, and the step's frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from minigrad.autograd.grad_mode import enable_grad, no_grad
from minigrad.autograd.graph import Clock, stamp, user_line
from minigrad.errors import CheckpointError
from minigrad.handles import RemovableHandle
from minigrad.quiet import restore, silence
from minigrad.registry import backend_of
from minigrad.tensor import Tensor


class _Required:
    """The default of an option that every group must name itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


class Optimizer:
    """Holds groups of parameters with their options, and per parameter its state.

    A subclass gives the defaults to this constructor and says `update(group, params, grads)`.

    Raises:
        TypeError: if the parameters are a tensor, or one of them is none.
        ValueError: if the list is empty, a parameter is no leaf, or one stands in two groups.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor"
            )
        self.defaults = defaults
        self.state: dict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._pre: dict[int, Any] = {}
        self._post: dict[int, Any] = {}
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, with options of their own where the group names them."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        given = param_group["params"]
        if isinstance(given, Tensor):
            given = [given]
        elif isinstance(given, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        params, names = [], []
        for p in given:
            named = isinstance(p, tuple)
            if named:
                names.append(p[0])
            params.append(p[1] if named else p)
        if names and len(names) != len(params):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if p.node is not None:
                raise ValueError("can't optimize a non-leaf Tensor")
        group = {**param_group, "params": params}
        if names:
            group["param_names"] = names
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            group.setdefault(name, default)
        if len(params) != len(set(params)):
            raise ValueError("some parameters appear more than once in one parameter group")
        known = {p for g in self.param_groups for p in g["params"]}
        if not known.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = p.grad.detach()
                    p.grad.zero_()

    # ------------------------------------------------------------------ the step

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; with a closure, compute the loss first and return it."""
        for hook in list(self._pre.values()):
            hook(self, (), {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            token = silence()
            try:
                for group in self.param_groups:
                    params = [p for p in group["params"] if p.grad is not None]
                    if params:
                        self.update(group, params)
                        wrote(params, type(self).__name__)
            finally:
                restore(token)
        for hook in list(self._post.values()):
            hook(self, (), {})
        return loss

    def update(self, group: dict[str, Any], params: list[Any]) -> None:
        """Move one group's parameters, all of which have gradients."""
        raise NotImplementedError

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """hook(optimizer, args, kwargs) runs before every step."""
        return RemovableHandle(self._pre, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """hook(optimizer, args, kwargs) runs after every step."""
        return RemovableHandle(self._post, hook)

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """The state by the parameters' numbers, and the groups with numbers for parameters."""
        numbers: dict[Any, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {k: v for k, v in group.items() if k != "params"}
            for p in group["params"]:
                numbers.setdefault(p, len(numbers))
            packed["params"] = [numbers[p] for p in group["params"]]
            groups.append(packed)
        state = {numbers.get(k, k) if isinstance(k, Tensor) else k: v for k, v in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what another optimiser's state_dict() said.

        Raises:
            CheckpointError: if the groups do not match; then nothing is loaded.
        """
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise CheckpointError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(saved, self.param_groups, strict=True)):
            raise CheckpointError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        by_number: dict[Any, Any] = {}
        for old, group in zip(saved, self.param_groups, strict=True):
            by_number.update(zip(old["params"], group["params"], strict=True))
        state: dict[Any, dict[str, Any]] = defaultdict(dict)
        for k, v in state_dict["state"].items():
            p = by_number.get(k)
            state[k if p is None else p] = v if p is None else {name: _like(p, name, x) for name, x in v.items()}
        self.state = state
        self.param_groups = [
            {**{k: deepcopy(v) for k, v in old.items() if k != "params"}, "params": group["params"]}
            for old, group in zip(saved, self.param_groups, strict=True)
        ]
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._pre, self._post = {}, {}

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines.extend(f"    {k}: {group[k]}" for k in sorted(group) if k != "params")
        return "\n".join(lines) + "\n)"


def _like(p: Tensor, name: str, value: Any) -> Any:
    """A copy of loaded state on the parameter's device and of its type; the step count stays as it is."""
    if not isinstance(value, Tensor):
        return deepcopy(value)
    if name == "step":
        return value.clone()
    moved = value.to(device=p.device, dtype=p.dtype if p.is_floating_point() else None)
    return moved.clone() if moved is value else moved


def wrote(params: Iterable[Any], name: str) -> None:
    """Tell the graph that a step has written these arrays: one look at the stack for all of them."""
    now = Clock.last_write = stamp()
    where = f"{name}.step() at {user_line()}"
    for p in params:
        memory = p.memory
        if memory is None:
            memory = p.shared_memory()
        memory.stamp = now
        memory.version += 1
        memory.where = where


def by_kind(params: list[Any], keys: list[Any] | None = None) -> Iterable[tuple[Any, Any, list[int]]]:
    """Parameters that one kernel call can take together: (backend, key, their places in `params`).

    Together are those of one array class and element type and, if `keys` are given, of one key.
    """
    kinds: dict[Any, list[int]] = {}
    for i, p in enumerate(params):
        array = p.array
        kinds.setdefault((array.__class__, array.dtype, None if keys is None else keys[i]), []).append(i)
    for (_, _, key), places in kinds.items():
        yield backend_of(params[places[0]].array), key, places


def grads_of(params: list[Any], places: list[int]) -> list[Any]:
    """Gradient arrays, contiguous, as kernels want them."""
    arrays = []
    for i in places:
        p = params[i]
        array = p.grad.array
        arrays.append(array if array.flags.c_contiguous else backend_of(array).xp.ascontiguousarray(array))
    return arrays


def non_negative(**options: Any) -> None:
    """PyTorch's check of options that are numbers from 0 up; `lr=...` is reported as "learning rate"."""
    names = {"lr": "learning rate", "eps": "epsilon value", "weight_decay": "weight_decay value"}
    for name, value in options.items():
        if not float(value) >= 0.0:
            raise ValueError(f"Invalid {names.get(name, name + ' value')}: {value}")


def betas_in_range(betas: tuple[float, float]) -> None:
    """Adam's decay rates are from [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


__all__ = ["Optimizer", "betas_in_range", "by_kind", "grads_of", "non_negative", "required", "wrote"]
