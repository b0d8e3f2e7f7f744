"""A multilayer perceptron with dropout on synthetic classes: DataLoader, Adam, train and eval loops."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.fc1 = nn.Linear(20, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 4)
        self.dropout = nn.Dropout(p=0.2)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.dropout(x)
        x = F.leaky_relu(self.fc2(x), 0.1)
        x = self.dropout(x)
        return self.fc3(x)


centers = torch.randn(4, 20)
labels = torch.randint(0, 4, (320,))
data = centers[labels] + torch.randn(320, 20)
train_set, test_set = random_split(TensorDataset(data, labels), [256, 64])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=64)

model = Net()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
print(sum(p.numel() for p in model.parameters() if p.requires_grad), "parameters")


def train(epoch):
    model.train()
    for batch_idx, (x, t) in enumerate(train_loader):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        print(
            "Train Epoch: {} [{}/{}]\tLoss: {:.10f}".format(
                epoch, batch_idx * len(x), len(train_loader.dataset), loss.item()
            )
        )


def test():
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for x, t in test_loader:
            output = model(x)
            test_loss += F.cross_entropy(output, t, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(t.view_as(pred)).sum().item()
    test_loss /= len(test_loader.dataset)
    print("Test set: Average loss: {:.10f}, Accuracy: {}/{}".format(test_loss, correct, len(test_loader.dataset)))


for epoch in range(1, 7):
    train(epoch)
    test()
