"""What a printed tensor shows as its grad_fn: PyTorch's names."""

import re

import pytest
import torch as pytorch

import minigrad

EXPRESSIONS = """
x + y
1 - x
y0 - x
x / 2
2 / x
x ** 2
x ** y
2 ** x
x.sum()
x.sum(0)
x.mean()
x.mean(1, keepdim=True)
x.std()
x.var(0)
x.prod()
x.max()
x.max(1)[0]
x.amax(1)
x.sort()[0]
x.topk(2)[0]
x.median(0)[0]
x.norm()
x.logsumexp(0)
x.log1p()
x.t()
x.transpose(0, 1)
x.permute(1, 0)
x.view(-1)
x.reshape(4, 3)
x.flatten()
x.unsqueeze(0)
x[None]
x[None].squeeze(0)
x[None].squeeze()
x[0]
x[:, 1]
x[1:]
x[0, 1:]
x[..., 0]
x[[0, 1]]
x.gather(1, torch.zeros(3, 1).long())
torch.stack([x, y])
torch.cat([x, y])
x.unbind()[0]
x.split(2)[0]
x.repeat(2, 1)
x.masked_fill(x > 0.5, 0)
x.clamp(0, 0.5)
x.double()
x @ w
torch.bmm(b, b.transpose(1, 2))
torch.dot(w[0], w[0])
torch.addmm(y, x, w)
F.linear(x, w)
F.linear(x, w, w[0])
F.linear(b, w, w[0])
F.leaky_relu(x)
F.gelu(x)
F.silu(x)
F.elu(x)
F.relu6(x)
F.log_softmax(x, 1)
F.mse_loss(x, y)
F.mse_loss(x, y, reduction="sum")
F.smooth_l1_loss(x, y)
F.huber_loss(x, y)
F.l1_loss(x, y)
F.nll_loss(x, t)
F.cross_entropy(x, t)
F.cross_entropy(x, t, reduction="sum")
F.binary_cross_entropy(x.sigmoid(), y0)
F.binary_cross_entropy_with_logits(x, y)
F.batch_norm(x, None, None, training=True)
F.batch_norm(im, torch.zeros(4), torch.ones(4))
F.layer_norm(x, (4,), w[0], w[1])
F.group_norm(im, 2)
F.conv2d(im, torch.ones(3, 4, 3, 3))
F.conv1d(b, torch.ones(2, 3, 2))
F.conv_transpose2d(im, torch.ones(4, 3, 3, 3), torch.zeros(3))
F.max_pool2d(im, 2)
F.avg_pool2d(im, 2)
F.embedding(t, w)
F.dropout(x)
F.pad(x, (1, 1))
""".strip().splitlines()


def shown(expression, library):
    library.manual_seed(0)
    sizes = {"x": (3, 4), "y": (3, 4), "w": (4, 4), "b": (2, 3, 4), "im": (2, 4, 6, 6)}
    names = {name: library.rand(*size).requires_grad_() for name, size in sizes.items()}
    names |= {"torch": library, "F": library.nn.functional, "t": library.tensor([0, 1, 2]), "y0": library.rand(3, 4)}
    y = eval(expression, names)
    in_text, in_node = re.search(r"grad_fn=<(\w+)>", repr(y)).group(1), re.match(r"<(\w+) ", repr(y.grad_fn)).group(1)
    assert in_text == in_node
    return in_text


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("engine", ["numpy", "cpp"])
def test_a_graph_shows_pytorchs_names(expression, engine):
    with minigrad.use_backend(engine):
        assert shown(expression, minigrad) == shown(expression, pytorch)


def test_a_users_function_shows_its_own_name():
    for library in (pytorch, minigrad):

        class Twice(library.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, g):
                return g * 2

        assert "grad_fn=<TwiceBackward>" in repr(Twice.apply(library.ones(1, requires_grad=True)))
