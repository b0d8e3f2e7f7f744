"""NumPy's floating-point warnings, silenced while an operation runs.

log(0) is -inf and 0/0 is nan on every backend, without a word; PyTorch says none either. np.errstate
would do, but at 0.5 us it is as dear as a small operation itself. NumPy keeps the same state in a ContextVar, which
takes a tenth of that; where a NumPy has no such variable, the public way is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from numpy._core.umath import _extobj_contextvar, _make_extobj

    _SILENT = _make_extobj(all="ignore")
    _set, restore = _extobj_contextvar.set, _extobj_contextvar.reset

    def silence() -> Any:
        """Be quiet from now on; give what this returns to `restore`."""
        return _set(_SILENT)

except ImportError:  # pragma: no cover - a NumPy whose inside differs

    def silence() -> Any:
        """Be quiet from now on; give what this returns to `restore`."""
        return np.seterr(all="ignore")

    def restore(token: Any) -> None:
        """Warn again as before."""
        np.seterr(**token)
