"""Tools for parameters and gradients."""

from minigrad.nn.utils import rnn
from minigrad.nn.utils.clip import clip_grad_norm_, clip_grad_value_, get_total_norm
from minigrad.nn.utils.convert import parameters_to_vector, vector_to_parameters
from minigrad.nn.utils.weight_norm import remove_weight_norm, weight_norm

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "get_total_norm", "parameters_to_vector", "remove_weight_norm", "rnn",
    "vector_to_parameters", "weight_norm",
]  # fmt: skip
