"""Predictions on disk."""

import json
import math

import numpy as np
import pytest

from t5mix.data.ragged import token_batch
from t5mix.data.token_store import write_store
from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import (
    Prediction,
    decoded,
    predictions_path,
    read_predictions,
    write_predictions,
)


class Letters:
    """Token n is the n-th letter."""

    def decode(self, tokens):
        return "".join(chr(ord("a") + token) for token in tokens)


def test_round_trip(tmp_path):
    path = predictions_path(tmp_path, "glue:cola", "validation")
    written = [
        Prediction(0, "cola sentence: caf\u00e9\u2028", "acceptable", "line\nbreak"),
        Prediction(1, "", "", "", target_log_prob=-0.1),
        Prediction(2, "", "", "", choice_log_probs={"yes": -0.5, "no\n": -math.inf}),
    ]
    assert write_predictions(path, iter(written)) == 3
    assert [sorted(json.loads(line)) for line in path.read_text("utf-8").split("\n")[:-1]] == [
        ["index", "input", "prediction", "target"],
        ["index", "input", "prediction", "target", "target_log_prob"],
        ["choice_log_probs", "index", "input", "prediction", "target"],
    ]
    assert read_predictions(path) == written
    assert [entry.name for entry in path.parent.iterdir()] == ["glue:cola.jsonl"]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "task.jsonl"
    write_predictions(path, [Prediction(0, "a", "b", "c")])

    def failing():
        yield Prediction(0, "x", "y", "z")
        raise RuntimeError("the device is gone")

    with pytest.raises(RuntimeError):
        write_predictions(path, failing())
    assert read_predictions(path) == [Prediction(0, "a", "b", "c")]
    assert [entry.name for entry in tmp_path.iterdir()] == ["task.jsonl"]


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(T5MixError, match=r"no predictions at .*task\.jsonl"):
        read_predictions(tmp_path / "task.jsonl")
    (tmp_path / "task.jsonl").write_text('{"index": 0}\n')
    with pytest.raises(T5MixError, match="Line 1"):
        read_predictions(tmp_path / "task.jsonl")


def test_decoded_pairs_each_output_with_its_example(tmp_path):
    examples = [(np.array([3, 4], np.int32), np.array([5], np.int32)), (np.array([6]), np.array([7, 8]))]
    store = write_store(tmp_path / "store", [token_batch(examples)], provenance={}, max_inputs=8, max_targets=8)
    outputs = [np.array([1], np.int32), np.array([], np.int32)]
    assert list(decoded(store, outputs, Letters(), np.array([-1.5, -2.0]))) == [
        Prediction(0, "de", "f", "b", -1.5),
        Prediction(1, "g", "hi", "", -2.0),
    ]
    choices = np.array([[-0.5, -1.0], [-2.0, -0.25]], np.float32)
    assert [each.choice_log_probs for each in decoded(store, outputs, Letters(), None, ("f", "hi"), choices)] == [
        {"f": -0.5, "hi": -1.0},
        {"f": -2.0, "hi": -0.25},
    ]
    with pytest.raises(ValueError, match="1 outputs for the 2 examples"):
        list(decoded(store, outputs[:1], Letters()))
