"""What a perfect model scores: caps are found before training."""

import dataclasses

import pytest

from t5mix.errors import T5MixError
from t5mix.metrics.declared import scoring_of
from t5mix.metrics.perfect import perfect_score
from t5mix.sources.declaration import TaskDeclaration

CHINESE = ["今天的天气非常好。", "他昨天买了一本书。"]
RUSSIAN = ["Сегодня хорошая погода.", "Вчера он купил новую книгу."]


def unknown(text):
    """A vocabulary of ASCII alone, without double spaces."""
    return " ".join("".join(char if char.isascii() else " \u2047 " for char in text).split())


def perfect(metrics, texts, examples=None, trip=lambda text: text, **options):
    options = options or {"targets": "target"}
    if "objective" not in options:
        options["inputs"] = "{text}"
    declaration = TaskDeclaration(files={"train": "a.tsv"}, metrics=tuple(metrics), **options)
    return perfect_score(scoring_of(declaration, trip), texts, examples or [{} for _ in texts])


def test_all_is_well():
    texts = ["The cat sat on the mat .", "It is raining in Berlin today."]
    found = perfect(["bleu", "chrf", "rouge", "token_f1", "squad", "exact_match"], texts, trip=unknown)
    assert len(found.values) == 10
    assert found.values == pytest.approx(dict.fromkeys(found.values, 100))
    assert (found.capped, found.problems(), found.warnings(), found.mismatches, found.unwritables) == ({}, [], [], 0, 0)


def test_of_answers_any_is_right_and_none_may_be():
    texts, examples = ["Ann", ""], [{"answers": ["Ann", "Ann Lee"]}, {"answers": []}]
    found = perfect(["accuracy", "exact_match", "squad", "token_f1"], texts, examples, answers="answers")
    assert dict.fromkeys(found.values, 100.0) == found.values


LABELS = {0: "very  bad", 1: "naïve", 2: "fine"}


def test_labels_are_100_as_the_vocabulary_writes_them_and_the_lossy_ones_named():
    texts = ["fine", "naïve", "very  bad", "naïve"]
    found = perfect(["accuracy", "f1:naïve"], texts, trip=unknown, targets="label", labels=LABELS)
    assert found.values == {"accuracy": 100.0, "f1": 100.0}
    assert found.capped == {}
    (label,) = found.unwritable
    assert (label.text, label.written, label.example, label.count) == ("naïve", "na \u2047 ve", 1, 2)
    assert found.problems() == []
    assert found.warnings() == [
        "The vocabulary lacks characters of 2 of the 4 targets: 'naïve' comes back as 'na \u2047 ve' (example 1)."
    ]


def test_targets_that_do_not_come_back_are_named_with_the_metrics_that_they_cap():
    declaration = TaskDeclaration(
        files={"train": "a.tsv"}, inputs="{text}", targets="label", labels=LABELS, metrics=("accuracy", "macro_f1")
    )
    strict = scoring_of(declaration)  # compares labels as they are in the files
    texts = ["fine", "naïve", "very  bad", "naïve"]
    found = perfect_score(dataclasses.replace(strict, trip=unknown), texts, [{}] * 4)
    assert found.values == {"accuracy": 25.0, "macro_f1": pytest.approx(100 / 3)}
    assert list(found.capped) == ["accuracy", "macro_f1"]
    assert found.mismatches == 3
    assert [(target.text, target.example, target.count) for target in found.mismatched] == [
        ("naïve", 1, 2),
        ("very  bad", 2, 1),
    ]
    assert found.problems()[0] == (
        "A perfect model would score 25 in accuracy: 3 of 4 targets cannot be matched: 'naïve' comes back "
        "as 'na \u2047 ve' (example 1); 'very  bad' comes back as 'very bad' (example 2)."
    )


def test_only_the_first_of_many_are_kept():
    found = perfect(["exact_match"], [f"é{i}" for i in range(500)], trip=unknown)
    assert (len(found.unwritable), found.unwritables, found.values) == (20, 500, {"exact_match": 100.0})


def test_a_target_of_which_nothing_is_left_is_named():
    found = perfect(["exact_match"], ["x", "  "], trip=lambda text: "")
    assert [target.text for target in found.unwritable] == ["x"]


def test_chinese_without_its_tokenizer_is_capped():
    found = perfect(["bleu", "rouge", "chrf"], CHINESE)
    assert found.values == {
        "bleu": 0,
        "rouge2": 0,
        "rouge1": 0,
        "rougeL": 0,
        "rougeLsum": 0,
        "chrf": pytest.approx(100),
    }
    assert "no reference has 4 tokens in the tokenizer 'intl'" in found.capped["bleu"]
    assert "{bleu: {tokenize: zh}}" in found.capped["bleu"]
    assert "2 of 2 references have no word in the tokenizer 'english'" in found.capped["rouge1"]
    assert "have fewer than two words" in found.capped["rouge2"]
    assert len(found.problems()) == 5
    assert found.doubts == {}  # said already


@pytest.mark.parametrize("texts", [CHINESE, RUSSIAN])
def test_the_right_tokenizers_are_not(texts):
    metrics = [{"bleu": {"tokenize": "zh"}}, {"rouge": {"tokenizer": "unicode"}}, {"chrf": {"word_order": 2}}]
    found = perfect([*metrics, {"token_f1": {"tokenizer": "unicode"}}], texts)
    assert found.values == pytest.approx(dict.fromkeys(found.values, 100))
    assert (found.problems(), found.warnings()) == ([], [])


def test_one_reference_without_words_caps_rouge_and_is_named():
    found = perfect(["rouge"], ["Yes it is.", "Нет", "Maybe it is not."])
    assert found.values["rouge1"] == pytest.approx(200 / 3)
    assert (
        "1 of 3 references have no word in the tokenizer 'english', first that of example 1: 'Нет'"
        in (found.capped["rougeL"])
    )


def test_a_metric_that_says_little_is_doubted():
    texts = ["one two three four five", CHINESE[0], RUSSIAN[0] + " ok ok"]
    found = perfect(["bleu", "token_f1"], texts)
    assert found.capped == {}
    assert found.doubts.keys() == {"bleu", "token_f1"}
    assert "whole sentences count as words" in found.warnings()[0]
    found = perfect(["rouge"], ["one two three", "Сегодня на Windows 10"])
    assert found.capped == {}
    assert found.warnings() == [
        "rouge: the tokenizer 'english' drops most of 'Сегодня на Windows 10'. "
        "{rouge: {tokenizer: unicode}} knows other scripts."
    ]


@pytest.mark.parametrize("metric", ["matthews", "pearson", "spearman"])
def test_targets_that_are_all_alike_cap_what_needs_a_contrast(metric):
    assert perfect([metric], ["1", "1"]).capped == {metric: "all targets are alike"}
    assert perfect([metric], ["1", "2"]).capped == {}


def test_a_label_that_no_example_has_caps_its_f1():
    found = perfect(["f1:no", "f1:yes"], ["yes", "yes", "maybe"])
    assert found.values == {"f1:no": 0.0, "f1:yes": 100.0}
    assert found.capped == {"f1:no": "no target is 'no'"}


def test_empty_references():
    assert perfect(["chrf"], ["", " "]).capped == {"chrf": "every reference is empty"}
    assert perfect(["exact_match", "token_f1", "squad"], ["", " "]).capped == {}


def test_numbers():
    assert perfect(["pearson"], ["1.5", " 2 "]).values == {"pearson": pytest.approx(100)}
    found = perfect(["pearson"], ["1.5", "2", "3"], trip=lambda text: text.replace(".", "\u2047"))
    assert found.values["pearson"] < 100
    assert "'1.5' comes back as '1\u20475' (example 0)" in found.capped["pearson"]
    with pytest.raises(T5MixError, match="Example 1: The target 'two' is no number"):
        perfect(["pearson"], ["1.5", "two"])


def test_likelihoods_are_perfect_where_there_is_text():
    metrics = ["perplexity", "bits_per_byte"]
    found = perfect(metrics, ["a b", "c"], [{"targets": [5, 6, 1]}, {"targets": [7, 1]}], objective="lm")
    assert (found.values, found.problems()) == ({"perplexity": 1.0, "bits_per_byte": 0.0}, [])
    found = perfect(metrics, [""], [{"targets": []}], objective="lm")
    assert found.capped == {"perplexity": "the targets have no tokens"}


def test_choices_are_perfect_even_where_the_vocabulary_cannot_write_the_labels():
    metrics = ["choice_accuracy", "choice_accuracy_by_token"]
    texts = ["fine", "naïve", "very  bad", "naïve"]
    found = perfect([*metrics, "accuracy"], texts, trip=unknown, targets="label", labels=LABELS)
    assert found.values == {"choice_accuracy": 100.0, "choice_accuracy_by_token": 100.0, "accuracy": 100.0}
    assert (found.problems(), len(found.warnings())) == ([], 1)
    with pytest.raises(T5MixError, match="Example 1: The target 'bad' is none of the task's labels"):
        perfect(metrics, ["fine", "bad"], targets="label", labels=LABELS)
    alone = perfect(metrics, ["fine"], targets="label", labels={0: "fine"})
    assert alone.warnings()[0] == "choice_accuracy: the task has one label, which every model chooses."


def test_no_examples_are_no_problem_of_the_metrics():
    found = perfect(["accuracy", "bleu"], [])
    assert (found.values, found.problems(), found.warnings()) == ({"accuracy": 0.0, "bleu": 0.0}, [], [])


def test_a_target_that_is_no_label_is_refused():
    with pytest.raises(T5MixError, match="'bad' is none of the task's labels"):
        perfect(["accuracy"], ["fine", "bad"], targets="label", labels=LABELS)
