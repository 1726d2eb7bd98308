"""Declared tasks are scored as their vocabulary writes texts, by seqio too."""

from pathlib import Path
from typing import Any

import pytest

from t5mix.cache.declared_in_seqio import declared_to_seqio
from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.vocabulary import vocabulary_entry
from t5mix.data.manifest import VocabularyEntry
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import Prediction
from t5mix.evaluation.seqio_metrics import task_metrics
from t5mix.evaluation.task_metrics import declared_metrics
from t5mix.sources.declaration import TaskDeclaration

LABELS = {0: "the  river", 1: "ö", 2: "stone"}


@pytest.fixture
def vocabulary(vocabulary_file: Path) -> VocabularyEntry:
    return vocabulary_entry(str(vocabulary_file), 40)


def declaration(**changes: Any) -> TaskDeclaration:
    options: dict[str, Any] = {"inputs": "{text}", "targets": "label", "labels": LABELS, "metrics": ("accuracy",)}
    return TaskDeclaration(files={"validation": "a.tsv"}, **{**options, **changes})


def test_a_perfect_model_gets_all_labels_right(vocabulary: VocabularyEntry):
    tokenizer = Tokenizer(vocabulary)
    texts = list(LABELS.values())
    written = [tokenizer.decode(tokenizer.encode(text)) for text in texts]
    assert written != texts
    task = DeclaredTask("scored_labels", declaration(), vocabulary)
    by_seqio = declared_to_seqio("scored_labels", declaration(), vocabulary)
    perfect = [Prediction(index, "", "", text) for index, text in enumerate(written)]
    for predictions, score in ((perfect, 100.0), ([*perfect[:2], Prediction(2, "", "", "river")], 200 / 3)):
        ours = declared_metrics("scored_labels", task.scoring, texts, [{} for _ in texts], predictions)
        theirs = task_metrics(by_seqio, [{"targets_pretokenized": text.encode()} for text in texts], predictions)
        assert ours.metrics == theirs.metrics == pytest.approx({"accuracy": score})


def test_seqio_does_without_metrics_of_choices(vocabulary: VocabularyEntry):
    metrics = ("choice_accuracy", "accuracy")
    task = DeclaredTask("scored_labels", declaration(metrics=metrics), vocabulary)
    by_seqio = declared_to_seqio("scored_labels", declaration(metrics=metrics), vocabulary)
    assert (task.metrics, tuple(task.choices)) == (metrics, tuple(LABELS.values()))
    assert [metric.__name__ for metric in by_seqio.metric_fns] == ["accuracy"]


def test_labels_that_the_vocabulary_cannot_tell_apart_are_refused(vocabulary: VocabularyEntry):
    with pytest.raises(T5MixError, match="Declared task 'scored_alike': The vocabulary writes the labels 'ö' and 'é'"):
        DeclaredTask("scored_alike", declaration(labels={0: "ö", 1: "é"}), vocabulary)
