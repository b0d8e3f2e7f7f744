"""A variational autoencoder: reparameterisation with randn_like, BCE plus KL."""

import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F

torch.manual_seed(0)


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc21 = nn.Linear(32, 4)
        self.fc22 = nn.Linear(32, 4)
        self.fc3 = nn.Linear(4, 32)
        self.fc4 = nn.Linear(32, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


proto = (torch.rand(5, 1, 8, 8) > 0.5).to(torch.get_default_dtype())
which = torch.multinomial(torch.ones(5), 80, replacement=True)
flips = torch.bernoulli(torch.full((80, 1, 8, 8), 0.05))
images = (proto[which] - flips).abs()
loader = torch.utils.data.DataLoader(images, batch_size=20, shuffle=True)

model = VAE()
optimizer = optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(1, 11):
    train_loss = 0
    for batch_idx, data in enumerate(loader):
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        print("Train Epoch: {} batch {} Loss: {:.10f}".format(epoch, batch_idx, loss.item() / len(data)))
    print("====> Epoch: {} Average loss: {:.10f}".format(epoch, train_loss / len(loader.dataset)))

with torch.no_grad():
    sample = model.decode(torch.randn(16, 4))
    print("sample mean", sample.mean().item(), "std", sample.std().item())
