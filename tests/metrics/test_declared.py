"""How declared tasks are scored, and what is refused when their configuration is read."""

import math
import random

import pytest

from t5mix.errors import T5MixError
from t5mix.metrics.declared import FITTING, scoring_of
from t5mix.metrics.postprocessors import INVALID
from t5mix.sources.declaration import TaskDeclaration

LABELS = {0: "negative", 1: "positive"}
OF_LABELS = {"inputs": "{text}", "targets": "label", "labels": LABELS}
OF_NUMBERS = {"inputs": "{text}", "targets": "label", "labels": {0: "0.0", 1: "0.2"}}
OF_TEXT = {"inputs": "{text}", "targets": "label"}
OF_ANSWERS = {"inputs": "{text}", "answers": "answers"}
OF_LM = {"objective": "lm"}
OF_SPANS = {"objective": "span_corruption"}


def scoring(options, *metrics, trip=lambda text: text):
    return scoring_of(TaskDeclaration(files={"train": "a.tsv"}, metrics=metrics, **options), trip)


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        (OF_LABELS, "labels"),
        (OF_NUMBERS, "labels that are numbers"),
        (OF_TEXT, "text"),
        (OF_ANSWERS, "answers"),
        (OF_LM, "the texts of the objective lm"),
        (OF_SPANS, "the targets of the objective span_corruption"),
    ],
)
def test_what_fits_is_taken_and_all_else_refused(options, targets):
    every = {name for fitting in FITTING.values() for name in fitting} | {"group_exact_match"}
    label = next(iter(options.get("labels", LABELS).values()))
    for name in every:
        entry = f"f1:{label}" if name == "f1" else name
        if name in FITTING[targets]:
            assert scoring(options, entry).metrics[0].kind == name
        else:
            with pytest.raises(T5MixError, match=rf"The metric '{name}' cannot score {targets}(:|\.).* What can: "):
                scoring(options, entry)


@pytest.mark.parametrize(
    ("options", "entry", "said"),
    [
        (OF_ANSWERS, "macro_f1", r"cannot score answers\. What can: accuracy, exact_match, token_f1, squad"),
        (OF_ANSWERS, "f1:yes", r"cannot score answers"),
        (OF_LABELS, "pearson", r"cannot score labels: 'negative' is not a number\. What can: accuracy.*f1:LABEL"),
        (OF_TEXT, "group_exact_match", "it needs groups of labels, which only tasks in Python have"),
        (OF_SPANS, "bits_per_byte", "they are pieces of the text. What can: perplexity"),
        (OF_LABELS, "f1:postive", r"'f1:postive' is about a label .* Did you mean 'f1:positive'"),
        (OF_LABELS, "f1:1", r"Did you mean 'f1:negative' or 'f1:positive'"),
        (OF_LABELS, "acuracy", "Did you mean 'accuracy'"),
        (
            OF_TEXT,
            "choice_accuracy",
            r"cannot score text: it chooses among labels, and the task has none; declare `labels: \{",
        ),
        (OF_ANSWERS, "choice_accuracy_by_token", r"cannot score answers: it chooses among labels.* What can: accuracy"),
        (OF_LABELS, "choice_acuracy", "Did you mean 'choice_accuracy'"),
    ],
)
def test_the_refusal_says_why_and_what_to_take(options, entry, said):
    with pytest.raises(T5MixError, match=said):
        scoring(options, entry)


def test_several_f1_of_labels():
    found = scoring(OF_LABELS, "f1:negative", "f1:positive").evaluate(
        ["negative", "positive", "positive"], ["negative", "positive", "negative"], [{}] * 3
    )
    assert found.metrics == {"f1:negative": pytest.approx(200 / 3), "f1:positive": pytest.approx(200 / 3)}
    assert list(found.examples) == ["f1:negative", "f1:positive"]
    assert found.headline == "f1:negative"


def test_regression_of_labels_and_of_text_beside_other_metrics():
    labels = scoring(OF_NUMBERS, "pearson", "accuracy")
    found = labels.evaluate(["0.0", "0.2", "0.2"], ["0.0", "0.2", "0.0"], [{}] * 3).metrics
    assert found == {"pearson": pytest.approx(50.0), "accuracy": pytest.approx(200 / 3)}
    text = scoring(OF_TEXT, "spearman", "exact_match")
    found = text.evaluate(["1", "2.0", "3"], ["1", "2", "four"], [{}] * 3).metrics
    assert found == {"spearman": pytest.approx(0.0), "exact_match": pytest.approx(100 / 3)}
    with pytest.raises(T5MixError, match="Example 1: The target 'many' is no number"):
        text.evaluate(["1", "many"], ["1", "2"], [{}] * 2)


def test_answers_that_may_be_empty():
    examples = [{"answers": ["Ann", "Ann Lee"]}, {"answers": []}]
    found = scoring(OF_ANSWERS, "squad", "accuracy").evaluate(["Ann", ""], ["Ann Lee", ""], examples).metrics
    assert found == {"em": 100.0, "f1": 100.0, "accuracy": 100.0}


def test_texts_that_have_several_references():
    examples = [{"answers": ["a b", "b  c"]}, {}]
    several = scoring(OF_TEXT, "token_f1", "exact_match", trip=lossy)
    assert several.evaluate(["a b", "x"], ["b c", "x"], examples).metrics == {"token_f1": 100.0, "exact_match": 100.0}
    single = scoring(OF_TEXT, "accuracy", "macro_f1")
    assert single.evaluate(["x"], ["x"], [{"answers": ["x"]}]).metrics == {"accuracy": 100.0, "macro_f1": 100.0}
    with pytest.raises(T5MixError, match=r"Example 1: It has several targets, and the metric 'macro_f1' compares one"):
        single.evaluate(["x", "a b"], ["x", "a b"], [examples[1], examples[0]])
    with pytest.raises(T5MixError, match="the metric 'pearson' compares one"):
        scoring(OF_TEXT, "pearson").evaluate(["1"], ["1"], [{"answers": ["1", "2"]}])


# Through the vocabulary -------------------------------------------------------------------------------


def lossy(text):
    """A vocabulary that collapses white space and lacks é and ½."""
    return " ".join(text.split()).replace("é", " \u2047 ").replace("½", "\u2047")


def test_labels_are_recognised_as_the_vocabulary_writes_them():
    labels = {0: "very  bad", 1: "café", 2: " fine "}
    choose = scoring({**OF_LABELS, "labels": labels}, "f1:fine", trip=lossy).postprocess
    assert [choose(lossy(text)) for text in labels.values()] == ["very  bad", "café", "fine"]
    assert [choose(text, is_target=True) for text in labels.values()] == ["very  bad", "café", "fine"]
    # Targets that were decoded from tokens, as their text was not kept.
    assert choose(lossy("very  bad"), is_target=True) == "very  bad"
    assert choose("very") == INVALID


def test_labels_that_the_vocabulary_writes_alike_are_refused():
    with pytest.raises(T5MixError, match=r"writes the labels 'é' and '½' alike, as '⁇'.*such as bytes"):
        scoring({**OF_LABELS, "labels": {0: "é", 1: "½"}}, trip=lossy)
    with pytest.raises(T5MixError, match=r"'a  b' and 'a b' alike"):
        scoring({**OF_LABELS, "labels": {0: "a  b", 1: "a b"}}, trip=lossy)


def test_text_and_answers_are_compared_after_one_trip():
    text = scoring(OF_TEXT, "exact_match", trip=lossy)
    assert text.evaluate(["a  é"], [lossy("a  é")], [{}]).metrics == {"exact_match": 100.0}
    assert scoring(OF_TEXT, "exact_match").evaluate(["a  é"], [lossy("a  é")], [{}]).metrics == {"exact_match": 0.0}
    found = scoring(OF_TEXT, "f1:a  b", trip=lossy).evaluate(["a  b", "c"], ["a b", "c"], [{}] * 2)
    assert found.metrics == {"f1": 100.0}
    answers = scoring(OF_ANSWERS, "exact_match", trip=lossy)
    found = answers.evaluate(["x"], [lossy("½  l")], [{"answers": ["x", "½  l"]}])
    assert found.metrics == {"exact_match": 100.0}


# Choices ----------------------------------------------------------------------------------------------


def test_choices_stand_beside_other_metrics_and_need_nothing_else():
    beside = scoring(OF_LABELS, "accuracy", "choice_accuracy", "f1:positive")
    found = beside.evaluate(
        ["negative", "positive"], ["positive", "positive"], [{}] * 2, choice_log_probs=[[-1.0, -2.0], [-1.0, -2.0]]
    )
    assert found.metrics == {"accuracy": 50.0, "choice_accuracy": 50.0, "f1": pytest.approx(200 / 3)}
    assert found.examples["choice_accuracy"].rows[:, 0].tolist() == [1, 0]
    assert beside.takes == {"prediction", "choice_log_probs"}
    alone = scoring(OF_LABELS, "choice_accuracy")
    assert alone.evaluate(["positive"], [], [{}], choice_log_probs=[[-3.0, -2.0]]).metrics == {"choice_accuracy": 100.0}


def test_choices_by_token_count_those_of_the_vocabulary():
    of_labels = TaskDeclaration(
        files={"train": "a.tsv"},
        **{**OF_LABELS, "labels": {0: " no ", 1: "yes"}},
        metrics=("choice_accuracy_by_token",),
    )
    tokens = {" no ": 4, "yes": 1}
    counted = scoring_of(of_labels, count_tokens=lambda text: tokens[text])
    found = counted.evaluate([" no "], [], [{}], choice_log_probs=[[-3.0, -1.0]]).metrics
    assert found == {"choice_accuracy_by_token": 100.0}


def test_labels_that_differ_in_white_space_alone_are_no_choice():
    options = {**OF_LABELS, "labels": {0: "no", 1: "no ", 2: "yes"}}
    assert scoring(options, "accuracy").evaluate(["no "], ["no"], [{}]).metrics == {"accuracy": 100.0}
    with pytest.raises(T5MixError, match=r"'choice_accuracy' cannot tell the labels 'no' and 'no ' apart: only white"):
        scoring(options, "choice_accuracy")


def test_signatures_come_with_the_evaluation():
    found = scoring(OF_TEXT, {"bleu": {"tokenize": "zh"}}, "accuracy").evaluate(["好"], ["好"], [{}])
    assert list(found.signatures) == ["bleu"]
    assert "|tok:zh|" in found.signatures["bleu"]


def test_whatever_is_asked_for_is_scored_or_refused_in_words():
    draw = random.Random(0)
    names = [
        "accuracy",
        "f1:negative",
        "f1",
        "pearson",
        "squad",
        "token_f1",
        "bleu",
        "chrf",
        "rouge",
        "choice_accuracy",
        "blue",
        "",
        5,
        None,
    ]
    options = [
        None,
        {},
        {"tokenize": "zh"},
        {"word_order": 2},
        {"lowercase": "x"},
        {"label": "a"},
        {1: 2},
        ["zh"],
        "zh",
        True,
    ]
    texts = ["negative", "positive", "", " ", "3.5", "好的", "Нет", "a b c d", "½", "x|||y"]
    outcomes = {"scored": 0, "refused": 0}
    for _ in range(2000):
        shape = draw.choice([OF_LABELS, OF_NUMBERS, OF_TEXT, OF_ANSWERS, OF_LM, OF_SPANS])
        entries = [
            name if draw.random() < 0.8 else {name: draw.choice(options)}
            for name in draw.choices(names, k=draw.randint(1, 2))
        ]
        targets = draw.choices(list(shape.get("labels", dict(enumerate(texts))).values()), k=3)
        examples = [{"answers": draw.choice([[], [text, "no"]]), "targets": [5, 1]} for text in targets]
        try:
            found = scoring(shape, *entries, trip=draw.choice([lossy, str])).evaluate(
                targets, draw.sample(texts, 3), examples, choice_log_probs=[[-1.0, -2.0]] * 3
            )
        except T5MixError:
            outcomes["refused"] += 1
        else:
            assert all(map(math.isfinite, found.metrics.values()))
            outcomes["scored"] += 1
    assert min(outcomes.values()) > 200
