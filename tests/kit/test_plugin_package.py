"""examples/plugin_backend, installed into a fresh environment: found by name, listed, right, and able to train.

The environment sees the packages of the one that runs the tests; what it lacks (Numba) comes from the package index,
and without one the test is skipped with pip's words.
"""

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

TRAIN = """
import minigrad
from minigrad import nn
from minigrad.models import SimpleConvNet

minigrad.manual_seed(0)
net = SimpleConvNet((1, 8, 8), filter_num=4, filter_size=3, hidden_size=20)
x, target = minigrad.randn(32, 1, 8, 8), minigrad.arange(32) % 10
optimiser = minigrad.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
losses = []
for _ in range(40):
    loss = nn.functional.cross_entropy(net(x), target)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(type(minigrad.registry.active_backend()).__name__, losses[0], losses[-1])
"""


def run(python, *arguments, **environment):
    return subprocess.run(
        [str(python), *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, pytestconfig):
    """The Python of a fresh environment with the plug-in in it."""
    where = tmp_path_factory.mktemp("fresh")
    venv.create(where, with_pip=False)
    python = where / "bin" / "python"
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    here = [sysconfig.get_path("purelib"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    for number, path in enumerate(filter(None, here)):
        (packages / f"parent{number}.pth").write_text(f"import site; site.addsitedir({path!r})\n")
    if run(python, "-c", "import minigrad.backends").returncode:
        pytest.skip("minigrad is not installed, only found in its source tree")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    if importlib.util.find_spec("numba") is None:
        done = run(*pip, "--only-binary", ":all:", "numba>=0.61")
        if done.returncode:
            pytest.skip(f"Numba cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    package = pytestconfig.rootpath / "examples" / "plugin_backend"
    copy = tmp_path_factory.mktemp("source") / "plugin"  # a build writes beside its sources
    for path in package.rglob("*"):
        if path.suffix in (".py", ".toml", ".md"):
            target = copy / path.relative_to(package)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    done = run(*pip, "--no-build-isolation", "--no-deps", copy)
    if done.returncode:  # a setuptools that is too old here: let pip fetch another for the build
        again = run(*pip, "--no-deps", copy)
        if again.returncode and "bdist_wheel" in done.stderr and "No matching distribution" in again.stderr:
            pytest.skip(f"no setuptools to build with: {again.stderr.strip().splitlines()[-1]}")
        assert again.returncode == 0, done.stderr + again.stderr
    return python


def test_is_listed(fresh):
    done = run(fresh, "-m", "minigrad", "backends")
    assert done.returncode == 0, done.stderr
    assert ["numba", "cpu", "available"] in [line.split() for line in done.stdout.splitlines()]


def test_passes_the_kit(fresh):
    done = run(fresh, "-m", "minigrad.testing", "--backend", "numba")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "backend 'numba'" in done.stdout


def test_trains_by_an_environment_variable(fresh, tmp_path):
    (tmp_path / "train.py").write_text(TRAIN)
    losses = {}
    for name in ("numba", "numpy"):
        done = run(fresh, tmp_path / "train.py", MINIGRAD_BACKEND=name)
        assert done.returncode == 0, done.stderr
        kind, *numbers = done.stdout.split()
        assert kind == f"{name.capitalize()}Backend"
        losses[name] = [float(number) for number in numbers]
    assert losses["numba"][1] < 0.5 * losses["numba"][0]
    assert losses["numba"] == pytest.approx(losses["numpy"], rel=1e-3)
