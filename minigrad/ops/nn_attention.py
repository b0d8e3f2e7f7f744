"""Attention: scaled dot products, and many heads of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops.activation import softmax
from minigrad.ops.arithmetic import add, mul
from minigrad.ops.base import Array, Tensor, backend_of, wrap
from minigrad.ops.join import cat, chunk
from minigrad.ops.logic import where
from minigrad.ops.matmul import linear, matmul
from minigrad.ops.nn_dropout import dropout
from minigrad.ops.reduce import mean
from minigrad.ops.shape import expand, narrow, pad, reshape, squeeze, transpose, unsqueeze


def _additive(mask: Tensor, dtype: Any) -> Tensor:
    """A boolean mask (true: may be seen) as numbers to add: 0 or -inf."""
    if mask.array.dtype.kind != "b":
        return mask
    xp = backend_of(mask.array).xp
    return wrap(xp.where(mask.array, dtype.type(0), dtype.type(-np.inf)))


def _causal(like: Array, queries: int, keys: int) -> Array:
    """True where query i may see key j: j <= i."""
    return backend_of(like).xp.tri(queries, keys, dtype=bool)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key.T / sqrt(D) + mask) @ value: (..., L, D), (..., S, D), (..., S, V) -> (..., L, V)

    A boolean mask is true where a key may be seen, another is added. A query that may see nothing gets zeros.
    Source: Vaswani et al., "Attention is all you need" (2017), section 3.2.1.

    Raises:
        ShapeError: if mask and is_causal are both given, or shapes do not fit. DtypeError: if element types differ.
    """
    q = query.array
    if not q.dtype == key.array.dtype == value.array.dtype:
        raise DtypeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {query.dtype} key.dtype: "
            f"{key.dtype} and value.dtype: {value.dtype} instead."
        )
    if q.ndim < 2 or key.array.ndim < 2 or value.array.ndim < 2:
        raise ShapeError("Expected query, key, and value to all be at least 2 dimensional")
    if is_causal and attn_mask is not None:
        raise ShapeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if enable_gqa:
        groups = q.shape[-3] // key.array.shape[-3]
        key, value = _grouped(key, groups), _grouped(value, groups)
    if is_causal:
        attn_mask = wrap(_causal(q, q.shape[-2], key.array.shape[-2]))
    root = math.sqrt(1 / math.sqrt(q.shape[-1]) if scale is None else abs(scale))
    scores = matmul(mul(query, root if scale is None or scale > 0 else -root), mul(transpose(key, -1, -2), root))
    if attn_mask is not None:
        scores = add(scores, _additive(attn_mask, q.dtype))
    blind = None
    if attn_mask is not None:
        hidden = (scores.array == -np.inf).all(-1, keepdims=True)
        if backend_of(hidden).reports_targets or hidden.any():  # to ask a GPU would be to wait for it
            blind = wrap(hidden)
    if blind is not None:  # before as well: the gradient of softmax at such a row is not a number
        scores = where(blind, 0.0, scores)
    weights = softmax(scores, -1)
    if blind is not None:
        weights = where(blind, 0.0, weights)
    return matmul(dropout(weights, dropout_p), value)


def _grouped(x: Tensor, groups: int) -> Tensor:
    """Every head repeated for the queries that share it: (..., H, S, D) -> (..., H*groups, S, D)"""
    *lead, h, s, d = x.array.shape
    return reshape(expand(unsqueeze(x, -3), (*lead, h, groups, s, d)), (*lead, h * groups, s, d))


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor | None,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of several heads: query (L, N, E), key and value (S, N, E) -> (L, N, E), and weights (N, L, S) or None

    Masks are true, or -inf, where a key may *not* be seen: key_padding_mask (N, S), attn_mask (L, S) or (N*heads, L, S).
    Source: Vaswani et al., "Attention is all you need" (2017), section 3.2.2.

    Raises:
        ShapeError: if shapes do not fit.
    """
    batched = query.array.ndim == 3
    if not batched:
        query, key, value = unsqueeze(query, 1), unsqueeze(key, 1), unsqueeze(value, 1)
        key_padding_mask = None if key_padding_mask is None else unsqueeze(key_padding_mask, 0)
    length, n, e = query.array.shape
    if e != embed_dim_to_check:
        raise ShapeError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {e}")
    if e % num_heads:
        raise ShapeError(f"embed_dim {e} not divisible by num_heads {num_heads}")
    if key.array.shape[:2] != value.array.shape[:2]:
        raise ShapeError(
            f"key's sequence and batch dims {list(key.array.shape[:2])} do not match value's {list(value.array.shape[:2])}"
        )
    if is_causal and attn_mask is None:
        raise ShapeError("Need attn_mask if specifying the is_causal hint.")
    if use_separate_proj_weight:
        biases = (None,) * 3 if in_proj_bias is None else chunk(in_proj_bias, 3)
        q, k, v = (
            linear(x, w, b)
            for x, w, b in zip((query, key, value), (q_proj_weight, k_proj_weight, v_proj_weight), biases, strict=True)
        )
    else:
        q, k, v = _projected(query, key, value, in_proj_weight, in_proj_bias)
    mask = None if attn_mask is None else _forbidden(attn_mask, q.array.dtype)
    if mask is not None and mask.array.ndim == 2:
        mask = unsqueeze(mask, 0)
    blocked = None if key_padding_mask is None else _forbidden(key_padding_mask, q.array.dtype)
    if bias_k is not None and bias_v is not None:
        k, v = (cat([x, b.repeat(1, n, 1)]) for x, b in ((k, bias_k), (v, bias_v)))
        mask, blocked = _one_more(mask), _one_more(blocked)
    d = e // num_heads
    q = _heads(q, n, num_heads, d)
    k = _heads(k, n, num_heads, d) if static_k is None else static_k
    v = _heads(v, n, num_heads, d) if static_v is None else static_v
    if add_zero_attn:
        k, v = (pad(x, (0, 0, 0, 1)) for x in (k, v))
        mask, blocked = _one_more(mask), _one_more(blocked)
    s = k.array.shape[1]
    if blocked is not None:
        if blocked.array.shape != (n, s):
            raise ShapeError(f"expecting key_padding_mask shape of {(n, s)}, but got {blocked.array.shape}")
        blocked = reshape(expand(reshape(blocked, (n, 1, 1, s)), (n, num_heads, 1, s)), (n * num_heads, 1, s))
        mask = blocked if mask is None else add(mask, blocked)
    rate = dropout_p if training else 0.0
    if need_weights:
        scores = matmul(mul(q, math.sqrt(1.0 / d)), transpose(k, 1, 2))  # (N*heads, L, S)
        weights = dropout(softmax(scores if mask is None else add(scores, mask), -1), rate)
        y = matmul(weights, v)
    else:
        weights = None
        y = scaled_dot_product_attention(q, k, v, mask, rate)
    y = reshape(transpose(y, 0, 1), (length * n, e))
    y = linear(y, out_proj_weight, out_proj_bias)
    y = reshape(y, (length, n, y.array.shape[-1]))
    if weights is not None:
        weights = reshape(weights, (n, num_heads, length, s))
        weights = mean(weights, 1) if average_attn_weights else weights
    if not batched:
        y, weights = squeeze(y, 1), None if weights is None else squeeze(weights, 0)
    return y, weights


def _forbidden(mask: Tensor, dtype: Any) -> Tensor:
    """A boolean mask (true: may not be seen) as numbers to add: -inf or 0."""
    if mask.array.dtype.kind != "b":
        return mask
    xp = backend_of(mask.array).xp
    return wrap(xp.where(mask.array, dtype.type(-np.inf), dtype.type(0)))


def _one_more(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else pad(mask, (0, 1))


def _heads(x: Tensor, n: int, heads: int, d: int) -> Tensor:
    """(S, N, heads*D) -> (N*heads, S, D)"""
    return transpose(reshape(x, (x.array.shape[0], n * heads, d)), 0, 1)


def _projected(query: Tensor, key: Tensor, value: Tensor, w: Tensor, b: Tensor | None) -> tuple[Tensor, ...]:
    """Queries, keys and values by one weight (3*E, E); in one product where they come from one tensor."""
    e = query.array.shape[-1]
    if query is key is value:
        y = linear(query, w, b)
        return tuple(narrow(y, -1, i * e, e) for i in range(3))
    parts = []
    for i, x in enumerate((query, key, value)):
        parts.append(linear(x, narrow(w, 0, i * e, e), None if b is None else narrow(b, 0, i * e, e)))
    return tuple(parts)
