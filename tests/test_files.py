"""Files are whole or absent, and what goes wrong with one is said with its name."""

import errno
from pathlib import Path

import pytest

from t5mix import interrupts
from t5mix.errors import T5MixError
from t5mix.files import (
    atomic_folder,
    atomic_path,
    atomic_write,
    check_writable,
    check_writable_file,
    disk_errors,
    expand_home,
    free_space,
    is_refused_write,
    read_json,
    sha256_of,
    sha256_of_json,
    sha256_of_text,
    temporary_folder,
    write_json,
    write_text,
)


def test_a_file_appears_whole_in_a_new_folder(tmp_path: Path):
    path = tmp_path / "new" / "a.json"
    write_json(path, {"b": [1, "ü"]})
    assert read_json(path) == {"b": [1, "ü"]}
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]


def test_an_error_leaves_the_old_file_and_no_draft(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.writelines(["new", 1])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        write_json(path, {"no": object()})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_is_beside_its_file_and_hidden(tmp_path: Path):
    path = tmp_path / "a.bin"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second  # also within one process, for threads
        assert {draft.parent for draft in (first, second)} == {tmp_path}
        assert first.name.startswith(".a.bin")
        first.write_bytes(b"1")
        second.write_bytes(b"2")
        assert not path.exists()
    assert path.read_bytes() == b"1"  # the outer context ends last


def test_the_first_complete_folder_stays(tmp_path: Path):
    path = tmp_path / "store"
    with atomic_folder(path, "meta.json") as late:
        with atomic_folder(path, "meta.json") as early:
            (early / "meta.json").write_text("early")
        (late / "meta.json").write_text("late")
    assert (path / "meta.json").read_text() == "early"
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "other", "meta.json"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_finished_is_known_until_it_is(tmp_path: Path):
    with (
        atomic_path(tmp_path / "a") as file,
        atomic_folder(tmp_path / "b", "meta.json") as folder,
        temporary_folder("t5mix-test-") as temporary,
    ):
        assert {file, folder, temporary} <= interrupts.unfinished
        file.touch()
        assert temporary.is_dir()
    assert not {file, folder, temporary} & interrupts.unfinished
    assert not temporary.exists()


def test_what_is_not_json_is_named(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text("{")
    with pytest.raises(T5MixError, match=r"a\.json is no JSON: .*\. Remove it\."):
        read_json(path, "Remove it.")
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "absent.json")


def test_digests(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("ü", encoding="utf-8")
    assert sha256_of(path) == sha256_of_text("ü")
    assert sha256_of_json({"a": 1, "b": 2}) == sha256_of_json({"b": 2, "a": 1}) == sha256_of_text('{"a": 1, "b": 2}')
    with pytest.raises(T5MixError, match="There is no file"):
        sha256_of(tmp_path / "absent")


def test_room_is_asked_of_the_nearest_folder(tmp_path: Path):
    folder, free = free_space(tmp_path / "not" / "yet")
    assert folder == tmp_path
    assert free > 0


def test_errors_of_a_full_disk_are_told_from_others(tmp_path: Path):
    with pytest.raises(T5MixError, match="The disk is full"), disk_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="unrelated"), disk_errors(tmp_path):
        raise OSError(errno.EIO, "unrelated")
    assert is_refused_write(OSError(errno.EACCES, ""))
    assert is_refused_write(OSError(errno.EFBIG, ""))
    assert not is_refused_write(OSError(errno.EIO, ""))


def test_a_folder_that_may_not_be_written_to_is_refused_with_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    check_writable(tmp_path / "new" / "run", "run_dir")
    asked = []
    monkeypatch.setattr("os.access", lambda path, mode: asked.append(path))
    with pytest.raises(T5MixError, match=f"run_dir is .*run, and you may not write to {tmp_path}. Choose another run_"):
        check_writable(tmp_path / "new" / "run", "run_dir")
    assert asked == [tmp_path]
    (tmp_path / "file").touch()
    with pytest.raises(T5MixError, match=f"run_dir is .*run, and {tmp_path}/file is a file. Choose another run_dir"):
        check_writable(tmp_path / "file" / "run", "run_dir")


def test_a_file_that_may_not_be_written_is_refused_with_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    check_writable_file(tmp_path / "new" / "file", "--output")
    with pytest.raises(T5MixError, match=f"--output {tmp_path} is a folder. Give the name of a file"):
        check_writable_file(tmp_path, "--output")
    (tmp_path / "file").touch()
    check_writable_file(tmp_path / "file", "--output")
    with pytest.raises(T5MixError, match=f"--output .*: {tmp_path}/file is a file. Choose another name"):
        check_writable_file(tmp_path / "file" / "x", "--output")
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    with pytest.raises(T5MixError, match=f"--output .*file: you may not write to {tmp_path}. Choose another folder"):
        check_writable_file(tmp_path / "file", "--output")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_refused_write_names_the_file_and_not_its_draft(tmp_path: Path, number: int):
    with pytest.raises(OSError, match="no") as refused, atomic_path(tmp_path / "a.png") as draft:
        raise OSError(number, "no", *([] if number == errno.ENOSPC else [str(draft)]))
    assert refused.value.filename == str(tmp_path / "a.png")
    with pytest.raises(OSError, match="no") as other, atomic_path(tmp_path / "a.png"):
        raise OSError(number, "no", "elsewhere")
    assert other.value.filename == "elsewhere"


def test_a_tilde_needs_a_home_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert expand_home("~/x", "store_dir") == Path("/home/somebody/x")
    with pytest.raises(T5MixError, match="store_dir is ~nobody_of_this_name/x, and no home folder is known: set HOME"):
        expand_home("~nobody_of_this_name/x", "store_dir")
