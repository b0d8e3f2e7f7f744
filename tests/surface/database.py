"""PyTorch's own operator database, run on minigrad: every sample's results and gradients beside PyTorch's.

python tests/surface/database.py --second --dtypes --errors     compares and prints; --all compares everything: see sweep.py.

Operations are resolved by name, as a user would: `minigrad.f`, else `Tensor.f`, `nn.functional.f` and `special.f`
where the name says so. Left out, because minigrad does not mean to have them: complex and sparse numbers, `linalg`, FFTs,
random numbers (they have tests of their own) and what returns memory as it was found.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import minigrad

# Whole families, then single names with their reason.
FAMILIES = ("fft.", "sparse.", "jiterator_", "signal.", "torch.ops.")


def named(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


RANDOM = named(
    """
    bernoulli cauchy exponential geometric log_normal normal uniform multinomial randn randn_like rand_like
    randint randint_like native_dropout_backward nn.functional.dropout nn.functional.dropout2d
    nn.functional.dropout3d nn.functional.alpha_dropout nn.functional.feature_alpha_dropout
    nn.functional.rrelu svd_lowrank pca_lowrank nn.functional.fractional_max_pool2d
    nn.functional.fractional_max_pool3d nn.functional.multi_head_attention_forward
    nn.functional.scaled_dot_product_attention
    """
)
UNSET_MEMORY = named(
    """
    empty empty_like empty_strided empty_permuted new_empty new_empty_strided resize_ resize_as_
    """
)
COMPLEX = named(
    """
    complex polar view_as_complex cdouble cfloat chalf H mH stft to_sparse real conj conj_physical resolve_conj resolve_neg angle
    """
)
LINALG = named(
    """
    cholesky cholesky_inverse cholesky_solve geqrf lu lu_solve lu_unpack logdet matrix_exp ormqr pinverse qr
    svd triangular_solve
    """
)


def covered(op: Any) -> bool:
    """Whether an entry of the database is one of those that count."""
    names = RANDOM | UNSET_MEMORY | COMPLEX
    return torch.float64 in op.dtypes and not op.name.startswith(FAMILIES) and op.name not in names


def counts(op: Any) -> bool:
    """Whether a covered entry belongs to those by which the surface is measured: linear algebra is extra."""
    return not op.name.startswith("linalg.") and op.name not in LINALG


def label(op: Any) -> str:
    """The name of an entry with its variant."""
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else str(op.name)


OPERATIONS = {label(op): op for op in op_db if covered(op)}

# How torch spells a call where the sample's arguments do not stand in the function's own order.
SPELLING: dict[str, Any] = {
    "polygamma": lambda x, n, **k: minigrad.polygamma(n, x, **k),
    "special.polygamma": lambda x, n, **k: minigrad.special.polygamma(n, x, **k),
    "slice": lambda x, dim=0, start=None, end=None, step=1: x.movedim(dim, 0)[start:end:step].movedim(0, dim),
    "where": lambda x, condition, other: minigrad.where(condition, x, other),
    "einsum": lambda operands, equation: minigrad.einsum(equation, *operands),
    "nn.functional.embedding": lambda weight, index, **k: minigrad.nn.functional.embedding(index, weight, **k),
    "nn.functional.embedding_bag": lambda weight, index, **k: minigrad.nn.functional.embedding_bag(index, weight, **k),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "item": lambda x: x.item(),
    "zero_": lambda x: x.clone().zero_() if not x.requires_grad else (x * 1).zero_(),
    "__rdiv__": lambda x, other: x.__rtruediv__(other),
}


def resolve(name: str) -> Any:
    """minigrad's function of this name, or None."""
    if name in SPELLING:
        return SPELLING[name]
    place: Any = minigrad
    *path, last = name.split(".")
    try:
        for part in path:
            place = getattr(place, part)
        if not path and last.startswith("__"):
            return getattr(minigrad.Tensor, last)
        found = getattr(place, last)
        return found if callable(found) else getattr(minigrad.Tensor, last)
    except (AttributeError, ImportError):
        return getattr(minigrad.Tensor, last, None) if not path else None


def as_numpy(t: torch.Tensor) -> Any:
    """A tensor's elements as NumPy's; bfloat16, which NumPy does not know, as ml_dtypes has it."""
    t = torch.zeros(t.shape, dtype=t.dtype) if t._is_zerotensor() else t.detach()
    if t.dtype == torch.bfloat16:
        return t.contiguous().view(torch.int16).numpy().view(minigrad.bfloat16.numpy)
    return t.numpy()


def translated(value: Any, leaves: list[tuple[Any, Any]]) -> Any:
    """PyTorch's arguments as minigrad's; pairs of tensors that want a gradient go to `leaves`."""
    if isinstance(value, torch.Tensor):
        t = minigrad.from_numpy(as_numpy(value).copy())
        if value.requires_grad:
            t.requires_grad_()
            leaves.append((value, t))
        return t
    if isinstance(value, torch.dtype):
        return getattr(minigrad, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return minigrad.device(value.type)
    if isinstance(value, torch.memory_format | torch.layout):
        return getattr(minigrad, str(value).removeprefix("torch."), value)
    if isinstance(value, dict):
        return {k: translated(v, leaves) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([translated(v, leaves) for v in value]) if type(value) in (list, tuple) else tuple(value)
    if isinstance(value, torch.nn.PairwiseDistance):
        return minigrad.nn.PairwiseDistance(value.norm, value.eps, value.keepdim)
    if callable(value) and getattr(value, "__module__", "").startswith("torch"):
        return resolve(f"nn.functional.{value.__name__}") or value
    return value


def flat(value: Any) -> list[Any]:
    """The tensors and numbers of a result, in order."""
    if isinstance(value, list | tuple):
        return [v for part in value for v in flat(part)]
    return [value]


# Relative and absolute tolerance of the narrower types.
ROUNDING = {"float32": (1e-4, 1e-5), "float16": (4e-3, 2e-3), "bfloat16": (3e-2, 1e-2)}


class Disagreement(AssertionError):
    """Where minigrad and PyTorch differ."""


def compare(what: str, ours: Any, theirs: Any, rtol: float = 1e-7, atol: float = 1e-9) -> None:
    """Shapes and element types must be equal, values near."""
    if theirs is None or not isinstance(theirs, torch.Tensor):
        same = ours == theirs or (isinstance(theirs, float) and (np.isclose(ours, theirs) or ours != ours))
        if not same and str(ours).replace("minigrad", "torch") != str(theirs):
            raise Disagreement(f"{what}: {ours!r} instead of {theirs!r}")
        return
    if not isinstance(ours, minigrad.Tensor):
        raise Disagreement(f"{what}: {type(ours).__name__} instead of a tensor")
    expected = as_numpy(theirs)
    got = ours.detach().numpy()
    if got.shape != expected.shape:
        raise Disagreement(f"{what}: shape {got.shape} instead of {expected.shape}")
    if got.dtype != expected.dtype:
        raise Disagreement(f"{what}: {got.dtype} instead of {expected.dtype}")
    rtol, atol = ROUNDING.get(expected.dtype.name, (rtol, atol))
    if got.dtype.kind != "b":
        got, expected = got.astype(float), expected.astype(float)
    if rtol > 1e-3 and expected.size:  # sums of large terms that cancel are rounded as the terms
        atol *= max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0.0)))
    if not np.allclose(got, expected, rtol, atol, equal_nan=True):
        worst = np.nanmax(np.abs(got.astype(float) - expected.astype(float)))
        raise Disagreement(f"{what}: values differ by up to {worst:.3g}")


def cotangents(outputs: list[torch.Tensor], seed: int) -> list[torch.Tensor]:
    """A fixed arbitrary weight for every element of every output."""
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(np.asarray(rng.uniform(0.5, 1.5, tuple(y.shape)))).to(y.dtype) for y in outputs]


def has_derivative(y: torch.Tensor) -> bool:
    """Whether PyTorch itself can differentiate a result that says it can be."""
    return "NotImplemented" not in type(y.grad_fn).__name__


def differentiated(library: Any, outputs: list[Any], weights: list[Any], leaves: list[Any], again: bool) -> list[Any]:
    """d (sum of weighted outputs) / d leaf for every leaf; zeros where a leaf takes no part."""
    found = library.autograd.grad(outputs, leaves, weights, create_graph=again, allow_unused=True)
    return [library.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves, strict=True)]


def check_sample(function: Any, op: Any, sample: Any, second: bool = False) -> None:
    """One sample: outputs, gradients and, if asked, second gradients."""
    expected = op(sample.input, *sample.args, **sample.kwargs)
    leaves: list[tuple[Any, Any]] = []
    args = translated(sample.args, leaves)
    kwargs = translated(sample.kwargs, leaves)
    head = translated(sample.input, leaves)
    actual = function(head, *args, **kwargs)
    ours, theirs = flat(actual), flat(expected)
    if len(ours) != len(theirs):
        raise Disagreement(f"{len(ours)} results instead of {len(theirs)}")
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        compare(f"output {i}", a, b)
    if not leaves or not op.supports_autograd:
        return
    pairs = [
        (a, b)
        for a, b in zip(
            flat(sample.output_process_fn_grad(actual)), flat(sample.output_process_fn_grad(expected)), strict=True
        )
        if isinstance(b, torch.Tensor) and b.requires_grad and has_derivative(b)
    ]
    if not pairs:
        return
    for i, (a, _) in enumerate(pairs):
        if not a.requires_grad:
            raise Disagreement(f"differentiable output {i} carries no gradient")
    check_gradients("gradient", pairs, leaves, second and op.supports_gradgrad)


def check_gradients(what: str, pairs: list[tuple[Any, Any]], leaves: list[tuple[Any, Any]], again: bool) -> None:
    """Compare gradients and, if `again`, the gradients of these."""
    weights = cotangents([b for _, b in pairs], len(what))
    theirs = differentiated(torch, [b for _, b in pairs], weights, [b for b, _ in leaves], again)
    ours = differentiated(
        minigrad,
        [a for a, _ in pairs],
        [translated(w, []) for w in weights],
        [a for _, a in leaves],
        again,
    )
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        compare(f"{what} {i}", a, b, 1e-6, 1e-8)
    if again:
        deeper = [(a, b) for a, b in zip(ours, theirs, strict=True) if b.requires_grad and a.requires_grad]
        flat_ones = [b for a, b in zip(ours, theirs, strict=True) if b.requires_grad and not a.requires_grad]
        if flat_ones:  # a constant gradient need not be recorded: PyTorch's derivative must then be zero
            zero = differentiated(torch, flat_ones, cotangents(flat_ones, 1), [b for b, _ in leaves], True)
            if any(bool((g.detach() != 0).any()) for g in zero):
                raise Disagreement("the gradient carries no second gradient")
        if deeper and all(has_derivative(b) for _, b in deeper):
            check_gradients("second gradient", deeper, leaves, False)


def check(name: str, second: bool = False) -> int:
    """All samples of an entry; returns how many there were.

    Raises:
        Disagreement: at the first sample that differs, or whatever minigrad raises. LookupError: if minigrad has no such name.
    """
    op = OPERATIONS[name]
    function = resolve(op.name)
    if function is None:
        raise LookupError(op.name)
    torch.default_generator.manual_seed(0)
    count = 0
    for i, sample in enumerate(op.sample_inputs("cpu", torch.float64, requires_grad=op.supports_autograd)):
        try:
            check_sample(function, op, sample, second)
        except Exception as error:
            kind = "" if isinstance(error, Disagreement) else f"{type(error).__name__}: "
            raise Disagreement(
                f"sample {i} {sample.summary()[:160] if len(str(sample.args)) < 2000 else ''}: {kind}{error}"
            ) from error
        count += 1
    return count


if __name__ == "__main__":
    import sweep  # which knows this module under its own name

    sweep.main(sys.argv[1:])
