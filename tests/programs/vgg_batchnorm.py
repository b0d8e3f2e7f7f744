"""A small VGG: layers made from a list, batch norm, Kaiming initialisation, weight decay."""

import torch
import torch.nn as nn
import torch.optim as optim

cfg = {"tiny": [8, "M", 16, 16, "M", 32, "M"]}


def make_layers(cfg, in_channels=3):
    layers = []
    for v in cfg:
        if v == "M":
            layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
        else:
            conv2d = nn.Conv2d(in_channels, v, kernel_size=3, padding=1)
            layers += [conv2d, nn.BatchNorm2d(v), nn.ReLU(inplace=True)]
            in_channels = v
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self, features, num_classes=5):
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(
            nn.Linear(32 * 2 * 2, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, num_classes)
        )
        self._initialize_weights()

    def forward(self, x):
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)

    def _initialize_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                if m.bias is not None:
                    nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.05)
                nn.init.constant_(m.bias, 0)


torch.manual_seed(0)
model = VGG(make_layers(cfg["tiny"]))
pattern = torch.rand(5, 3, 16, 16)
targets = torch.arange(40) % 5
images = pattern[targets] + 0.3 * torch.randn(40, 3, 16, 16)

criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4, nesterov=True)
for step in range(30):
    model.train()
    pick = torch.randperm(40)[:20]
    loss = criterion(model(images[pick]), targets[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} loss {loss.item()}")

model.eval()
with torch.no_grad():
    print("eval loss", nn.functional.cross_entropy(model(images), targets).item())
for name, buf in model.named_buffers():
    if name.endswith("running_var"):
        print(name, buf.mean().item())
