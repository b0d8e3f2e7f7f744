"""GRU encoder and decoder with additive attention: reverse a sequence of digits, with teacher forcing."""

import torch
import torch.nn as nn
import torch.nn.functional as F

SOS, VOCAB, LENGTH = 0, 8, 5


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, dropout_p=0.1):
        super(EncoderRNN, self).__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size // 2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, input):
        output, hidden = self.gru(self.dropout(self.embedding(input)))
        hidden = torch.cat((hidden[0], hidden[1]), dim=1).unsqueeze(0)
        return output, hidden


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.Wa = nn.Linear(hidden_size, hidden_size)
        self.Ua = nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        scores = scores.squeeze(2).unsqueeze(1)
        weights = F.softmax(scores, dim=-1)
        return torch.bmm(weights, keys), weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, encoder_outputs, hidden, target):
        batch_size = encoder_outputs.size(0)
        input = torch.empty(batch_size, 1, dtype=torch.long).fill_(SOS)
        outputs, attentions = [], []
        for i in range(LENGTH):
            query = hidden.permute(1, 0, 2)
            context, w = self.attention(query, encoder_outputs)
            x = torch.cat((self.embedding(input), context), dim=2)
            output, hidden = self.gru(x, hidden)
            outputs.append(self.out(output))
            attentions.append(w)
            if target is not None:
                input = target[:, i].unsqueeze(1)
            else:
                _, topi = outputs[-1].topk(1)
                input = topi.squeeze(-1).detach()
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1), torch.cat(attentions, dim=1)


torch.manual_seed(0)
encoder, decoder = EncoderRNN(VOCAB, 16), AttnDecoderRNN(16, VOCAB)
enc_opt = torch.optim.Adam(encoder.parameters(), lr=5e-3)
dec_opt = torch.optim.Adam(decoder.parameters(), lr=5e-3)
criterion = nn.NLLLoss()

for step in range(40):
    src = torch.randint(1, VOCAB, (16, LENGTH))
    tgt = src.flip(1)
    enc_opt.zero_grad()
    dec_opt.zero_grad()
    enc_out, enc_hidden = encoder(src)
    out, _ = decoder(enc_out, enc_hidden, tgt)
    loss = criterion(out.view(-1, out.size(-1)), tgt.reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
    torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
    enc_opt.step()
    dec_opt.step()
    print(f"step {step:2d}, loss {loss.item():.10f}")

encoder.eval()
with torch.no_grad():
    src = torch.tensor([[1, 2, 3, 4, 5]])
    enc_out, enc_hidden = encoder(src)
    out, attn = decoder(enc_out, enc_hidden, None)
    print("decoded", out.argmax(-1).squeeze(0).tolist(), "attention", attn.max().item())
