"""What all tests share."""

import atexit
import os
import shutil
import tempfile
import warnings
from types import ModuleType

import pytest

from tests.support import synthetic_sweep, tiny_runs

pytest_plugins = ["tests.support.data_files", "tests.support.sweep_folders"]

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests compile more than they compute.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # What one test compiles, no other process or engine of the same session compiles again.
    _cache = tempfile.mkdtemp(prefix="t5mix-tests-compiled-")
    atexit.register(shutil.rmtree, _cache, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "0"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def seqio():
    """seqio, imported once; what its dependencies warn of at import is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from t5mix.tensorflow_setup import seqio
    return seqio


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """`tests.support.tiny_runs`: hand-made token stores, and a run on them that takes a second."""
    return tiny_runs


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """`tests.support.synthetic_sweep`: the files of a sweep that was never run."""
    return synthetic_sweep
