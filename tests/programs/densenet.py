"""DenseNet-style: every layer sees all features before it, joined by torch.cat; a ModuleList; Adagrad."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DenseLayer(nn.Module):
    def __init__(self, in_channels, growth_rate, bn_size=2, drop_rate=0.1):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, bn_size * growth_rate, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, kernel_size=3, padding=1, bias=False)
        self.drop_rate = drop_rate

    def forward(self, features):
        x = torch.cat(features, 1)
        x = self.conv1(F.relu(self.norm1(x)))
        x = self.conv2(F.relu(self.norm2(x)))
        if self.drop_rate > 0:
            x = F.dropout(x, p=self.drop_rate, training=self.training)
        return x


class DenseBlock(nn.Module):
    def __init__(self, num_layers, in_channels, growth_rate):
        super().__init__()
        self.layers = nn.ModuleList([DenseLayer(in_channels + i * growth_rate, growth_rate) for i in range(num_layers)])

    def forward(self, init):
        features = [init]
        for layer in self.layers:
            features.append(layer(features))
        return torch.cat(features, dim=1)


class DenseNet(nn.Module):
    def __init__(self, growth_rate=4, num_classes=3):
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(1, 8, 3, stride=1, padding=1))
        self.features.add_module("block1", DenseBlock(3, 8, growth_rate))
        self.features.add_module(
            "transition", nn.Sequential(nn.BatchNorm2d(20), nn.ReLU(), nn.Conv2d(20, 10, 1), nn.AvgPool2d(2, 2))
        )
        self.features.add_module("block2", DenseBlock(2, 10, growth_rate))
        self.classifier = nn.Linear(18, num_classes)

    def forward(self, x):
        out = F.relu(self.features(x), inplace=True)
        out = F.adaptive_avg_pool2d(out, (1, 1)).flatten(1)
        return F.log_softmax(self.classifier(out), dim=-1)


torch.manual_seed(0)
net = DenseNet()
y = torch.arange(30) % 3
x = torch.randn(30, 1, 9, 9) * 0.5
for i in range(30):
    x[i, 0, y[i] * 3 : y[i] * 3 + 3, :] += 1.0

opt = torch.optim.Adagrad(net.parameters(), lr=0.005)
for step in range(30):
    opt.zero_grad()
    out = net(x)
    loss = F.nll_loss(out, y)
    loss.backward()
    opt.step()
    print(f"{step}: {loss.item():.10f} {(out.argmax(1) == y).float().mean().item():.6f}")
