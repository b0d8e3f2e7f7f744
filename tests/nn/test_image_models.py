"""The classifiers of minigrad.image_models: torchvision's parameters, by number and name, and its first values."""

import pytest
import torch

import minigrad
from minigrad import image_models, nn
from minigrad.errors import BackendError


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet18", 11_689_512), ("resnet50", 25_557_032), ("resnext50_32x4d", 25_028_904)],  # as torchvision states them
)
def test_parameters_are_as_many_as_torchvision_says(name, count, monkeypatch):
    monkeypatch.setattr(nn.init, "kaiming_normal_", lambda tensor, **options: tensor)  # values are not what is counted
    model = getattr(image_models, name)()
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize(
    ("name", "count"), [("vgg11", 132_863_336), ("vgg16_bn", 138_365_992), ("alexnet", 61_100_840)]
)
def test_wide_ones_are_counted_without_their_memory(name, count, monkeypatch):
    monkeypatch.setattr(image_models.nn, "Linear", lambda inputs, outputs: Wide(inputs, outputs))
    model = getattr(image_models, name)(**({} if name == "alexnet" else {"init_weights": False}))
    wide = sum(m.inputs * m.outputs + m.outputs for m in model.modules() if isinstance(m, Wide))
    assert wide + sum(p.numel() for p in model.parameters()) == count


class Wide(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.inputs, self.outputs = inputs, outputs


def test_names_and_first_values_of_a_residual_network():
    minigrad.manual_seed(3)
    model = image_models.resnet18(num_classes=5)
    names = list(model.state_dict())
    assert names[:3] == ["conv1.weight", "bn1.weight", "bn1.bias"] and names[-2:] == ["fc.weight", "fc.bias"]
    assert "layer2.0.downsample.0.weight" in names and "layer2.1.downsample.0.weight" not in names
    torch.manual_seed(3)  # PyTorch draws the same numbers in the same order
    shapes = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    order = [model.conv1]
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        if stage[0].downsample is not None:
            order.append(stage[0].downsample[0])
        order += [m for block in stage for m in (block.conv1, block.conv2)]
    for m in order:
        out, channels, kernel, _ = m.weight.shape
        torch.nn.Conv2d(channels, out, kernel, bias=False)
    fc = torch.nn.Linear(512, 5)
    assert model.fc.weight.tolist() == fc.weight.tolist()
    first = torch.nn.init.kaiming_normal_(torch.empty(64, 3, 7, 7), mode="fan_out", nonlinearity="relu")
    assert model.conv1.weight.tolist() == first.tolist()
    assert len(shapes) == len(order) + 1


@pytest.mark.parametrize("engine", ["numpy", "cpp"])
def test_a_residual_network_learns(engine):
    with minigrad.use_backend(engine):
        minigrad.manual_seed(0)
        model = image_models.ResNet(image_models.Bottleneck, (1, 1, 1, 1), num_classes=2, zero_init_residual=True)
        x, y = minigrad.rand(4, 3, 32, 32), minigrad.tensor([0, 1, 0, 1])
        optimizer = minigrad.optim.SGD(model.parameters(), lr=0.05)
        losses = []
        for _ in range(4):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]


def test_trained_weights_are_not_here():
    for options in ({"weights": "DEFAULT"}, {"pretrained": True}):
        with pytest.raises(BackendError, match="trained weights are not in minigrad"):
            image_models.resnet18(**options)
