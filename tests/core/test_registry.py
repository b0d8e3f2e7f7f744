"""Finding, loading and choosing backends, and what is said when that fails."""

import os
import shutil
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import BackendError, DeviceError, registry
from minigrad.backend import Backend
from minigrad.registry import active_backend, backend_of, get_backend, list_backends, set_backend, use_backend

ROOT = Path(__file__).resolve().parents[2]


class Toy(Backend):
    """A backend as a stranger would write it: the two words that are owed."""

    name = "toy"
    xp = np

    def im2col(self, x, window, fill=0):
        return get_backend("numpy").im2col(x, window, fill)

    def col2im(self, cols, x_shape, window):
        return get_backend("numpy").col2im(cols, x_shape, window)


class Speechless(Backend):
    """One that forgot its array namespace."""


def entry(name, value, monkeypatch):
    """Register one more entry point for the length of a test."""
    points = registry._entry_points()
    points[name] = metadata.EntryPoint(name, value, registry.GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: points)


def run(code, cwd=None, **env):
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**{k: v for k, v in os.environ.items() if k != "MINIGRAD_BACKEND"}, **env},
        check=False,
    )
    return result.stdout.strip(), result.stderr


# ---------------------------------------------------------------- names


def test_an_unknown_name():
    with pytest.raises(BackendError, match=r"unknown backend 'tpu'; available: .*cpp.*numpy"):
        get_backend("tpu")
    with pytest.raises(ImportError):
        set_backend("tpu")


def test_a_backend_is_loaded_once():
    assert get_backend("numpy") is get_backend("numpy")


def test_list_backends_says_why_not(monkeypatch):
    entry("broken", "no.such.module:Backend", monkeypatch)
    rows = {row.name: row for row in list_backends()}
    assert rows["numpy"].available and rows["numpy"].device == "cpu" and rows["numpy"].reason == ""
    assert not rows["broken"].available and "ModuleNotFoundError: No module named 'no'" in rows["broken"].reason
    for row in rows.values():
        assert row.available or row.reason


@pytest.mark.parametrize("value, text", [
    ("no.such.module:Backend", "cannot be loaded from 'no.such.module:Backend': ModuleNotFoundError"),
    ("minigrad.backend:NoSuchName", "AttributeError"),
    ("minigrad.backend:Window", "must name a subclass of minigrad.backend.Backend"),
    (f"{__name__}:Speechless", "class Speechless must define `xp`"),
    ("exploding_backend:Exploding", "ZeroDivisionError: at import"),
])  # fmt: skip
def test_broken_entry_points(value, text, monkeypatch, tmp_path):
    (tmp_path / "exploding_backend.py").write_text("raise ZeroDivisionError('at import')")
    monkeypatch.syspath_prepend(tmp_path)
    entry("broken", value, monkeypatch)
    with pytest.raises(BackendError) as caught:
        get_backend("broken")
    assert text in str(caught.value) and "'broken'" in str(caught.value)


def test_a_plug_in_is_found_by_its_name(monkeypatch):
    entry("toy", f"{__name__}:Toy", monkeypatch)
    with use_backend("toy") as toy:
        assert type(toy).__name__ == "Toy" and toy.name == "toy"
        assert backend_of(minigrad.ones(1).array) is toy
        y = minigrad.conv2d(minigrad.ones(1, 1, 4, 4), minigrad.ones(1, 1, 3, 3))
        assert y.tolist() == [[[[9.0, 9.0], [9.0, 9.0]]]]


# ---------------------------------------------------------------- choosing


def test_use_backend_nests_and_ends_with_its_block():
    before = active_backend()
    toy = Toy()
    with use_backend("numpy") as outer:
        assert active_backend() is outer
        with use_backend(toy):
            assert active_backend() is toy
        assert active_backend() is outer
        with pytest.raises(ZeroDivisionError), use_backend(toy):
            1 / 0
        assert active_backend() is outer
    assert active_backend() is before


def test_use_backend_is_this_threads_only():
    seen = []
    before = active_backend()
    with use_backend(Toy()):
        t = threading.Thread(target=lambda: seen.append(active_backend()))
        t.start()
        t.join()
    assert seen == [before]


def test_set_backend_is_for_the_whole_process():
    toy = Toy()
    set_backend(toy)
    assert active_backend() is toy and active_backend("cpu") is toy
    seen = []
    t = threading.Thread(target=lambda: seen.append(active_backend()))
    t.start()
    t.join()
    assert seen == [toy]
    set_backend("numpy")
    assert active_backend().name == "numpy"


def test_the_words_that_are_owed():
    class Lazy(Backend):
        name = "lazy"
        xp = np

    with use_backend(Lazy()):
        with pytest.raises(NotImplementedError, match="backend 'lazy' must define im2col"):
            minigrad.conv2d(minigrad.ones(1, 1, 3, 3), minigrad.ones(1, 1, 2, 2))
        with pytest.raises(NotImplementedError, match="backend 'lazy' must define col2im"):
            minigrad.ops.conv.fold(minigrad.ones(1, 4, 4), (3, 3), 2)


def test_devices_that_nobody_serves():
    with pytest.raises(DeviceError, match="no backend serves device 'tpu'"):
        minigrad.zeros(1, device="tpu")
    with pytest.raises(DeviceError, match="Invalid device string: 'cpu:x'"):
        minigrad.device("cpu:x")
    with pytest.raises(DeviceError, match=r"no active backend knows arrays of class builtins\.list"):
        backend_of([1.0])
    assert minigrad.ones(1).to("cpu").device == minigrad.device("cpu")


# ---------------------------------------------------------------- at start, in processes of their own

WHICH = "import minigrad; print(minigrad.registry.active_backend().name, minigrad.ones(1).device)"


def test_the_environment_chooses():
    assert run(WHICH, MINIGRAD_BACKEND="numpy")[0] == "numpy cpu"
    assert run(WHICH, MINIGRAD_BACKEND=" numpy ")[0] == "numpy cpu"


def test_there_is_no_silent_fall_back():
    out, err = run(WHICH, MINIGRAD_BACKEND="tpu")
    assert out == "" and "unknown backend 'tpu'; available:" in err
    unavailable = [row for row in list_backends() if not row.available]
    for row in unavailable:
        out, err = run(WHICH, MINIGRAD_BACKEND=row.name)
        assert out == "" and row.reason.splitlines()[0][:60] in err


def test_unset_means_cpp_else_numpy_with_one_warning():
    out, err = run(WHICH)
    if get_backend_or_none("cpp"):
        assert out == "cpp cpu" and err == ""
    without = "import sys; sys.modules['minigrad.backends._cpp'] = None\n" + WHICH + "\nminigrad.ones(1) + 1"
    out, err = run(without)
    assert out == "numpy cpu"
    assert err.count("minigrad uses the NumPy backend, which is slower") == 1
    assert "set MINIGRAD_BACKEND=numpy" in err
    assert run(without, MINIGRAD_BACKEND="numpy") == ("numpy cpu", "")


def get_backend_or_none(name):
    try:
        return get_backend(name)
    except BackendError:
        return None


def test_the_environment_is_read_at_first_use_only():
    code = (
        "import os, minigrad; a = minigrad.ones(1); os.environ['MINIGRAD_BACKEND'] = 'tpu'; print((a + 1).item(), "
        "minigrad.registry.active_backend().name)"
    )
    assert run(code, MINIGRAD_BACKEND="numpy")[0] == "2.0 numpy"


def test_a_source_tree_without_installed_backends_gives_advice(tmp_path):
    """As after a plain install, started at the repository's root: ./minigrad shadows the installed package."""
    shutil.copytree(ROOT / "minigrad", tmp_path / "minigrad", ignore=shutil.ignore_patterns("__pycache__"))
    hide = (
        "import sys; sys.path.insert(0, '.'); sys.meta_path = [f for f in sys.meta_path if 'scikit' not in repr(f).lower() "
        "and 'skbc' not in repr(type(f)).lower() and 'Editable' not in repr(type(f))]\n"
        "sys.modules.pop('minigrad', None)\nimport minigrad\n"
    )
    out, err = run(hide + "print(minigrad.__file__)\nminigrad.get_backend('numpy')", cwd=tmp_path)
    assert out.startswith((str(tmp_path), ".")), err
    assert (
        "backend 'numpy' cannot be loaded: minigrad runs from its source tree, which holds no installed backends" in err
    )
    assert "run Python from another folder, or install with `pip install -e .`" in err
