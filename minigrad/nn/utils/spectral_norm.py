"""The older form of spectral normalisation: a hook that computes the weight before every forward.

Source: Miyato et al., "Spectral normalization for generative adversarial networks" (2018).
`parametrizations.spectral_norm` is the newer one.
"""

from __future__ import annotations

from typing import Any

from minigrad.autograd.grad_mode import no_grad
from minigrad.nn.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops.base import Tensor
from minigrad.ops.matmul import dot, mv
from minigrad.ops.nn_distance import normalize


class SpectralNorm:
    """The hook: weight = weight_orig / sigma, with singular vectors in the buffers weight_u and weight_v."""

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.name, self.dim, self.n_power_iterations, self.eps = name, dim, n_power_iterations, eps

    def reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        """The weight with the slices of `dim` as rows."""
        rows = weight if self.dim == 0 else weight.movedim(self.dim, 0)
        return rows.reshape(rows.array.shape[0], -1)

    def compute_weight(self, module: Any, do_power_iteration: bool) -> Tensor:
        """The weight over its largest singular value."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v = normalize(mv(matrix.t(), u), dim=0, eps=self.eps)
                    u = normalize(mv(matrix, v), dim=0, eps=self.eps)
                module._buffers[self.name + "_u"], module._buffers[self.name + "_v"] = u, v
        return weight / dot(u, mv(matrix, v))

    def __call__(self, module: Module, inputs: Any) -> None:
        object.__setattr__(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight by its largest singular value before every forward.

    Raises:
        RuntimeError: if the weight has such a hook already. ValueError: if the number of iterations is not positive.
    """
    if "_spectral_norm_" + name in module.__dict__:
        raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
    if dim is None:
        dim = int(isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)))
    hook = SpectralNorm(name, n_power_iterations, dim, eps)
    weight = module._parameters[name]
    if weight is None:
        raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    with no_grad():
        height, width = hook.reshape_weight_to_matrix(weight).array.shape
        u = normalize(weight.new_empty(height).normal_(0, 1), dim=0, eps=eps)
        v = normalize(weight.new_empty(width).normal_(0, 1), dim=0, eps=eps)
    del module._parameters[name]
    module.register_parameter(name + "_orig", weight)
    object.__setattr__(module, name, weight.data)
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    object.__setattr__(module, "_spectral_norm_" + name, (hook, module.register_forward_pre_hook(hook)))
    return module


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Make the weight a parameter again, with its present value."""
    found = module.__dict__.pop("_spectral_norm_" + name, None)
    if found is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    hook, handle = found
    with no_grad():
        weight = hook.compute_weight(module, False)
    handle.remove()
    module.__dict__.pop(name, None)
    del module._parameters[name + "_orig"], module._buffers[name + "_u"], module._buffers[name + "_v"]
    module.register_parameter(name, Parameter(weight.detach()))
    return module
