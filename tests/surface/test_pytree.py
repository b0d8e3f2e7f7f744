"""Trees of values: PyTorch's own functions are the judge."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest
import torch.utils._pytree as theirs

import minigrad.utils.pytree as ours

Pair = namedtuple("Pair", "x y")
TREES: dict[str, Any] = {
    "leaf": 3,
    "nothing": None,
    "empty": [],
    "list": [1, [2, (3,)], "a"],
    "dictionaries": {"b": 1, "a": [2, {"c": 3}], "d": OrderedDict(z=4, y=5)},
    "named": Pair(1, [Pair(2, 3)]),
    "default": defaultdict(list, k=[1], j=2),
}


def is_pair(v: Any) -> bool:
    return isinstance(v, list) and len(v) == 2


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_trees(tree: Any) -> None:
    leaves, spec = ours.tree_flatten(tree)
    assert leaves == theirs.tree_leaves(tree) == ours.tree_leaves(tree)
    assert spec.num_leaves == len(leaves) and spec == ours.tree_structure(tree)
    again = ours.tree_unflatten(leaves, spec)
    assert again == tree and type(again) is type(tree)
    for lib in (ours, theirs):
        assert lib.tree_map(repr, tree) == theirs.tree_map(repr, tree)
        assert lib.tree_map(lambda a, b: (a, b), tree, tree) == theirs.tree_map(lambda a, b: (a, b), tree, tree)
        assert lib.tree_map_only(int, lambda v: v + 1, tree) == theirs.tree_map_only(int, lambda v: v + 1, tree)
        assert lib.tree_leaves(tree, is_leaf=is_pair) == theirs.tree_leaves(tree, is_leaf=is_pair)
        assert lib.tree_any(is_pair, tree) is theirs.tree_any(is_pair, tree)
        assert lib.tree_all(lambda v: v is None, tree) is theirs.tree_all(lambda v: v is None, tree)


@pytest.mark.parametrize("lib", [ours, theirs])
def test_trees_that_do_not_fit(lib: Any) -> None:
    assert lib.tree_map(lambda a, b: a - b, {"x": 3, "y": 2}, {"y": 1, "x": 1}) == {"x": 2, "y": 1}
    with pytest.raises(ValueError, match="mismatch"):
        lib.tree_map(lambda a, b: a, [1, 2], (1, 2))
    with pytest.raises(ValueError, match="length 3"):
        lib.tree_unflatten([1, 2, 3], lib.tree_flatten([1, 2])[1])


def test_a_walk_for_what_it_does() -> None:
    seen: list[int] = []
    tree = {"a": [1, 2]}
    assert ours.tree_map_(seen.append, tree) is tree and seen == [1, 2]
    assert ours.tree_structure(1).is_leaf() and not ours.tree_structure([]).is_leaf()
