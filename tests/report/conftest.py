"""A made-up sweep, what is found in it, and its report."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from t5mix.analysis.analysis import Findings, find
from t5mix.analysis.results import read_results
from t5mix.report.write import write_report


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """`synthetic.py` beside this file."""
    path = Path(__file__).with_name("synthetic.py")
    spec = importlib.util.spec_from_file_location("t5mix_tests_synthetic", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["t5mix_tests_synthetic"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def folder(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five methods, three seeds, three tasks, one of whose reported trials failed; not to be changed."""
    return synthetic.make_sweep(tmp_path_factory.mktemp("sweep") / "made-up", failed=("lora, r=8", 1))


@pytest.fixture(scope="session")
def findings(folder: Path) -> Findings:
    return find(read_results(folder))


@pytest.fixture(scope="session")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report on it."""
    out = tmp_path_factory.mktemp("report") / "out"
    write_report(folder, out)
    return out


@pytest.fixture
def make(synthetic: ModuleType, tmp_path: Path) -> Callable[..., Path]:
    """Makes a small sweep of two methods on two tasks, to be changed; takes fields of `Spec`, and of the sweep."""

    def make(failed: tuple[str, int] | None = None, fields: dict[str, Any] | None = None, **changes: Any) -> Path:
        plain = {"columns": {}, "alone": None, "hypotheses": {}, "paper": None, "before": []}
        levels = {"full": 1.0, "lora": 0.2}
        metrics = {"demo_sentiment": "accuracy", "demo_paraphrase": "f1"}
        own = {"levels": levels, "metrics": metrics, "alone": None, "adaptive": None, "edge": None, **changes}
        return synthetic.make_sweep(
            tmp_path / "sweep", synthetic.Spec(**own, fields={**plain, **(fields or {})}), failed
        )

    return make


@pytest.fixture
def edit() -> Callable[[Path, Callable[[dict[str, Any]], Any]], None]:
    """Changes a JSON file."""

    def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    return edit
