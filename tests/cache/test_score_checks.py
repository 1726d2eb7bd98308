"""What a perfect model would score is known before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest

from t5mix.cache import prepare_worker
from t5mix.cache.run_task import SplitSpec
from t5mix.cache.run_tasks import load_tasks
from t5mix.cache.seqio_task import SeqioTask
from t5mix.errors import T5MixError
from t5mix.metrics.perfect import PerfectScore
from t5mix.tasks import demo
from t5mix.tensorflow_setup import seqio


@pytest.fixture
def chinese(tmp_path: Path, make_request: Any) -> Any:
    """Returns a maker of requests for a translation into Chinese, with some metrics."""

    def make(*metrics: Any) -> Any:
        for split in ("train", "validation"):
            rows = [json.dumps({"q": f"line {row}", "a": "我们今天去公园散步"}) for row in range(4)]
            (tmp_path / f"{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        task = {
            "files": {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "validation")},
            "inputs": "{q}",
            "targets": "a",
            "metrics": list(metrics),
        }
        sizes = {"inputs_length": 64, "targets_length": 64, "vocabulary": "bytes"}
        return make_request(mixture=("chinese",), declared={"chinese": task}, **sizes)

    return make


def test_a_metric_that_cannot_score_the_targets_is_refused_before_a_store_is_made(chinese: Any):
    request = chinese("bleu")
    with pytest.raises(T5MixError, match=r"'chinese', validation: A perfect model would score 0 in bleu.*tokenize: zh"):
        prepare_worker.prepare(request, quiet=True)
    assert not list(Path(request.store_dir).rglob("*.tokens"))
    manifest = prepare_worker.prepare(chinese({"bleu": {"tokenize": "zh"}}), quiet=True)
    assert manifest.tasks[0].splits["validation"].counts.examples == 4
    with pytest.raises(T5MixError, match="in bleu"):  # also where the stores are there
        prepare_worker.prepare(request, quiet=True)


def test_what_the_vocabulary_cannot_write_is_warned_of(chinese: Any, vocabulary_file: Path, caplog: Any):
    request = chinese("exact_match")
    changed = {**request.__dict__, "vocabulary": str(vocabulary_file)}
    prepare_worker.prepare(type(request)(**changed), quiet=True)
    assert "'chinese', validation: The vocabulary lacks characters of 4 of the 4 targets" in caplog.text


def test_a_split_without_targets_is_not_scored(chinese: Any, tmp_path: Path):
    request = chinese("exact_match")
    (tmp_path / "test.jsonl").write_text('{"q": "line 1"}\n')
    files = {**request.declared["chinese"]["files"], "test": str(tmp_path / "test.jsonl")}
    declared = {"chinese": {**request.declared["chinese"], "files": files}}
    task = load_tasks(type(request)(**{**request.__dict__, "declared": declared})).task("chinese")
    assert task.perfect_score(SplitSpec(task, "test", 64, 64)) is None
    perfect = task.perfect_score(SplitSpec(task, "validation", 64, 64))
    assert isinstance(perfect, PerfectScore)
    assert perfect.values == {"exact_match": 100.0}


def test_registered_tasks_are_judged_if_their_metrics_are_ours():
    task = SeqioTask(seqio.TaskRegistry.get("demo_similarity"))
    perfect = task.perfect_score(SplitSpec(task, "validation", 64, 64))
    assert perfect is not None
    assert perfect.problems() == []
    assert perfect.examples == demo.demo_world.MAKERS["demo_similarity"][1].validation
    other = SeqioTask(task.task.replace(metric_fns=[lambda targets, predictions: {"own": 0.0}]))
    assert other.perfect_score(SplitSpec(other, "validation", 64, 64)) is None
