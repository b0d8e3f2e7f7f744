"""`make bench-gpu` runs to its end on the emulated device. Its figures mean nothing there, and nobody looks at them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from minigrad import registry

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_it_prints_both_tables(cuda: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(registry._loaded, "cuda", cuda)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("sides", "book"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    main = runpy.run_path(str(BENCHMARKS / "gpu.py"))["main"]
    main(["--rounds", "1", "--steps", "1", "--batch", "1", "--nets", "seed", "mlp"])
    said = capsys.readouterr().out
    assert "minigrad captured" in said and "its weight gradient" in said


def test_it_says_why_it_cannot_run(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry._loaded, "cuda", raising=False)
    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 0)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    main = runpy.run_path(str(BENCHMARKS / "gpu.py"))["main"]
    with pytest.raises(SystemExit, match="needs an NVIDIA GPU"):
        main([])
