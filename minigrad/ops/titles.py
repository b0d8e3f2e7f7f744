"""What PyTorch's graphs call the ops of this house: the names that a printed tensor shows as its grad_fn.

Most ops have PyTorch's own name; here stand the others, by name, and those whose name depends on how they were called. A
function that is made of several ops says its own name with `shown`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.autograd.graph import Op, Port


def _reduced(name: str) -> Callable[[Any], str]:
    def title(op: Any) -> str:
        return f"{name}Backward{int(len(op.axes) < len(op.before) or op.keepdim)}"

    return title


def _sliced(op: Any) -> str:
    """PyTorch indexes dimension by dimension: the last step that does anything gives its name."""
    key = op.args[0]
    for part in reversed(key if isinstance(key, tuple) else (key,)):
        if part is None:
            return "UnsqueezeBackward0"
        if isinstance(part, slice):
            if part != slice(None):
                return "SliceBackward0"
        elif part is not Ellipsis:
            return "SelectBackward0"
    return "AliasBackward0"


def _with_number(plain: str, first: str, both: str) -> Callable[[Any], str]:
    """By which operands are tensors: the first one only, the second one only, both."""

    def title(op: Any) -> str:
        tensors = [v is None or hasattr(v, "array") for v in op.inputs or ()] or [True, False]  # None: not kept
        return both if all(tensors) else plain if tensors[0] else first

    return title


_SAME = {
    "AvgPool2d": "AvgPool2D", "Bmm": "UnsafeView", "Cast": "ToCopy", "Cholesky": "LinalgCholeskyEx", "Clip": "Hardtanh",
    "Col2im": "Col2Im", "Conv2dInputGrad": "Convolution", "CrossEntropy": "NllLoss", "Det": "LinalgDet", "ELU": "Elu",
    "EighOp": "LinalgEigh", "GELU": "Gelu", "GatherAlong": "Gather", "Im2col": "Im2Col", "Inverse": "LinalgInvEx",
    "LeakyReLU": "LeakyRelu", "LogAbsDet": "LinalgSlogdet", "LogSumExp": "Logsumexp", "Log1p": "Log1P", "Lookup": "Embedding",
    "MatMul": "UnsafeView", "Norm2": "LinalgVectorNorm", "Pad": "ConstantPadNd", "QROp": "LinalgQr", "Reshape": "View",
    "SVDOp": "LinalgSvd", "SiLU": "Silu", "Solve": "LinalgSolveEx", "Take": "Index",
}  # fmt: skip
Op.titles.update({name: f"{theirs}Backward0" for name, theirs in _SAME.items()})
Op.titles.update(
    Addmm=lambda op: "MmBackward0" if op.inputs and op.inputs[-1] is None else "AddmmBackward0",
    Clamp="ClampBackward1",
    Div=_with_number("DivBackward0", "MulBackward0", "DivBackward0"),
    Extreme=lambda op: "MaxBackward0" if op.largest else "MinBackward0",
    ExtremeAll=lambda op: "MaxBackward1" if op.largest else "MinBackward1",
    Mean=_reduced("Mean"),
    Pow=_with_number("PowBackward0", "PowBackward2", "PowBackward1"),
    Prod="ProdBackward1",
    Slice=_sliced,
    Squeeze="SqueezeBackward1",
    SqueezeAll="SqueezeBackward0",
    Sum=_reduced("Sum"),
    SumTo="SumBackward1",
)


def shown(y: Any, title: str) -> Any:
    """A result whose op, the last of several, shows as PyTorch's one."""
    node = y.node
    if node is not None:
        (node.op if node.__class__ is Port else node).shown = title
    return y
