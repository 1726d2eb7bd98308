"""Settings on top of what a run's folder records."""

import copy
from typing import Any

import pytest

from t5mix.config.recorded import DATA_KEYS, with_settings
from t5mix.errors import T5MixError

RECORDED: dict[str, Any] = {
    "run_dir": "runs/a",
    "tasks": {"sst": {"files": {"train": "a.tsv"}, "inputs": "{x}", "targets": "y"}},
    "evaluation": {"batch_size": 64},
    "vocabulary": "a.model",
}


@pytest.mark.parametrize(
    ("setting", "files"),
    [
        ("tasks.sst.files.test=new, of today.tsv", "new, of today.tsv"),
        ("tasks.sst.files.test=parts/[0-9]*.tsv", "parts/[0-9]*.tsv"),
        ("tasks.sst.files.test=[b.tsv,c.tsv]", ["b.tsv", "c.tsv"]),
        ("tasks.sst.files.test={inputs: b.en, targets: b.de}", {"inputs": "b.en", "targets": "b.de"}),
        ("+tasks.sst.files.test=b.tsv", "b.tsv"),
    ],
)
def test_a_task_gets_other_files(setting: str, files: Any):
    before = copy.deepcopy(RECORDED)
    changed = with_settings(RECORDED, [setting, "evaluation.batch_size=8"], DATA_KEYS)
    assert changed["tasks"]["sst"]["files"] == {"train": "a.tsv", "test": files}
    assert changed["evaluation"] == {"batch_size": 8}
    assert before == RECORDED


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("tasks.stt.files.test=b.tsv", "Unknown declared task 'stt'. Did you mean 'sst'"),
        ("seed=1", "'seed=1': seed was settled when the run was trained"),
        ("task.sst.files.test=b.tsv", "Unknown configuration key 'task'. Did you mean 'tasks'"),
        ("~tasks.sst.files.train", "takes a setting out"),
        ("vocabulary.file=b.model", "'vocabulary.file=b.model': vocabulary has no settings of its own"),
        ("tasks.sst.files.test", "is not an override: write key=value"),
    ],
)
def test_what_belongs_to_the_trained_run_is_refused(setting: str, said: str):
    with pytest.raises(T5MixError, match=said):
        with_settings(RECORDED, [setting], DATA_KEYS)


def test_all_keys_may_be_set_where_none_are_named():
    assert with_settings(RECORDED, ["run_dir=runs/b,c", "seed=1"])["run_dir"] == "runs/b,c"
