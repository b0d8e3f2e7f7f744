"""einsum, as PyTorch contracts: two operands at a time, each pair one stack of matrix products."""

from __future__ import annotations

import math
import string
from typing import Any

from minigrad.errors import ShapeError
from minigrad.ops.arithmetic import mul
from minigrad.ops.base import Tensor, cast, normal_axis
from minigrad.ops.matmul import bmm, diagonal
from minigrad.ops.reduce import sum
from minigrad.ops.shape import permute, reshape, squeeze, transpose, unsqueeze


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sum products over dims: a number of trailing/leading dimensions, or two lists of them."""
    na, nb = a.array.ndim, b.array.ndim
    if isinstance(dims, int):
        if dims < 0:
            raise ShapeError(f"tensordot expects dims >= 0, but got dims={dims}")
        over_a, over_b = list(range(na - dims, na)), list(range(dims))
    else:
        over_a = [normal_axis("tensordot", d, na) for d in (dims[0] if not isinstance(dims[0], int) else [dims[0]])]
        over_b = [normal_axis("tensordot", d, nb) for d in (dims[1] if not isinstance(dims[1], int) else [dims[1]])]
    names = string.ascii_letters
    left = list(names[:na])
    right = list(names[na : na + nb])
    for i, j in zip(over_a, over_b, strict=True):
        right[j] = left[i]
    out = [c for i, c in enumerate(left) if i not in over_a] + [c for j, c in enumerate(right) if j not in over_b]
    return cast(einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", a, b), a.array.dtype)


def _contract(a: Tensor, left: str, b: Tensor, right: str, kept: str, labels: str) -> tuple[Tensor, str]:
    """Two operands of an einsum as one: names in both that are not in `kept` are summed over.

    The product is a stack of matrices (names in both, names of the left, names of the right), and lies in memory in that
    order, as PyTorch's does: dropout of an attention map draws its mask in the order of memory. `labels` are all names,
    the result's first.
    """
    over = [c for c in left if c in right and c not in kept]
    if not over:
        order = [c for c in labels if c in left or c in right]
        return mul(_laid_out(a, left, order), _laid_out(b, right, order)), "".join(order)
    both = [c for c in labels if c in left and c in right and c in kept]
    rows, columns = (
        [c for c in labels if c in left and c not in right],
        [c for c in labels if c in right and c not in left],
    )
    last = max(i for i, c in enumerate(labels) if c not in left and c not in over) if columns else 0
    if rows and columns and last < labels.index(rows[0]):
        return _contract(b, right, a, left, kept, labels)
    stacked_a = _stacked(a, left, both, rows, over)
    stacked_b = transpose(_stacked(b, right, both, columns, over), 1, 2)
    names = [*both, *rows, *columns]
    sizes = dict(zip(left + right, a.array.shape + b.array.shape, strict=True))
    return reshape(bmm(stacked_a, stacked_b), [sizes[c] for c in names]), "".join(names)


def _laid_out(v: Tensor, names: str, order: list[str]) -> Tensor:
    """An operand with its axes in the given order, and axes of length one where it has none."""
    v = permute(v, [names.index(c) for c in order if c in names])
    for axis, c in enumerate(order):
        if c not in names:
            v = unsqueeze(v, axis)
    return v


def _stacked(v: Tensor, names: str, both: list[str], own: list[str], over: list[str]) -> Tensor:
    """An operand as a stack of matrices (both, own, over); turned only after its axes were merged, to save a copy."""
    turned = bool(own) and names.index(own[-1]) > names.index(over[-1])
    order = [*both, *over, *own] if turned else [*both, *own, *over]
    if order != list(names):
        v = permute(v, [names.index(c) for c in order])
    shape, n = v.array.shape, len(both)
    cut = n + len(over if turned else own)
    v = reshape(v, (math.prod(shape[:n]), math.prod(shape[n:cut]), math.prod(shape[cut:])))
    return transpose(v, 1, 2) if turned else v


def einsum(equation: str, *operands: Any) -> Tensor:
    """Einstein's sum: "bij,bjk->bik" names every axis; names missing on the right are summed over.

    Raises:
        ShapeError: if the equation does not fit the operands.
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    left, arrow, result = equation.replace(" ", "").partition("->")
    names = left.split(",")
    if len(names) != len(operands):
        raise ShapeError(
            f"einsum(): more operands were provided than specified in the equation, or fewer: {equation!r} with {len(operands)} operands"
        )
    free = [c for c in string.ascii_letters if c not in equation]
    rank = max(
        (v.array.ndim - len(n.replace("...", "")) for v, n in zip(operands, names, strict=True) if "..." in n),
        default=0,
    )
    dots = "".join(free[:rank])
    full: list[str] = []
    for v, n in zip(operands, names, strict=True):
        here = v.array.ndim - len(n.replace("...", ""))
        n = n.replace("...", dots[rank - here :] if here else "")
        if len(n) != v.array.ndim:
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({len(n)}) does not match the number of dimensions "
                f"({v.array.ndim}) for operand {len(full)} in {equation!r}"
            )
        full.append(n)
    if arrow:
        result = result.replace("...", dots)
    else:
        together = "".join(full)
        result = dots + "".join(sorted(c for c in set(together) if together.count(c) == 1 and c not in dots))
    return _einsum_checked(equation, full, result, list(operands))


def _einsum_checked(equation: str, names: list[str], result: str, operands: list[Tensor]) -> Tensor:
    sizes: dict[str, int] = {}
    for n, v in zip(names, operands, strict=True):
        for c, size in zip(n, v.array.shape, strict=True):
            if sizes.get(c, 1) not in (1, size) and size != 1:
                raise ShapeError(
                    f"einsum(): subscript {c} has size {size} which does not broadcast with previously seen size {sizes[c]} in {equation!r}"
                )
            sizes[c] = max(sizes.get(c, 1), size) if size else 0
    for c in result:
        if c not in sizes:
            raise ShapeError(
                f"einsum(): output subscript {c} does not appear in the equation {equation!r} for any input operand"
            )
    for i, v in enumerate(operands):
        n = names[i]
        for c in sorted(set(n)):
            while n.count(c) > 1:  # a repeated name means the diagonal
                a = n.index(c)
                b = n.index(c, a + 1)
                v = diagonal(v, 0, a, b)
                n = n[:a] + n[a + 1 : b] + n[b + 1 :] + c
        elsewhere = set(result).union(*[set(m) for j, m in enumerate(names) if j != i])
        whole = _summed(v, n, "".join(elsewhere))
        # Of several operands, integers stay of the type they are multiplied in.
        v, n = whole if len(operands) == 1 else cast(whole, v.array.dtype), "".join(c for c in n if c in elsewhere)
        ones = [k for k, c in enumerate(n) if v.array.shape[k] == 1]
        if ones:  # they take part in nothing
            n, v = "".join(c for k, c in enumerate(n) if k not in ones), squeeze(v, ones)
        names[i], operands[i] = n, v
    v, n = operands[0], names[0]
    labels = result + "".join(sorted(set(sizes).difference(result)))
    for i in range(1, len(operands)):
        v, n = _contract(v, n, operands[i], names[i], result + "".join(names[i + 1 :]), labels)
    v = _summed(v, n, result)
    return _laid_out(v, "".join(c for c in n if c in result), list(result))


def _summed(v: Tensor, names: str, kept: str) -> Tensor:
    """The sum over the axes whose names are not kept."""
    alone = tuple(k for k, c in enumerate(names) if c not in kept)
    return sum(v, alone) if alone else v
