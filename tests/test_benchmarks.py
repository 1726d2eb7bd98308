"""The benchmarks that are quick at a small size still run: no other test knows the names that they use."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUICK = [
    ("throughput.py", "--seconds", "0.5", "--rounds", "1", "--copies", "2", "--mixing", "odm"),
    ("declared_store.py", "--rows", "500", "--repeat", "1"),
    ("statistics_coverage.py", "--studies", "4", "--draws", "20"),
    ("step_time.py", "--preset", "tiny", "--pairs", "1", "--rows", "2", "--lengths", "16", "8"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("script", "arguments"), [pytest.param(name, rest, id=name) for name, *rest in QUICK])
def test_a_benchmark_runs_and_writes_its_result(script: str, arguments: list[str], tmp_path: Path):
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("results"))
    (tmp_path / "tasks").symlink_to(ROOT / "tasks")
    command = [sys.executable, str(tmp_path / "benchmarks" / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    assert len(list((tmp_path / "benchmarks/results").glob("*.json"))) == 1
