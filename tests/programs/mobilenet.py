"""MobileNet-style: depthwise separable convolutions, ReLU6, squeeze-and-excite, RMSprop."""

from collections import OrderedDict

import torch
from torch import nn, optim


class ConvBNReLU(nn.Sequential):
    def __init__(self, in_planes, out_planes, kernel_size=3, stride=1, groups=1):
        padding = (kernel_size - 1) // 2
        super().__init__(
            nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(out_planes),
            nn.ReLU6(inplace=True),
        )


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduction=4):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x):
        return x * self.fc(self.pool(x))


class InvertedResidual(nn.Module):
    def __init__(self, inp, oup, stride, expand_ratio):
        super().__init__()
        hidden_dim = int(round(inp * expand_ratio))
        self.use_res_connect = stride == 1 and inp == oup
        self.conv = nn.Sequential(
            OrderedDict(
                [
                    ("expand", ConvBNReLU(inp, hidden_dim, kernel_size=1)),
                    ("depthwise", ConvBNReLU(hidden_dim, hidden_dim, stride=stride, groups=hidden_dim)),
                    ("se", SqueezeExcite(hidden_dim)),
                    ("project", nn.Conv2d(hidden_dim, oup, 1, 1, 0, bias=False)),
                    ("bn", nn.BatchNorm2d(oup)),
                ]
            )
        )

    def forward(self, x):
        if self.use_res_connect:
            return x + self.conv(x)
        return self.conv(x)


class MobileNet(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        features = [ConvBNReLU(3, 8, stride=2)]
        for inp, oup, s, t in [(8, 8, 1, 2), (8, 12, 2, 2), (12, 12, 1, 3)]:
            features.append(InvertedResidual(inp, oup, s, expand_ratio=t))
        features.append(ConvBNReLU(12, 32, kernel_size=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Linear(32, num_classes)

    def forward(self, x):
        x = self.features(x)
        x = x.mean([2, 3])
        return self.classifier(x)


torch.manual_seed(0)
model = MobileNet()
print(len(list(model.modules())), "modules,", len(model.state_dict()), "entries")
protos = torch.randn(3, 3, 20, 20)
y = torch.randint(3, size=(24,))
x = protos[y] + 0.4 * torch.randn(24, 3, 20, 20)

optimizer = optim.RMSprop(model.parameters(), lr=0.002, alpha=0.9, momentum=0.5)
criterion = nn.CrossEntropyLoss()
for it in range(30):
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(it, loss.item())
