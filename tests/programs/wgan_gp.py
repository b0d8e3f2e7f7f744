"""WGAN with gradient penalty: the critic's gradient in its input is part of the loss, so it is differentiated twice."""

import torch
import torch.autograd as autograd
import torch.nn as nn
from torch.autograd import grad


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.Softplus(), nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.SiLU()
        )
        self.fc = nn.Linear(8 * 4, 1)

    def forward(self, img):
        return self.fc(self.conv(img).reshape(img.size(0), -1))


generator = nn.Sequential(
    nn.Linear(4, 32), nn.LayerNorm(32), nn.Tanh(), nn.Linear(32, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))
)


def compute_gradient_penalty(D, real_samples, fake_samples):
    alpha = torch.rand(real_samples.size(0), 1, 1, 1)
    interpolates = (alpha * real_samples + ((1 - alpha) * fake_samples)).requires_grad_(True)
    d_interpolates = D(interpolates)
    fake = torch.ones(real_samples.shape[0], 1, requires_grad=False)
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=fake,
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


torch.manual_seed(0)
critic = Critic()
for p in generator.parameters():
    nn.init.normal_(p, 0, 0.2)
opt_d = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.9))
ramp = torch.linspace(0, 1, 8).repeat(8, 1)

for i in range(40):
    real = ramp + 0.1 * torch.randn(12, 1, 8, 8)
    fake = generator(torch.randn(12, 4))
    opt_d.zero_grad()
    gp = compute_gradient_penalty(critic, real, fake.detach())
    d_loss = -torch.mean(critic(real)) + torch.mean(critic(fake.detach())) + 10 * gp
    d_loss.backward()
    opt_d.step()
    msg = "[Batch %d] [D loss: %.12f] [GP: %.12f]" % (i, d_loss.item(), gp.item())
    if i % 2 == 0:
        opt_g.zero_grad()
        g_loss = -torch.mean(critic(generator(torch.randn(12, 4))))
        g_loss.backward()
        opt_g.step()
        msg += " [G loss: %.12f]" % g_loss.item()
    print(msg)

x = torch.rand(1, 1, 8, 8, requires_grad=True)
(g,) = grad(critic(x).sum(), x, create_graph=True)
(h,) = grad(g.pow(2).sum(), x)
print("curvature", h.norm().item())
