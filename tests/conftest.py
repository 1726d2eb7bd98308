"""What all tests share."""

import os
import warnings

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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
        from t5mix.data.tensorflow_setup import seqio
    return seqio
