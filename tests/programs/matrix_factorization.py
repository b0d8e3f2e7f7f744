"""Matrix factorisation with biases: users and items as embeddings, ratings in mini-batches."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
n_users, n_items, rank = 20, 15, 3


class MF(nn.Module):
    def __init__(self, n_users, n_items, dim):
        super().__init__()
        self.user = nn.Embedding(n_users, dim)
        self.item = nn.Embedding(n_items, dim)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        self.mu = nn.Parameter(torch.zeros(1))
        for e in (self.user, self.item):
            nn.init.uniform_(e.weight, -0.1, 0.1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, u, i):
        dot = (self.user(u) * self.item(i)).sum(dim=1)
        return dot + self.user_bias(u).squeeze(1) + self.item_bias(i).squeeze() + self.mu


true = torch.randn(n_users, rank) @ torch.randn(n_items, rank).T
users, items = torch.where(torch.rand(n_users, n_items) < 0.6)
ratings = true[users, items] + 3.0
loader = DataLoader(TensorDataset(users, items, ratings), batch_size=32, shuffle=True)

model = MF(n_users, n_items, rank)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-4)
loss_fn = nn.SmoothL1Loss(beta=0.5)
for epoch in range(12):
    total = 0.0
    for u, i, r in loader:
        loss = loss_fn(model(u, i), r)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * u.shape[0]
        print(loss.item())
    print(f"epoch {epoch} mean {total / len(ratings)}")

with torch.no_grad():
    full = model.user.weight @ model.item.weight.t() + model.user_bias.weight + model.item_bias.weight.T + model.mu
    hidden = torch.ones(n_users, n_items, dtype=torch.bool)
    hidden[users, items] = False
    print("rmse on hidden", torch.sqrt(((full - true - 3)[hidden] ** 2).mean()).item())
