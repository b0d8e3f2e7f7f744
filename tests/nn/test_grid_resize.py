"""grid_sample and affine_grid of images and volumes, and interpolate with antialias, beside PyTorch's."""

import pytest
from both import compare, same_error

import minigrad
from minigrad.autograd import gradcheck, gradgradcheck
from minigrad.nn import functional as F

SIZES = ("(3, 4)", "(5, 9)", "(12, 11)", "(1, 1)", "(6, 7)", "(2, 14)")
PADDINGS = ("zeros", "border", "reflection")


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialias(mode, size, align, backend):
    compare(
        "", f"F.interpolate(x(2, 3, 6, 7), {size}, mode='{mode}', antialias=True, align_corners={align})", 1e-4, 1e-5
    )


@pytest.mark.filterwarnings("ignore:The default behavior")
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialias_by_factors(mode, backend):
    call = f"F.interpolate(x(2, 3, 6, 7), scale_factor=(0.4, 1.7), mode='{mode}', antialias=True"
    compare("", call + ")", 1e-4, 1e-5)
    compare("", call + ", recompute_scale_factor=True)", 1e-4, 1e-5)


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_grid_sample_of_images(mode, padding, align, backend):
    call = (
        f"F.grid_sample(x(2, 3, 6, 7), x(2, 4, 5, 2), mode='{mode}', padding_mode='{padding}', align_corners={align})"
    )
    compare("", call, 1e-4, 1e-5)


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("padding", PADDINGS)
def test_grid_sample_of_volumes(padding, align, backend):
    options = f"padding_mode='{padding}', align_corners={align})"
    compare("", f"F.grid_sample(x(2, 3, 4, 6, 7), x(2, 4, 5, 3, 3), {options}", 1e-4, 1e-5)
    compare("", f"F.grid_sample(x(2, 3, 4, 6, 7), x(2, 4, 5, 3, 3).detach(), mode='nearest', {options}", 1e-4, 1e-5)
    compare("", f"F.grid_sample(x(2, 3, 6, 7), x(2, 4, 5, 2).detach(), mode='nearest', {options}", 1e-4, 1e-5)


@pytest.mark.parametrize("align", [True, False])
def test_affine_grid(align, backend):
    compare("", f"F.affine_grid(x(2, 2, 3), (2, 1, 4, 5), align_corners={align})")
    compare("", f"F.affine_grid(x(2, 3, 4), (2, 1, 3, 4, 2), align_corners={align})")


def test_second_derivatives(backend):
    minigrad.manual_seed(0)
    image = minigrad.rand(1, 1, 4, 4, dtype=minigrad.float64, requires_grad=True)
    grid = (minigrad.rand(1, 2, 2, 2, dtype=minigrad.float64) - 0.4).requires_grad_()

    def sampled(x, g):
        return F.grid_sample(x, g, "bicubic", align_corners=False)

    assert gradcheck(sampled, (image, grid)) and gradgradcheck(sampled, (image, grid))


ERRORS = [
    ("F.grid_sample(t.ones(1, 1, 2, 2, 2), t.ones(1, 2, 2, 2, 3), mode='bicubic', align_corners=False)", "only supports 4D input"),
    ("F.grid_sample(t.ones(1, 1, 2, 2), t.ones(1, 2, 2, 2, 3), align_corners=False)", "same number of dimensions"),
    ("F.grid_sample(t.ones(1, 1, 2, 2), t.ones(2, 2, 2, 2), align_corners=False)", "same batch size"),
    ("F.grid_sample(t.ones(1, 1, 2, 2), t.ones(1, 2, 2, 3), align_corners=False)", "have size 2 in last dimension"),
    ("F.grid_sample(t.ones(1, 1, 0, 2), t.ones(1, 2, 2, 2), align_corners=False)", "non-empty spatial dimensions"),
    ("F.grid_sample(t.ones(1, 1, 2, 2), t.ones(1, 2, 2, 2), 'cubic', align_corners=False)", "expected mode to be"),
    ("F.affine_grid(t.ones(1, 2, 3), (1, 2, 3), align_corners=False)", "only supports 4D and 5D sizes"),
    ("F.affine_grid(t.ones(1, 2, 3), (1, 1, 2, 3, 4), align_corners=False)", "3D affine matrices of shape Nx3x4"),
    ("F.affine_grid(t.ones(1, 2, 3), (1, 1, 0, 3), align_corners=False)", "non-zero, positive output size"),
    ("F.interpolate(t.ones(1, 1, 4), 2, mode='linear', antialias=True)", "Anti-alias option is restricted"),
    ("F.interpolate(t.ones(1, 1, 4, 4), 2, mode='nearest', antialias=True)", "Anti-alias option is restricted"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "part"), ERRORS)
def test_refused(text, part):
    same_error(text, part)
