"""One small model under many schedules, with clipping, parameter groups, weight decay, and a checkpoint in between."""

import io

import torch
import torch.nn as nn
import torch.optim as optim
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import lr_scheduler

torch.manual_seed(0)
X = torch.randn(64, 6)
Y = torch.stack([X.prod(1), X.sin().sum(1)], dim=1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.Tanh())
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.body(x))


def decay_groups(model, wd):
    decay = [p for n, p in model.named_parameters() if n.endswith("weight")]
    rest = [p for n, p in model.named_parameters() if not n.endswith("weight")]
    return [{"params": decay, "weight_decay": wd}, {"params": rest, "weight_decay": 0.0, "lr": 0.02}]


recipes = {
    "multistep": lambda o: lr_scheduler.MultiStepLR(o, milestones=[3, 6], gamma=0.3),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=8, eta_min=1e-4),
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2),
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lr_lambda=lambda e: 0.95**e),
    "warmup": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.ExponentialLR(o, 0.8)], milestones=[3]
    ),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, base_lr=1e-3, max_lr=5e-2, step_size_up=3, mode="triangular2"),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1, threshold=0.05),
}

for name, make in recipes.items():
    torch.manual_seed(1)
    model = Model()
    optimizer = optim.SGD(decay_groups(model, 1e-2), lr=0.05, momentum=0.9)
    scheduler = make(optimizer)
    for epoch in range(10):
        optimizer.zero_grad()
        loss = nn.functional.huber_loss(model(X), Y, delta=2.0)
        loss.backward()
        if epoch % 2:
            norm = clip_grad_norm_(model.parameters(), max_norm=0.3).item()
        else:
            clip_grad_value_(model.parameters(), 0.1)
            norm = model.head.weight.grad.norm().item()
        optimizer.step()
        if name == "plateau":
            scheduler.step(loss.item())
        else:
            scheduler.step()
        print(name, epoch, loss.item(), norm, [g["lr"] for g in optimizer.param_groups])
        if epoch == 4:
            buffer = io.BytesIO()
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, buffer)
            buffer.seek(0)
            saved = torch.load(buffer)
            model = Model()
            model.load_state_dict(saved["model"])
            fresh = optim.SGD(decay_groups(model, 0.0), lr=1.0, momentum=0.9)
            fresh.load_state_dict(saved["optimizer"])
            scheduler.optimizer = optimizer = fresh
