"""Transforms against Pillow (what happens to pixels) and PyTorch (what is drawn)."""

import sys

import numpy as np
import pytest
import torch

import minigrad
from minigrad import transforms as T
from minigrad.datasets import Digits
from minigrad.transforms import InterpolationMode as Mode
from minigrad.transforms import pixels
from minigrad.utils.data import DataLoader

Image = pytest.importorskip("PIL.Image")
ImageOps = pytest.importorskip("PIL.ImageOps")

STATE = np.random.RandomState(0)
GRAY = STATE.randint(0, 256, (28, 31)).astype(np.uint8)
COLOUR = STATE.randint(0, 256, (33, 47, 3)).astype(np.uint8)
TALL = STATE.randint(0, 256, (50, 20, 3)).astype(np.uint8)
IMAGES = {"gray": GRAY, "colour": COLOUR, "tall": TALL}
FILTERS = {
    Mode.NEAREST: Image.Resampling.NEAREST,
    Mode.BILINEAR: Image.Resampling.BILINEAR,
    Mode.BICUBIC: Image.Resampling.BICUBIC,
    Mode.BOX: Image.Resampling.BOX,
    Mode.LANCZOS: Image.Resampling.LANCZOS,
}


def pillow(image):
    return Image.fromarray(image)


def seed(number):
    minigrad.manual_seed(number)
    torch.manual_seed(number)


@pytest.mark.parametrize("mode", FILTERS)
@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_resize_as_pillow(image, mode):
    for height, width in ((28, 31), (56, 62), (13, 9), (1, 1), (50, 20), (20, 90), (97, 5)):
        got = T.Resize((height, width), mode)(image)
        # One axis after the other: which comes first is Pillow's secret otherwise.
        steps = pillow(image).resize((width, len(image)), FILTERS[mode]).resize((width, height), FILTERS[mode])
        np.testing.assert_array_equal(got, np.asarray(steps))


@pytest.mark.parametrize(
    ("size", "options", "shape"),
    [
        (20, {}, (20, 28)),
        ([20], {}, (20, 28)),
        (20, {"max_size": 25}, (17, 25)),
        (100, {}, (100, 142)),
    ],
)
def test_resize_by_the_shorter_side(size, options, shape):
    assert T.Resize(size, **options)(COLOUR).shape == (*shape, 3)
    assert T.Resize(size, **options)(COLOUR.transpose(1, 0, 2)).shape == (*shape[::-1], 3)
    assert T.Resize((20, 5))(COLOUR).shape == (20, 5, 3)


@pytest.mark.parametrize("mode", [Mode.BILINEAR, Mode.BICUBIC, Mode.NEAREST])
def test_resize_of_tensors_as_interpolate(mode):
    x = STATE.rand(2, 3, 17, 23).astype(np.float32)
    antialias = {} if mode is Mode.NEAREST else {"antialias": True, "align_corners": False}
    for size in ((8, 30), (40, 11), (17, 50)):
        got = T.Resize(size, mode)(minigrad.from_numpy(x)).numpy()
        want = torch.nn.functional.interpolate(torch.from_numpy(x), size, mode=mode.value, **antialias)
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("angle", [0, 10, 45.5, 90, 180, 270, 359, -30])
@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize("mode", [Mode.NEAREST, Mode.BILINEAR])
@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_rotation_as_pillow(image, angle, expand, mode):
    got = pixels.rotate(image, angle, mode, expand)
    np.testing.assert_array_equal(got, np.asarray(pillow(image).rotate(angle, FILTERS[mode], expand)))
    if not expand:
        got = pixels.rotate(image, angle, mode, center=(3, 9), fill=7)
        fill = 7 if image.ndim == 2 else (7, 7, 7)
        want = pillow(image).rotate(angle, FILTERS[mode], center=(3, 9), fillcolor=fill)
        np.testing.assert_array_equal(got, np.asarray(want))


def test_grayscale_as_pillow():
    want = np.asarray(pillow(COLOUR).convert("L"))
    np.testing.assert_array_equal(T.Grayscale()(COLOUR), want)
    np.testing.assert_array_equal(T.Grayscale(3)(COLOUR), np.stack([want] * 3, 2))
    np.testing.assert_array_equal(T.Grayscale()(GRAY), GRAY)
    tensor = T.Grayscale(3)(T.ToTensor()(COLOUR))
    assert tuple(tensor.shape) == (3, 33, 47)
    np.testing.assert_allclose(tensor.numpy()[1] * 255, want, atol=0.6)
    assert tuple(T.Grayscale()(T.ToTensor()(GRAY)).shape) == (1, 28, 31)


PADDINGS = [(3, (3, 3, 3, 3)), ((3, 1), (3, 1, 3, 1)), ((3, 1, 0, 5), (3, 1, 0, 5)), ((2,), (2, 2, 2, 2))]


@pytest.mark.parametrize(("padding", "sides"), PADDINGS)
@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_padding(image, padding, sides):
    want = np.asarray(ImageOps.expand(pillow(image), sides, 9 if image.ndim == 2 else (9, 9, 9)))
    np.testing.assert_array_equal(T.Pad(padding, 9)(image), want)
    left, top, right, bottom = sides
    x = np.ascontiguousarray(np.moveaxis(np.atleast_3d(image), 2, 0)).astype(np.float32)
    for mode, theirs in (("reflect", "reflect"), ("edge", "replicate")):
        got = T.Pad(padding, padding_mode=mode)(minigrad.from_numpy(x)).numpy()
        want = torch.nn.functional.pad(torch.from_numpy(x)[None], (left, right, top, bottom), mode=theirs)[0]
        np.testing.assert_array_equal(got, want.numpy())
    symmetric = T.Pad(padding, padding_mode="symmetric")(image)
    np.testing.assert_array_equal(symmetric[: top or 1], np.flip(symmetric[top : 2 * top], 0) if top else symmetric[:1])


def test_fill_has_a_value_for_each_channel():
    assert T.Pad(1, (1, 2, 3))(COLOUR)[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("size", [20, (21, 14), (51, 64), (10, 60), 28])
@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_center_crop(image, size):
    height, width = (size, size) if isinstance(size, int) else size
    got = T.CenterCrop(size)(image)
    assert got.shape[:2] == (height, width)
    rows, columns = image.shape[:2]
    if rows >= height and columns >= width:
        top, left = round((rows - height) / 2.0), round((columns - width) / 2.0)
        np.testing.assert_array_equal(got, image[top : top + height, left : left + width])
    elif rows <= height and columns <= width:
        top, left = (height - rows) // 2, (width - columns) // 2
        np.testing.assert_array_equal(got[top : top + rows, left : left + columns], image)
        assert got.sum() == image.sum()


# ---------------------------------------------------------------------- what is drawn


def test_random_crop_draws_as_torchvision():
    seed(3)
    crop = T.RandomCrop((20, 10), padding=4)
    padded = np.pad(COLOUR, ((4, 4), (4, 4), (0, 0)))
    for _ in range(5):
        top = torch.randint(0, 33 + 8 - 20 + 1, size=(1,)).item()
        left = torch.randint(0, 47 + 8 - 10 + 1, size=(1,)).item()
        np.testing.assert_array_equal(crop(COLOUR), padded[top : top + 20, left : left + 10])
    np.testing.assert_array_equal(T.RandomCrop((33, 47))(COLOUR), COLOUR)
    assert minigrad.rand(1).item() == torch.rand(1).item()  # without a choice nothing is drawn


def test_random_crop_of_small_images():
    with pytest.raises(ValueError, match=r"Required crop size \(40, 40\) is larger than input image size \(33, 47\)"):
        T.RandomCrop(40)(COLOUR)
    assert T.RandomCrop((40, 60), pad_if_needed=True)(COLOUR).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("flip", "axis"), [(T.RandomHorizontalFlip(), 1), (T.RandomVerticalFlip(), 0), (T.RandomHorizontalFlip(0.2), 1)]
)
def test_flips_draw_as_torchvision(flip, axis):
    seed(4)
    tensor = T.ToTensor()(COLOUR)
    for _ in range(10):
        flipped = torch.rand(1) < flip.p
        np.testing.assert_array_equal(flip(COLOUR), np.flip(COLOUR, axis) if flipped else COLOUR)
        flipped = torch.rand(1) < flip.p
        want = np.flip(tensor.numpy(), axis + 1) if flipped else tensor.numpy()
        np.testing.assert_array_equal(flip(tensor).numpy(), want)


def test_random_rotation_draws_as_torchvision():
    seed(5)
    for degrees in (30, (-180, 180)):
        low, high = (-degrees, degrees) if isinstance(degrees, int) else degrees
        rotation = T.RandomRotation(degrees)
        for _ in range(5):
            angle = torch.empty(1).uniform_(float(low), float(high)).item()
            np.testing.assert_array_equal(rotation(COLOUR), np.asarray(pillow(COLOUR).rotate(angle)))


def windows_of_torchvision(rows, columns, scale, ratio):
    """What RandomResizedCrop chooses, told by PyTorch's own draws."""
    log_ratio = torch.log(torch.tensor(ratio))
    for _ in range(10):
        area = rows * columns * torch.empty(1).uniform_(*scale).item()
        aspect = torch.exp(torch.empty(1).uniform_(log_ratio[0], log_ratio[1])).item()
        width, height = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < width <= columns and 0 < height <= rows:
            top = torch.randint(0, rows - height + 1, size=(1,)).item()
            return top, torch.randint(0, columns - width + 1, size=(1,)).item(), height, width
    return None


def test_random_resized_crop_draws_as_torchvision():
    seed(6)
    resized = T.RandomResizedCrop((9, 12))
    for _ in range(20):
        top, left, height, width = windows_of_torchvision(33, 47, (0.08, 1.0), (3 / 4, 4 / 3))
        want = T.Resize((9, 12))(COLOUR[top : top + height, left : left + width])
        np.testing.assert_array_equal(resized(COLOUR), want)
    assert minigrad.rand(1).item() == torch.rand(1).item()


@pytest.mark.parametrize(
    ("ratio", "window"), [((9.0, 10.0), (14, 0, 5, 47)), ((0.01, 0.02), (0, 23, 33, 1)), ((1.2, 2.0), (0, 0, 33, 47))]
)
def test_random_resized_crop_falls_back_to_the_middle(ratio, window):
    seed(7)
    if ratio == (1.2, 2.0):  # the whole image fits the ratio; a scale that never fits forces the way back
        crop = T.RandomResizedCrop((33, 47), scale=(2.0, 3.0), ratio=ratio)
    else:
        crop = T.RandomResizedCrop((33, 47), scale=(0.99, 1.0), ratio=ratio)
    top, left, height, width = window
    want = T.Resize((33, 47))(COLOUR[top : top + height, left : left + width])
    np.testing.assert_array_equal(crop(COLOUR), want)


def test_random_apply_and_grayscale_draw_as_torchvision():
    seed(8)
    some = T.RandomApply([T.Pad(1)], p=0.4)
    gray = T.RandomGrayscale(0.3)
    for _ in range(10):
        assert some(GRAY).shape == ((28, 31) if torch.rand(1) > 0.4 else (30, 33))
        want = T.Grayscale(3)(COLOUR) if torch.rand(1) < 0.3 else COLOUR
        np.testing.assert_array_equal(gray(COLOUR), want)
        tensor = gray(minigrad.ones(3, 2, 2))
        torch.rand(1)
        assert tuple(tensor.shape) == (3, 2, 2)


# ---------------------------------------------------------------------- to tensors


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_to_tensor(image):
    want = torch.from_numpy(np.moveaxis(np.atleast_3d(image), 2, 0).copy()).to(torch.float32).div(255).numpy()
    for source in (image, pillow(image)):
        got = T.ToTensor()(source)
        assert got.dtype == minigrad.float32 and got.is_contiguous()
        np.testing.assert_array_equal(got.numpy(), want)
        np.testing.assert_array_equal(T.PILToTensor()(source).numpy(), np.moveaxis(np.atleast_3d(image), 2, 0))
    back = T.ToPILImage()(T.ToTensor()(image))
    np.testing.assert_array_equal(
        np.asarray(back), (want * 255).astype(np.uint8).squeeze(0) if image.ndim == 2 else image
    )
    np.testing.assert_array_equal(np.asarray(T.ToPILImage()(image)), image)
    assert T.ToPILImage("L")(image).mode == "L"


def test_to_tensor_of_other_types():
    floats = STATE.rand(4, 5, 2)
    np.testing.assert_array_equal(T.ToTensor()(floats).numpy(), floats.transpose(2, 0, 1))
    bits = Image.fromarray(GRAY > 99)
    np.testing.assert_array_equal(T.ToTensor()(bits).numpy()[0], (GRAY > 99).astype(np.float32))
    for wrong, text in ((3, "should be PIL Image or ndarray. Got"), (np.ones(3), "should be 2/3 dimensional. Got 1")):
        with pytest.raises(TypeError, match=text):
            T.ToTensor()(wrong)


def test_normalize():
    x = STATE.rand(3, 4, 5).astype(np.float32)
    for mean, std in (([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]), ((0.5,), (0.3,)), (0.5, 0.25)):
        column = [torch.tensor(v, dtype=torch.float32).reshape(-1, 1, 1) for v in (mean, std)]
        want = torch.from_numpy(x).sub(column[0]).div(column[1]).numpy()
        np.testing.assert_array_equal(T.Normalize(mean, std)(minigrad.from_numpy(x)).numpy(), want)
    own = minigrad.from_numpy(x.copy())
    assert T.Normalize(0.5, 0.25, inplace=True)(own) is own
    np.testing.assert_array_equal(own.numpy(), want)
    tracked = minigrad.ones(1, 2, 2, requires_grad=True)
    T.Normalize(0.5, 0.25)(tracked).sum().backward()
    assert tracked.grad.tolist() == [[[4, 4], [4, 4]]]


TYPES = ("uint8", "int16", "int32", "float32", "float64")


# PyTorch refuses the one pair: a float32 cannot hold an int32's brightness.
@pytest.mark.parametrize(("source", "target"), [(s, t) for s in TYPES for t in TYPES if (s, t) != ("float32", "int32")])
def test_convert_image_dtype(source, target):
    top = 1.0 if source.startswith("f") else np.iinfo(source).max
    x = np.array([0, 0.25, 0.5, 1]) * top
    got = T.ConvertImageDtype(getattr(minigrad, target))(minigrad.from_numpy(x.astype(source))).numpy()
    assert got.dtype == target
    full = 1.0 if target.startswith("f") else np.iinfo(target).max
    np.testing.assert_allclose(got / full, x / top, atol=1 / 127)
    assert got[0] == 0 and got[3] >= full * (1 - 1 / 127)


def test_a_whole_batch_through_the_transform_is_the_same():
    plain = Digits(transform=T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))]))
    # A lambda must see each image alone.
    alone = Digits(transform=T.Compose([T.ToTensor(), T.Lambda(lambda x: x), T.Normalize((0.1307,), (0.3081,))]))
    assert plain._collated([0]) is not None and alone._collated([0]) is None
    for kind in (plain, alone):
        assert len(kind[0]) == 2
    for (x, y), (u, v) in zip(DataLoader(plain, 400), DataLoader(alone, 400), strict=True):
        np.testing.assert_array_equal(x.numpy(), u.numpy())
        np.testing.assert_array_equal(y.numpy(), v.numpy())
    assert T.Compose([T.ToTensor(), T.ToTensor()]).batched(GRAY[None]) is None
    assert Digits(transform=T.ToTensor(), target_transform=str)._collated([0]) is None


BAD = [
    (lambda: T.Normalize(0.5, 0.0)(minigrad.ones(1, 2, 2)), ValueError, "std evaluated to zero"),
    (lambda: T.Normalize(0.5, 0.5)(GRAY), TypeError, "img should be Tensor Image. Got"),
    (
        lambda: T.Normalize(0.5, 0.5)(minigrad.from_numpy(GRAY)),
        TypeError,
        "should be a float tensor. Got minigrad.uint8",
    ),
    (lambda: T.Normalize(0.5, 0.5)(minigrad.ones(2, 2)), ValueError, r"size \(..., C, H, W\). Got \(2, 2\)"),
    (lambda: T.Lambda(3), TypeError, "Argument lambd should be callable, got 'int'"),
    (lambda: T.Resize(2.5), TypeError, "Size should be int or sequence"),
    (lambda: T.Resize((1, 2, 3)), ValueError, "it should have 1 or 2 values"),
    (lambda: T.Resize((1, 2), max_size=3), ValueError, "max_size should only be passed if"),
    (lambda: T.Resize(5, max_size=5)(GRAY), ValueError, "max_size = 5 must be strictly greater"),
    (lambda: T.CenterCrop((1, 2, 3)), ValueError, "Please provide only two dimensions"),
    (lambda: T.Pad(1, padding_mode="wrap"), ValueError, "Padding mode should be either .* but got 'wrap'"),
    (lambda: T.Pad((1, 2, 3)), ValueError, "not a 3 element tuple"),
    (lambda: T.Grayscale(2), ValueError, "should be either 1 or 3, but got 2"),
    (lambda: T.RandomRotation(-3), ValueError, "must be positive, but got -3"),
    (lambda: T.RandomRotation((1, 2, 3)), ValueError, "sequence of length 2"),
    (lambda: pixels.rotate(GRAY, 5, Mode.BICUBIC), ValueError, "must be nearest or bilinear, but got bicubic"),
]


@pytest.mark.parametrize(("make", "kind", "text"), BAD)
def test_bad_arguments(make, kind, text):
    with pytest.raises(kind, match=text):
        make()


def test_reprs():
    compose = T.Compose([T.ToTensor(), T.Normalize((0.5,), (0.3,)), T.Lambda(abs)])
    assert repr(compose) == "Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.3,))\n    Lambda()\n)"
    assert repr(T.Resize(3)) == "Resize(size=3, interpolation=bilinear, max_size=None, antialias=True)"
    assert repr(T.RandomCrop(3, padding=1)) == "RandomCrop(size=(3, 3), padding=1)"
    assert repr(T.RandomRotation(5, center=(1, 2))) == (
        "RandomRotation(degrees=[-5.0, 5.0], interpolation=nearest, expand=False, center=(1, 2), fill=0)"
    )
    assert repr(T.RandomResizedCrop(3)) == (
        "RandomResizedCrop(size=(3, 3), scale=(0.08, 1.0), ratio=(0.75, 1.3333), interpolation=bilinear, "
        "antialias=True)"
    )
    assert repr(T.RandomApply([T.Pad(1)])) == (
        "RandomApply(\n    p=0.5\n    Pad(padding=1, fill=0, padding_mode=constant)\n)"
    )
    for transform in (T.PILToTensor(), T.ConvertImageDtype(minigrad.float32), T.RandomHorizontalFlip(), T.Grayscale()):
        assert repr(transform).startswith(type(transform).__name__ + "(")
    for transform in (T.ToPILImage("L"), T.CenterCrop(3), T.RandomVerticalFlip(), T.RandomGrayscale()):
        assert repr(transform).startswith(type(transform).__name__ + "(")


def test_pictures_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="ToPILImage needs Pillow"):
        T.ToPILImage()(GRAY)
    T.Compose([T.Resize(14), T.RandomRotation(10), T.ToTensor()])(GRAY)
