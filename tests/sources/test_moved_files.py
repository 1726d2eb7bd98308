from pathlib import Path

import pytest

from t5mix.sources.moved_files import files_seen_from


def test_names_are_looked_for_in_the_other_folder_if_they_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    origin, here = tmp_path / "origin", tmp_path / "here"
    for path in (origin / "data/a.tsv", origin / "data/b-1.tsv", origin / "c.tsv", here / "c.tsv", origin / "set/x"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(here)
    files = {
        "train": ["data/a.tsv", "data/b-*.tsv"],
        "validation": "c.tsv",
        "test": {"inputs": "data/a.tsv", "targets": "nowhere.tsv"},
        "more": {"dataset": "set", "split": "data/a.tsv"},
        "hub": {"dataset": "nyu-mll/glue"},
        "far": ["s3://data/a.tsv", "/data/a.tsv", "~/a.tsv"],
    }
    assert files_seen_from(files, origin) == {
        **files,
        "train": [f"{origin}/data/a.tsv", f"{origin}/data/b-*.tsv"],
        "test": {"inputs": f"{origin}/data/a.tsv", "targets": "nowhere.tsv"},
        "more": {"dataset": f"{origin}/set", "split": "data/a.tsv"},
    }
