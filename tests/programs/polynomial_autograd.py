"""A sine fitted by a cubic: raw tensors, backward, and updates by hand under no_grad."""

import math

import torch

torch.manual_seed(0)
device = torch.device("cpu")

x = torch.linspace(-math.pi, math.pi, 500, device=device)
y = torch.sin(x)

a = torch.randn((), device=device, requires_grad=True)
b = torch.randn((), device=device, requires_grad=True)
c = torch.randn((), device=device, requires_grad=True)
d = torch.randn((), device=device, requires_grad=True)

learning_rate = 4e-6
for t in range(100):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = (y_pred - y).pow(2).sum()
    print(t, loss.item())
    loss.backward()

    with torch.no_grad():
        for p in (a, b, c, d):
            p -= learning_rate * p.grad
            p.grad = None

print(f"y = {a.item()} + {b.item()} x + {c.item()} x^2 + {d.item()} x^3")
