"""LeNet-5 on images of bright squares, with momentum and a step schedule."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    """The class says where the square stands."""

    def __init__(self, n):
        g = torch.Generator().manual_seed(7)
        self.labels = torch.randint(0, 10, (n,), generator=g)
        self.noise = torch.rand(n, 1, 28, 28, generator=g)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        img = 0.3 * self.noise[idx].clone()
        k = int(self.labels[idx])
        row, col = divmod(k, 4)
        img[:, 2 + 8 * row : 8 + 8 * row, 2 + 6 * col : 8 + 6 * col] += 0.7
        return (img - 0.2) / 0.3, k


class LeNet5(nn.Module):
    def __init__(self):
        super(LeNet5, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), (2, 2))
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        return self.fc3(x)

    def num_flat_features(self, x):
        num_features = 1
        for s in x.size()[1:]:
            num_features *= s
        return num_features


torch.manual_seed(0)
net = LeNet5()
print(net)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
loader = DataLoader(Squares(160), batch_size=20, shuffle=True, drop_last=True)

for epoch in range(5):
    running_loss = 0.0
    for i, data in enumerate(loader, 0):
        inputs, labels = data
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        print("[%d, %3d] loss: %.10f" % (epoch + 1, i + 1, loss.item()))
    scheduler.step()
    print("epoch mean %.10f lr %g" % (running_loss / len(loader), scheduler.get_last_lr()[0]))
print("Finished Training")
