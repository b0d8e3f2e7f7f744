"""Tests on a real GPU. Where there is none they are skipped, and say why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import minigrad
from minigrad.errors import BackendError


@pytest.fixture
def gpu() -> Iterator[Any]:
    """The CUDA backend, active."""
    try:
        backend = minigrad.get_backend("cuda")
    except BackendError as error:
        pytest.skip(str(error))
    with minigrad.use_backend(backend):
        yield backend
