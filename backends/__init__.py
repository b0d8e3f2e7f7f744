"""How to write a backend.

Subclass `minigrad.backend.Backend`, say `name`, `device` and `xp`, define `im2col` and `col2im`, and
override whatever you make faster. Then name the class in the entry-point group `minigrad.backends`:

    [project.entry-points."minigrad.backends"]
    mine = "my_package:MyBackend"

`MINIGRAD_BACKEND=mine` now runs an unchanged script on it, and `python -m minigrad.testing --backend mine`
proves its gradients. The three modules here are built in the same way and have no other privilege.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """PyTorch's switches, `torch.backends.cudnn` and the like, for scripts that say `import minigrad as torch`."""
    if not name.startswith("_"):
        found = getattr(import_module("minigrad.torch.extras"), f"backends_{name}", None)
        if found is not None:
            return found
    raise AttributeError(f"module 'minigrad.backends' has no attribute {name!r}")
