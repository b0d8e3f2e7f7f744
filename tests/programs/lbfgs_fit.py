"""LBFGS: a decaying wave's parameters, then Rosenbrock's valley with a line search."""

import torch
from torch import nn, optim

torch.manual_seed(0)


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.amplitude = nn.Parameter(torch.tensor(1.0))
        self.decay = nn.Parameter(torch.tensor(0.1))
        self.omega = nn.Parameter(torch.tensor(1.8))
        self.phase = nn.Parameter(torch.zeros(()))

    def forward(self, t):
        return self.amplitude * torch.exp(-self.decay * t) * torch.cos(self.omega * t + self.phase)


t = torch.linspace(0, 4, 50)
y = 2.0 * torch.exp(-0.3 * t) * torch.cos(2.0 * t + 0.4) + 0.05 * torch.randn(50)
model = Wave()
optimizer = optim.LBFGS(model.parameters(), lr=0.3, max_iter=4, history_size=6)

for step in range(6):

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(t), y)
        print("   closure", loss.item())
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    print("step", step, loss.item(), [round(p.item(), 11) for p in model.parameters()])

xy = torch.tensor([-1.2, 1.0], requires_grad=True)
optimizer = optim.LBFGS([xy], max_iter=3, line_search_fn="strong_wolfe")


def rosenbrock():
    optimizer.zero_grad()
    value = (1 - xy[0]) ** 2 + 10 * (xy[1] - xy[0] ** 2) ** 2
    value.backward()
    return value


for step in range(5):
    print("valley", step, optimizer.step(rosenbrock).item(), xy.tolist())
