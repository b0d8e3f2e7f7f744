"""Whole modules in files: rebuilt from classes that are known here, without calling or importing anything."""

import json

import pytest

import minigrad
from minigrad import nn
from minigrad.errors import CheckpointError
from minigrad.io import safetensors
from minigrad.io.store import STRUCTURE


class Net(nn.Module):
    made = 0

    def __init__(self, width):
        super().__init__()
        type(self).made += 1
        self.width = width
        self.lin = nn.Linear(3, width)
        self.act = nn.functional.relu
        self.again = nn.Sequential(self.lin, nn.BatchNorm1d(width), nn.Dropout(0.5))
        self.scale = nn.Parameter(minigrad.ones(width))
        self.register_buffer("count", minigrad.zeros(1))
        self.tied = nn.Linear(3, width, bias=False)
        self.tied.weight = self.lin.weight

    def forward(self, x):
        return self.act(self.again(x)) * self.scale + self.tied(x)


def test_a_module_comes_back_as_it_was(tmp_path):
    net, x = Net(4).eval(), minigrad.randn(5, 3)
    minigrad.save({"net": net, "epoch": 3}, tmp_path / "a")
    made = Net.made
    loaded = minigrad.load(tmp_path / "a", weights_only=False)
    assert loaded["epoch"] == 3 and Net.made == made
    twin = loaded["net"]
    assert type(twin) is Net and not twin.training and twin.width == 4
    assert repr(twin) == repr(net)
    assert minigrad.equal(twin(x), net(x))
    assert [n for n, _ in twin.named_parameters()] == [n for n, _ in net.named_parameters()]
    assert twin.tied.weight is twin.lin.weight and isinstance(twin.scale, nn.Parameter)
    assert list(twin.state_dict()) == list(net.state_dict())
    twin.train()(x).sum().backward()
    assert twin.scale.grad is not None and net.scale.grad is None


def test_only_where_it_is_asked_for(tmp_path):
    minigrad.save(nn.Linear(2, 2), tmp_path / "a")
    for options in ({}, {"weights_only": True}):
        with pytest.raises(CheckpointError, match="weights_only=False rebuilds it"):
            minigrad.load(tmp_path / "a", **options)


@pytest.mark.parametrize(
    "description",
    [
        {"module": ["os", "system", {"dict": {}}]},
        {"module": ["not.imported.yet", "Net", {"dict": {}}]},
        {"module": ["builtins", "dict", {"dict": {}}]},
        {"function": ["os", "system"]},
        {"function": ["minigrad.nn", "Linear"]},
        {"function": ["minigrad", "nothing"]},
    ],
)
def test_what_is_no_module_here_is_refused(tmp_path, description):
    with safetensors.replacing(tmp_path / "a") as file:
        safetensors.write(file, {}, {"format": "pt", STRUCTURE: json.dumps(description)})
    with pytest.raises(CheckpointError):
        minigrad.load(tmp_path / "a", weights_only=False)


def test_a_class_that_could_not_be_found_again_is_not_saved(tmp_path):
    class Local(nn.Module):
        pass

    with pytest.raises(TypeError, match="stands inside a function"):
        minigrad.save(Local(), tmp_path / "a")
    with pytest.raises(TypeError, match="cannot save a"):
        minigrad.save({"f": test_only_where_it_is_asked_for}, tmp_path / "a")
