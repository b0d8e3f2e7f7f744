"""nn.utils.prune and the smaller tools of nn.utils, beside PyTorch's: every program runs with both libraries."""

import numpy as np
import pytest
import torch
import torch.nn.utils.prune
import torch.nn.utils.stateless
from programs import agree, trained

import minigrad
from minigrad import nn
from minigrad.nn.utils import prune


def lenet_layer(library):
    return library.nn.Conv2d(1, 6, 3)


def state(layer):
    return (
        [n for n, _ in layer.named_parameters()],
        [n for n, _ in layer.named_buffers()],
        dict(layer.state_dict()),
        layer.weight,
    )


def tutorial(library):
    """Random, then L1 on the bias, then structured on top; removed in the end."""
    prune, layer = library.nn.utils.prune, lenet_layer(library)
    out = [prune.is_pruned(layer)]
    prune.random_unstructured(layer, name="weight", amount=0.3)
    out += [state(layer), [type(h).__name__ for h in layer._forward_pre_hooks.values()]]
    prune.l1_unstructured(layer, name="bias", amount=3)
    prune.ln_structured(layer, name="weight", amount=0.5, n=2, dim=0)
    out += [state(layer), layer.bias]
    for hook in layer._forward_pre_hooks.values():
        if hook._tensor_name == "weight":
            out += [[type(h).__name__ for h in hook], len(hook)]
    out.append(prune.is_pruned(library.nn.Sequential(layer)))
    before = layer.weight_orig
    prune.remove(layer, "weight")
    out += [state(layer), layer.weight is before, len(layer._forward_pre_hooks)]
    return out


def while_training(library):
    layer = library.nn.Linear(4, 3)
    library.nn.utils.prune.l1_unstructured(layer, "weight", 0.5)
    return trained(library, layer, 2, 4), layer.weight_mask


def everywhere(library):
    prune = library.nn.utils.prune
    model = library.nn.Sequential(library.nn.Linear(4, 3), library.nn.ReLU(), library.nn.Linear(3, 2))
    prune.global_unstructured(
        [(model[0], "weight"), (model[2], "weight")], pruning_method=prune.L1Unstructured, amount=0.4
    )
    prune.global_unstructured(
        [(model[0], "weight"), (model[2], "weight")], pruning_method=prune.L1Unstructured, amount=2
    )
    return dict(model.state_dict())


def own_method(library):
    prune = library.nn.utils.prune

    class EveryOther(prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    layer = library.nn.Linear(3, 4)
    EveryOther.apply(layer, "bias")
    t = library.arange(6.0)
    return layer.bias_mask, layer.bias, prune.L1Unstructured(amount=2).prune(t)


def from_mask(library):
    layer = library.nn.Linear(3, 2)
    library.nn.utils.prune.custom_from_mask(layer, "weight", library.tensor([[0, 1, 1], [1, 0, 1]]))
    library.nn.utils.prune.identity(layer, "bias")
    return state(layer)


def with_scores(library):
    layer = library.nn.Linear(3, 2)
    prune = library.nn.utils.prune
    prune.l1_unstructured(layer, "weight", 2, importance_scores=library.tensor([[3.0, 1.0, 2.0], [6.0, 5.0, 4.0]]))
    prune.ln_structured(layer, "weight", 1, n=1, dim=1)
    return state(layer)


def random_slices(library):
    layer = library.nn.Conv2d(3, 4, 2)
    library.nn.utils.prune.random_structured(layer, "weight", amount=2, dim=1)
    library.nn.utils.prune.ln_structured(layer, "weight", amount=1, n=float("inf"), dim=0)
    return state(layer)


def fused_convolution(library, transpose=False):
    kind = library.nn.ConvTranspose2d if transpose else library.nn.Conv2d
    conv, bn = kind(2, 3, 3, bias=not transpose), library.nn.BatchNorm2d(3)
    bn(library.randn(4, 3, 5, 5))
    fused = library.nn.utils.fuse_conv_bn_eval(conv.eval(), bn.eval(), transpose)
    x = library.randn(2, 2, 6, 6)
    return fused(x), bn(conv(x)), [p.requires_grad for p in fused.parameters()]


def fused_linear(library):
    linear, bn = library.nn.Linear(3, 4), library.nn.BatchNorm1d(4)
    bn(library.randn(6, 4))
    fused = library.nn.utils.fuse_linear_bn_eval(linear.eval(), bn.eval())
    x = library.randn(5, 3)
    return fused(x), bn(linear(x))


def skipped(library):
    layer = library.nn.utils.skip_init(library.nn.Linear, 3, 2)
    return [tuple(p.shape) for p in layer.parameters()], layer.weight.requires_grad, library.randn(3)


def stateless(library):
    layer = library.nn.Linear(2, 2)
    x = library.ones(1, 2)
    y = library.nn.utils.stateless.functional_call(layer, {"weight": library.zeros(2, 2)}, x)
    return y, layer(x)


def clipped(library):
    layer = library.nn.Linear(3, 2)
    (layer(library.ones(2, 3)) * 9).sum().backward()
    library.nn.utils.clip_grads_with_norm_(layer.parameters(), 1.0, library.tensor(4.0))
    return [p.grad for p in layer.parameters()]


PROGRAMS = {
    f.__name__: f
    for f in (tutorial, while_training, everywhere, own_method, from_mask, with_scores, random_slices, fused_convolution,
              fused_linear, skipped, stateless, clipped)
} | {"fused_transposed": lambda l: fused_convolution(l, True)}  # fmt: skip


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_as_pytorch(name, backend):
    agree(PROGRAMS[name])


def raised(call):
    try:
        call()
    except Exception as error:
        return error
    return None


BAD = {
    "a negative amount": (lambda l, m: l.nn.utils.prune.l1_unstructured(m, "weight", -1), "non-negative integer"),
    "a share over one": (lambda l, m: l.nn.utils.prune.l1_unstructured(m, "weight", 1.5), "float in the range"),
    "a text": (lambda l, m: l.nn.utils.prune.l1_unstructured(m, "weight", "1"), "Invalid type for amount"),
    "too many": (lambda l, m: l.nn.utils.prune.l1_unstructured(m, "weight", 99), "smaller than the number of parameters to prune=6"),
    "slices of a vector": (lambda l, m: l.nn.utils.prune.random_structured(m, "bias", 1, 0), "multidimensional tensors"),
    "no such dimension": (lambda l, m: l.nn.utils.prune.random_structured(m, "weight", 1, 2), "Invalid index 2"),
    "not pruned": (lambda l, m: l.nn.utils.prune.remove(m, "weight"), "has to be pruned before"),
    "slices of all": (
        lambda l, m: l.nn.utils.prune.global_unstructured([(m, "weight")], l.nn.utils.prune.RandomStructured, amount=1),
        'Only "unstructured" PRUNING_TYPE',
    ),
    "scores of another shape": (
        lambda l, m: l.nn.utils.prune.l1_unstructured(m, "weight", 1, importance_scores=l.ones(2)),
        "importance_scores should have the same shape",
    ),
    "fusing while training": (
        lambda l, m: l.nn.utils.fuse_linear_bn_eval(m, l.nn.BatchNorm1d(2)), "Fusion only for eval!"),
    "no device to skip": (lambda l, m: l.nn.utils.skip_init(l.nn.Flatten), "must support a 'device' arg"),
    "no module to skip": (lambda l, m: l.nn.utils.skip_init(dict), "Expected a Module; got"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_both_refuse(what):
    call, text = BAD[what]
    mine, theirs = raised(lambda: call(minigrad, nn.Linear(3, 2))), raised(lambda: call(torch, torch.nn.Linear(3, 2)))
    assert theirs is not None and isinstance(mine, type(theirs))
    assert text in str(mine)


def test_a_container_takes_only_methods_for_its_parameter():
    first, second = prune.Identity(), prune.Identity()
    first._tensor_name, second._tensor_name = "weight", "bias"
    container = prune.PruningContainer(first)
    with pytest.raises(ValueError, match="acting on the parameter named 'weight'"):
        container.add_pruning_method(second)
    with pytest.raises(TypeError, match="is not a BasePruningMethod subclass"):
        container.add_pruning_method(3)


def test_packed_sequences_are_moved_and_cast():
    from minigrad.nn.utils import rnn

    x = minigrad.randn(4, 2, 3)
    packed = rnn.pack_padded_sequence(x, [3, 4], enforce_sorted=False)
    assert packed.double().data.dtype is minigrad.float64 and packed.cpu().data.shape == (7, 3)
    assert rnn.invert_permutation(packed.sorted_indices).tolist() == packed.unsorted_indices.tolist()
    assert rnn.invert_permutation(None) is None
    y, lengths = rnn.pad_packed_sequence(packed.half().float())
    np.testing.assert_allclose(y[:, 1].cpu().numpy(), x[:, 1].cpu().numpy(), atol=2e-3)
    assert lengths.tolist() == [3, 4]
