"""Logistic regression on two clouds, with accuracy, and the same gradient written by hand."""

import torch
import torch.nn.functional as F

torch.manual_seed(0)

n = 100
cloud_a = torch.randn(n, 2) + torch.tensor([1.0, 1.0])
cloud_b = torch.randn(n, 2) - torch.tensor([1.0, 1.0])
X = torch.cat([cloud_a, cloud_b], dim=0)
y = torch.cat([torch.ones(n), torch.zeros(n)])

perm = torch.randperm(2 * n)
X, y = X[perm], y[perm]
X_train, X_test = X[:160], X[160:]
y_train, y_test = y[:160], y[160:]

w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)

for i in range(60):
    logits = X_train @ w + b
    loss = F.binary_cross_entropy_with_logits(logits, y_train) + 0.01 * w.norm() ** 2
    loss.backward()

    with torch.no_grad():
        error = torch.sigmoid(logits) - y_train
        by_hand = X_train.t().mv(error) / len(X_train) + 0.02 * w
        assert torch.allclose(w.grad, by_hand, atol=1e-5)
        w.sub_(0.5 * w.grad)
        b.sub_(0.5 * b.grad)
    w.grad.zero_()
    b.grad.zero_()

    accuracy = ((logits > 0) == (y_train == 1)).float().mean().item()
    print(f"iter {i:3d} loss {loss.item():.10f} train acc {accuracy:.2%}")

with torch.no_grad():
    probs = (X_test.mv(w) + b).sigmoid()
    print("test", F.binary_cross_entropy(probs, y_test).item(), (probs.round() == y_test).sum().item())
