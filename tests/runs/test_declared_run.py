"""From a TSV file to predictions on the command line, through the real processes that prepare and score."""

import json
import shutil
from pathlib import Path

import pytest

from t5mix.cli.main import main
from t5mix.evaluation.predictions import read_predictions
from tests.support.letters import letters_config

METRICS = ("accuracy", "choice_accuracy", "choice_accuracy_by_token")
LETTERS_TOKENS = {"even": 5, "odd": 4}
"""Bytes of each label, and the end."""


@pytest.mark.slow
def test_a_declared_task_from_file_to_answers(
    tmp_path: Path, vocabulary_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    rows = [f"{chr(97 + number)} {chr(98 + number % 7)}\t{number % 2}" for number in range(24)]
    for split in ("train", "validation"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "own.yaml").write_text(
        letters_config("steps: 4, batch_size: 4, log_every: 2, checkpoint_every: 4", metrics=METRICS), encoding="utf-8"
    )
    assert main(["train", "--config", "own.yaml"]) == 0
    assert "Done: 4 steps in run. Next: t5mix eval run" in capsys.readouterr().err
    result = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))
    assert result["mixture"]["letters"]["size"] == 24
    assert result["validation"].keys() == {"letters"}

    assert main(["train", "--config", "own.yaml"]) == 0  # there is nothing left to do
    assert main(["train", "--config", "own.yaml", "seed=1"]) == 2
    assert "seed: 0 there, 1 here" in capsys.readouterr().err

    assert main(["eval", "run", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert list(scores["letters"]) == ["loss", "token_accuracy", *METRICS]
    predictions = read_predictions(tmp_path / "run" / "predictions" / "4" / "validation" / "letters.jsonl")
    choices = [prediction.choice_log_probs or {} for prediction in predictions]
    for name, tokens in (("choice_accuracy", {"even": 1, "odd": 1}), ("choice_accuracy_by_token", LETTERS_TOKENS)):
        best = [max(tokens, key=lambda label: likelihoods[label] / tokens[label]) for likelihoods in choices]
        right = [guess == prediction.target for guess, prediction in zip(best, predictions, strict=True)]
        assert scores["letters"][name] == pytest.approx(100 * sum(right) / len(right))

    (tmp_path / "questions.txt").write_text("letters: ab ab\nletters: cd cd\n", encoding="utf-8")
    assert main(["predict", "run", "--input", "questions.txt", "--json", "--max-length", "5"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["input"] for answer in answers] == ["letters: ab ab", "letters: cd cd"]

    vocabulary = tmp_path / "own.model"
    vocabulary.write_bytes(vocabulary_file.read_bytes())
    (tmp_path / "run").rename(tmp_path / "first")
    own = ["--config", "own.yaml", "vocabulary=own.model", "lengths.inputs=40", "training.steps=2"]
    assert main(["train", *own, "training.checkpoint_every=2"]) == 0
    vocabulary.unlink()  # a run can be used without it, and elsewhere
    shutil.move(tmp_path / "run", tmp_path / "moved")
    capsys.readouterr()
    assert main(["predict", "moved", "--input", "questions.txt", "--json", "--max-length", "5"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    for split in ("validation", "train"):
        assert main(["eval", "moved", "--split", split, "--json"]) == 0
        assert 0 <= json.loads(capsys.readouterr().out)["letters"]["accuracy"] <= 100

    (tmp_path / "train.tsv").write_text("text\tlabel\nx\t7\n", encoding="utf-8")
    assert main(["train", "--config", "own.yaml", "run_dir=other"]) == 2
    error = capsys.readouterr().err
    assert "train.tsv, line 2" in error
    assert "'7'" in error
    assert not (tmp_path / "other").exists()
