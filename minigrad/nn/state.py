"""state_dict: a Module's tensors by name, and loading them back, all or nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from minigrad.autograd.grad_mode import no_grad
from minigrad.errors import CheckpointError
from minigrad.nn.hooks import Hooks
from minigrad.tensor import Tensor

EXTRA = "_extra_state"  # the key under which a state_dict holds what get_extra_state says


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """What load_state_dict returns."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    __str__ = __repr__


class Plan(OrderedDict[str, Any]):
    """A state_dict while it is being loaded: which tensor is to receive which value."""

    def __init__(self, state_dict: Mapping[str, Any]) -> None:
        super().__init__(state_dict)
        self.copies: list[tuple[Any, str, Tensor, Tensor]] = []  # dict of the owner, name in it, target, value
        self.extras: list[tuple[Any, Any]] = []  # modules and what they have said in get_extra_state


def own_state(module: Any, destination: Any, prefix: str, keep_vars: bool) -> None:
    """Put a module's own tensors (not its children's) into `destination`."""
    for name, p in module._parameters.items():
        if p is not None:
            destination[prefix + name] = p if keep_vars else p.detach()
    for name, b in module._buffers.items():
        if b is not None and name not in module._non_persistent_buffers_set:
            destination[prefix + name] = b if keep_vars else b.detach()
    if type(module).get_extra_state is not Stateful.get_extra_state:
        destination[prefix + EXTRA] = module.get_extra_state()


def load_own(
    module: Any,
    plan: Plan,
    prefix: str,
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Plan what a module's own tensors receive, and note what does not fit."""
    buffers = {k: v for k, v in module._buffers.items() if k not in module._non_persistent_buffers_set}
    for owner, entries in ((module._parameters, module._parameters), (module._buffers, buffers)):
        for name, target in entries.items():
            if target is None:
                continue
            key = prefix + name
            if key not in plan:
                if strict:
                    missing.append(key)
                continue
            value = plan[key]
            if not isinstance(value, Tensor):
                errors.append(
                    f'While copying the parameter named "{key}", expected Tensor or Tensor-like object from checkpoint '
                    f"but received {type(value)}"
                )
                continue
            if not target.array.ndim and value.array.shape == (1,):
                value = value[0]  # what very old checkpoints hold for a scalar
            if value.array.shape != target.array.shape:
                errors.append(
                    f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
                    f"the shape in current model is {target.shape}."
                )
                continue
            plan.copies.append((owner, name, target, value))
    takes_more = type(module).set_extra_state is not Stateful.set_extra_state
    if takes_more and prefix + EXTRA in plan:
        plan.extras.append((module, plan[prefix + EXTRA]))
    elif takes_more and strict:
        missing.append(prefix + EXTRA)
    if strict:
        known = {*module._parameters, *buffers, *([EXTRA] if takes_more else [])}
        for key in plan:
            if key.startswith(prefix):
                first, dot, _ = key[len(prefix) :].partition(".")
                if (first not in module._modules) if dot else (first not in known):
                    unexpected.append(key)


def load(module: Any, state_dict: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    """Copy a state_dict's values into a module's tensors.

    Raises:
        TypeError: if it is no mapping.
        CheckpointError: if a shape differs or, with `strict`, if names are missing or unknown; then nothing is loaded.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    plan = Plan(state_dict)
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []

    def visit(m: Any, prefix: str) -> None:
        for hook, with_module in list(m._hooks.load_pre.values()) if m._hooks else ():
            args: tuple[Any, ...] = (plan, prefix, {}, strict, missing, unexpected, errors)
            hook(m, *args) if with_module else hook(*args)
        m._load_from_state_dict(plan, prefix, {}, True, missing, unexpected, errors)
        for name, child in m._modules.items():
            if child is not None:
                visit(child, f"{prefix}{name}.")
        for hook, _ in list(m._hooks.load_post.values()) if m._hooks else ():
            hook(m, IncompatibleKeys(missing, unexpected))

    visit(module, "")
    if strict:
        if unexpected:
            errors.insert(0, "Unexpected key(s) in state_dict: {}. ".format(", ".join(f'"{k}"' for k in unexpected)))
        if missing:
            errors.insert(0, "Missing key(s) in state_dict: {}. ".format(", ".join(f'"{k}"' for k in missing)))
    if errors:
        raise CheckpointError(
            "Error(s) in loading state_dict for {}:\n\t{}".format(type(module).__name__, "\n\t".join(errors))
        )
    with no_grad():
        for owner, name, target, value in plan.copies:
            if assign:
                owner[name] = type(target)(value.detach(), target.tracked) if target.is_parameter else value
            else:
                target.copy_(value)
    for owner, state in plan.extras:
        owner.set_extra_state(state)
    return IncompatibleKeys(missing, unexpected)


class Stateful:
    """The part of Module that says and takes its state."""

    _hooks: Hooks | None
    _modules: dict[str, Any]

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> OrderedDict[str, Any]:
        """All parameters and persistent buffers by name, on their own memory."""
        if args:
            destination, prefix, keep_vars = (*args, prefix, keep_vars)[:3] if len(args) < 2 else (*args, keep_vars)[:3]
        destination = OrderedDict() if destination is None else destination
        for hook, _ in list(self._hooks.state_pre.values()) if self._hooks else ():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook, _ in list(self._hooks.state_post.values()) if self._hooks else ():
            hook(self, destination, prefix, {})
        return destination

    def get_extra_state(self) -> Any:
        """What else belongs to the state, and is no tensor. A subclass that says it also says set_extra_state."""
        raise RuntimeError("Reached a code path in Module.get_extra_state() that should never be called.")

    def set_extra_state(self, state: Any) -> None:
        """Take what get_extra_state has given."""
        raise RuntimeError("Reached a code path in Module.set_extra_state() that should never be called.")

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        own_state(self, destination, prefix, keep_vars)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing: Any,
        unexpected: Any,
        errors: Any,
    ) -> None:
        load_own(self, state_dict, prefix, strict, missing, unexpected, errors)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy values into the parameters and buffers of the same names.

        Raises:
            CheckpointError: if a shape differs or, with `strict`, names are missing or unknown; then nothing is loaded.
        """
        return load(self, state_dict, strict, assign)
