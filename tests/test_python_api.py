"""What a notebook user would write: load, answer, score, choose, train, save."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import t5mix
from t5mix.errors import T5MixError
from t5mix.runs import importing
from tests.support.huggingface_folders import TINY, write_folder
from tests.support.letters import letters_config

BYT5 = dataclasses.replace(TINY, vocab_size=384)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[t5mix.Model]:
    folder = tmp_path_factory.mktemp("byt5")
    write_folder(folder / "byt5", BYT5, changed={"tokenizer_class": "ByT5Tokenizer"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "_CACHE", folder / "cache")
        yield t5mix.load(folder / "byt5")


def test_importing_the_package_loads_nothing_heavy():
    command = "import sys, t5mix; print([m for m in ('jax', 'tensorflow', 'numpy', 'seqio') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True).stdout == "[]\n"
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        t5mix.lode  # noqa: B018  # type: ignore[attr-defined]


def test_one_text_gives_one_answer_and_several_a_list(model: t5mix.Model):
    texts = ["abc", "a much longer text", ""]
    answers = model(texts, max_new_tokens=6)
    assert [model(text, max_new_tokens=6) for text in texts] == answers
    assert all(isinstance(answer, str) for answer in answers)
    assert model((text for text in texts), max_new_tokens=6, batch_size=2) == answers
    with pytest.raises(T5MixError, match="use generate for several answers"):
        model("abc", return_scores=True)


def test_several_answers_with_scores(model: t5mix.Model):
    beams = model.generate("abc", num_beams=4, num_return_sequences=2, max_new_tokens=6, return_scores=True)
    assert len(beams) == 2
    for text, score in beams:
        assert isinstance(text, str)
        assert score < 0
    samples = model.generate(["abc", "d"], do_sample=True, num_return_sequences=3, max_new_tokens=6, seed=1)
    assert [len(several) for several in samples] == [3, 3]
    assert samples == model.generate(["abc", "d"], do_sample=True, num_return_sequences=3, max_new_tokens=6, seed=1)
    with pytest.raises(T5MixError, match="num_beans"):
        model.generate("abc", num_beans=4)
    with pytest.raises(T5MixError, match="num_return_sequences is 3"):
        model.generate("abc", num_return_sequences=3)


def test_prefixes(model: t5mix.Model, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(model, "generate", lambda text, **options: asked.append(text))
    model.summarize("a")
    model.translate(["a", "{b}"], "English", "German")
    model.answer("who?", "a {c}")
    model.answer("who?")
    assert asked == [
        "summarize: a",
        ["translate English to German: a", "translate English to German: {b}"],
        "question: who? context: a {c}",
        "question: who?",
    ]


def test_the_chosen_label_is_the_most_probable_one(model: t5mix.Model):
    labels = ["yes", "no", "perhaps"]
    scores = model.score(["q: a"] * 3, labels)
    assert model.score("q: a", "no") == pytest.approx(scores[1], rel=1e-5)
    assert model.classify("a", labels, prefix="q: ") == labels[int(np.argmax(scores))]
    lengths = [len(label) + 1 for label in labels]
    by_token = np.array(scores) / lengths
    np.testing.assert_allclose(model.score(["q: a"] * 3, labels, by_token=True), by_token, rtol=1e-5)
    assert model.classify(["q: a"], labels, by_token=True) == [labels[int(np.argmax(by_token))]]
    for wrong in ([], "yes"):
        with pytest.raises(T5MixError, match="give a list of the answers that are allowed"):
            model.classify("a", wrong)
    for inputs, targets in (("a", ["b"]), (["a"], "b"), (["a", "b"], ["c"])):
        with pytest.raises(T5MixError, match="equally long"):
            model.score(inputs, targets)


def test_what_is_saved_loads_as_the_same_model(model: t5mix.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importing, "_CACHE", tmp_path / "cache")
    model.save(tmp_path / "out")
    assert t5mix.load(tmp_path / "out").score("a", "b") == model.score("a", "b")


def test_a_model_that_is_not_there():
    with pytest.raises(T5MixError, match="there is no such folder"):
        t5mix.load("runs/nowhere")


@pytest.mark.slow
def test_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importing, "_CACHE", tmp_path / "cache")
    rows = [f"{chr(97 + number)} {chr(98 + number % 7)}\t{number % 2}" for number in range(24)]
    for split in ("train", "validation"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    config = letters_config("steps: 4, batch_size: 4, log_every: 2")
    left_open = [line for line in config.splitlines() if not line.startswith(("vocabulary", "model"))]
    (tmp_path / "mine.yaml").write_text("\n".join(left_open), encoding="utf-8")
    write_folder(tmp_path / "byt5", BYT5, changed={"tokenizer_class": "ByT5Tokenizer"})
    run = t5mix.train("mine.yaml", "finetuning=lora", start_from="byt5", seed=3)
    assert run.folder == Path("run")
    assert run.evaluate()["letters"].keys() >= {"loss", "accuracy"}
    assert isinstance(run.model("letters: a b", max_new_tokens=4), str)
