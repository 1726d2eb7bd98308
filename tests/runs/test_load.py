import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.checkpoint.integrity import DamagedCheckpointError
from t5mix.checkpoint.reader import read_run_state
from t5mix.data.ragged import Ragged, token_batch
from t5mix.data.token_store import write_store
from t5mix.data.tokenizer import EOS, Tokenizer
from t5mix.decoding import GenerationConfig
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import generate, score_targets
from t5mix.runs.load import checkpoint_of, load_model, load_tokenizer
from t5mix.runs.predict import Answer, inputs_at_once, predict_lines, task_inputs


def test_checkpoints_are_found_by_step_and_by_task(finished: Any):
    folder = finished.path / "checkpoints"
    best = read_run_state(folder / "6")["best"]
    assert checkpoint_of(finished.path, "latest") == folder / "6"
    assert checkpoint_of(finished.path, "6") == folder / "6"
    for task in ("copy", "first"):
        assert checkpoint_of(finished.path, task) == folder / str(best[task]["step"])
    assert checkpoint_of(folder / "6", "latest") == folder / "6"


def test_a_checkpoint_that_is_not_there_is_named(finished: Any, tmp_path: Path):
    with pytest.raises(T5MixError, match=r"has no checkpoint at step 5\. It has .*6"):
        checkpoint_of(finished.path, "5")
    with pytest.raises(T5MixError, match=r"Unknown checkpoint 'coppy'\. Did you mean 'copy'"):
        checkpoint_of(finished.path, "coppy")
    with pytest.raises(T5MixError, match="holds no checkpoint"):
        checkpoint_of(tmp_path, "latest")


def test_a_model_explains_itself(finished: Any):
    model = load_model(finished.path)
    assert model.config.d_model == 16
    assert model.config.vocab_size == 128  # of 64 ids, rounded up
    assert model.vocabulary == finished.data.manifest.vocabulary
    assert sum(leaf.size for leaf in model.params.values()) == _result(finished)["parameters"]["total"]


def _result(finished: Any) -> Any:
    return json.loads((finished.path / "result.json").read_text("utf-8"))


def test_a_damaged_checkpoint_is_refused(finished: Any, tmp_path: Path):
    shutil.copytree(finished.path / "checkpoints" / "6", tmp_path / "6")
    file = max((f for f in (tmp_path / "6" / "params").rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(DamagedCheckpointError, match="does not match its checksum"):
        load_model(tmp_path / "6")


def test_each_line_has_its_answer_in_order_and_alone(finished: Any):
    model = load_model(finished.path)
    lines = ["copy a b", "x", "", "copy a b", "first something long"]
    answers = list(predict_lines(model, iter(lines), batch_size=2, max_length=6))
    assert [answer.text for answer in answers] == lines
    assert rounded(answers[0]) == rounded(answers[3])
    for line in ("x", "first something long"):
        alone = next(predict_lines(model, [line], batch_size=2, max_length=6))
        assert rounded(alone) in map(rounded, answers)
    assert list(predict_lines(model, [], batch_size=2, max_length=6)) == []
    cut = list(predict_lines(model, lines, batch_size=2, max_length=6, input_length=9))
    assert [answer.cut for answer in cut] == [False, False, False, False, True]
    assert list(map(rounded, cut[:4])) == list(map(rounded, answers[:4]))
    tokens = Ragged.of([model.tokenizer.encode(lines[4])]).cut(9)  # as a token store cuts them
    (output,) = generate(model.graphdef, model.params, tokens.rows(), batch_size=2, max_length=6)
    assert cut[4].prediction == model.tokenizer.decode(output.tolist())


def rounded(answer: Answer) -> Answer:
    """Other lines in a batch may change the last bits of a score."""
    return answer._replace(score=round(answer.score, 4))


def test_the_rest_of_lines_is_answered_as_it_was_with_those_before(finished: Any):
    """To the last bit: what is sorted into batches together begins where the rest begins."""
    model = load_model(finished.path)
    lines = [f"copy {'ab ' * (number * 7 % 11)}{number}" for number in range(75)]
    answers = list(predict_lines(model, lines, batch_size=2, max_length=6))
    for done in (inputs_at_once(2), 2 * inputs_at_once(2)):
        assert list(predict_lines(model, lines[done:], batch_size=2, max_length=6)) == answers[done:]


def test_samples_belong_to_lines_whatever_is_answered_with_them(finished: Any):
    model = load_model(finished.path)
    lines = [f"copy {number}" for number in range(40)]
    generation = GenerationConfig(do_sample=True, num_return_sequences=2, temperature=2.0)
    settings = {"max_length": 6, "generation": generation}
    answers = list(predict_lines(model, lines, batch_size=2, **settings))
    assert [answer.text for answer in answers] == lines
    assert all(len(answer.alternatives) == 1 for answer in answers)
    assert len({answer.prediction for answer in answers}) > 20
    rest = predict_lines(model, lines[33:], batch_size=4, first_number=33, **settings)
    assert [(a.prediction, a.alternatives[0].prediction) for a in rest] == [
        (a.prediction, a.alternatives[0].prediction) for a in answers[33:]
    ]


def test_beams_give_several_answers_and_their_log_likelihoods(finished: Any):
    model = load_model(finished.path)
    lines = ["copy a b", "x", "first something long"]
    beams = GenerationConfig(num_beams=3, num_return_sequences=3, length_penalty=0.0, early_stopping="never")
    answers = list(predict_lines(model, lines, batch_size=2, max_length=6, generation=beams))
    greedy = list(predict_lines(model, lines, batch_size=2, max_length=6))
    for answer, alone in zip(answers, greedy, strict=True):
        scores = [answer.score, *(other.score for other in answer.alternatives)]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)  # without length penalty the score is the log-likelihood
        assert answer.score >= alone.score - 1e-4


def test_scores_are_log_likelihoods_of_the_answers(finished: Any, tmp_path: Path):
    model = load_model(finished.path)
    lines = ["copy a b", "x", "", "first something long"]
    answers = list(predict_lines(model, lines, batch_size=2, max_length=6))
    encoded = [np.array(model.tokenizer.encode(line)) for line in lines]
    outputs = generate(model.graphdef, model.params, encoded, batch_size=2, max_length=6)
    targets = [[*output, EOS] if len(output) < 6 else output for output in outputs]
    examples = [(tokens, np.array(target)) for tokens, target in zip(encoded, targets, strict=True)]
    store = write_store(tmp_path / "store", [token_batch(examples)], provenance={}, max_inputs=64, max_targets=64)
    forced = score_targets(model.graphdef, model.params, store, batch_size=3)
    assert [answer.score for answer in answers] == pytest.approx(forced.log_probs.tolist(), rel=1e-4)
    assert [answer.tokens for answer in answers] == forced.tokens.tolist()


def test_a_tasks_inputs_are_its_stores(finished: Any, data: Any):
    manifest = data.manifest
    data.manifest = manifest.__class__(manifest.request, manifest.vocabulary, manifest.tasks[1:])
    tokenizer = load_tokenizer(finished.path)
    assert tokenizer.entry == Tokenizer(manifest.vocabulary).entry
    inputs = task_inputs(finished.path, "first", "validation", tokenizer)
    assert len(list(inputs)) == 5
    assert inputs.check().count == 5  # again from the beginning, of the same store
    assert data.requests[0].mixture == ("first",)
    assert data.requests[0].splits == ("validation",)
    data.manifest = manifest
    with pytest.raises(T5MixError, match=r"demo is a mixture of copy, first\. Name one task"):
        task_inputs(finished.path, "demo", "validation", tokenizer)


def test_parameters_are_those_that_were_trained(finished: Any, tiny: Any):
    latest = load_model(finished.path)
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in latest.params.values())
    assert all(leaf.dtype == np.float32 for leaf in latest.params.values())
