"""Image classifiers of the literature under torchvision's names, with its parameters, their names and their first values.

Sources: Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014); Simonyan and Zisserman, "Very
deep convolutional networks" (2014); He et al., "Deep residual learning" (2015), with the stride in a bottleneck's 3x3. There
are no trained weights here: load them with `load_state_dict`.
"""

from __future__ import annotations

from typing import Any

from minigrad import nn
from minigrad.errors import BackendError
from minigrad.tensor import Tensor


def _untrained(weights: Any, options: dict[str, Any]) -> None:
    """Refuse what would be a download."""
    if weights is not None or options.pop("pretrained", False):
        raise BackendError("trained weights are not in minigrad: pass weights=None and load a state_dict")


class AlexNet(nn.Module):
    """Five convolutions and three linear layers: (N, 3, H, W) -> (N, num_classes), H and W at least 63."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        plan = (
            (64, 11, 4, 2, True),
            (192, 5, 1, 2, True),
            (384, 3, 1, 1, False),
            (256, 3, 1, 1, False),
            (256, 3, 1, 1, True),
        )
        channels = 3
        for filters, kernel, stride, padding, pooled in plan:
            layers += [nn.Conv2d(channels, filters, kernel, stride, padding), nn.ReLU(inplace=True)]
            if pooled:
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2))
            channels = filters
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class VGG(nn.Module):
    """Convolutions of 3x3 in five stages, and three linear layers: (N, 3, H, W) -> (N, num_classes), H and W at least 32."""

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            for m in self.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                    nn.init.zeros_(m.bias)
                elif isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, 0, 0.01)
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


_VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _vgg(depth: int, norm: bool) -> Any:
    def make(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
        _untrained(weights, options)
        layers: list[nn.Module] = []
        channels = 3
        for count, filters in zip(_VGG[depth], (64, 128, 256, 512, 512), strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(channels, filters, kernel_size=3, padding=1))
                if norm:
                    layers.append(nn.BatchNorm2d(filters))
                layers.append(nn.ReLU(inplace=True))
                channels = filters
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        return VGG(nn.Sequential(*layers), **options)

    make.__name__ = make.__qualname__ = f"vgg{depth}{'_bn' if norm else ''}"
    make.__doc__ = f"VGG of {depth} layers{', with batch norm' if norm else ''}, untrained."
    return make


vgg11, vgg13, vgg16, vgg19 = (_vgg(depth, False) for depth in _VGG)
vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn = (_vgg(depth, True) for depth in _VGG)


def alexnet(*, weights: Any = None, progress: bool = True, **options: Any) -> AlexNet:
    """AlexNet, untrained."""
    _untrained(weights, options)
    return AlexNet(**options)


def _conv(channels: int, filters: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: Any = None, groups: int = 1, width: int = 64
    ) -> None:
        super().__init__()
        self.conv1 = _conv(inplanes, planes, 3, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """relu(f(x) + shortcut(x))"""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut."""

    expansion = 4

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: Any = None, groups: int = 1, width: int = 64
    ) -> None:
        super().__init__()
        inner = int(planes * (width / 64.0)) * groups
        self.conv1 = _conv(inplanes, inner, 1)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = _conv(inner, inner, 3, stride, groups)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = _conv(inner, planes * 4, 1)
        self.bn3 = nn.BatchNorm2d(planes * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """relu(f(x) + shortcut(x))"""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(out)))))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Four stages of residual blocks: (N, 3, H, W) -> (N, num_classes)"""

    def __init__(
        self, block: Any, layers: Any, num_classes: int = 1000, zero_init_residual: bool = False, groups: int = 1,
        width_per_group: int = 64,
    ) -> None:  # fmt: skip
        super().__init__()
        self.inplanes, self.groups, self.base_width = 64, groups, width_per_group
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._stage(block, 64, layers[0], 1)
        self.layer2 = self._stage(block, 128, layers[1], 2)
        self.layer3 = self._stage(block, 256, layers[2], 2)
        self.layer4 = self._stage(block, 512, layers[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
        if zero_init_residual:  # every block starts as its shortcut
            for m in self.modules():
                if isinstance(m, Bottleneck | BasicBlock):
                    last = m.bn3 if isinstance(m, Bottleneck) else m.bn2
                    nn.init.zeros_(last.weight)

    def _stage(self, block: Any, planes: int, count: int, stride: int) -> nn.Sequential:
        wide = planes * block.expansion
        shortcut = None
        if stride != 1 or self.inplanes != wide:
            shortcut = nn.Sequential(_conv(self.inplanes, wide, 1, stride), nn.BatchNorm2d(wide))
        blocks = [block(self.inplanes, planes, stride, shortcut, self.groups, self.base_width)]
        self.inplanes = wide
        blocks += [block(wide, planes, 1, None, self.groups, self.base_width) for _ in range(1, count)]
        return nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def _resnet(name: str, block: Any, layers: tuple[int, ...], **fixed: Any) -> Any:
    def make(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
        _untrained(weights, options)
        return ResNet(block, layers, **{**fixed, **options})

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{name}, untrained."
    return make


resnet18 = _resnet("resnet18", BasicBlock, (2, 2, 2, 2))
resnet34 = _resnet("resnet34", BasicBlock, (3, 4, 6, 3))
resnet50 = _resnet("resnet50", Bottleneck, (3, 4, 6, 3))
resnet101 = _resnet("resnet101", Bottleneck, (3, 4, 23, 3))
resnet152 = _resnet("resnet152", Bottleneck, (3, 8, 36, 3))
resnext50_32x4d = _resnet("resnext50_32x4d", Bottleneck, (3, 4, 6, 3), groups=32, width_per_group=4)
wide_resnet50_2 = _resnet("wide_resnet50_2", Bottleneck, (3, 4, 6, 3), width_per_group=128)
