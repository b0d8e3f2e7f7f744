"""Module and the containers: attributes, the tree, hooks, state_dict; PyTorch does the same beside it."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from both import PLACES, evaluate

import minigrad
from minigrad import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.rest = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
        self.scale = nn.Parameter(minigrad.ones(1))
        self.register_buffer("offset", minigrad.zeros(2))
        self.register_buffer("secret", minigrad.zeros(2), persistent=False)

    def forward(self, x):
        return self.rest(self.first(x)) * self.scale + self.offset


def torch_net():
    net = torch.nn.Module()
    net.first = torch.nn.Linear(3, 4)
    net.rest = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    net.scale = torch.nn.Parameter(torch.ones(1))
    net.register_buffer("offset", torch.zeros(2))
    net.register_buffer("secret", torch.zeros(2), persistent=False)
    return net


def names(pairs):
    return [name for name, _ in pairs]


def test_the_tree_has_pytorchs_names():
    a, b = Net(), torch_net()
    assert names(a.named_parameters()) == names(b.named_parameters())
    assert names(a.named_buffers()) == names(b.named_buffers())
    assert names(a.named_modules()) == names(b.named_modules())
    assert names(a.named_children()) == names(b.named_children())
    assert names(a.named_parameters(prefix="p", recurse=False)) == names(b.named_parameters("p", False))
    assert list(a.state_dict()) == list(b.state_dict())
    assert list(a.state_dict(prefix="p.")) == list(b.state_dict(prefix="p."))
    assert {n for n in dir(a) if not n.startswith("_")} >= {"first", "rest", "scale", "offset"}


def test_shared_parts_appear_once():
    for place in PLACES:
        layer = place.nn.Linear(2, 2)
        net = place.nn.Sequential(layer, layer, place.nn.Linear(2, 2))
        net[2].weight = layer.weight
        assert len(list(net.parameters())) == 3
        assert len(list(net.modules())) == 3
        assert list(net.state_dict()) == [f"{i}.{n}" for i in range(3) for n in ("weight", "bias")]
        assert len(list(net.named_parameters(remove_duplicate=False))) == 6


def test_assignment():
    net = Net()
    net.scale = None
    assert net.scale is None
    net.scale = nn.Parameter(minigrad.zeros(1))
    net.offset = minigrad.ones(2)
    assert "offset" in dict(net.named_buffers())
    net.first = nn.Identity()
    assert names(net.named_children()) == ["first", "rest"]
    net.first = None
    assert names(net.named_children()) == ["rest"]
    net.plain = 3
    del net.plain, net.scale, net.offset
    assert not hasattr(net, "scale")
    net.scale = 2.0  # once deleted, the name is free
    net.state = nn.Buffer(minigrad.ones(1), persistent=False)
    assert "state" in dict(net.named_buffers())
    assert "state" not in net.state_dict()
    net.first = nn.Parameter(minigrad.ones(1))  # a parameter takes a module's place
    assert names(net.named_children()) == ["rest"]


REFUSED = [
    ("nn.Linear(2, 2).__setattr__('weight', 3)", "cannot assign 'int' as parameter 'weight'"),
    ("nn.Sequential(nn.ReLU()).__setattr__('0', 3)", "cannot assign 'int' as child module '0'"),
    ("nn.BatchNorm1d(2).__setattr__('running_mean', 3)", "cannot assign 'int' as buffer 'running_mean'"),
    ("nn.Module().register_buffer('a.b', None)", 'buffer name can\'t contain "."'),
    ("nn.Module().register_parameter('', None)", 'parameter name can\'t be empty string ""'),
    ("nn.Module().register_buffer('forward', None)", "attribute 'forward' already exists"),
    ("nn.Module().register_buffer('a', 3)", "cannot assign 'int' object to buffer 'a'"),
    ("nn.Module().register_parameter('a', 3)", "cannot assign 'int' object to parameter 'a'"),
    ("nn.Module().add_module('a', 3)", "is not a Module subclass"),
    ("nn.Module()(3)", 'is missing the required "forward" function'),
    ("nn.Module(3)", "takes 1 positional argument but 2 were given"),
    ("nn.Module().nothing", "'Module' object has no attribute 'nothing'"),
    ("nn.Sequential(nn.ReLU())[1]", "index 1 is out of range"),
    ("nn.ModuleList([nn.ReLU()])[-2]", "index -2 is out of range"),
    ("nn.Linear(2, 2).to(t.int64)", "nn.Module.to only accepts floating point or complex dtypes"),
    ("nn.Linear(2, 2).train(3)", "training mode is expected to be boolean"),
    ("nn.Linear(2, 2).get_submodule('a')", "has no attribute `a`"),
    ("nn.Linear(2, 2).get_parameter('a')", ""),
    ("nn.Conv2d(3, 4, 2, groups=2)", "in_channels must be divisible by groups"),
    ("nn.Conv2d(4, 3, 2, groups=2)", "out_channels must be divisible by groups"),
    ("nn.Conv2d(4, 4, 2, groups=0)", "groups must be a positive integer"),
    ("nn.Conv2d(4, 4, 2, padding='full')", "Invalid padding string 'full'"),
    ("nn.Conv2d(4, 4, 2, padding='same', stride=2)", "padding='same' is not supported for strided convolutions"),
    ("nn.Conv2d(4, 4, 2, padding_mode='mirror')", "padding_mode must be one of"),
    ("nn.ConvTranspose2d(4, 4, 2, padding_mode='reflect')", 'Only "zeros" padding mode is supported'),
    ("nn.ConvTranspose2d(1, 1, 2, stride=2)(t.ones(1, 1, 2, 2), output_size=(9, 9))", "requested an output size of"),
    ("nn.Dropout(1.5)", "dropout probability has to be between 0 and 1, but got 1.5"),
    ("F.dropout(t.ones(2), -0.1)", "dropout probability has to be between 0 and 1, but got -0.1"),
    ("nn.BatchNorm2d(3)(t.ones(2, 3))", "expected 4D input (got 2D input)"),
    ("nn.BatchNorm1d(3)(t.ones(1, 3))", "Expected more than 1 value per channel when training, got input size"),
    ("nn.GroupNorm(2, 3)", "num_channels (3) must be divisible by num_groups (2)"),
    (
        "nn.LayerNorm(4)(t.ones(2, 3))",
        "Given normalized_shape=[4], expected input with shape [*, 4], but got input of size[2, 3]",
    ),
    ("nn.Embedding(3, 4)(t.tensor([3]))", "index out of range in self"),
    (
        "nn.Embedding(3, 4)(t.tensor([0.5]))",
        "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int",
    ),
    ("nn.Embedding(3, 4, padding_idx=3)", ""),
    ("nn.LSTM(3, 4)(t.ones(2, 2, 4))", "input.size(-1) must be equal to input_size. Expected 3, got 4"),
    (
        "nn.LSTM(3, 4)(t.ones(2, 2, 3), (t.ones(1, 3, 4), t.ones(1, 2, 4)))",
        "Expected hidden[0] size (1, 2, 4), got [1, 3, 4]",
    ),
    ("nn.LSTM(3, 4, dropout=2)", "dropout should be a number in range [0, 1]"),
    ("nn.RNN(3, 4, nonlinearity='sin')", "Unknown nonlinearity 'sin'. Select from 'tanh' or 'relu'."),
    ("nn.MultiheadAttention(5, 2)", "embed_dim must be divisible by num_heads"),
    ("F.cross_entropy(t.ones(2, 3), t.tensor([0, 3]))", "Target 3 is out of bounds"),
    (
        "F.cross_entropy(t.ones(2, 3), t.tensor([0, 1, 2]))",
        "Expected input batch_size (2) to match target batch_size (3).",
    ),
    ("F.binary_cross_entropy(t.ones(2) * 2, t.ones(2))", "all elements of input should be between 0 and 1"),
    (
        "F.binary_cross_entropy_with_logits(t.ones(2), t.ones(3))",
        "must be the same as input size (minigrad.Size([2]))",
    ),
    ("F.one_hot(t.tensor([0.5]))", "one_hot is only applicable to index"),
    ("F.one_hot(t.tensor([3]), 3)", "Class values must be smaller than num_classes."),
    ("F.one_hot(t.tensor([-1]))", "Class values must be non-negative."),
    ("F.glu(t.ones(3))", "Halving dimension must be even, but dimension 0 is size 3"),
    ("F.interpolate(t.ones(1, 1, 2, 2))", "either size or scale_factor should be defined"),
    ("F.interpolate(t.ones(1, 1, 2, 2), 3, 2)", "only one of size or scale_factor should be defined"),
    (
        "F.interpolate(t.ones(1, 1, 2, 2), 3, align_corners=True)",
        "align_corners option can only be set with the interpolating modes",
    ),
    ("F.pixel_shuffle(t.ones(1, 3, 2, 2), 2)", "to be divisible by the square of upscale_factor"),
    ("F.pad(t.ones(1, 1, 3), (3, 0), 'reflect')", "Padding size should be less than the corresponding input dimension"),
    ("F.pad(t.ones(1, 1, 3), (4, 0), 'circular')", "Padding value causes wrapping around more than once."),
    ("F.pad(t.ones(1, 1, 3), (1, 1), 'mirror')", ""),
    (
        "F.conv1d(t.ones(2), t.ones(1, 1, 1))",
        "Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: [2]",
    ),
    ("F.conv_transpose2d(t.ones(1, 2, 3, 3), t.ones(3, 1, 2, 2))", "to have 3 channels, but got 2 channels instead"),
    (
        "F.conv_transpose2d(t.ones(1, 1, 3, 3), t.ones(1, 1, 2, 2), output_padding=1)",
        "output padding must be smaller than either stride or dilation",
    ),
    (
        "F.scaled_dot_product_attention(t.ones(1, 2), t.ones(1, 2), t.ones(1, 2), t.ones(1, 1), is_causal=True)",
        "Explicit attn_mask should not be set when is_causal=True",
    ),
    (
        "nn.init.kaiming_uniform_(t.ones(3))",
        "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
    ),
    (
        "nn.init.kaiming_uniform_(t.ones(3, 3), mode='fan')",
        "Mode fan not supported, please use one of ['fan_in', 'fan_out']",
    ),
    ("nn.init.calculate_gain('sine')", "Unsupported nonlinearity sine"),
    ("nn.utils.clip_grad_norm_(nn.Linear(1, 1).parameters(), 1.0, error_if_nonfinite=True) + t.ones(2).nothing", ""),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused(text, message):
    for place in PLACES:
        with pytest.raises(Exception) as caught:
            evaluate(place, text)
        assert place.is_torch or message in str(caught.value.args[0])


def test_before_init():
    class Careless(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Careless()


def test_state_dict_round_trip():
    minigrad.manual_seed(0)
    a, b = Net(), Net()
    assert repr(b.load_state_dict(a.state_dict())) == "<All keys matched successfully>"
    for name, value in a.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), b.state_dict()[name].numpy())
    a.state_dict()["scale"].fill_(7)  # the dict shows the parameters' own memory
    assert a.scale.item() == 7
    assert b.scale.item() == 1
    c = Net()
    c.load_state_dict(a.state_dict(), assign=True)
    assert c.scale.item() == 7
    assert isinstance(c.scale, nn.Parameter)


def test_nothing_is_loaded_if_one_fails():
    minigrad.manual_seed(0)
    net, other = Net(), torch_net()
    before = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    wrong = {k: minigrad.ones(v.shape) * 9 for k, v in net.state_dict().items()}
    wrong["rest.1.weight"] = minigrad.ones(5, 5)
    del wrong["first.bias"]
    wrong["first.extra"] = minigrad.ones(1)
    with pytest.raises(RuntimeError) as ours:
        net.load_state_dict(wrong)
    with pytest.raises(RuntimeError) as theirs:
        other.load_state_dict({k: torch.tensor(v.numpy()) for k, v in wrong.items()})
    assert str(ours.value).replace("minigrad.", "torch.") == str(theirs.value).replace("for Module", "for Net")
    for k, v in net.state_dict().items():
        np.testing.assert_array_equal(v.numpy(), before[k])
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(wrong, strict=False)
    del wrong["rest.1.weight"]
    found = net.load_state_dict(wrong, strict=False)
    assert found.missing_keys == ["first.bias", "rest.1.weight"]
    assert found.unexpected_keys == ["first.extra"]
    assert net.scale.item() == 9


def test_state_dict_wants_tensors_in_a_mapping():
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        Net().load_state_dict([1])
    with pytest.raises(RuntimeError, match='While copying the parameter named "scale", expected Tensor'):
        Net().load_state_dict({"scale": 3}, strict=False)


def test_modes_and_casts():
    net = Net().eval()
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    w = net.first.weight
    net.double()
    assert net.first.weight is w
    assert w.dtype is minigrad.float64
    assert net.rest[0].num_batches_tracked.dtype is minigrad.int64
    assert net.offset.dtype is minigrad.float64
    assert net.to(minigrad.float16).scale.dtype is minigrad.float16
    assert net.float().to("cpu").cpu().scale.dtype is minigrad.float32
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_zero_grad_and_apply():
    net = Net()
    net(minigrad.randn(5, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(float(p.grad.abs().sum()) == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "BatchNorm1d", "Linear", "Sequential", "Net"]


def test_deepcopy_and_pickle_keep_shared_parameters_shared():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    for again in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(again[0].weight.detach().numpy(), net[0].weight.detach().numpy())
        assert again[0].weight is not net[0].weight
    assert copy.deepcopy(net)[1].weight is not None
    twin = copy.deepcopy(net)
    assert twin[1].weight is twin[0].weight


def hooked(place):
    """What the hooks of a small network hear, in both libraries."""
    place.t.manual_seed(0)
    heard = []
    layer = place.nn.Linear(3, 2)
    net = place.nn.Sequential(layer, place.nn.Tanh())

    def plain(values):
        return [None if v is None else np.round(v.detach().numpy(), 5).tolist() for v in values]

    layer.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    layer.register_forward_hook(lambda m, args, y: heard.append(("forward", plain(args))))
    layer.register_forward_hook(lambda m, args, kwargs, y: y + 1, with_kwargs=True)
    layer.register_forward_hook(lambda m, args, y: heard.append(("first", plain([y]))), prepend=True)
    layer.register_full_backward_pre_hook(lambda m, gy: (gy[0] * 3,))
    layer.register_full_backward_hook(lambda m, gx, gy: heard.append(("backward", plain(gx), plain(gy))))
    layer.register_full_backward_hook(lambda m, gx, gy: None if gx[0] is None else (gx[0] * 5,))
    gone = layer.register_forward_hook(lambda m, args, y: heard.append("never"))
    gone.remove()
    x = place.t.ones(1, 3, requires_grad=True)
    net(x).sum().backward()
    heard.append(plain([x.grad, layer.weight.grad]))
    net(place.t.ones(1, 3)).sum().backward()  # no input wants a gradient
    return heard


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_hooks():
    theirs, ours = (hooked(place) for place in PLACES)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert len(a) == len(b)
        for u, v in zip(a, b, strict=True):
            if isinstance(u, str):
                assert u == v
            else:
                for p, q in zip(u, v, strict=True):
                    assert (p is None) == (q is None)
                    if p is not None:
                        np.testing.assert_allclose(p, q, rtol=1e-3, atol=3e-5)


def test_forward_pre_hook_with_keywords():
    layer = nn.Identity()
    layer.forward = lambda x, scale=1: x * scale
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"scale": 5}), with_kwargs=True)
    assert layer(minigrad.ones(1), scale=2).item() == 5
    layer.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match="forward pre-hook must return None or a tuple"):
        layer(minigrad.ones(1))


CONTAINERS = [
    "[type(m).__name__ for m in nn.Sequential(nn.ReLU(), nn.Tanh()).append(nn.ELU()).insert(1, nn.GLU())]",
    "[type(m).__name__ for m in nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ELU())[1:]]",
    "[type(m).__name__ for m in nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh())]",
    "[type(m).__name__ for m in nn.Sequential(nn.ReLU()).extend(nn.Sequential(nn.Tanh()))]",
    "type(nn.Sequential(nn.ReLU(), nn.Tanh()).pop(0)).__name__",
    "list(nn.Sequential(O([('a', nn.ReLU()), ('b', nn.Tanh())])).named_children())[1][0]",
    "(lambda s: (s.__delitem__(0), repr(s)))(nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ELU()))[1]",
    "(lambda s: (s.__setitem__(-1, nn.ELU()), repr(s)))(nn.Sequential(nn.ReLU(), nn.Tanh()))[1]",
    "repr(nn.ModuleList([nn.ReLU()]).append(nn.Tanh()).extend([nn.ELU(), nn.ELU()]))",
    "repr(nn.ModuleList([nn.ReLU(), nn.Tanh(), nn.ELU()])[:2])",
    "repr(nn.ModuleList([nn.ReLU()]) + nn.ModuleList([nn.ReLU()]))",
    "(lambda s: (s.insert(0, nn.ELU()), s.pop(1), repr(s), len(s)))(nn.ModuleList([nn.ReLU(), nn.Tanh()]))[2:]",
    "(lambda s: (s.__delitem__(0), repr(s)))(nn.ModuleList([nn.ReLU(), nn.Tanh(), nn.ELU()]))[1]",
    "repr(nn.ModuleDict({'a': nn.ReLU(), 'b': nn.Sequential(nn.Linear(1, 2), nn.Tanh())}))",
    "(lambda d: (d.update([('b', nn.Tanh())]), list(d), 'b' in d, len(d), type(d.pop('a')).__name__, list(d.keys())))"
    "(nn.ModuleDict({'a': nn.ReLU()}))[1:]",
    "(lambda p: (len(p), [n for n, _ in p.named_parameters()], repr(p[1:]), len(p.append(t.ones(1))), repr(p)))"
    "(nn.ParameterList([t.ones(2), nn.Parameter(t.ones(2, 3)), 3]))",
    "(lambda p: (list(p), 'a' in p, [n for n, _ in p.named_parameters()], repr(p), p.get('z', 4), len(p)))"
    "(nn.ParameterDict({'a': t.ones(2), 'b': t.ones(1, 3)}))",
    "(lambda p: (p.pop('a').shape[0], list(p.keys()), p.update({'c': t.ones(1)}), p.setdefault('d', 3), list(p)))"
    "(nn.ParameterDict({'a': t.ones(2), 'b': t.ones(1, 3)}))",
]


@pytest.mark.parametrize("text", CONTAINERS)
def test_containers(text):
    theirs, ours = (evaluate(place, text, O=OrderedDict) for place in PLACES)
    assert ours == theirs


def test_parameter():
    p = nn.Parameter(minigrad.ones(2))
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert type(p * 2) is minigrad.Tensor
    assert type(p.data) is minigrad.Tensor
    assert isinstance(copy.deepcopy(p), nn.Parameter)
    data = minigrad.ones(2)
    nn.Parameter(data).data.fill_(3)  # on the data's own memory
    assert data.tolist() == [3, 3]
    with pytest.raises(TypeError, match="Only Tensors of floating point"):
        nn.Parameter(minigrad.ones(2, dtype=minigrad.int64))
    with pytest.raises(ValueError, match="Cannot assign non-leaf Tensor to parameter 'a'"):
        q = nn.Parameter(p * 2)
        q.node = (p * 2).node
        nn.Module().register_parameter("a", q)


def test_state_hooks():
    results = []
    for place in PLACES:
        net = place.nn.Sequential(place.nn.Linear(2, 2))
        net.register_state_dict_post_hook(lambda m, state, prefix, meta: state.update(extra=state.pop("0.bias")))
        state = net.state_dict()

        def rename(m, state, prefix, meta, strict, missing, unexpected, errors):
            state[prefix + "weight"] = state.pop(prefix + "w")

        net[0].register_load_state_dict_pre_hook(rename)
        net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
        state["0.bias"] = state.pop("extra")
        state["0.w"] = state.pop("0.weight") * 0
        results.append((list(state), repr(net.load_state_dict(state)), net[0].weight.tolist()))
    assert results[0] == results[1]


def test_set_submodule():
    net = Net()
    net.set_submodule("rest.1", nn.Identity())
    assert repr(net.rest[1]) == "Identity()"
