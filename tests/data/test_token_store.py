import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from t5mix.data import token_store as store_module
from t5mix.data.ragged import token_batch
from t5mix.data.token_store import DamagedStoreError, TokenStore, open_store, write_store

EXAMPLES = [
    (np.asarray([5, 6, 7, 1]), np.asarray([8, 1])),
    (np.asarray([], np.int64), np.asarray([1])),
    (np.asarray([9, 10, 11, 12, 13, 1]), np.asarray([14, 15, 16, 17, 1])),
]


def write(path: Path, examples=EXAMPLES, max_inputs: int = 10, max_targets: int = 10) -> TokenStore:
    batches = (token_batch([example]) for example in examples)
    return write_store(path, batches, provenance={"task": "t"}, max_inputs=max_inputs, max_targets=max_targets)


def test_round_trip(tmp_path: Path):
    write(tmp_path / "s")
    store = open_store(tmp_path / "s")
    assert len(store) == 3
    assert store.provenance == {"task": "t"}
    for index, (inputs, targets) in enumerate(EXAMPLES):
        found = store.example(index)
        assert [array.dtype for array in found] == [np.int32, np.int32]
        assert found[0].tolist() == inputs.tolist()
        assert found[1].tolist() == targets.tolist()
    counts = store.counts
    assert (counts.examples, counts.input_tokens, counts.target_tokens) == (3, 10, 8)
    assert (counts.truncated_inputs, counts.truncated_targets) == (0, 0)
    assert (counts.longest_input, counts.longest_target) == (6, 5)


def test_an_empty_store_can_be_opened(tmp_path: Path):
    store = write(tmp_path / "s", [])
    assert len(store) == 0
    assert store.input_offsets.tolist() == [0]


@pytest.mark.parametrize("index", [-1, 3])
def test_an_example_outside_is_refused(tmp_path: Path, index: int):
    with pytest.raises(IndexError, match=f"example {index} of a store of 3"):
        write(tmp_path / "s").example(index)


def test_truncation_keeps_the_last_token(tmp_path: Path):
    store = write(tmp_path / "s", max_inputs=4, max_targets=1)
    assert [store.example(i)[0].tolist() for i in range(3)] == [[5, 6, 7, 1], [], [9, 10, 11, 1]]
    assert [store.example(i)[1].tolist() for i in range(3)] == [[1], [1], [1]]
    assert (store.counts.truncated_inputs, store.counts.truncated_targets) == (1, 2)
    assert (store.counts.longest_input, store.counts.longest_target) == (6, 5)
    assert store.counts.input_tokens == len(store.inputs) == 8


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("bad row")])
def test_an_error_while_writing_leaves_nothing(tmp_path: Path, error: Exception):
    def examples() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield EXAMPLES[0]
        raise error

    with pytest.raises(type(error)) as caught:
        write(tmp_path / "folder" / "s", examples())
    assert caught.value is error
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_full_disk_at_the_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "folder" / "s")
    assert list((tmp_path / "folder").iterdir()) == []


def test_nothing_is_visible_before_it_is_whole(tmp_path: Path):
    seen: list[bool] = []

    def examples() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for example in EXAMPLES:
            seen.append((tmp_path / "s").exists())
            yield example

    write(tmp_path / "s", examples())
    assert seen == [False] * 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["s"]


def test_the_first_of_two_writers_wins(tmp_path: Path):
    def examples() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        write(tmp_path / "s", EXAMPLES[:1])  # another process is faster
        yield from EXAMPLES

    assert len(write(tmp_path / "s", examples())) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["s"]


def test_others_may_read_a_shared_store(tmp_path: Path):
    before = os.umask(0o022)
    try:
        write(tmp_path / "s")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o755


def test_what_is_not_there_is_told_from_what_is_damaged(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        open_store(tmp_path / "nothing")
    (tmp_path / "half").mkdir()
    with pytest.raises(DamagedStoreError, match=r"no meta\.json.*Delete that folder"):
        open_store(tmp_path / "half")


FILES = ["inputs.tokens", "inputs.offsets", "targets.tokens", "targets.offsets"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_reported(tmp_path: Path, name: str):
    write(tmp_path / "s")
    (tmp_path / "s" / name).unlink()
    with pytest.raises(DamagedStoreError, match=f"{name} is missing"):
        open_store(tmp_path / "s")


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_length_is_reported(tmp_path: Path, name: str):
    write(tmp_path / "s")
    file = tmp_path / "s" / name
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(DamagedStoreError, match=f"{name} has {size - 4} bytes, not {size}"):
        open_store(tmp_path / "s", verify=False)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_reported(tmp_path: Path, name: str):
    write(tmp_path / "s")
    file = tmp_path / "s" / name
    content = bytearray(file.read_bytes())
    content[5] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedStoreError, match=f"{name} does not match its checksum"):
        open_store(tmp_path / "s")


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: "{",
        lambda meta: "[]",
        lambda meta: json.dumps({k: v for k, v in meta.items() if k != "files"}),
        lambda meta: json.dumps(meta | {"files": {}}),
        lambda meta: json.dumps(meta | {"files": 3}),
        lambda meta: json.dumps(meta | {"counts": {"examples": 3}}),
        lambda meta: json.dumps(meta | {"counts": meta["counts"] | {"bogus": 1}}),
        lambda meta: json.dumps(meta | {"format": 99}),
        lambda meta: json.dumps(meta | {"counts": meta["counts"] | {"examples": 4}}),
        lambda meta: json.dumps(meta | {"counts": meta["counts"] | {"target_tokens": 1}}),
    ],
)
def test_a_bad_meta_file_is_reported(tmp_path: Path, change):
    write(tmp_path / "s")
    file = tmp_path / "s" / "meta.json"
    file.write_text(change(json.loads(file.read_text("utf-8"))), encoding="utf-8")
    with pytest.raises(DamagedStoreError, match=r"meta\.json c|format 99"):
        open_store(tmp_path / "s")
