"""A made-up sweep, what is found in it, and its report."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from t5mix.analysis.analysis import Analysis, analyze
from t5mix.analysis.results import read_results
from t5mix.report.write import write_report


@pytest.fixture(scope="session")
def sweep_folder(synthetic: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five methods, three seeds, three tasks, one of whose reported trials failed; not to be changed."""
    return synthetic.make_sweep(tmp_path_factory.mktemp("sweep") / "made-up", failed=("lora, r=8", 1))


@pytest.fixture(scope="session")
def analysis(sweep_folder: Path) -> Analysis:
    return analyze(read_results(sweep_folder))


@pytest.fixture(scope="session")
def written_report(sweep_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report on it."""
    out = tmp_path_factory.mktemp("report") / "out"
    write_report(sweep_folder, out)
    return out


@pytest.fixture
def make_sweep_folder(synthetic: ModuleType, tmp_path: Path) -> Callable[..., Path]:
    """Makes a small sweep of two methods on two tasks, to be changed; takes fields of `Spec`, and of the sweep."""

    def make_sweep_folder(
        failed: tuple[str, int] | None = None, fields: dict[str, Any] | None = None, **changes: Any
    ) -> Path:
        plain = {"columns": {}, "single_task_baseline": None, "hypotheses": {}, "paper": None, "shared_runs": []}
        levels = {"full": 1.0, "lora": 0.2}
        metrics = {"demo_sentiment": "accuracy", "demo_paraphrase": "f1"}
        spec = {
            "levels": levels,
            "metrics": metrics,
            "single_task_baseline": None,
            "adaptive": None,
            "edge": None,
            **changes,
        }
        return synthetic.make_sweep(
            tmp_path / "sweep", synthetic.Spec(**spec, fields={**plain, **(fields or {})}), failed
        )

    return make_sweep_folder


@pytest.fixture
def edit_json() -> Callable[[Path, Callable[[dict[str, Any]], Any]], None]:
    """Changes a JSON file."""

    def edit_json(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    return edit_json
