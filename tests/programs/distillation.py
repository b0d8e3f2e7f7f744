"""Knowledge distillation: a small net learns from a larger one's softened answers, KLDivLoss with batchmean."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
teacher = nn.Sequential(
    nn.Linear(12, 48), nn.Mish(), nn.LayerNorm(48), nn.Linear(48, 48), nn.Hardswish(), nn.Linear(48, 5)
)
student = nn.Sequential(nn.Linear(12, 8), nn.SELU(), nn.Linear(8, 5))
proto = torch.randn(5, 12)
labels = torch.arange(100) % 5
data = proto[labels] + torch.randn(100, 12)
loader = DataLoader(TensorDataset(data, labels), batch_size=25, shuffle=True)


def train(model, epochs, lr, soft=None, T=2.0, alpha=0.3):
    ce, kl = nn.CrossEntropyLoss(), nn.KLDivLoss(reduction="batchmean")
    optimizer = torch.optim.NAdam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            logits = model(x)
            loss = ce(logits, y)
            if soft is not None:
                with torch.no_grad():
                    target = F.softmax(soft(x) / T, dim=-1)
                distill = kl(F.log_softmax(logits / T, dim=-1), target) * T**2
                loss = alpha * loss + (1 - alpha) * distill
            loss.backward()
            optimizer.step()
            print(f"epoch {epoch} loss {loss.item():.12f}")


print("teacher")
train(teacher, 5, 2e-3)
teacher.eval()
before = copy.deepcopy(student.state_dict())
print("student alone")
train(student, 5, 5e-3)
student.load_state_dict(before)
print("student with teacher")
train(student, 5, 5e-3, soft=teacher)

with torch.no_grad():
    p = student(data).softmax(1)
    print("agreement", (p.argmax(1) == teacher(data).argmax(1)).sum().item(), -(p * p.log()).sum(1).mean().item())
