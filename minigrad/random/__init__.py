"""Random numbers: PyTorch's CPU stream, on every backend.

The generator and the shared stream stand in `generator`, arrays of random numbers in `distributions`.
"""

from minigrad.random.generator import (
    Generator,
    default_generator,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]
