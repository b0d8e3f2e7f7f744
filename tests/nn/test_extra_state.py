"""What a module says of its state beyond tensors, and hooks around it, beside PyTorch's."""

import pytest
import torch
from programs import agree

import minigrad
from minigrad.errors import CheckpointError


def counting(library):
    class Counting(library.nn.Module):
        def __init__(self, count):
            super().__init__()
            self.count = count
            self.weight = library.nn.Parameter(library.ones(2))

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    return Counting


def saved_and_loaded(library):
    kind = counting(library)
    model, other = library.nn.Sequential(kind(3)), library.nn.Sequential(kind(0))
    state = model.state_dict()
    found = other.load_state_dict(state)
    del state["0._extra_state"]
    loose = other.load_state_dict(state, strict=False)
    plain = library.nn.Sequential(library.nn.Module())
    unknown = plain.load_state_dict({"0._extra_state": 1}, strict=False)
    return (
        other[0].count,
        list(model.state_dict()),
        list(found.missing_keys),
        list(loose.missing_keys),
        list(unknown.unexpected_keys),
    )


def hooked(library):
    seen = []
    layer = library.nn.Linear(2, 1)
    handle = layer.register_state_dict_pre_hook(
        lambda module, prefix, keep: seen.append((module is layer, prefix, keep))
    )
    library.nn.Sequential(layer).state_dict()
    handle.remove()
    layer.state_dict()
    return seen


def emptied(library):
    layer = library.nn.Linear(2, 3)
    weight = layer.weight
    layer.to_empty(device="cpu")
    return tuple(layer.weight.shape), layer.weight.requires_grad, len(list(layer.parameters())), layer.weight is weight


@pytest.mark.parametrize("program", [saved_and_loaded, hooked, emptied], ids=lambda f: f.__name__)
def test_as_pytorch(program):
    agree(program)


def test_a_missing_extra_state_is_named():
    model = counting(minigrad)(1)
    with pytest.raises(CheckpointError, match=r'Missing key.*"_extra_state"'):
        model.load_state_dict({"weight": minigrad.ones(2)})
    with pytest.raises(RuntimeError, match="Missing key"):
        counting(torch)(1).load_state_dict({"weight": torch.ones(2)})
