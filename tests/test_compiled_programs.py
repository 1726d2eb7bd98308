import os
from pathlib import Path

import pytest

from t5mix import compiled_programs
from t5mix.compiled_programs import keep_compiled_programs

KEY = "JAX_COMPILATION_CACHE_DIR"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if "CACHE" not in name})


def test_programs_are_kept_for_this_kind_of_machine(tmp_path: Path):
    keep_compiled_programs(tmp_path)
    folder = Path(os.environ[KEY])
    assert folder.is_dir()
    assert folder.parent == tmp_path
    del os.environ[KEY]
    keep_compiled_programs(tmp_path)
    assert Path(os.environ[KEY]) == folder


def test_the_users_own_choice_comes_first(tmp_path: Path):
    os.environ[KEY] = "elsewhere"
    keep_compiled_programs(tmp_path)
    assert os.environ[KEY] == "elsewhere"
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path):
    (tmp_path / "file").write_text("")
    keep_compiled_programs(tmp_path / "file")
    assert KEY not in os.environ


def test_the_oldest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keep_compiled_programs(tmp_path)
    folder = Path(os.environ.pop(KEY))
    for age, name in enumerate(("new", "old", "oldest")):
        (folder / name).write_bytes(b"x" * 10)
        os.utime(folder / name, (1000 - age, 1000 - age))
    monkeypatch.setattr(compiled_programs, "_MOST_BYTES", 20)
    keep_compiled_programs(tmp_path)
    assert {file.name for file in folder.iterdir()} == {"new", "old"}
