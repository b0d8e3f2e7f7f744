"""Batches of sequences of unequal length: padded to one length, or packed without padding."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.creation import tensor
from minigrad.dtypes import int64
from minigrad.errors import ShapeError
from minigrad.ops.base import Tensor
from minigrad.ops.index import index_select
from minigrad.ops.join import stack
from minigrad.ops.shape import pad


class PackedSequence(NamedTuple):
    """The steps of several sequences, time by time, longest sequence first: data (sum(batch_sizes), *)

    batch_sizes[t] sequences have a step t. sorted_indices say which sequence of the user's stands where.
    """

    data: Any
    batch_sizes: Any
    sorted_indices: Any = None
    unsorted_indices: Any = None

    def to(self, *args: Any, **options: Any) -> PackedSequence:
        """On another device, or with another dtype."""
        return self._replace(data=self.data.to(*args, **options))

    def cuda(self, *args: Any, **options: Any) -> PackedSequence:
        """On the GPU."""
        return self._replace(data=self.data.cuda(*args, **options))

    def cpu(self, *args: Any, **options: Any) -> PackedSequence:
        """On the host."""
        return self._replace(data=self.data.cpu())

    def double(self) -> PackedSequence:
        """In float64."""
        return self._replace(data=self.data.double())

    def float(self) -> PackedSequence:
        """In float32."""
        return self._replace(data=self.data.float())

    def half(self) -> PackedSequence:
        """In float16."""
        return self._replace(data=self.data.half())

    def long(self) -> PackedSequence:
        """In int64."""
        return self._replace(data=self.data.long())

    def int(self) -> PackedSequence:
        """In int32."""
        return self._replace(data=self.data.int())

    def pin_memory(self) -> PackedSequence:
        """The sequence itself: memory is not pinned here."""
        return self

    def is_pinned(self) -> bool:
        """Memory is not pinned here."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether the data live on a GPU."""
        return bool(self.data.is_cuda)


def invert_permutation(permutation: Any) -> Any:
    """Where each number stands in a permutation; None for None."""
    return None if permutation is None else permutation.argsort()


def _integers(values: Any) -> Any:
    return tensor(np.asarray(values, np.int64), dtype=int64, device="cpu")


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Leave the padding out: (L, N, *) and N lengths -> PackedSequence

    Raises:
        ShapeError: if the lengths do not fit, or are not sorted while `enforce_sorted`.
    """
    sizes = np.asarray(lengths.tolist() if hasattr(lengths, "tolist") else lengths, np.int64)
    order = undo = None
    if not enforce_sorted:
        rank = np.argsort(-sizes, kind="stable")
        order, undo = _integers(rank), _integers(np.argsort(rank, kind="stable"))
        sizes = sizes[rank]
        input = index_select(input, 0 if batch_first else 1, order)
    x = input.transpose(0, 1) if batch_first else input
    length, n = x.array.shape[:2]
    if len(sizes) != n:
        raise ShapeError(f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size={n})")
    if (sizes <= 0).any():
        raise ShapeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if (np.diff(sizes) > 0).any():
        raise ShapeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement"
        )
    if sizes.max() > length:
        raise ShapeError(f"Expected lengths up to {length}, but got {int(sizes.max())}")
    batch_sizes = (sizes[None, :] > np.arange(sizes.max())[:, None]).sum(1)
    rows = np.concatenate([t * n + np.arange(b) for t, b in enumerate(batch_sizes)])
    flat = x.reshape(length * n, *x.array.shape[2:])
    return PackedSequence(index_select(flat, 0, _like(rows, flat)), _integers(batch_sizes), order, undo)


def _like(values: Any, t: Tensor) -> Tensor:
    """Integers as a tensor on another's device."""
    return _integers(values).to(t.device)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The inverse of pack_padded_sequence: -> (L, N, *), lengths (N,)"""
    sizes = sequence.batch_sizes.tolist()
    length, n = len(sizes), sizes[0]
    if total_length is not None:
        if total_length < length:
            raise ShapeError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {length}"
            )
        length = total_length
    data = sequence.data
    # Every place of the padded batch picks its row, or the row of padding at the end.
    places = np.full((length, n), len(data.array))
    start = 0
    for t, b in enumerate(sizes):
        places[t, :b] = np.arange(start, start + b)
        start += b
    rest = data.array.ndim - 1
    filled = pad(data, [0, 0] * rest + [0, 1], padding_value)
    y = index_select(filled, 0, _like(places.reshape(-1), data)).reshape(length, n, *data.array.shape[1:])
    lengths = _integers([sum(b > i for b in sizes) for i in range(n)])
    if sequence.unsorted_indices is not None:
        y = index_select(y, 1, sequence.unsorted_indices)
        lengths = index_select(lengths, 0, sequence.unsorted_indices)
    return (y.transpose(0, 1) if batch_first else y), lengths


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors (L_i, *) stacked, shorter ones filled up: -> (L, N, *)"""
    if padding_side not in ("left", "right"):
        raise ShapeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    sequences = list(sequences)
    longest = max(len(s.array) for s in sequences)
    filled = []
    for s in sequences:
        missing = longest - len(s.array)
        sides = [0, missing] if padding_side == "right" else [missing, 0]
        filled.append(pad(s, [0, 0] * (s.array.ndim - 1) + sides, padding_value))
    return stack(filled, 0 if batch_first else 1)


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """pack_padded_sequence of a list of tensors (L_i, *)."""
    sequences = list(sequences)
    return pack_padded_sequence(
        pad_sequence(sequences), [len(s.array) for s in sequences], enforce_sorted=enforce_sorted
    )


def unpad_sequence(padded_sequences: Tensor, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The inverse of pad_sequence."""
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [x[i, :n] for i, n in enumerate(lengths.tolist() if hasattr(lengths, "tolist") else lengths)]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The inverse of pack_sequence."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
