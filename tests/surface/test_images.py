"""make_grid against nested loops, save_image against another reader of PNG files."""

import io

import numpy as np
import pytest

import minigrad
from minigrad.errors import ShapeError
from minigrad.utils.images import make_grid, save_image


def test_the_grid_holds_every_image_at_its_place():
    x = minigrad.rand(5, 3, 4, 6)
    grid = make_grid(x, nrow=2, padding=1, pad_value=0.5).numpy()
    assert grid.shape == (3, 3 * 5 + 1, 2 * 7 + 1)
    expected = np.full(grid.shape, 0.5, np.float32)
    for k in range(5):
        for i in range(4):
            for j in range(6):
                expected[:, k // 2 * 5 + 1 + i, k % 2 * 7 + 1 + j] = x.numpy()[k, :, i, j]
    np.testing.assert_array_equal(grid, expected)


def test_grey_single_and_normalised_images():
    one = minigrad.rand(1, 4, 4)
    assert make_grid(one).shape == (3, 4, 4) and make_grid(one[0]).shape == (3, 4, 4)
    assert make_grid([one, one]).shape == (3, 8, 14)
    x = minigrad.arange(8.0).reshape(2, 1, 2, 2)
    whole, each = make_grid(x, normalize=True, padding=0), make_grid(x, normalize=True, scale_each=True, padding=0)
    np.testing.assert_allclose(whole[0].numpy(), np.array([[0, 1, 4, 5], [2, 3, 6, 7]]) / 7, rtol=1e-6)
    np.testing.assert_allclose(each[0].numpy(), np.array([[0, 1, 0, 1], [2, 3, 2, 3]]) / 3, rtol=1e-6)
    clipped = make_grid(x, normalize=True, value_range=(2.0, 4.0), padding=0)
    np.testing.assert_allclose(clipped[0].numpy(), np.clip((np.array([[0, 1, 4, 5], [2, 3, 6, 7]]) - 2) / 2, 0, 1))


def test_saved_images_are_read_by_others():
    image = pytest.importorskip("matplotlib.image")
    x = minigrad.rand(4, 3, 5, 7)
    file = io.BytesIO()
    save_image(x, file, nrow=2)
    file.seek(0)
    read = image.imread(file, format="png")
    expected = np.floor(make_grid(x, nrow=2).numpy().transpose(1, 2, 0) * 255 + 0.5)
    np.testing.assert_array_equal(np.round(read * 255), expected)


def test_errors(tmp_path):
    with pytest.raises(TypeError, match="tensor or list of tensors"):
        make_grid("image")
    with pytest.raises(ShapeError, match="2 to 4 dimensions"):
        make_grid(minigrad.ones(1, 1, 1, 1, 1))
    with pytest.raises(ValueError, match="only PNG"):
        save_image(minigrad.ones(3, 2, 2), tmp_path / "a.jpg")
