"""What registering hooks leaves behind: handles to remove them by, and the hook that retains a gradient."""

from __future__ import annotations

from itertools import count
from typing import Any
from weakref import ref

from minigrad.autograd.graph import Variable


class RemovableHandle:
    """What registering a hook returns: `remove()` takes it away again."""

    __slots__ = ("hooks", "key")
    next_key = count().__next__  # no key is used twice: a second remove() must not hit another hook

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self.hooks = hooks
        self.key = RemovableHandle.next_key()
        hooks[self.key] = hook

    def remove(self) -> None:
        """Take the hook away."""
        self.hooks.pop(self.key, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class GradKeeper:
    """The hook of retain_grad(): it does not keep its tensor alive."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Variable) -> None:
        self.tensor = ref(tensor)

    def __call__(self, g: Any) -> None:
        kept = self.tensor()
        if kept is not None:
            kept.grad = g if kept.grad is None else kept.grad + g
