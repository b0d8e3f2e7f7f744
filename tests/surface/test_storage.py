"""Storages, and tensors laid over other memory: every program runs with both libraries."""

import pytest
import torch

import minigrad

pytestmark = pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")


def shared(l):
    x = l.arange(6.0)
    y = x.view(2, 3)[:, 1]
    same = x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr()
    other = x.clone().untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    return same, other, y.storage_offset(), x.untyped_storage().nbytes(), y.stride(), y.data_ptr() - x.data_ptr()


def typed(l):
    x = l.tensor([[1, 2], [3, 4]])[1]
    s = x.storage()
    s[2] = 7
    return (
        len(s),
        s.tolist(),
        s[0],
        s.nbytes(),
        s.size(),
        x.tolist(),
        str(s.dtype).split(".")[1],
        len(x.untyped_storage()),
    )


def shrunk_and_grown(l):
    x = l.arange(6.0)
    address = x.data_ptr()
    x.resize_(2)
    a = x.tolist(), x.data_ptr() == address
    x.resize_(2, 3)
    b = x.tolist(), x.data_ptr() == address
    x.resize_(8)
    return a, b, x[:6].tolist(), x.shape[0], x.resize_as_(l.zeros(1, 2)).tolist()


def in_the_middle(l):
    x = l.arange(6.0)
    y = x[2:4]
    y.resize_(3)
    y.fill_(9.0)
    return x.tolist(), y.storage_offset()


def set_to(l):
    x, y = l.zeros(2), l.arange(6.0)
    out = [x.set_(y) is x, x.tolist(), x.is_set_to(y)]
    x.mul_(2)
    out += [y.tolist(), x.set_(y, 1, (2, 2), (2, 1)).tolist(), x.storage_offset(), x.is_set_to(y)]
    out += [x.set_(y.untyped_storage()).tolist(), x.set_().tolist(), x.set_(y.storage(), 4, (2,)).tolist()]
    return out


def mapped(l):
    x, y, z = l.tensor([1.0, 2.0]), l.tensor([3.0, 4.0]), l.tensor([[5.0, 6.0]])
    return x.map_(y, lambda a, b: a * 10 + b).tolist(), x.map2_(y, z[0], lambda a, b, c: a + b * c).tolist()


def asked(l):
    x = l.zeros(2, 3, requires_grad=True)
    y = x * 2
    before = y.retains_grad
    y.retain_grad()
    answers = [before, y.retains_grad, x.retains_grad, x.is_same_size(y), l.is_same_size(x, l.zeros(3)), y.dim_order()]
    answers += [y.mT.dim_order(), y.is_conj(), y.is_neg(), y.is_meta, y.is_mps, y.is_nested, y.resolve_conj() is y]
    return [
        *answers,
        l.detach(y).requires_grad,
        l.is_signed(y),
        l.get_device(y),
        l.arange(6).view(2, 3).H.tolist(),
        y.is_xla,
    ]


PROGRAMS = [shared, typed, shrunk_and_grown, in_the_middle, set_to, mapped, asked]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_as_pytorch(program, backend):
    assert program(minigrad) == program(torch)


REFUSED = [
    (lambda l: l.zeros(2, requires_grad=True).resize_(3), "cannot resize variables that require grad"),
    (lambda l: l.zeros(2).resize_(-1), "negative dimension"),
    (lambda l: l.zeros(2).set_(l.zeros(2, dtype=l.float64)), "Could not set tensor of type"),
    (lambda l: l.zeros(2).set_(l.zeros(4), 0, (2, 3)), "out of bounds for storage of size 4"),
    (lambda l: l.zeros(2, requires_grad=True).map_(l.zeros(2), lambda a, b: a), "can't call map_"),
    (lambda l: l.zeros(2).map_(l.zeros(2, dtype=l.int64), lambda a, b: a), "all tensors must be of type"),
    (lambda l: l.zeros(2).H, "only supported on matrices"),
]


@pytest.mark.parametrize(("call", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_refused(call, text):
    if text != "out of bounds for storage of size 4":  # PyTorch makes the storage larger
        with pytest.raises((RuntimeError, TypeError)):
            call(torch)
    with pytest.raises((RuntimeError, TypeError), match=text):
        call(minigrad)


def test_a_resize_is_seen_by_backward():
    x = minigrad.ones(2, requires_grad=True)
    factor = minigrad.ones(2)
    y = x * factor
    factor.resize_(1)
    with pytest.raises(minigrad.GraphError, match=r"modified by resize_\(\)"):
        y.sum().backward()


@pytest.mark.parametrize("shape", [(5, 3), (3, 3), (2, 4, 2)])
def test_packed_decompositions(shape, backend):
    torch.manual_seed(0)
    a = torch.randn(shape, dtype=torch.float64)
    packed, tau = minigrad.geqrf(minigrad.tensor(a.numpy()))
    q = minigrad.linalg.householder_product(packed, tau)
    expected = torch.linalg.householder_product(*torch.geqrf(a))
    torch.testing.assert_close(torch.from_numpy(q.numpy().copy()), expected)
    torch.testing.assert_close(torch.from_numpy((q @ packed.triu()[..., : shape[-1], :]).numpy().copy()), a)
