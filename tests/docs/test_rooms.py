"""The picture of the rooms: true to the imports, without shortcuts, and impossible with a circle."""

import importlib.util
import subprocess
import sys

import pytest

from docs.pages import ROOT

SCRIPT = ROOT / "docs" / "rooms.py"


@pytest.fixture(scope="module")
def rooms():
    spec = importlib.util.spec_from_file_location("rooms", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_true():
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_engine_and_the_contract_import_nobody(rooms):
    arrows = rooms.arrows()
    assert arrows["autograd"] == arrows["registry"] == arrows["random"] == set()
    assert arrows["backends"] == {"registry"}
    assert arrows["ops"] == {"autograd", "random", "registry"}
    assert all("backends" not in there for there in arrows.values())


def test_an_arrow_that_follows_is_left_out(rooms):
    assert rooms.without_shortcuts({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_a_circle_is_refused(rooms):
    with pytest.raises(SystemExit, match="in a circle"):
        rooms.without_shortcuts({"a": {"b"}, "b": {"a"}})


def test_a_module_that_is_used_needs_a_room(rooms, tmp_path, monkeypatch):
    (tmp_path / "user.py").write_text("from minigrad.cellar import wine")
    files = {"cellar": tmp_path / "cellar.py", "tensor": tmp_path / "user.py", "cli": tmp_path / "user.py"}
    monkeypatch.setattr(rooms, "modules", lambda: files)
    with pytest.raises(SystemExit, match=r"minigrad\.tensor imports minigrad\.cellar"):
        rooms.arrows()
    monkeypatch.setattr(rooms, "modules", lambda: {"cellar": files["cellar"], "cli": files["cli"]})
    assert not any(rooms.arrows().values())  # a front door may use what it likes


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from minigrad import tensor", {"tensor"}),
        ("from minigrad.ops.base import Op", {"ops.base"}),
        ("from minigrad.ops import base", {"ops.base"}),
        ("import minigrad.nn", {"nn"}),
        ("from .numpy_backend import NumpyBackend", {"backends.numpy_backend"}),
        ("def later():\n    from minigrad import tensor", set()),
        ("import numpy", set()),
    ],
)
def test_imports_are_read(rooms, tmp_path, line, found):
    known = dict.fromkeys(("tensor", "ops", "ops.base", "nn", "backends.numpy_backend"))
    (tmp_path / "module.py").write_text(line)
    assert rooms.imported("backends.cpp_backend", tmp_path / "module.py", known) == found
