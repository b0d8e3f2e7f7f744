"""What is wrong with a plug-in is said in words that help its author."""

from importlib import metadata

import numpy as np
import pytest
from kit_floor import Floor

from minigrad import registry
from minigrad.backend import Backend
from minigrad.errors import BackendError
from minigrad.testing import check_backend


def broken(cls, operation, law="form"):
    """The message of the one failure that this backend must have."""
    report = check_backend(cls(), operations=[operation], dtypes=["float32"])
    found = [failure for failure in report.failures if (failure.operation, failure.law) == (operation, law)]
    assert found, report
    return found[0].message


@pytest.fixture
def entry_point(monkeypatch):
    """Pretend that a package with this entry point is installed."""

    def install(value):
        point = metadata.EntryPoint("plugin", value, registry.GROUP)
        monkeypatch.setattr(registry, "_entry_points", lambda: {"plugin": point})
        monkeypatch.setattr(registry, "_loaded", {})

    return install


def test_an_entry_point_that_cannot_be_imported(entry_point):
    entry_point("no_such_package.backend:Mine")
    with pytest.raises(
        BackendError, match=r"'plugin' cannot be loaded from 'no_such_package\.backend:Mine'.*No module named"
    ):
        check_backend("plugin")


def test_an_entry_point_that_is_no_backend(entry_point):
    entry_point("collections:OrderedDict")
    with pytest.raises(BackendError, match=r"must name a subclass of minigrad\.backend\.Backend"):
        check_backend("plugin")


class WithoutXp(Backend):
    name = "bare"


def test_a_class_without_xp(entry_point):
    entry_point(f"{__name__}:WithoutXp")
    with pytest.raises(BackendError, match="class WithoutXp must define `xp`"):
        check_backend("plugin")
    report = check_backend(WithoutXp())
    assert [str(f) for f in report.failures] == [
        "arrays (float32) breaks the law 'form': the class must define `xp`, an array namespace with NumPy's names"
    ]


class CannotBeMade(Floor):
    def __init__(self):
        raise OSError("libfast.so: cannot open shared object file")


def test_a_class_whose_constructor_raises(entry_point):
    for given in (CannotBeMade, f"{__name__}:CannotBeMade"):
        with pytest.raises(BackendError, match=r"CannotBeMade\(\) raised OSError: libfast"):
            check_backend(given)
    entry_point(f"{__name__}:CannotBeMade")
    with pytest.raises(BackendError, match=r"'plugin'.*OSError: libfast"):
        check_backend("plugin")


def test_a_floor_that_is_not_defined():
    class Empty(Backend):
        name = "empty"
        xp = np

    assert broken(Empty, "im2col") == "im2col is not implemented: backend 'empty' must define im2col"


def test_the_wrong_shape():
    class Wrong(Floor):
        def im2col(self, x, window, fill=0):
            return super().im2col(x, window, fill).swapaxes(1, 2).copy()

    assert broken(Wrong, "im2col") == "im2col: result has shape (1, 2, 1), expected (1, 1, 2)"


def test_the_wrong_type():
    class Wrong(Floor):
        def relu(self, x):
            return super().relu(x).astype(np.float64)

    assert broken(Wrong, "relu") == "relu: result has dtype float64, expected float32"


def test_the_wrong_library():
    class Wrong(Floor):
        def tanh(self, x):
            return memoryview(super().tanh(x))

    assert broken(Wrong, "tanh") == "tanh: result is a builtins.memoryview, expected a numpy.ndarray"


def test_too_few_results():
    class Wrong(Floor):
        def max_pool2d(self, x, window):
            return super().max_pool2d(x, window)[0]

    assert broken(Wrong, "max_pool2d") == "max_pool2d returned 1 result, expected 2 results"


def test_an_operation_that_raises():
    class Wrong(Floor):
        def conv2d(self, x, w, b, window, groups=1):
            if groups > 1:
                raise NameError("name 'group' is not defined")
            return super().conv2d(x, w, b, window, groups)

    assert broken(Wrong, "conv2d") == "conv2d raised NameError: name 'group' is not defined"


def test_a_result_that_cannot_be_written():
    class Wrong(Floor):
        def relu(self, x):
            y = super().relu(x)
            y.flags.writeable = False
            return y

    assert broken(Wrong, "relu", "inputs").startswith("relu: result cannot be written: ValueError")


def test_two_results_in_one_memory():
    class Wrong(Floor):
        def batch_norm_stats(self, x):
            mean, variance = super().batch_norm_stats(x)
            both = np.stack([mean, variance])
            return both[0], both[:1].reshape(-1)

    message = broken(Wrong, "batch_norm_stats", "inputs")
    assert message == "two results of batch_norm_stats share memory"


def test_files_and_modules(tmp_path):
    with pytest.raises(BackendError, match="there is no file"):
        check_backend(str(tmp_path / "nothing.py"))
    path = tmp_path / "unfinished_plugin.py"
    path.write_text("def broken(:\n")
    with pytest.raises(BackendError, match="cannot be imported: SyntaxError"):
        check_backend(str(path))
    path.write_text("x = 1\n")
    with pytest.raises(BackendError, match=r"must define one subclass .* it defines none"):
        check_backend(str(path))
    with pytest.raises(BackendError, match="has no 'Mine'"):
        check_backend(f"{path}:Mine")
    with pytest.raises(BackendError, match="expected a backend's name, class or instance, but got 3"):
        check_backend(3)


def test_hypothesis_is_an_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match=r"pip install 'minigrad\[testing\]'"):
        check_backend(Floor(), operations=["relu"], seed=12345)  # a seed that nobody has drawn yet
