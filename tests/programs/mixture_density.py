"""A mixture density network: several answers to one question, by logsumexp over components."""

import math

import torch
import torch.nn as nn

torch.manual_seed(0)


class MDN(nn.Module):
    def __init__(self, n_hidden, n_gaussians):
        super().__init__()
        self.z_h = nn.Sequential(nn.Linear(1, n_hidden), nn.Tanh())
        self.z_pi = nn.Linear(n_hidden, n_gaussians)
        self.z_mu = nn.Linear(n_hidden, n_gaussians)
        self.z_sigma = nn.Linear(n_hidden, n_gaussians)

    def forward(self, x):
        h = self.z_h(x)
        return self.z_pi(h).log_softmax(-1), self.z_mu(h), nn.functional.elu(self.z_sigma(h)) + 1 + 1e-6


def mdn_loss(log_pi, mu, sigma, y):
    log_prob = -0.5 * ((y.expand_as(mu) - mu) / sigma) ** 2 - sigma.log() - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(log_pi + log_prob, dim=1).mean()


y = torch.empty(200, 1).uniform_(-3, 3)
x = 2 * torch.sin(1.3 * y) + y * 0.3 + 0.2 * torch.randn_like(y)
net = MDN(20, 5)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(60):
    loss = mdn_loss(*net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 2 == 0:
        print(f"{epoch:4d} {loss.item():.12f}")

with torch.no_grad():
    log_pi, mu, sigma = net(torch.linspace(-3, 3, 7).view(-1, 1))
    k = torch.multinomial(log_pi.exp(), 1)
    picks = torch.normal(mu.gather(1, k), sigma.gather(1, k))
    print("samples", [round(v, 10) for v in picks.squeeze(1).tolist()])
