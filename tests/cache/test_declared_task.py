"""A declared task gives the same store whether seqio makes it or not."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.cache.declared_in_seqio import declared_to_seqio
from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.run_task import SplitSpec
from t5mix.cache.run_tasks import load_tasks
from t5mix.cache.seqio_task import SeqioTask
from t5mix.data.ragged import token_batch
from t5mix.data.token_store import write_store

FILES = ("inputs.tokens", "inputs.offsets", "targets.tokens", "targets.offsets")


def stored(spec: SplitSpec, seed: int, path: Path) -> list[bytes]:
    batches = spec.task.batches(spec, seed)
    write_store(path, batches, provenance={}, max_inputs=spec.inputs_length, max_targets=spec.targets_length)
    return [(path / name).read_bytes() for name in FILES]


@pytest.mark.parametrize("vocabulary", ["sentencepiece", "bytes"])
@pytest.mark.parametrize("name", ["declared_labels", "declared_answers", "declared_text", "declared_lm"])
def test_the_store_is_seqios_byte_for_byte(
    name: str, vocabulary: str, make_request: Any, declared: Any, tmp_path: Path
):
    tasks = {**declared, "declared_lm": {**declared["declared_text"], "objective": "lm"}}
    changes = {"vocabulary": "bytes"} if vocabulary == "bytes" else {}
    task = load_tasks(make_request(mixture=(name,), declared=tasks, **changes)).task(name)
    assert isinstance(task, DeclaredTask)
    spec = SplitSpec(task, "train", 48, 24)
    by_seqio = dataclasses.replace(spec, task=SeqioTask(declared_to_seqio(name, task.declaration, task.vocabulary)))
    for seed in (0, 1, 2**31 - 1):
        ours = stored(spec, seed, tmp_path / f"ours-{seed}")
        assert ours == stored(by_seqio, seed, tmp_path / f"seqio-{seed}")
        assert all(ours)
    assert task.is_random(spec, 0) == by_seqio.task.is_random(by_seqio, 0) == (name == "declared_text")


def test_raw_examples_hold_tokens_and_texts(make_request: Any):
    task = load_tasks(make_request()).task("declared_answers")
    spec = SplitSpec(task, "validation", 48, 24)
    examples = list(task.raw_examples(spec, 0))
    inputs, targets = token_batch([(example["inputs"], example["targets"]) for example in examples])
    (batch,) = task.batches(spec, 0)
    assert np.array_equal(batch[0].values, inputs.values)
    assert np.array_equal(batch[1].values, targets.values)
    assert examples[0]["inputs_pretokenized"].startswith("question: The ")
    assert examples[0]["answers"] == [examples[0]["targets_pretokenized"], "stone"]


def test_neither_tensorflow_nor_seqio_is_loaded(make_request: Any):
    code = (
        "import sys; from t5mix.cache.prepare_worker import prepare; from t5mix.data.manifest import DataRequest; "
        "import t5mix.evaluation.scoring_worker, t5mix.cache.inspection; "
        "prepare(DataRequest.from_json(sys.argv[1]), quiet=True); "
        "print([name for name in ('tensorflow', 'seqio', 'jax', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    request = make_request().to_json()
    ended = subprocess.run(
        [sys.executable, "-c", code, request], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
