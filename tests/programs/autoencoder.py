"""A convolutional autoencoder with ConvTranspose2d that takes noise away."""

import torch
import torch.nn as nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.ELU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ELU(),
            nn.Flatten(),
            nn.Linear(16 * 4 * 4, 10),
        )

    def forward(self, x):
        return self.net(x)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 16 * 4 * 4)
        self.net = nn.Sequential(
            nn.Unflatten(1, (16, 4, 4)),
            nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, z):
        return self.net(torch.nn.functional.silu(self.fc(z)))


torch.manual_seed(0)
encoder, decoder = Encoder(), Decoder()
params = list(encoder.parameters()) + list(decoder.parameters())
optimizer = torch.optim.Adam(params, lr=2e-3, betas=(0.9, 0.99))
criterion = nn.MSELoss(reduction="mean")

# smooth bumps
grid = torch.linspace(0, 1, 16)
yy, xx = torch.meshgrid(grid, grid, indexing="ij")
cx, cy = torch.rand(48, 1, 1), torch.rand(48, 1, 1)
images = torch.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / 0.05).unsqueeze(1)

for step in range(40):
    idx = torch.randint(0, 48, (24,))
    clean = images[idx]
    noisy = (clean + 0.2 * torch.randn_like(clean)).clamp(0, 1)
    recon = decoder(encoder(noisy))
    loss = criterion(recon, clean)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("step", step, "mse", loss.item())

with torch.no_grad():
    psnr = -10 * torch.log10(((decoder(encoder(images)) - images) ** 2).mean())
print("psnr", psnr.item())
