"""What all tests share."""

import gc
import importlib.metadata
import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from t5mix.compiled_programs import keep_compiled_programs
from tests.support import synthetic_sweep, tiny_runs

pytest_plugins = ["tests.support.data_files", "tests.support.sweep_folders"]

# A suite that a shell runs in the background inherits that Ctrl-C is ignored, and so would the programs it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test asks the network
os.environ.setdefault("HF_HOME", str(Path(__file__).parents[1] / ".pytest_cache" / "huggingface"))
# Tests compile more than they compute: these make compiling three times as fast, child processes included. The last two
# are not for good: an XLA that does not know a flag ends the process.
_flags = ["--xla_backend_optimization_level=0"]
if importlib.metadata.version("jaxlib").startswith("0.10."):
    _flags += ["--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1"]
os.environ.setdefault("XLA_FLAGS", " ".join(_flags))
# What one test compiles, no other process or engine compiles again, in this session or a later one.
keep_compiled_programs(Path(__file__).parents[1] / ".pytest_cache" / "compiled", least_seconds=0.1)


TENSORFLOW_FILES = (
    *("cache/", "preprocessors/", "sources/test_seqio_sources.py", "tasks/", "mixtures/"),
    *("data/test_prepare_client.py", "evaluation/test_scoring_worker.py", "evaluation/test_seqio_metrics.py"),
    *("metrics/", "mixing/test_seqio_export.py", "sweep/test_equal_budget.py", "sweep/test_sweep_run.py"),
    "interop/test_mesh_tensorflow.py",
)
"""Tests that load TensorFlow, which takes ten seconds and a gigabyte: one worker runs all of them."""

LONG_FILES = (
    *("sweep/test_sweep_run.py", "contracts/test_policies.py", "training/", "distributed/", "runs/", "finetuning/"),
    *("sweep/", "cli/", "report/", "test_docs.py"),
)
"""What takes longest; it begins first, so that no worker is left with it at the end."""


TOGETHER = ("runs/", "report/")
"""Folders whose files share what takes long to make; one worker runs all files of one."""


def in_tests(path: str, names: tuple[str, ...]) -> int | None:
    """The position of the first of some files and folders of `tests/` that a path or a test's id belongs to."""
    return next((position for position, name in enumerate(names) if path.startswith(f"tests/{name}")), None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile` gives a file to one worker, so that its fixtures are made once; here, some files together."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # keep the order in which they were collected: the longest first
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if in_tests(nodeid, TENSORFLOW_FILES) is not None:
                return "tensorflow"
            folder = in_tests(nodeid, TOGETHER)
            return nodeid.partition("::")[0] if folder is None else TOGETHER[folder]

    return ByFile(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    positions = {item: in_tests(item.nodeid, LONG_FILES) for item in items}
    items.sort(key=lambda item: len(LONG_FILES) if (position := positions[item]) is None else position)
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True, scope="session")
def _no_kept_listing() -> Iterator[None]:
    """Tests have tasks of their own, which the list that the user's cache keeps does not know."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("t5mix.cache.request_checks.kept_listing", lambda plugins: None)
        yield


def pytest_collection_finish() -> None:
    """Spares the garbage collector what stays: JAX, TensorFlow and all tests, which it would search again and again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def _compose_packaged_configurations_once() -> Iterator[None]:
    """Hydra takes a tenth of a second for each, and hundreds of tests ask for the same ones."""
    from t5mix.config.compose import Composer

    compose, composed = Composer._hydra, {}

    def compose_once(self: Composer, arguments: tuple[str, ...]) -> Any:
        if arguments or self._from_file:
            return compose(self, arguments)
        if self._source not in composed:
            composed[self._source] = compose(self, arguments)
        return composed[self._source]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Composer, "_hydra", compose_once)
        yield


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
