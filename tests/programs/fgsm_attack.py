"""Fast gradient sign attack on a small classifier, at several strengths."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(42)

protos = torch.rand(6, 1, 8, 8)
labels = torch.arange(60) % 6
images = (protos[labels] + 0.1 * torch.randn(60, 1, 8, 8)).clamp(0.0, 1.0)

model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.CELU(), nn.Flatten(), nn.Linear(6 * 36, 6), nn.LogSoftmax(dim=1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(30):
    optimizer.zero_grad()
    loss = F.nll_loss(model(images), labels)
    loss.backward()
    optimizer.step()
    print("train", step, loss.item())


def fgsm_attack(image, epsilon, data_grad):
    perturbed_image = image + epsilon * data_grad.sign()
    return torch.clamp(perturbed_image, 0, 1)


def test(model, epsilon):
    correct, total = 0, 0.0
    for image, target in zip(images.split(1), labels.split(1)):
        data = image.clone()
        data.requires_grad = True
        output = model(data)
        init_pred = output.max(1, keepdim=True)[1]
        if init_pred.item() != target.item():
            continue
        loss = F.nll_loss(output, target)
        model.zero_grad()
        loss.backward()
        perturbed = fgsm_attack(data, epsilon, data.grad.data)
        output = model(perturbed)
        total += F.nll_loss(output, target).item()
        if output.max(1, keepdim=True)[1].item() == target.item():
            correct += 1
    print(f"Epsilon: {epsilon}\tTest Accuracy = {correct} / {len(images)}\tloss {total / len(images):.10f}")


model.eval()
for eps in [0, 0.05, 0.1, 0.15, 0.2]:
    test(model, eps)
