"""A siamese network: contrastive loss on pairs, then a triplet loss, both on one shared encoder."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class Pairs(Dataset):
    def __init__(self, x, y, n):
        self.x, self.y = x, y
        self.i = torch.randint(0, len(x), (n,))
        self.j = torch.randint(0, len(x), (n,))

    def __len__(self):
        return self.i.numel()

    def __getitem__(self, k):
        i, j = self.i[k], self.j[k]
        same = (self.y[i] == self.y[j]).item()
        return {"a": self.x[i], "b": self.x[j], "same": float(same)}


class SiameseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(10, 24), nn.PReLU(), nn.BatchNorm1d(24), nn.Linear(24, 4))

    def forward(self, a, b):
        return self.embed(a), self.embed(b)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0):
        super(ContrastiveLoss, self).__init__()
        self.margin = margin

    def forward(self, x1, x2, same):
        dist = F.pairwise_distance(x1, x2)
        loss = same * dist.pow(2) + (1 - same) * torch.clamp(self.margin - dist, min=0.0).pow(2)
        return loss.mean()


torch.manual_seed(0)
centers = torch.randn(3, 10)
y = torch.arange(60) % 3
x = centers[y] + 0.3 * torch.randn(60, 10)
net = SiameseNet()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
loader = DataLoader(Pairs(x, y, 128), batch_size=32, shuffle=True)
criterion = ContrastiveLoss(margin=2.0)

for epoch in range(8):
    for batch in loader:
        same = batch["same"].to(x.dtype)
        e1, e2 = net(batch["a"], batch["b"])
        loss = criterion(e1, e2, same)
        opt.zero_grad()
        loss.backward()
        opt.step()
        print("pairs", epoch, loss.item())

anchor = x[y == 0][:8]
positive = x[y == 0][8:16]
negative = x[y == 1][:8]
for step in range(15):
    loss = nn.TripletMarginLoss(margin=3.0)(net.embed(anchor), net.embed(positive), net.embed(negative))
    loss = loss + 0.1 * (1 - F.cosine_similarity(net.embed(anchor), net.embed(positive))).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("triplets", step, loss.item())
