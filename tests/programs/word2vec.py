"""Skip-gram with negative sampling over a made-up text; nearest words at the end."""

from collections import Counter

import torch
import torch.nn as nn
import torch.nn.functional as F

text = """the king rules the land the queen rules the land the farmer works the field
the king wears a crown the queen wears a crown the farmer drives a cart""".split()
counts = Counter(text)
vocab = sorted(counts, key=lambda w: (-counts[w], w))
word2id = {w: i for i, w in enumerate(vocab)}
ids = [word2id[w] for w in text]

pairs = []
for i, center in enumerate(ids):
    for j in range(max(0, i - 2), min(len(ids), i + 3)):
        if i != j:
            pairs.append((center, ids[j]))
pairs = torch.LongTensor(pairs)

torch.manual_seed(0)
noise = torch.tensor([counts[w] for w in vocab], dtype=torch.get_default_dtype()).pow(0.75)
noise = noise / noise.sum()


class SkipGram(nn.Module):
    def __init__(self, vocab_size, dim):
        super(SkipGram, self).__init__()
        self.u = nn.Embedding(vocab_size, dim)
        self.v = nn.Embedding(vocab_size, dim)
        self.u.weight.data.uniform_(-0.5 / dim, 0.5 / dim)
        self.v.weight.data.zero_()

    def forward(self, center, context, negatives):
        u = self.u(center)
        positive = F.logsigmoid(torch.sum(u * self.v(context), dim=1))
        negative = F.logsigmoid(-torch.bmm(self.v(negatives), u.unsqueeze(2)).squeeze(2)).sum(1)
        return -(positive + negative).mean()


model = SkipGram(len(vocab), 8)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(50):
    batch = pairs[torch.randint(0, pairs.shape[0], (32,))]
    negatives = torch.multinomial(noise, 32 * 4, replacement=True).view(32, 4)
    loss = model(batch[:, 0], batch[:, 1], negatives)
    model.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, "loss:", loss.item())

emb = F.normalize(model.u.weight.detach(), dim=1)
sims = emb @ emb[word2id["king"]]
values, indices = sims.sort(descending=True)
for v, i in zip(values[:3].tolist(), indices[:3].tolist()):
    print(vocab[i], v)
