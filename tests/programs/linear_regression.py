"""Linear regression: one nn.Linear, SGD, a noisy line."""

import torch
import torch.nn as nn

torch.manual_seed(0)

# y = 3x + 2 with noise
X = torch.linspace(-1, 1, 64).unsqueeze(1)
y = 3 * X + 2 + 0.1 * torch.randn(X.size())


class LinearRegression(nn.Module):
    def __init__(self, input_dim, output_dim):
        super(LinearRegression, self).__init__()
        self.linear = nn.Linear(input_dim, output_dim)

    def forward(self, x):
        return self.linear(x)


model = LinearRegression(1, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for epoch in range(100):
    predicted = model(X)
    loss = criterion(predicted, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("epoch {}, loss {}".format(epoch + 1, loss.item()))

w, b = model.linear.weight.item(), model.linear.bias.item()
print(f"learned: y = {w:.10f} x + {b:.10f}")
with torch.no_grad():
    print("at one half:", model(torch.tensor([[0.5]])).item())
