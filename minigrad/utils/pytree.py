"""Trees of values: dictionaries, lists and tuples in one another, taken apart into their leaves and put together again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from minigrad.errors import ShapeError

BRANCHES = (dict, OrderedDict, defaultdict, list, tuple)


class TreeSpec(NamedTuple):
    """How a tree is put together: a leaf has no kind; children stand in the order of their leaves."""

    kind: Any  # a class of BRANCHES, a named tuple's class, or None
    context: Any  # a dictionary's keys, a defaultdict's factory with them
    children: tuple[TreeSpec, ...]

    @property
    def num_leaves(self) -> int:
        """How many leaves the tree has."""
        return 1 if self.kind is None else sum(child.num_leaves for child in self.children)

    def is_leaf(self) -> bool:
        """Whether the tree is a single leaf."""
        return self.kind is None


LEAF = TreeSpec(None, None, ())


def _parts(tree: Any) -> tuple[Any, Any, list[Any]] | None:
    """A branch's class, what it is made with, and its children; None for a leaf."""
    kind = type(tree)
    if kind in (dict, OrderedDict):
        return kind, list(tree), list(tree.values())
    if kind is defaultdict:
        return kind, (tree.default_factory, list(tree)), list(tree.values())
    if kind in (list, tuple) or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        return kind, None, list(tree)
    return None


def _joined(spec: TreeSpec, children: list[Any]) -> Any:
    if spec.kind in (dict, OrderedDict):
        return spec.kind(zip(spec.context, children, strict=True))
    if spec.kind is defaultdict:
        return defaultdict(spec.context[0], zip(spec.context[1], children, strict=True))
    return spec.kind(*children) if hasattr(spec.kind, "_fields") else spec.kind(children)


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, and how it is put together. `is_leaf` says where to stop earlier."""
    parts = None if is_leaf is not None and is_leaf(tree) else _parts(tree)
    if parts is None:
        return [tree], LEAF
    leaves: list[Any] = []
    specs = []
    for child in parts[2]:
        found, spec = tree_flatten(child, is_leaf)
        leaves += found
        specs.append(spec)
    return leaves, TreeSpec(parts[0], parts[1], tuple(specs))


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The tree with these leaves.

    Raises:
        ShapeError: if it has another number of leaves.
    """
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ShapeError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec refers to a pytree that "
            f"holds {treespec.num_leaves} items ({treespec})."
        )
    return _built(iter(leaves), treespec)


def _built(leaves: Iterator[Any], spec: TreeSpec) -> Any:
    if spec.kind is None:
        return next(leaves)
    return _joined(spec, [_built(leaves, child) for child in spec.children])


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves of a tree."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """How a tree is put together."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """A tree with the function's results for leaves; further trees give it further arguments."""
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [leaves_up_to(spec, rest) for rest in rests]
    return tree_unflatten([func(*args) for args in zip(leaves, *others, strict=True)], spec)


def leaves_up_to(spec: TreeSpec, tree: Any) -> list[Any]:
    """What stands in a tree where another has its leaves.

    Raises:
        ShapeError: if a branch is of another class or length there.
    """
    if spec.kind is None:
        return [tree]
    parts = _parts(tree)
    if parts is None or parts[0] is not spec.kind or len(parts[2]) != len(spec.children):
        raise ShapeError(f"Node type mismatch: expected {spec.kind} of {len(spec.children)}, but got {type(tree)}")
    if spec.kind in (dict, OrderedDict):
        parts = (*parts[:2], [tree[key] for key in spec.context])
    return [leaf for child, part in zip(spec.children, parts[2], strict=True) for leaf in leaves_up_to(child, part)]


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any) -> Any:
    """Call a function on every leaf, for what it does; the tree itself."""
    tree_map(func, tree, *rests)
    return tree


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any) -> Any:
    """tree_map for the leaves of a class, or of several; the others stay."""
    return tree_map(lambda leaf: func(leaf) if isinstance(leaf, kind) else leaf, tree)


def tree_all(pred: Callable[[Any], bool], tree: Any) -> bool:
    """Whether something is true of every leaf."""
    return all(map(pred, tree_leaves(tree)))


def tree_any(pred: Callable[[Any], bool], tree: Any) -> bool:
    """Whether something is true of a leaf."""
    return any(map(pred, tree_leaves(tree)))
