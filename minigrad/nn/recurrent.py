"""Recurrent layers and their cells."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from minigrad.creation import empty, zeros
from minigrad.errors import ShapeError
from minigrad.nn import init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.nn.utils.rnn import PackedSequence
from minigrad.ops.base import Tensor
from minigrad.ops.nn_recurrent import cell, recurrent

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """Layers of a recurrence; weights are called weight_ih_l0, weight_hh_l0, bias_ih_l0, ..._reverse, as in PyTorch."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        if not isinstance(hidden_size, int):
            raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        rows = _GATES[mode] * hidden_size
        self._all_names: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                width = input_size if layer == 0 else (proj_size or hidden_size) * (2 if bidirectional else 1)
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, width),
                    "weight_hh": (rows, proj_size or hidden_size),
                }
                if bias:
                    shapes.update(bias_ih=(rows,), bias_hh=(rows,))
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = {name: f"{name}_l{layer}{suffix}" for name in shapes}
                for name, full in names.items():
                    setattr(self, full, Parameter(empty(shapes[name], device=device, dtype=dtype)))
                self._all_names.append(list(names.values()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights anew: evenly from +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    @property
    def all_weights(self) -> list[list[Any]]:
        """The weights, a list per layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_names]

    def flatten_parameters(self) -> None:
        """The weights lie well as they are."""

    def _weights(self) -> list[list[Any]]:
        """Per layer and direction: w_ih, w_hh, b_ih, b_hh and, if there is one, w_hr."""
        table = []
        for names in self._all_names:
            values = [self._parameters[name] for name in names]
            if not self.bias:
                values[2:2] = [None, None]
            table.append(values)
        return table

    def _check_state(self, name: str, state: Tensor, n: int, width: int) -> None:
        wanted = (self.num_layers * (2 if self.bidirectional else 1), n, width)
        if state.array.shape != wanted:
            raise ShapeError(f"Expected {name} size {wanted}, got {list(state.array.shape)}")

    def _run(self, input: Any, hx: Any) -> tuple[Any, tuple[Tensor, ...]]:
        """The output, padded or packed as the input, and the final state."""
        packed = input if isinstance(input, PackedSequence) else None
        if packed is not None:
            x, sizes = packed.data, packed.batch_sizes.tolist()
            n, batched = sizes[0], True
        else:
            if input.array.ndim not in (2, 3):
                raise ShapeError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.array.ndim}D instead")
            batched = input.array.ndim == 3
            x = input if batched else input.unsqueeze(0 if self.batch_first else 1)
            if self.batch_first:
                x = x.transpose(0, 1)
            length, n, width = x.array.shape
            if length == 0:
                raise ShapeError("Expected sequence length to be larger than 0 in RNN")
            sizes, x = [n] * length, x.reshape(length * n, width)
        if x.array.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.array.shape[-1]}"
            )
        widths = (self.proj_size or self.hidden_size, self.hidden_size)[: 2 if self.mode == "LSTM" else 1]
        count = self.num_layers * (2 if self.bidirectional else 1)
        if hx is None:
            state: tuple[Tensor, ...] = tuple(zeros(count, n, w, dtype=x.dtype, device=x.device) for w in widths)
        else:
            state = tuple(hx) if self.mode == "LSTM" else (hx,)
            if not batched:
                if any(s.array.ndim != 2 for s in state):
                    raise ShapeError(
                        f"For unbatched 2-D input, hx should also be 2-D but got {state[0].array.ndim}-D tensor"
                    )
                state = tuple(s.unsqueeze(1) for s in state)
            if packed is not None and packed.sorted_indices is not None:
                state = tuple(s.index_select(1, packed.sorted_indices) for s in state)
            for name, s, w in zip(
                ("hidden[0]", "hidden[1]") if len(state) == 2 else ("hidden",), state, widths, strict=True
            ):
                self._check_state(name, s, n, w)
        y, state = recurrent(
            self.mode, x, sizes, state, self._weights(), self.bidirectional, self.dropout, self.training
        )
        if packed is not None:
            if packed.unsorted_indices is not None:
                state = tuple(s.index_select(1, packed.unsorted_indices) for s in state)
            return PackedSequence(y, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices), state
        y = y.reshape(len(sizes), n, -1)
        if self.batch_first:
            y = y.transpose(0, 1)
        if not batched:
            y, state = y.squeeze(0 if self.batch_first else 1), tuple(s.squeeze(1) for s in state)
        return y, state

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size != 0:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.batch_first is not False:
            text += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            text += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            text += f", bidirectional={self.bidirectional}"
        return text


class RNN(RNNBase):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu: (L, N, I) -> (L, N, D*H)

    Source: Elman, "Finding structure in time" (1990).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, 0, device, dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:
        """(L, N, I), (layers*D, N, H) -> (L, N, D*H), (layers*D, N, H)"""
        y, (h,) = self._run(input, hx)
        return y, h


class GRU(RNNBase):
    """Gated recurrent units: (L, N, I) -> (L, N, D*H)

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> Any:
        """(L, N, I), (layers*D, N, H) -> (L, N, D*H), (layers*D, N, H)"""
        y, (h,) = self._run(input, hx)
        return y, h


class LSTM(RNNBase):
    """Long short-term memory: (L, N, I) -> (L, N, D*H)

    Source: Hochreiter and Schmidhuber, "Long short-term memory" (1997).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device,
            dtype,
        )  # fmt: skip

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(L, N, I), (h, c) -> (L, N, D*H), (h, c), each state (layers*D, N, H)"""
        return self._run(input, hx)


class RNNCellBase(Module):
    """One step of a recurrence."""

    mode = "RNN_TANH"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights anew: evenly from +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def _step(self, input: Tensor, state: Any) -> tuple[Tensor, ...]:
        name = self._get_name()
        if input.array.ndim not in (1, 2):
            raise ShapeError(f"{name}: Expected input to be 1D or 2D, got {input.array.ndim}D instead")
        batched = input.array.ndim == 2
        x = input if batched else input.unsqueeze(0)
        if x.array.shape[1] != self.input_size:
            raise ShapeError(f"input has inconsistent input_size: got {x.array.shape[1]} expected {self.input_size}")
        if state is None:
            count = 2 if self.mode == "LSTM" else 1
            zero = zeros(x.array.shape[0], self.hidden_size, dtype=x.dtype, device=x.device)
            state = (zero,) * count
        else:
            state = tuple(s if batched else s.unsqueeze(0) for s in state)
            for s in state:
                if s.array.shape != (x.array.shape[0], self.hidden_size):
                    raise ShapeError(
                        f"hidden has inconsistent hidden_size: got {list(s.array.shape)}, expected "
                        f"{[x.array.shape[0], self.hidden_size]}"
                    )
        new = cell(self.mode, x, state, (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh))
        return new if batched else tuple(s.squeeze(0) for s in new)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"


class RNNCell(RNNCellBase):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu: (N, I), (N, H) -> (N, H)"""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity: {nonlinearity}")
        self.nonlinearity = nonlinearity
        self.mode = f"RNN_{nonlinearity.upper()}"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(N, I), (N, H) -> (N, H)"""
        return self._step(input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of an LSTM: (N, I), ((N, H), (N, H)) -> (N, H), (N, H)"""

    mode = "LSTM"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """(N, I), ((N, H), (N, H)) -> (N, H), (N, H)"""
        return self._step(input, hx)


class GRUCell(RNNCellBase):
    """One step of a GRU: (N, I), (N, H) -> (N, H)"""

    mode = "GRU"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(N, I), (N, H) -> (N, H)"""
        return self._step(input, None if hx is None else (hx,))[0]
