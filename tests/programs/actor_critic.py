"""Actor-critic on a two-lane road: one network, two heads, advantages, smooth L1 for values."""

import random
from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.autograd import Variable

SavedAction = namedtuple("SavedAction", ["log_prob", "value"])
random.seed(5)
torch.manual_seed(543)


class Road:
    """Stones come down one of two lanes; a point for every one that is avoided."""

    def reset(self):
        self.lane, self.t = 0, 0
        self.stone = random.randint(0, 1)
        return [float(self.lane), float(self.stone), 1.0]

    def step(self, action):
        if action == 1:
            self.lane = 1 - self.lane
        reward = 1.0 if self.lane != self.stone else -1.0
        self.t += 1
        self.stone = random.randint(0, 1)
        return [float(self.lane), float(self.stone), 1.0], reward, self.t >= 10


class Policy(nn.Module):
    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(3, 16)
        self.action_head = nn.Linear(16, 2)
        self.value_head = nn.Linear(16, 1)
        self.saved_actions = []
        self.rewards = []

    def forward(self, x):
        x = torch.tanh(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


model = Policy()
optimizer = optim.Adam(model.parameters(), lr=2e-2)


def select_action(state):
    probs, state_value = model(torch.tensor(state))
    action = probs.multinomial(num_samples=1).data
    model.saved_actions.append(SavedAction(torch.log(probs[action]), state_value))
    return action.item()


def finish_episode():
    R = 0
    policy_losses, value_losses, returns = [], [], []
    for r in model.rewards[::-1]:
        R = r + 0.9 * R
        returns.insert(0, R)
    returns = torch.Tensor(returns) if torch.get_default_dtype() == torch.float32 else torch.tensor(returns)
    for (log_prob, value), R in zip(model.saved_actions, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, Variable(R.reshape(1))))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss.backward()
    optimizer.step()
    del model.rewards[:]
    del model.saved_actions[:]
    return loss.item()


env = Road()
for i_episode in range(40):
    state, ep_reward = env.reset(), 0
    for t in range(100):
        state, reward, done = env.step(select_action(state))
        model.rewards.append(reward)
        ep_reward += reward
        if done:
            break
    print("Episode {}\treward: {:.2f}\tloss: {:.10f}".format(i_episode, ep_reward, finish_episode()))
