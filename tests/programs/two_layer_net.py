"""A two-layer net, four times: NumPy, tensors and a gradient by hand, nn with a manual update, nn with optim."""

import numpy as np
import torch

N, D_in, H, D_out = 16, 30, 20, 5
np.random.seed(0)
x_np, y_np = np.random.randn(N, D_in), np.random.randn(N, D_out)
w1_np, w2_np = np.random.randn(D_in, H) * 0.2, np.random.randn(H, D_out) * 0.2
x, y = torch.from_numpy(x_np).to(torch.get_default_dtype()), torch.tensor(y_np, dtype=torch.get_default_dtype())

w1, w2 = w1_np.copy(), w2_np.copy()
for t in range(10):
    h = x_np.dot(w1)
    h_relu = np.maximum(h, 0)
    y_pred = h_relu.dot(w2)
    print("numpy", t, np.square(y_pred - y_np).sum())
    grad_y_pred = 2.0 * (y_pred - y_np)
    grad_h = grad_y_pred.dot(w2.T)
    grad_w2 = h_relu.T.dot(grad_y_pred)
    grad_h[h < 0] = 0
    w1 -= 1e-3 * x_np.T.dot(grad_h)
    w2 -= 1e-3 * grad_w2

w1, w2 = torch.tensor(w1_np).to(x), torch.tensor(w2_np).to(x)
for t in range(10):
    h = x.mm(w1)
    h_relu = h.clamp(min=0)
    y_pred = h_relu.mm(w2)
    print("tensors", t, (y_pred - y).pow(2).sum().item())
    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.t().mm(grad_y_pred)
    grad_h = grad_y_pred.mm(w2.t())
    grad_h[h < 0] = 0
    w1 -= 1e-3 * x.t().mm(grad_h)
    w2 -= 1e-3 * grad_w2

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(D_in, H), torch.nn.ReLU(), torch.nn.Linear(H, D_out))
loss_fn = torch.nn.MSELoss(reduction="sum")
for t in range(20):
    loss = loss_fn(model(x), y)
    print("by hand", t, loss.item())
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for param in model.parameters():
            param -= 1e-3 * param.grad


class DynamicNet(torch.nn.Module):
    def __init__(self, D_in, H, D_out):
        super().__init__()
        self.input_linear = torch.nn.Linear(D_in, H)
        self.middle_linear = torch.nn.Linear(H, H)
        self.output_linear = torch.nn.Linear(H, D_out)

    def forward(self, x):
        h = self.input_linear(x).clamp(min=0)
        for _ in range(int(torch.randint(0, 4, (1,)))):
            h = self.middle_linear(h).clamp(min=0)
        return self.output_linear(h)


model = DynamicNet(D_in, H, D_out)
criterion = torch.nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
for t in range(30):
    loss = criterion(model(x), y)
    print("dynamic", t, loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
