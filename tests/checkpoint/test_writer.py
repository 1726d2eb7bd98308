import errno
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from t5mix.checkpoint.integrity import DamagedCheckpointError, checksums
from t5mix.checkpoint.reader import read_params, read_run_state
from t5mix.checkpoint.train_state import TrainState, new_state
from t5mix.checkpoint.writer import Checkpoints
from t5mix.errors import T5MixError

HOST = {"stream": {"position": 3}, "best": {}, "text": "grüße"}


def make_state(step: int = 0) -> TrainState:
    draw = np.random.default_rng(step)
    trained = {"a/kernel": jnp.asarray(draw.normal(size=(4, 3)), jnp.float32), "b/scale": jnp.ones(3) * step}
    state = new_state(trained, {"c/kernel": jnp.full((2, 2), 0.1)}, optax.adam(0.1))
    return state._replace(step=jnp.int32(step))


def like(state: TrainState) -> TrainState:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), state)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Iterator[Checkpoints]:
    opened = Checkpoints(tmp_path / "checkpoints")
    yield opened
    opened.close()


def save_all(checkpoints: Checkpoints, *steps: int) -> None:
    for step in steps:
        checkpoints.save(make_state(step), HOST | {"step": step})
    checkpoints.finish()


def assert_same(found: TrainState, expected: TrainState) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_round_trip(checkpoints: Checkpoints):
    save_all(checkpoints, 2, 5)
    assert checkpoints.steps() == [2, 5]
    state, run_state = checkpoints.restore(5, like(make_state()))
    assert_same(state, make_state(5))
    assert run_state == HOST | {"step": 5}
    assert read_run_state(checkpoints.folder / "2") == HOST | {"step": 2}


def test_another_process_reads_what_was_closed(tmp_path: Path):
    first = Checkpoints(tmp_path / "c")
    first.save(make_state(4), HOST)
    first.close()
    second = Checkpoints(tmp_path / "c")
    assert second.steps() == [4]
    assert_same(second.restore(4, like(make_state()))[0], make_state(4))
    second.close()


def test_a_step_is_saved_once(checkpoints: Checkpoints):
    save_all(checkpoints, 2)
    checkpoints.save(make_state(2), {"other": True})
    checkpoints.finish()
    assert read_run_state(checkpoints.folder / "2")["step"] == 2


def test_only_what_is_wanted_is_kept(checkpoints: Checkpoints):
    save_all(checkpoints, 1, 2, 3, 4)
    checkpoints.keep([2, 4])
    assert checkpoints.steps() == [2, 4]
    assert sorted(entry.name for entry in checkpoints.folder.iterdir()) == ["2", "4"]


def test_the_one_being_written_is_kept(checkpoints: Checkpoints):
    save_all(checkpoints, 1)
    checkpoints.save(make_state(2), HOST)
    checkpoints.keep([])
    checkpoints.finish()
    assert checkpoints.steps() == [2]
    assert_same(checkpoints.restore(2, like(make_state()))[0], make_state(2))


def some_file(folder: Path) -> Path:
    """The largest file of a checkpoint's parameters."""
    return max(
        (file for file in (folder / "params").rglob("*") if file.is_file()), key=lambda file: file.stat().st_size
    )


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damage_to_the_latest_names_the_last_good_one(checkpoints: Checkpoints, damage: str):
    save_all(checkpoints, 2, 4, 6)
    for step, kind in ((4, "flip"), (6, damage)):
        file = some_file(checkpoints.folder / str(step))
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        if kind == "remove":
            file.unlink()
        else:
            file.write_bytes(content if kind == "flip" else content[:-1])
    message = f"{re.escape(file.name)} .*The last good one is step 2: delete .*/6 and start again"
    with pytest.raises(DamagedCheckpointError, match=message):
        checkpoints.restore(6, like(make_state()))
    with pytest.raises(DamagedCheckpointError, match="The last good one is step 2"):
        read_params(checkpoints.folder / "6", like(make_state()).params)
    assert_same(checkpoints.restore(2, like(make_state()))[0], make_state(2))


def test_damage_to_the_only_one_says_so(checkpoints: Checkpoints):
    save_all(checkpoints, 2)
    (checkpoints.folder / "2" / "crc32.json").write_text("{", encoding="utf-8")
    with pytest.raises(DamagedCheckpointError, match=r"crc32\.json cannot be read.*There is no other"):
        checkpoints.restore(2, like(make_state()))


def test_a_kill_before_the_checksums_leaves_a_good_checkpoint(checkpoints: Checkpoints):
    save_all(checkpoints, 2)
    (checkpoints.folder / "2" / "crc32.json").unlink()
    assert_same(checkpoints.restore(2, like(make_state()))[0], make_state(2))


def test_a_kill_while_writing_leaves_no_checkpoint(tmp_path: Path):
    (tmp_path / "c" / "7.orbax-checkpoint-tmp-0" / "params").mkdir(parents=True)
    opened = Checkpoints(tmp_path / "c")
    assert not list((tmp_path / "c").iterdir())  # gone at once, not in a thread that closing forgets
    assert opened.steps() == []
    opened.close()


def test_a_full_disk_is_reported_as_such(checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch):
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints._manager, "save", full)
    with pytest.raises(T5MixError, match=r"The disk is full.*continues from its last complete checkpoint"):
        checkpoints.save(make_state(1), HOST)


def test_other_errors_pass_through(checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch):
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ValueError("something else")

    monkeypatch.setattr(checkpoints._manager, "save", broken)
    with pytest.raises(ValueError, match="something else"):
        checkpoints.save(make_state(1), HOST)


def test_parameters_alone(checkpoints: Checkpoints):
    save_all(checkpoints, 3)
    wanted = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in make_state(3).params.items()}
    found = read_params(checkpoints.folder / "3", wanted)
    assert found.keys() == wanted.keys()
    jax.tree.map(np.testing.assert_array_equal, found, make_state(3).params)


def test_another_model_is_refused_by_its_differences(checkpoints: Checkpoints):
    save_all(checkpoints, 3)
    wanted = {
        "a/kernel": jax.ShapeDtypeStruct((4, 5), np.float32),
        "b/scale": jax.ShapeDtypeStruct((3,), np.float32),
        "new/kernel": jax.ShapeDtypeStruct((2,), np.float32),
    }
    with pytest.raises(T5MixError) as caught:
        read_params(checkpoints.folder / "3", wanted)
    lines = str(caught.value).splitlines()
    assert "holds another model; 3 parameters differ" in lines[0]
    assert lines[1:] == [
        "  a/kernel: (4, 3) there, (4, 5) here",
        "  c/kernel: (2, 2) there, absent here",
        "  new/kernel: absent there, (2,) here",
    ]


def test_what_is_no_checkpoint_is_refused(tmp_path: Path):
    with pytest.raises(T5MixError, match="is no checkpoint of t5mix"):
        read_run_state(tmp_path)


def test_checksums_cover_every_file(checkpoints: Checkpoints):
    save_all(checkpoints, 3)
    recorded = json.loads((checkpoints.folder / "3" / "crc32.json").read_text("utf-8"))
    files = {str(f.relative_to(checkpoints.folder / "3")) for f in (checkpoints.folder / "3").rglob("*") if f.is_file()}
    assert recorded.keys() == files - {"crc32.json"}
    assert recorded == checksums(checkpoints.folder / "3")
