"""A character-level RNN written by hand, that learns to tell two languages of made-up words."""

import random

import torch
import torch.nn as nn

torch.manual_seed(0)
random.seed(1)

all_letters = "abcdefghijklmnopqrstuvwxyz"
n_letters = len(all_letters)
categories = ["North", "South"]
syllables = {"North": ["sk", "or", "ulf", "ing", "ra"], "South": ["la", "mo", "ri", "tta", "no"]}


def letterToTensor(letter):
    tensor = torch.zeros(1, n_letters)
    tensor[0][all_letters.find(letter)] = 1
    return tensor


def lineToTensor(line):
    tensor = torch.zeros(len(line), 1, n_letters)
    for li, letter in enumerate(line):
        tensor[li][0][all_letters.find(letter)] = 1
    return tensor


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.i2h(combined))
        output = self.softmax(self.h2o(hidden))
        return output, hidden

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)


def randomTrainingExample():
    category = random.choice(categories)
    line = "".join(random.choice(syllables[category]) for _ in range(random.randint(2, 3)))
    category_tensor = torch.tensor([categories.index(category)], dtype=torch.long)
    return category, line, category_tensor, lineToTensor(line)


rnn = RNN(n_letters, 16, len(categories))
criterion = nn.NLLLoss()
learning_rate = 0.02

for it in range(1, 81):
    category, line, category_tensor, line_tensor = randomTrainingExample()
    hidden = rnn.initHidden()
    rnn.zero_grad()
    for i in range(line_tensor.size()[0]):
        output, hidden = rnn(line_tensor[i], hidden)
    loss = criterion(output, category_tensor)
    loss.backward()
    for p in rnn.parameters():
        p.data.add_(p.grad.data, alpha=-learning_rate)
    top_n, top_i = output.topk(1)
    guess = categories[top_i[0].item()]
    print("%d %.10f %s / %s %s" % (it, loss.item(), line, guess, "ok" if guess == category else "no, " + category))
print(letterToTensor("c").nonzero().tolist())
