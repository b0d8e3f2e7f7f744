"""What every test starts from: sealed global state, reproducible hypothesis, and the backends of this machine.

MINIGRAD_TEST_BACKENDS=numpy,cpp restricts the matrix; without it every registered backend is in it, and one that cannot
run here is skipped with its reason.
"""

import os
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

import minigrad
from minigrad import dtypes, printing, random, registry
from minigrad.autograd import grad_mode
from minigrad.autograd.graph import Clock

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@cache
def _matrix():
    wanted = os.environ.get("MINIGRAD_TEST_BACKENDS", "")
    infos = {info.name: info for info in minigrad.list_backends()}
    names = [name.strip() for name in wanted.split(",") if name.strip()] or sorted(infos)
    unknown = [name for name in names if name not in infos]
    if unknown:
        raise pytest.UsageError(f"MINIGRAD_TEST_BACKENDS names {unknown}, but known backends are {sorted(infos)}")
    return [infos[name] for name in names]


def pytest_generate_tests(metafunc):
    """A test that asks for `backend` runs once per backend, the unavailable ones as visible skips."""
    if "backend" in metafunc.fixturenames:
        infos = _matrix()
        metafunc.parametrize("backend", infos, ids=[info.name for info in infos], indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """The summary says once why a backend was skipped, and how often: not once per test."""
    report = yield
    if report.when == "setup" and report.skipped and "backend" in item.fixturenames:
        report.longrepr = (__file__, None, report.longrepr[2])
    return report


@pytest.fixture
def backend(request):
    """A backend, active for the length of the test."""
    info = request.param
    if not info.available:
        pytest.skip(f"{info.name}: {info.reason}")
    with minigrad.use_backend(info.name) as active:
        yield active


@pytest.fixture(autouse=True)
def sealed():
    """Whatever a test does to global state ends with it: every test starts from the same."""
    registry.selection()  # chosen now, so that what is restored is a choice
    chosen, override = registry._chosen, registry._override.get()
    loaded = dict(registry._loaded)
    default, shown, rng = dtypes._default, printing._options, random.get_rng_state()
    anomaly = Clock.anomaly
    modes = grad_mode._recording.get(), grad_mode._inference.get()
    random.manual_seed(0)
    yield
    for loaded_backend in registry._loaded.values():
        if loaded_backend.reports_targets:  # a bad class index that no value was asked for after is not the next test's
            with suppress(IndexError):
                loaded_backend.synchronize()
    registry._chosen = chosen
    if registry._override.get() is not override:
        registry._override.set(override)
    registry._loaded.clear()
    registry._loaded.update(loaded)
    dtypes._default, printing._options = default, shown
    random.set_rng_state(rng)
    Clock.anomaly = anomaly
    grad_mode._recording.set(modes[0])
    grad_mode._inference.set(modes[1])
