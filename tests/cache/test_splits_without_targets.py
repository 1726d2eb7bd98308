"""A split without targets: what asks for its examples is told what it serves for."""

from pathlib import Path

import pytest

from t5mix.cache.inspection import inspect_task
from t5mix.cache.prepare_worker import prepare
from t5mix.data.manifest import DataRequest
from t5mix.errors import T5MixError


def test_what_needs_targets_says_so(tmp_path: Path):
    train, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    train.write_text("text\tlabel\na\t1\n")
    test.write_text("text\tlabel\na\t-1\n")
    files = {"train": str(train), "test": str(test)}
    task = {"files": files, "inputs": "{text}", "targets": "label", "labels": {"0": "no", "1": "yes"}}
    request = DataRequest(
        mixture=("own",),
        inputs_length=8,
        targets_length=8,
        seed=0,
        store_dir=str(tmp_path / "stores"),
        declared={"own": task},
        vocabulary="bytes",
        splits=("test",),
    )
    said = r"'own': the split 'test' has no targets .* t5mix predict RUN --task own --split test\."
    with pytest.raises(T5MixError, match=said):
        prepare(request, quiet=True)
    with pytest.raises(T5MixError, match=said):
        inspect_task(request, "own", "test", count=1)
    assert len(inspect_task(request, "own", "train", count=1).examples) == 1
