"""The tests of the compiled kernels: on every instruction set of this machine, and with every algorithm."""

import pytest

_cpp = pytest.importorskip("minigrad.backends._cpp", reason="the extension was not built", exc_type=ImportError)


@pytest.fixture(autouse=True)
def restored():
    """Whatever a test chooses ends with it."""
    isa, threads = _cpp.isa(), _cpp.num_threads()
    yield
    _cpp.set_isa(isa)
    _cpp.set_num_threads(threads)
    _cpp.set_conv_algorithm("auto")
    _cpp.guard_arena(False)


@pytest.fixture(params=_cpp.isas())
def isa(request):
    """Each instruction set in turn."""
    _cpp.set_isa(request.param)
    return request.param


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """The element types that kernels serve."""
    return request.param
