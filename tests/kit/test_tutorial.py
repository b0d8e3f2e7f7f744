"""The code of docs/write_a_backend.md, typed in as a reader would, is a backend that passes."""

import re
import sys

import numpy as np
import pytest
import torch

import minigrad
from minigrad.testing import check_backend

SOME = ("im2col", "col2im", "conv2d", "max_pool2d_grad")


@pytest.fixture
def blocks(pytestconfig):
    text = (pytestconfig.rootpath / "docs" / "write_a_backend.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.S)


def test_step_by_step(blocks, tmp_path, monkeypatch, request):
    path = tmp_path / "my_backend.py"
    path.write_text(blocks[0])
    report = check_backend(str(path), operations=["im2col"], dtypes=["float32"])
    assert [failure.message for failure in report.failures] == [
        "im2col is not implemented: backend 'mine' must define im2col"
    ]
    for block in (blocks[1], blocks[2]):  # the floor; then a convolution of its own
        path.write_text(f"{path.read_text()}\n{block}")
        report = check_backend(str(path), operations=SOME)
        assert report.ok, report

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_backend")
    from my_backend import MyBackend

    space = {"MyBackend": MyBackend}
    minigrad.manual_seed(0)
    exec(blocks[3], space)
    x, w = (torch.tensor(space[name].detach().numpy(), requires_grad=True) for name in "xw")
    torch.conv2d(x, w, padding=1).relu().sum().backward()
    np.testing.assert_allclose(space["x"].grad.numpy(), x.grad, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(space["w"].grad.numpy(), w.grad, rtol=1e-4, atol=1e-4)


def test_the_mistake_that_the_tutorial_describes(blocks, pytestconfig, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_backend.py").write_text(
        f"{blocks[0]}\n{blocks[1]}".replace("ow), fill, x.dtype", "ow), 0, x.dtype")
    )
    report = check_backend("my_backend.py", operations=["im2col"])
    told = (pytestconfig.rootpath / "docs" / "write_a_backend.md").read_text()
    for line in report.failures[0].script.replace("padding=(1, 0)", "padding=(0, 1)").splitlines():
        assert f"    {line}".rstrip() in told
