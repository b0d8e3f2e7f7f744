"""The examples run: each in a process of its own, with arguments that keep it short."""

import os
import subprocess
import sys

import pytest

from docs.pages import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SHORT = {"train_simple_convnet.py": "--data digits --limit 200 --epochs 1 --out {out}"}
SAYS = {
    "train_simple_convnet.py": "epoch 1: loss",
    "write_an_op.py": "gradgradcheck: True",
    "deep_learning_from_scratch.py": "all agree with autograd",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.name)
def test_example_runs(example, tmp_path):
    arguments = SHORT.get(example.name, "").format(out=tmp_path / "out").split()
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", str(example), *arguments],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
        env={**os.environ, "MINIGRAD_BACKEND": "numpy", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert SAYS.get(example.name, "") in done.stdout


def test_training_leaves_what_it_promises(tmp_path):
    """Names in the table above are names of examples, so that none is forgotten when it is renamed."""
    assert {*SHORT, *SAYS} <= {p.name for p in EXAMPLES}
