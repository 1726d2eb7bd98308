"""Declared tasks are scored as their vocabulary writes texts, in the worker too."""

from pathlib import Path
from typing import Any

import pytest

from t5mix.cache.seqio_tasks import register
from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import Prediction
from t5mix.evaluation.seqio_metrics import task_metrics
from t5mix.sources.declaration import TaskDeclaration
from t5mix.tensorflow_setup import seqio

LABELS = {0: "the  river", 1: "ö", 2: "stone"}


@pytest.fixture
def vocabulary(vocabulary_file: Path):
    return seqio.SentencePieceVocabulary(str(vocabulary_file))


def declaration(**changes: Any) -> TaskDeclaration:
    options: dict[str, Any] = {"inputs": "{text}", "targets": "label", "labels": LABELS, "metrics": ("accuracy",)}
    return TaskDeclaration(files={"validation": "a.tsv"}, **{**options, **changes})


def test_a_perfect_model_gets_all_labels_right(vocabulary: Any):
    task = register("scored_labels", declaration(), vocabulary)
    written = [vocabulary.decode(vocabulary.encode(text)) for text in LABELS.values()]
    assert written != list(LABELS.values())
    examples = [{"targets_pretokenized": text.encode()} for text in LABELS.values()]
    predictions = [Prediction(index, "", "", text) for index, text in enumerate(written)]
    assert task_metrics(task, examples, predictions).metrics == {"accuracy": 100.0}
    assert task_metrics(task, examples, [*predictions[:2], Prediction(2, "", "", "river")]).metrics["accuracy"] < 70


def test_labels_that_the_vocabulary_cannot_tell_apart_are_refused(vocabulary: Any):
    with pytest.raises(T5MixError, match="Declared task 'scored_alike': The vocabulary writes the labels 'ö' and 'é'"):
        register("scored_alike", declaration(labels={0: "ö", 1: "é"}), vocabulary)
