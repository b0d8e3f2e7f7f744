"""autocast's regions and lists beside PyTorch's on the CPU: what is lowered, what is not, where and how long."""

import threading
import warnings

import pytest

import minigrad
from minigrad.errors import ShapeError
from minigrad.ops.region import FULL

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")


def nested(l):
    a, seen = l.ones(2, 2), []

    def kind():
        seen.append(
            (
                str((a @ a).dtype).split(".")[1],
                l.is_autocast_enabled("cpu"),
                str(l.get_autocast_dtype("cpu")).split(".")[1],
            )
        )

    kind()
    with l.autocast("cpu"):
        kind()
        with l.autocast("cpu", dtype=l.float16):
            kind()
            with l.autocast("cpu", enabled=False):
                kind()
                with l.autocast("cpu"):
                    kind()
            kind()
        kind()
    kind()
    return seen


def threads(l):
    a, seen = l.ones(2, 2), []

    def run():
        seen.append(str((a @ a).dtype).split(".")[1])
        with l.autocast("cpu", dtype=l.float16):
            seen.append(str((a @ a).dtype).split(".")[1])

    with l.autocast("cpu"):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        seen.append(str((a @ a).dtype).split(".")[1])
    return seen


def custom(l):
    seen = []

    class Product(l.autograd.Function):
        @staticmethod
        @l.amp.custom_fwd(device_type="cpu", cast_inputs=l.float32)
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            seen.append((str(a.dtype).split(".")[1], l.is_autocast_enabled("cpu")))
            return a @ b

        @staticmethod
        @l.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            seen.append(l.is_autocast_enabled("cpu"))
            return g @ b.t(), a.t() @ g

    class Plain(l.autograd.Function):
        @staticmethod
        @l.amp.custom_fwd(device_type="cpu")
        def forward(ctx, a):
            seen.append(l.is_autocast_enabled("cpu"))
            return a * 2

        @staticmethod
        @l.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append(l.is_autocast_enabled("cpu"))
            return g * 2

    a = l.ones(2, 2, requires_grad=True)
    with l.autocast("cpu"):
        y = Product.apply(a.bfloat16(), a) + Plain.apply(a)
    y.sum().backward()
    return seen, str(y.dtype).split(".")[1], a.grad.tolist()


@pytest.mark.parametrize("program", [nested, threads, custom], ids=lambda f: f.__name__)
def test_as_pytorch(program):
    assert program(minigrad) == program(torch)


V, W, M = "t.ones(2, 3)", "t.ones(2, 3) * 0.5", "t.eye(3)"
I3, I4 = "t.ones(1, 2, 4, 4)", "t.ones(1, 2, 4, 4, 4)"
CALLS = {
    "matmul": f"{M} @ {M}", "mm": f"t.mm({M}, {M})", "bmm": f"t.bmm({M}[None], {M}[None])", "linear": f"F.linear({V}, {M})",
    "addmm": f"t.addmm({M}, {M}, {M})", "baddbmm": f"t.baddbmm({M}[None], {M}[None], {M}[None])",
    "conv1d": "F.conv1d(t.ones(1, 2, 5), t.ones(1, 2, 3))", "conv2d": f"F.conv2d({I3}, t.ones(1, 2, 3, 3))",
    "conv3d": f"F.conv3d({I4}, t.ones(1, 2, 3, 3, 3))", "conv_transpose2d": f"F.conv_transpose2d({I3}, t.ones(2, 1, 3, 3))",
    "attention": f"F.scaled_dot_product_attention({M}[None], {M}[None], {M}[None])",
    "layer_norm": f"F.layer_norm({V}, (3,))", "softmax": f"F.softmax({V}, -1)", "exp": f"t.exp({V})", "sum": f"t.sum({V})",
    "relu": f"F.relu({V})", "add": f"{V} + {W}", "batch_norm": f"F.batch_norm({V}, None, None, training=True)",
    "max_pool2d": f"F.max_pool2d({I3}, 2)", "avg_pool2d": f"F.avg_pool2d({I3}, 2)",
    "mse_loss": f"F.mse_loss({V}, {W})", "l1_loss": f"F.l1_loss({V}, {W})", "huber_loss": f"F.huber_loss({V}, {W})",
    "smooth_l1_loss": f"F.smooth_l1_loss({V}, {W})", "kl_div": f"F.kl_div({V}, {W}, reduction='sum')",
    "binary_cross_entropy": f"F.binary_cross_entropy({W}, {W})", "with_logits": f"F.binary_cross_entropy_with_logits({V}, {W})",
    "nll_loss": f"F.nll_loss({V}, t.tensor([0, 1]))", "cross_entropy": f"F.cross_entropy({V}, t.tensor([0, 1]))",
    "poisson": f"F.poisson_nll_loss({V}, {W})", "soft_margin": f"F.soft_margin_loss({V}, {W})",
    "hinge": f"F.hinge_embedding_loss({V}, {W})", "margin_ranking": f"F.margin_ranking_loss({V}, {W}, {V})",
    "multi_margin": f"F.multi_margin_loss({V}, t.tensor([0, 1]))", "cosine": f"F.cosine_embedding_loss({V}, {W}, t.ones(2))",
    "triplet": f"F.triplet_margin_loss({V}, {W}, {V})", "cdist": f"t.cdist({V}, {W})", "prod": f"t.prod({V})",
    "trace": f"t.trace({M})", "quantile": f"t.quantile({V}, 0.5)", "max_pool3d": f"F.max_pool3d({I4}, 2)",
    "avg_pool3d": f"F.avg_pool3d({I4}, 2)", "adaptive_avg_pool3d": f"F.adaptive_avg_pool3d({I4}, 2)",
    "adaptive_max_pool3d": f"F.adaptive_max_pool3d({I4}, 2)", "reflect": f"F.pad({I3}, (1, 1, 1, 1), mode='reflect')",
    "replicate": f"F.pad({I3}, (1, 1, 1, 1), mode='replicate')", "constant": f"F.pad({I3}, (1, 1))",
    "grid_sample": f"F.grid_sample({I3}, t.zeros(1, 2, 2, 2), align_corners=False)", "cat": f"t.cat([{V}, {W}])",
}  # fmt: skip


def result_type(library, call, inner):
    """The result's type, or nothing where the library has no kernel."""
    space = {"t": Halved(library, inner), "F": library.nn.functional}
    with library.autocast("cpu"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(eval(call, space).dtype).split(".")[1]


class Halved:
    """A library whose `ones` and so on are of a given type."""

    def __init__(self, library, kind):
        self.library, self.kind = library, kind

    def __getattr__(self, name):
        found = getattr(self.library, name)
        if name not in ("ones", "zeros", "eye"):
            return found
        return lambda *a: found(*a).to(getattr(self.library, self.kind))


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CALLS)
def test_the_lists(name, kind):
    assert result_type(minigrad, CALLS[name], kind) == result_type(torch, CALLS[name], kind)


def test_the_lists_name_functions():
    missing = [
        name
        for name in FULL["cpu"] | FULL["cuda"]
        if not hasattr(minigrad, name) and not hasattr(minigrad.nn.functional, name)
    ]
    assert not missing


def casts_of(w, cache):
    """How many casts of a weight two products in one region make."""
    with minigrad.autocast("cpu", cache_enabled=cache):
        a, b = minigrad.ones(2, 2) @ w, minigrad.ones(2, 2) @ w
        nodes = {id(y.grad_fn.next_functions[1][0]) for y in (a, b)}
    (a.sum() + b.sum()).backward()
    return len(nodes), w.grad.tolist()


def test_a_weight_is_cast_once_per_region():
    weights = [minigrad.ones(2, 2, requires_grad=True) for _ in range(2)]
    assert casts_of(weights[0], True) == (1, [[4.0, 4.0], [4.0, 4.0]])
    assert casts_of(weights[1], False) == (2, [[4.0, 4.0], [4.0, 4.0]])


def test_a_weight_that_was_written_is_cast_again():
    w = minigrad.ones(2, 2, requires_grad=True)
    with minigrad.autocast("cpu"):
        before = (minigrad.ones(2, 2) @ w).detach()
        with minigrad.no_grad():
            w.mul_(3)
        after = minigrad.ones(2, 2) @ w
        minigrad.clear_autocast_cache()
    assert before.float().tolist() == [[2.0, 2.0], [2.0, 2.0]] and after.float().tolist() == [[6.0, 6.0], [6.0, 6.0]]


def test_a_region_may_be_opened_within_itself():
    region, a = minigrad.autocast("cpu"), minigrad.ones(2, 2)
    with region:
        with region:
            assert (a @ a).dtype is minigrad.bfloat16
        assert (a @ a).dtype is minigrad.bfloat16
    assert (a @ a).dtype is minigrad.float32


def test_switches():
    assert minigrad.get_autocast_dtype("cuda") is minigrad.float16 and minigrad.is_autocast_cache_enabled()
    minigrad.set_autocast_dtype("cpu", minigrad.float16)
    minigrad.set_autocast_cache_enabled(False)
    try:
        with minigrad.autocast("cpu"):
            assert (minigrad.ones(2, 2) @ minigrad.ones(2, 2)).dtype is minigrad.float16
        assert not minigrad.is_autocast_cache_enabled()
    finally:
        minigrad.set_autocast_dtype("cpu", minigrad.bfloat16)
        minigrad.set_autocast_cache_enabled(True)
    with pytest.raises(ShapeError, match="unknown device type for autocast"):
        minigrad.get_autocast_dtype("abacus")


def test_fusion_rests_while_a_region_is_open_anywhere():
    from minigrad.ops import fused

    before = fused._enabled
    with minigrad.autocast("cpu"):
        with minigrad.autocast("cpu", enabled=False):
            assert not fused._enabled
        assert not fused._enabled
    assert fused._enabled == before
