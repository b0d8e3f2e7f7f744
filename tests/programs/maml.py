"""MAML on sine waves: the loss after one step of gradient descent, minimised through that step."""

import math

import torch
import torch.nn.functional as F
from torch import nn, optim


class Sinusoid:
    def __init__(self):
        self.amplitude = torch.rand(1) * 2 + 0.5
        self.phase = torch.rand(1) * math.pi

    def sample(self, k):
        x = (torch.rand(k, 1) - 0.5) * 6
        return x, self.amplitude * torch.sin(x + self.phase)


class MetaNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(1, 16), nn.Linear(16, 16), nn.Linear(16, 1)

    def forward(self, x, weights=None):
        w = list(self.parameters()) if weights is None else weights
        x = torch.tanh(F.linear(x, w[0], w[1]))
        x = torch.tanh(F.linear(x, w[2], w[3]))
        return F.linear(x, w[4], w[5])


torch.manual_seed(0)
model = MetaNet()
meta_optimizer = optim.Adam(model.parameters(), 5e-3)
inner_lr = 0.05

for it in range(40):
    meta_loss = 0.0
    for _ in range(4):
        task = Sinusoid()
        x, y = task.sample(10)
        fast = list(model.parameters())
        for _ in range(2):
            loss = F.mse_loss(model(x, fast), y)
            grads = torch.autograd.grad(loss, fast, create_graph=True)
            fast = [w - inner_lr * g for w, g in zip(fast, grads)]
        x, y = task.sample(10)
        meta_loss = meta_loss + F.mse_loss(model(x, fast), y) / 4
    meta_grads = torch.autograd.grad(meta_loss, model.parameters())
    for w, g in zip(model.parameters(), meta_grads):
        w.grad = g
    meta_optimizer.step()
    print(f"iteration {it}: meta loss {meta_loss.item()}")
