"""Custom autograd.Functions: a polynomial of Legendre, a straight-through sign, and a clamped exponential."""

import math

import torch
from torch import nn


class LegendrePolynomial3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class SignSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bound):
        ctx.bound = bound
        ctx.save_for_backward(x)
        return torch.where(x >= 0, torch.ones_like(x), -torch.ones_like(x))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x.abs() <= ctx.bound).to(grad_output.dtype), None


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, i):
        result = i.clamp(max=3.0).exp()
        ctx.save_for_backward(result)
        ctx.mark_non_differentiable()
        return result

    @staticmethod
    def backward(ctx, grad_output):
        (result,) = ctx.saved_tensors
        return grad_output * result


torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 200)
y = torch.sin(x)
a, b, c, d = (torch.full((), v, requires_grad=True) for v in (0.0, -1.0, 0.0, 0.3))
P3 = LegendrePolynomial3.apply
for t in range(60):
    y_pred = a + b * P3(c + d * x)
    loss = (y_pred - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        for p in [a, b, c, d]:
            p -= 1e-5 * p.grad
            p.grad = None
    print(t, loss.item())
print(f"y = {a.item()} + {b.item()} * P3({c.item()} + {d.item()} x)")


class BinaryLinear(nn.Linear):
    def forward(self, input):
        return nn.functional.linear(input, SignSTE.apply(self.weight, 1.0), self.bias)


net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), BinaryLinear(16, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
data = torch.randn(40, 5)
target = data[:, :1] * 2 - data[:, 1:2]
for t in range(20):
    rate = Exp.apply(0.1 * net(data))
    loss = (rate - target.mul(0.1).exp()).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("binary", t, loss.item())

z = torch.randn(4, dtype=torch.double, requires_grad=True)
print(torch.autograd.gradcheck(P3, (z,)), torch.autograd.gradcheck(Exp.apply, z))
