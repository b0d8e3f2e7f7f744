"""Calls as PyTorch's programs write them: keywords, older constructors, printed results, hooks, walks over the graph.

Each expression is evaluated with `torch` meaning PyTorch and with `torch` meaning minigrad; what it prints must be the same.
"""

import re

import pytest
import torch as pytorch

import minigrad
from minigrad.layout import memory_format
from minigrad.size import Size

SIZES = """
torch.zeros(size=(2, 3)).shape
torch.ones(size=(2,)).shape
torch.empty(size=[2, 3]).shape
torch.rand(size=(2, 3)).shape
torch.randn(size=(2, 3)).shape
x.new_zeros(size=(2,))
x.new_ones(size=(2,))
x.new_empty(size=(2, 1)).shape
x.reshape(shape=(3, 2))
x.view(size=(6,))
x.view(dtype=torch.int32).dtype
x.expand(size=(2, 2, 3)).shape
x.permute(dims=(1, 0))
torch.permute(x, dims=(1, 0))
x.repeat(repeats=(2, 1))
x.tile(dims=(2,))
x.split(split_size=1)[1]
torch.split(x, split_size_or_sections=2, dim=1)[1]
torch.arange(end=3)
torch.arange(start=1, end=7, step=2)
torch.spmm(x, x.T)
torch.remainder(x, -1.5), torch.remainder(-x, 2), (-x) % 3, x.long() % -2
x.scatter(1, torch.zeros(2, 1).long(), value=5)
torch.zeros(4).scatter_(0, torch.tensor(2), value=1)
torch.zeros(4).scatter(0, torch.tensor(2), torch.tensor(3.0))
torch.zeros(4).scatter_add(0, torch.tensor(2), torch.tensor(3.0))
torch.arange(4.0).gather(0, torch.tensor(2))
""".strip().splitlines()

KINDS = """
x.type()
x.long().type()
x.bool().type()
x.type("torch.LongTensor")
x.type(torch.DoubleTensor).dtype
isinstance(x, torch.FloatTensor), isinstance(x, torch.LongTensor), isinstance(3, torch.FloatTensor)
torch.LongTensor([1, 2]), torch.FloatTensor(2, 3).shape, torch.FloatTensor(x.shape).shape
x.layout, torch.preserve_format, torch.channels_last
x.contiguous(memory_format=torch.contiguous_format).shape, x.clone(memory_format=torch.preserve_format).shape
torch.Generator().device, torch.get_default_device(), torch.get_float32_matmul_precision()
type(x), type(x.shape), type(x.dtype), type(x.device)
""".strip().splitlines()

RESULTS = """
x.max(1)
x.min(dim=0)
x.sort(descending=True)
x.topk(2)
x.median(1)
x.mode(0)
x.kthvalue(2)
x.cummax(1)
torch.aminmax(x)
torch.frexp(x)
torch.histogram(x, bins=3)
torch.linalg.slogdet(x @ x.T + 1)
torch.slogdet(x @ x.T + 1).logabsdet
torch.linalg.qr(x.T).R.shape
torch.svd(x).S
x.max(1).indices, x.max(1)[0]
""".strip().splitlines()


def shown(expression, library):
    x = library.arange(6.0).reshape(2, 3)
    return re.sub("0x[0-9a-f]+", "0x", repr(eval(expression, {"torch": library, "x": x})))


@pytest.fixture
def as_torch():
    from minigrad.torch import _name_all

    _name_all("torch")
    yield minigrad
    _name_all("minigrad")


@pytest.mark.parametrize("expression", SIZES + KINDS + RESULTS)
def test_prints_what_pytorch_prints(expression, as_torch):
    assert shown(expression, as_torch) == shown(expression, pytorch)


def test_results_say_whose_they_are():
    assert repr(minigrad.ones(1, 1).max(0)).startswith("minigrad.return_types.max(\nvalues=tensor([1.]),\n")
    assert minigrad.return_types.sort is type(minigrad.ones(2).sort())
    assert Size.library == "minigrad" and repr(minigrad.strided) == "minigrad.strided"
    assert isinstance(minigrad.channels_last, memory_format)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = minigrad.return_types.nothing


@pytest.mark.parametrize("library", [pytorch, minigrad])
def test_a_hook_after_the_gradient_is_there(library):
    v = library.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    v.register_hook(lambda g: g * 2)
    handle = v.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    ((v * v).sum() + v.sum()).backward()
    (v * 1).sum().backward()
    assert seen == [[6.0, 10.0], [8.0, 12.0]]
    library.autograd.grad((v * v).sum(), v)
    handle.remove()
    v.sum().backward()
    assert len(seen) == 2
    with pytest.raises(RuntimeError, match="post accumulate grad hooks cannot be registered on non-leaf tensors"):
        (v * 1).register_post_accumulate_grad_hook(print)
    with pytest.raises(RuntimeError, match="doesn't require grad"):
        v.detach().register_post_accumulate_grad_hook(print)


@pytest.mark.parametrize("library", [pytorch, minigrad])
def test_a_leaf_in_a_walk_over_the_graph(library):
    a = library.ones(2, requires_grad=True)
    ((leaf, number), *_) = a.exp().grad_fn.next_functions
    assert leaf.variable is a and number == 0 and leaf.next_functions == ()
    assert repr(leaf).startswith("<AccumulateGrad object at ")
    ((other, _), *_) = a.exp().grad_fn.next_functions
    assert other == leaf and hash(other) == hash(leaf)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ends", [(-1, 1), (0, 6.2831853), (5, -5), (-3.3, 7.7)])
def test_even_steps_are_pytorchs_bit_for_bit(dtype, ends):
    for steps in (*range(1, 70), 255, 1001):
        ours = minigrad.linspace(*ends, steps, dtype=getattr(minigrad, dtype))
        assert ours.tolist() == pytorch.linspace(*ends, steps, dtype=getattr(pytorch, dtype)).tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [7, 12, 14, 20, 28, 33])
@pytest.mark.parametrize("align", [False, True])
def test_the_identity_grid_falls_on_pytorchs_side_of_each_pixel(dtype, size, align):
    """Places that are whole numbers but for rounding: the gradient says on which side of them they are."""
    found = []
    for library in (pytorch, minigrad):
        kind = getattr(library, dtype)
        theta = library.tensor([[[1.0, 0, 0], [0, 1, 0]]], dtype=kind, requires_grad=True)
        image = (library.arange(size, dtype=kind) ** 2).expand(1, 1, size, size)
        grid = library.nn.functional.affine_grid(theta, (1, 1, size, size), align_corners=align)
        grid.retain_grad()
        library.nn.functional.grid_sample(image, grid, align_corners=align).sum().backward()
        found.append((grid.tolist(), grid.grad.reshape(-1).tolist()))
    assert found[0][0] == found[1][0]
    assert found[0][1] == pytest.approx(found[1][1], abs=0.01)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's own, where it loads what it decomposes by
@pytest.mark.parametrize("library", [pytorch, minigrad])
def test_forward_mode(library):
    import importlib

    fw = importlib.import_module(f"{library.__name__}.autograd.forward_ad")
    library.manual_seed(0)
    x, t, other = library.randn(3, 3), library.randn(3, 3), library.randn(3, 3)
    model = library.nn.Linear(3, 2)
    with fw.dual_level():
        dual = fw.make_dual(x, t)
        assert fw.unpack_dual(dual).tangent is t and fw.unpack_dual(other).tangent is None
        result = fw.unpack_dual((dual * dual + other).sin())
        expected = 2 * x * (x * x + other).cos() * t
        assert library.allclose(result.tangent, expected, atol=1e-6)
        weight = fw.make_dual(model.weight, library.ones(2, 3))
        out = library.func.functional_call(model, {"weight": weight, "bias": model.bias}, other)
        tangent = fw.unpack_dual(out).tangent
        assert library.allclose(tangent, other.sum(1, keepdim=True).expand(3, 2), atol=1e-6)
        with pytest.raises(RuntimeError, match="a different size than that of the original Tensor"):
            fw.make_dual(x, library.zeros(2))
        with pytest.raises(RuntimeError, match="Nested forward mode"), fw.dual_level():
            pass
    assert fw.unpack_dual(dual).tangent is None
    with pytest.raises(RuntimeError, match="no level exists"):
        fw.make_dual(x, t)
