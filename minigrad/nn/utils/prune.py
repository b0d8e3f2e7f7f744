"""Pruning: parameters of which some elements are held at 0 by a mask.

A pruned parameter `weight` becomes `weight_orig`; the mask is the buffer `weight_mask`, and `weight` is their product, made
anew before every forward. `remove` makes it permanent.
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from minigrad.autograd.grad_mode import no_grad
from minigrad.creation import ones_like, rand, rand_like, zeros_like
from minigrad.nn.module import Module
from minigrad.nn.utils.convert import parameters_to_vector
from minigrad.ops.extreme import norm
from minigrad.ops.order import kthvalue, topk
from minigrad.tensor import Tensor


class BasePruningMethod(ABC):
    """What a way of pruning says: `compute_mask`, and as PRUNING_TYPE whether it looks at elements, slices or all parameters.

    Its instances are forward pre-hooks, and stand among those of the pruned module.
    """

    _tensor_name: str
    PRUNING_TYPE: str

    def __call__(self, module: Module, inputs: Any) -> None:
        object.__setattr__(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for elements of these importances: 0 where `default_mask` is 0, and in some places more."""

    def apply_mask(self, module: Any) -> Tensor:
        """The original times the mask."""
        if not hasattr(self, "_tensor_name"):
            raise AssertionError(f"Module {module} has to be pruned")
        orig = getattr(module, self._tensor_name + "_orig")
        return getattr(module, self._tensor_name + "_mask").to(orig.dtype) * orig

    @classmethod
    def apply(cls, module: Any, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any) -> Any:
        """Prune a parameter of a module this way; on top of the ways in which it is pruned already."""
        older = [hook for hook in _hooks(module) if hook._tensor_name == name]
        if len(older) > 1:
            raise AssertionError(f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}.")
        method = cls(*args, **kwargs)
        method._tensor_name = name
        if older:
            _unhook(module, older[0])
            container = older[0] if isinstance(older[0], PruningContainer) else PruningContainer(older[0])
            container._tensor_name = name
            container.add_pruning_method(method)
            method = container
            default = getattr(module, name + "_mask").detach().clone()
        else:
            default = ones_like(getattr(module, name))
        orig = getattr(module, name)  # pruned so far: what is gone counts as 0
        scores = orig if importance_scores is None else importance_scores
        if scores.array.shape != orig.array.shape:
            raise AssertionError(f"importance_scores should have the same shape as parameter {name} of {module}")
        if not older:
            del module._parameters[name]
            module.register_parameter(name + "_orig", orig)
        with no_grad():
            mask = method.compute_mask(scores.detach(), default_mask=default)
        if name + "_mask" in module._buffers:
            module._buffers[name + "_mask"] = mask
        else:
            module.register_buffer(name + "_mask", mask)
        object.__setattr__(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Any = None, importance_scores: Any = None) -> Tensor:
        """A tensor with the elements at 0 that this way of pruning chooses."""
        scores = t if importance_scores is None else importance_scores
        if scores.array.shape != t.array.shape:
            raise AssertionError("importance_scores should have the same shape as tensor t")
        default = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=default)

    def remove(self, module: Any) -> None:
        """Make the pruned value the parameter, which is the same object as before, and forget the mask."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        orig = module._parameters.pop(name + "_orig")
        orig.data = weight.data
        del module._buffers[name + "_mask"]
        module.__dict__.pop(name, None)
        module.register_parameter(name, orig)


def _hooks(module: Any) -> list[Any]:
    """The pruning methods among a module's hooks."""
    found = module._hooks.forward_pre.values() if module._hooks is not None else ()
    return [hook for hook, _ in found if isinstance(hook, BasePruningMethod)]


def _unhook(module: Any, method: Any) -> None:
    """Take a method out of a module's hooks."""
    table = module._hooks.forward_pre
    for key in [key for key, (hook, _) in table.items() if hook is method]:
        del table[key]


class PruningContainer(BasePruningMethod):
    """Several ways of pruning one parameter, one after another: each prunes what the others have left."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[Any, ...] = ()
        methods = tuple(args[0]) if len(args) == 1 and isinstance(args[0], Iterable) else args
        if methods:
            self._tensor_name = methods[0]._tensor_name
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Add a way of pruning the same parameter."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._pruning_methods)

    def __getitem__(self, i: Any) -> Any:
        return self._pruning_methods[i]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The last method's mask of what is left: elements for unstructured ways, whole slices for structured ones."""
        mask, method = default_mask, self._pruning_methods[-1]
        left: Any
        if method.PRUNING_TYPE == "unstructured":
            left = mask == 1
        elif method.PRUNING_TYPE == "structured":
            dim = method.dim % t.array.ndim
            others = tuple(i for i in range(t.array.ndim) if i != dim)
            keep = mask.sum(others) != 0
            left = tuple([slice(None)] * dim + [keep])
        elif method.PRUNING_TYPE == "global":
            left = tuple([slice(None)] * t.array.ndim)
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
        mask = mask.clone()
        mask[left] = method.compute_mask(t[left], default_mask=mask[left]).to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing, but makes a parameter a pruned one, with a mask of ones."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The old mask."""
        return default_mask


class _Amount(BasePruningMethod):
    """A way that prunes a number, or a share, of the elements."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float) -> None:
        _check_amount(amount)
        self.amount = amount


class RandomUnstructured(_Amount):
    """Prunes elements at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros where the largest of random numbers stand."""
        return _without(default_mask, rand_like(t), _count(self.amount, t.array.size), True)


class L1Unstructured(_Amount):
    """Prunes the elements of the smallest absolute value."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros at the smallest elements."""
        return _without(default_mask, t.abs(), _count(self.amount, t.array.size), False)


class _Slices(BasePruningMethod):
    """A way that prunes whole slices of a dimension."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount, self.dim = amount, dim

    def _slices(self, t: Tensor) -> tuple[int, int]:
        """How many slices there are, and how many go."""
        ndim = t.array.ndim
        if ndim <= 1:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. "
                f"Found tensor of shape {t.shape} with {ndim} dims"
            )
        if not -ndim <= self.dim < ndim:
            raise IndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        count = t.array.shape[self.dim]
        return count, _count(self.amount, count)

    def _mask(self, t: Tensor, keep: Any) -> Tensor:
        mask = zeros_like(t)
        place: list[Any] = [slice(None)] * t.array.ndim
        place[self.dim] = keep
        mask[tuple(place)] = 1
        return mask


class RandomStructured(_Slices):
    """Prunes slices at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros in the slices for which the smallest random numbers were drawn."""
        count, gone = self._slices(t)
        if not gone:
            return default_mask
        chance = rand(count)
        keep = chance > kthvalue(chance, gone).values
        return default_mask * self._mask(t, keep.to(t.device)).to(default_mask.dtype)


class LnStructured(_Slices):
    """Prunes the slices of the smallest norm."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Zeros in the slices of the smallest norm."""
        count, gone = self._slices(t)
        if not gone:
            return default_mask
        dim = self.dim % t.array.ndim
        rows = t.movedim(dim, 0).flatten(1)
        lengths = norm(rows, self.n, 1) if self.n not in ("fro", "nuc") else _matrix_norms(t, self.n, dim)
        return default_mask * self._mask(t, topk(lengths, count - gone).indices).to(default_mask.dtype)


def _matrix_norms(t: Tensor, n: str, dim: int) -> Tensor:
    rows = t.movedim(dim, 0)
    return norm(rows, n, tuple(range(1, rows.array.ndim)))


class CustomFromMask(BasePruningMethod):
    """Prunes where a given mask is 0."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The old mask times the new one."""
        return default_mask * self.mask.to(default_mask.dtype)


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if (isinstance(amount, numbers.Integral) and amount < 0) or (
        not isinstance(amount, numbers.Integral) and not 0.0 <= float(amount) <= 1.0
    ):
        raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")


def _count(amount: Any, size: int) -> int:
    """A number, or a share of `size`, as a number.

    Raises:
        ValueError: if it is more than there are.
    """
    count = int(amount) if isinstance(amount, numbers.Integral) else round(amount * size)
    if count > size:
        raise ValueError(f"amount={amount} should be smaller than the number of parameters to prune={size}")
    return count


def _without(default_mask: Tensor, scores: Tensor, count: int, largest: bool) -> Tensor:
    """A mask with zeros where the `count` largest (or smallest) scores are."""
    mask = default_mask.clone().contiguous()
    if count:
        mask.view(-1)[topk(scores.reshape(-1), count, largest=largest).indices] = 0
    return mask


# ---------------------------------------------------------------------- what users call


def identity(module: Any, name: str) -> Any:
    """Make a parameter a pruned one of which nothing is pruned yet."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Any, name: str, amount: float) -> Any:
    """Prune elements at random: `amount` is their number, or their share if it is a float."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Any, name: str, amount: float, importance_scores: Any = None) -> Any:
    """Prune the elements of the smallest absolute value, or of the smallest of other scores."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Any, name: str, amount: float, dim: int) -> Any:
    """Prune slices of a dimension at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: Any, name: str, amount: float, n: Any, dim: int, importance_scores: Any = None) -> Any:
    """Prune the slices of a dimension with the smallest norm of order n."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Any, name: str, mask: Tensor) -> Any:
    """Prune where a mask is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Any, pruning_method: Any, importance_scores: dict[tuple[Any, str], Tensor] | None = None, **kwargs: Any
) -> None:
    """Prune several parameters, given as pairs (module, name), as if they were one."""
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    pairs = list(parameters)
    given = {} if importance_scores is None else importance_scores
    if not isinstance(given, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    scores = parameters_to_vector([given.get((m, name), getattr(m, name)) for m, name in pairs]).detach()
    old = parameters_to_vector([getattr(m, name + "_mask", ones_like(getattr(m, name))) for m, name in pairs])
    container = PruningContainer()
    container._tensor_name = "temp"
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    container.add_pruning_method(method)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method} '
            f"of type {method.PRUNING_TYPE}"
        )
    with no_grad():
        mask = container.compute_mask(scores, old.detach())
    start = 0
    for module, name in pairs:
        part = getattr(module, name)
        custom_from_mask(module, name, mask[start : start + part.array.size].view(part.array.shape))
        start += part.array.size


def remove(module: Any, name: str) -> Any:
    """Make the pruned value permanent: `name` is a parameter again.

    Raises:
        ValueError: if it is not pruned.
    """
    for method in _hooks(module):
        if method._tensor_name == name:
            method.remove(module)
            _unhook(module, method)
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module: Any) -> bool:
    """Whether a parameter of the module, or of a module below it, is pruned."""
    return any(_hooks(m) for m in module.modules())
