"""From predictions on disk to metrics, over declared tasks."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from t5mix.cache.prepare_worker import prepare
from t5mix.data.manifest import DataRequest
from t5mix.data.token_store import open_store
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.evaluation.predictions import decoded, predictions_path, write_predictions
from t5mix.evaluation.scoring_client import Scorer
from t5mix.evaluation.scoring_worker import main, score_predictions

ROWS = [("it is good", 1), ("it is bad", 0), ("it is fine and long, longer than the rest of them", 1), ("no", 0)]
CHINESE = ["天气", "ab好cd天气"]
NOTES = "It is good. It is bad, naïve and long.\n"
QUESTIONS = [("who?", ["the cat", "Tom"]), ("where?", ["on the mat"]), ("when?", ["now"])]


@pytest.fixture(scope="module")
def request_(tmp_path_factory):
    folder = tmp_path_factory.mktemp("score")
    lines = ["sentence\tlabel", *(f"{sentence}\t{label}" for sentence, label in ROWS)]
    (folder / "sst.tsv").write_text("\n".join(lines) + "\n")
    rows = (json.dumps({"question": question, "answers": answers}) for question, answers in QUESTIONS)
    (folder / "qa.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "zh.tsv").write_text("id\ttext\n" + "".join(f"{i}\t{text}\n" for i, text in enumerate(CHINESE)), "utf-8")
    (folder / "notes.txt").write_text(NOTES, "utf-8")
    sentiment, questions, chinese, notes = (
        str(folder / name) for name in ("sst.tsv", "qa.jsonl", "zh.tsv", "notes.txt")
    )
    return DataRequest(
        mixture=("score_sst", "score_qa", "score_zh", "score_notes", "score_choice"),
        inputs_length=32,
        targets_length=10,
        seed=0,
        store_dir=str(folder / "stores"),
        vocabulary="bytes",
        declared={
            "score_sst": {
                "files": {"train": sentiment, "validation": sentiment},
                "inputs": "sst2 sentence: {sentence}",
                "targets": "label",
                "labels": {0: "negative", 1: "positive"},
                "metrics": ["f1:positive", "accuracy"],
            },
            "score_qa": {
                "files": {"train": questions, "validation": questions},
                "inputs": "question: {question}",
                "answers": "answers",
                "metrics": ["squad"],
            },
            "score_zh": {
                "files": {"train": chinese, "validation": chinese},
                "inputs": "{id}",
                "targets": "text",
                "metrics": [{"bleu": {"tokenize": "char"}}, {"bleu": {"tokenize": "zh"}}],
            },
            "score_choice": {
                "files": {"train": sentiment, "validation": sentiment},
                "inputs": "sst2 sentence: {sentence}",
                "targets": "label",
                "labels": {0: "bad", 1: "very good"},
                "metrics": ["choice_accuracy", "choice_accuracy_by_token", "accuracy"],
            },
            "score_notes": {
                "files": {"train": notes, "validation": notes},
                "objective": "lm",
                "metrics": ["perplexity", "bits_per_byte"],
            },
        },
    )


@pytest.fixture(scope="module")
def manifest(request_):
    return prepare(request_, quiet=True)


def predict(manifest, folder, task, texts):
    """Writes predictions as an evaluation does: from the store's examples and tokens."""
    tokenizer = Tokenizer(manifest.vocabulary)
    store = open_store(Path(manifest.task(task).splits["validation"].path))
    outputs = [np.array(tokenizer.encode(text), np.int32) for text in texts]
    write_predictions(predictions_path(folder, task, "validation"), decoded(store, outputs, tokenizer))


def metrics_of(evaluations):
    return {task: evaluation.metrics for task, evaluation in evaluations.items()}


def test_predictions_are_scored_in_the_stores_order(request_, manifest, tmp_path):
    predict(manifest, tmp_path, "score_sst", ["positive", "positive", "neither", "negative"])
    # Targets are cut to 10 tokens in the store; metrics compare whole ones. Answers come from the file.
    predict(manifest, tmp_path, "score_qa", ["tom", "the mat", "later"])
    found = score_predictions(request_, tmp_path, "validation")
    assert metrics_of(found) == {
        "score_sst": {"f1": pytest.approx(50.0), "accuracy": pytest.approx(50.0)},
        "score_qa": {"em": pytest.approx(100 / 3), "f1": pytest.approx(100 * (1 + 2 / 3) / 3)},
    }
    examples = {task: evaluation.to_json()["examples"] for task, evaluation in found.items()}
    assert examples["score_sst"] == {
        "f1": {"kind": "f1", "rows": [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]]},
        "accuracy": {"kind": "mean", "rows": [[1, 1], [0, 1], [0, 1], [1, 1]]},
    }
    assert examples["score_qa"]["em"] == {"kind": "mean", "rows": [[1, 1], [0, 1], [0, 1]]}


def test_options_of_metrics_tell_values_apart_and_signatures_come_with_them(request_, manifest, tmp_path):
    names = ("bleu:tokenize=char", "bleu:tokenize=zh")
    assert manifest.task("score_zh").metrics == names
    predict(manifest, tmp_path, "score_zh", [CHINESE[0], "ax好cd天气"])
    found = score_predictions(request_, tmp_path, "validation")["score_zh"]
    by_character, by_word = (found.metrics[name] for name in names)
    assert 0 < by_character < by_word < 100  # words in Latin letters are one token to the latter
    assert [signature.split("|")[3] for signature in found.signatures.values()] == ["tok:char", "tok:zh"]
    assert found.signatures.keys() == found.metrics.keys()


def test_unlabelled_text_is_scored_by_the_likelihood_of_its_tokens(request_, manifest, tmp_path):
    task = manifest.task("score_notes")
    assert (task.metrics, task.likelihoods) == (("perplexity", "bits_per_byte"), True)
    store = open_store(Path(task.splits["validation"].path))
    tokens = np.diff(store.target_offsets)
    nothing = [np.zeros(0, np.int32)] * len(store)
    predictions = decoded(store, nothing, Tokenizer(manifest.vocabulary), -2.0 * tokens)
    write_predictions(predictions_path(tmp_path, "score_notes", "validation"), predictions)
    found = score_predictions(request_, tmp_path, "validation")["score_notes"]
    # With the vocabulary of bytes a token is a byte or the end of a sequence.
    text_bytes = len(NOTES.rstrip("\n").encode())
    assert len(store) > 1
    assert found.metrics == {
        "perplexity": pytest.approx(np.exp(2)),
        "bits_per_byte": pytest.approx(2 * tokens.sum() / text_bytes / np.log(2)),
    }
    assert found.headline is None
    assert found.examples["perplexity"].rows.tolist() == [[2.0 * count, count] for count in tokens]


LIKELIHOODS = np.array([[-4.0, -5.0], [-1.0, -2.0], [-9.0, -1.0], [-4.0, -9.0]])
"""Of the labels bad and very good, of 4 and 10 tokens: by token the longer one always wins."""


def test_choices_are_scored_beside_generated_text(request_, manifest, tmp_path):
    task = manifest.task("score_choice")
    assert (list(task.choices), task.likelihoods) == (["bad", "very good"], False)
    assert task.choices["bad"] == (101, 100, 103, 1)
    assert manifest.task("score_sst").choices == {}
    store = open_store(Path(task.splits["validation"].path))
    tokenizer = Tokenizer(manifest.vocabulary)
    outputs = [np.array(tokenizer.encode(text), np.int32) for text in ("very good", "bad", "dad", "very good")]
    path = predictions_path(tmp_path, "score_choice", "validation")
    write_predictions(path, decoded(store, outputs, tokenizer, None, tuple(task.choices), LIKELIHOODS))
    found = score_predictions(request_, tmp_path, "validation")["score_choice"]
    # The targets are very good, bad, very good, bad.
    assert found.metrics == {"choice_accuracy": 75.0, "choice_accuracy_by_token": 50.0, "accuracy": 50.0}
    assert found.headline == "choice_accuracy"
    assert found.examples["choice_accuracy"].rows.tolist() == [[0, 1], [1, 1], [1, 1], [1, 1]]
    assert found.examples["choice_accuracy_by_token"].rows.tolist() == [[1, 1], [0, 1], [1, 1], [0, 1]]


def test_likelihoods_of_other_labels_are_refused(request_, manifest, tmp_path):
    predict(manifest, tmp_path, "score_choice", ["bad"] * 4)
    said = "needs the log-likelihoods of its labels 'bad', 'very good', and its predictions hold none: generate them"
    with pytest.raises(T5MixError, match=said):
        score_predictions(request_, tmp_path, "validation", ["score_choice"])
    store = open_store(Path(manifest.task("score_choice").splits["validation"].path))
    other = decoded(store, [np.zeros(0, np.int32)] * 4, Tokenizer(manifest.vocabulary), None, ("bad", "x"), LIKELIHOODS)
    write_predictions(predictions_path(tmp_path, "score_choice", "validation"), other)
    with pytest.raises(T5MixError, match="hold those of 'bad', 'x'"):
        score_predictions(request_, tmp_path, "validation", ["score_choice"])


def test_some_of_the_tasks(request_, manifest, tmp_path):
    predict(manifest, tmp_path, "score_sst", ["positive", "negative", "positive", "negative"])
    found = score_predictions(request_, tmp_path, "validation", ["score_sst"])
    assert metrics_of(found) == {"score_sst": {"f1": 100.0, "accuracy": 100.0}}
    assert list(score_predictions(request_, tmp_path, "validation")) == ["score_sst"]
    with pytest.raises(T5MixError, match="no predictions at"):
        score_predictions(request_, tmp_path, "validation", ["score_qa"])
    with pytest.raises(UnknownNameError, match="'score_sst'"):
        score_predictions(request_, tmp_path, "validation", ["score_ssst"])
    with pytest.raises(T5MixError, match="no predictions for the split 'test'"):
        score_predictions(request_, tmp_path, "test")


def test_the_child_writes_evaluations_or_the_error(request_, manifest, tmp_path, monkeypatch):
    out = tmp_path / "out.json"
    orders = {"request": request_.to_json(), "predictions": str(tmp_path / "made"), "split": "validation"}

    def status(*tasks: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({**orders, "tasks": tasks}) + "\n"))
        return main(["--out", str(out)])

    assert status() == 2
    assert "no predictions" in json.loads(out.read_text())["error"]
    predict(manifest, tmp_path / "made", "score_qa", ["Tom", "on the mat", "now"])
    assert status("score_qa") == 0
    right = {"kind": "mean", "rows": [[1, 1], [1, 1], [1, 1]]}
    assert json.loads(out.read_text()) == {
        "score_qa": {
            "metrics": {"em": 100.0, "f1": 100.0},
            "headline": "em",
            "examples": {"em": right, "f1": right},
            "signatures": {},
        }
    }


@pytest.mark.slow
def test_a_process_of_its_own(request_, manifest, tmp_path):
    predict(manifest, tmp_path, "score_qa", ["Tom", "on the mat", "now"])
    with Scorer(request_) as scorer:
        found = scorer.score(tmp_path, "validation")
    assert metrics_of(found) == {"score_qa": {"em": 100.0, "f1": 100.0}}
    assert found["score_qa"].examples["f1"].rows.tolist() == [[1, 1]] * 3
    with Scorer(request_) as scorer, pytest.raises(T5MixError, match=r"no predictions at .*score_sst"):
        scorer.score(tmp_path, "validation", ["score_sst"])
