"""The demo world keeps its promises: splits apart, scores as documented, no cheap way to the labels."""

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pytest

from t5mix import metrics
from t5mix.tasks import demo, demo_world
from t5mix.tasks.demo_world import similarity, translation
from t5mix.tasks.demo_world.dice import Dice
from t5mix.tasks.demo_world.example import Example, Sizes, draw_splits, pair_key
from t5mix.tasks.demo_world.world import ATTRIBUTES, facts_to_ask, people
from t5mix.tensorflow_setup import seqio, tf

SUPERVISED = tuple(demo.REFERENCE)
CLASSIFICATION = ("demo_acceptability", "demo_sentiment", "demo_entailment", "demo_paraphrase")
EVALUATED = ("validation", "test")
# Of the inputs and targets of the validation split: a change of the world must be meant.
FINGERPRINTS = {
    "demo_acceptability": "74e4dbe3f9e5",
    "demo_sentiment": "894a222e7bbd",
    "demo_entailment": "5d184e45d643",
    "demo_paraphrase": "beedb7f11278",
    "demo_similarity": "d10e5b90e65e",
    "demo_qa": "39a84a5081cb",
    "demo_closed_book": "d78faaf85878",
    "demo_pronoun": "afc4a016b962",
    "demo_translation": "730984336c9e",
    "demo_summary": "038c25eea671",
    "demo_text": "36dda56b9901",
}


def body(example: Example) -> str:
    """Returns the example's text without the words that name its task."""
    return (example.inputs or example.targets).split(": ", 1)[-1]


def score(task: str, answer: str | list[str]) -> float:
    """Returns the headline score on validation of one answer for all inputs, or of one for each."""
    examples = demo_world.splits(task)["validation"]
    registered = seqio.TaskRegistry.get(task)
    answers = [answer] * len(examples) if isinstance(answer, str) else answer
    separated = [{"answers": "|||".join(example.answers)} for example in examples]
    targets = [
        registered.postprocess_fn(example.targets, example=fields, is_target=True)
        for example, fields in zip(examples, separated, strict=True)
    ]
    predictions = [registered.postprocess_fn(text, example=None, is_target=False) for text in answers]
    values: dict[str, Any] = {}
    for metric in registered.metric_fns:
        values.update(metric(targets, predictions))
    return values[demo.REFERENCE[task].headline_metric]


def constants(task: str) -> list[str]:
    """Returns the constant answers to try: the most frequent, and some more where all are different."""
    counts = Counter(example.targets for example in demo_world.splits(task)["validation"])
    return [target for target, _ in counts.most_common(12)]


# The splits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", demo_world.MAKERS)
def test_no_text_occurs_twice(task: str):
    splits = demo_world.splits(task)
    texts = [example.inputs or example.targets for split in splits.values() for example in split]
    assert len(texts) == len(set(texts))
    assert {name: len(examples) for name, examples in splits.items()} == demo_world.MAKERS[task][1]._asdict()


@pytest.mark.parametrize("task", ["demo_paraphrase", "demo_similarity"])
def test_no_pair_occurs_twice_in_the_other_order(task: str):
    keys = []
    for split in demo_world.splits(task).values():
        for example in split:
            first, second = body(example).split(" sentence2: ")
            keys.append(pair_key(first, second))
    assert len(keys) == len(set(keys))


def test_no_evaluation_text_is_another_tasks_training_text():
    training = {body(example) for task in demo_world.MAKERS for example in demo_world.splits(task)["train"]}
    for task in demo_world.MAKERS:
        for split in EVALUATED:
            examples = demo_world.splits(task)[split]
            shared = sum(body(example) in training for example in examples)
            assert shared <= 0.01 * len(examples)  # short sentences may meet, such as "The kings do not dance."


def test_no_training_question_asks_for_a_held_out_fact():
    names = {person.name: person for person in people()}
    asked: dict[str, set[tuple[str, str]]] = {split: set() for split in ("train", *EVALUATED)}
    for task in ("demo_closed_book", "demo_qa"):
        for split, examples in demo_world.splits(task).items():
            for example in examples:
                question = example.inputs.split("question: ")[1].split(" context: ")[0].rstrip("?")
                for name in names:
                    if name in question:
                        asked[split].add((name, example.targets))
    held_out = {(fact.person.name, fact.value) for split in EVALUATED for fact in facts_to_ask()[split]}
    assert held_out & asked["test"]
    assert not asked["train"] & held_out


def test_every_held_out_fact_is_told_in_the_unlabelled_text():
    told: dict[str, set[str]] = {}
    for example in demo_world.splits("demo_text")["train"]:
        words = set(example.targets.replace(".", "").split())
        for person in people():
            if person.name in example.targets:
                told.setdefault(person.name, set()).update(words)
    facts = [fact for split in EVALUATED for fact in facts_to_ask()[split]]
    assert all(fact.value in told[fact.person.name] for fact in facts)


def test_facts_belong_to_one_split():
    facts = [(fact.person.name, fact.attribute) for split in facts_to_ask().values() for fact in split]
    assert len(facts) == len(set(facts)) == len(people()) * len(ATTRIBUTES)


def test_the_evaluation_splits_do_not_depend_on_the_size_of_training():
    make, sizes = demo_world.MAKERS["demo_pronoun"]
    fewer = draw_splits("demo_pronoun", make, sizes._replace(train=10))
    assert fewer["validation"] == demo_world.splits("demo_pronoun")["validation"]
    assert fewer["train"] == demo_world.splits("demo_pronoun")["train"][:10]


def test_too_few_different_examples_raise():
    with pytest.raises(RuntimeError, match="has only 1 different"):
        draw_splits("one", lambda dice, split: Example("same", "same"), Sizes(1, 2, 1))


@pytest.mark.parametrize("task", demo_world.MAKERS)
def test_the_world_is_the_same_on_every_python(task: str):
    text = "\n".join(f"{e.inputs}\t{e.targets}" for e in demo_world.splits(task)["validation"])
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == FINGERPRINTS[task]


# Scores ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", SUPERVISED)
def test_the_documented_constant_is_the_best_one(task: str):
    reference = demo.REFERENCE[task]
    assert score(task, reference.constant) == pytest.approx(reference.majority, abs=0.01)
    assert max(score(task, answer) for answer in constants(task)) <= reference.majority + 0.01


@pytest.mark.parametrize("task", SUPERVISED)
def test_the_targets_reach_the_ceiling(task: str):
    targets = [example.targets for example in demo_world.splits(task)["validation"]]
    assert score(task, targets) == pytest.approx(demo.REFERENCE[task].ceiling)


@pytest.mark.parametrize("task", CLASSIFICATION)
def test_no_single_word_gives_the_labels_away(task: str):
    """The best decision by the presence of one word closes less than 0.3 of the gap above the majority."""
    examples = demo_world.splits(task)["train"]
    labels = sorted({example.targets for example in examples})
    total = np.zeros(len(labels))
    present: dict[str, np.ndarray] = {}
    for example in examples:
        column = labels.index(example.targets)
        total[column] += 1
        for word in set(body(example).lower().replace(".", "").replace(",", "").split()):
            present.setdefault(word, np.zeros(len(labels)))[column] += 1
    best = max(counts.max() + (total - counts).max() for counts in present.values()) / total.sum()
    majority = total.max() / total.sum()
    assert best < majority + 0.3 * (1 - majority)


@pytest.mark.parametrize("task", ["demo_pronoun", "demo_qa"])
def test_the_answer_stands_in_the_input(task: str):
    for example in demo_world.splits(task)["train"]:
        assert example.targets.lower() in body(example).lower()


def test_the_pronouns_referent_is_not_always_the_first():
    """Taking the first noun phrase, or always the last, is right about half of the time."""
    first = []
    for example in demo_world.splits("demo_pronoun")["train"]:
        text = body(example).lower()
        other = list(text.split(" *")[0].replace(",", "").split("the ")[1:])
        first.append(example.targets == f"the {other[0].split()[0]}")
    assert 0.4 < np.mean(first) < 0.6


def test_the_headline_is_not_always_the_lead():
    lead = []
    for example in demo_world.splits("demo_summary")["train"]:
        opening = body(example).split(". ")[0].lower()
        actor = example.targets.lower().split()[:2]
        lead.append(" ".join(actor if actor[0] == "the" else actor[:1]) in opening)
    assert 0.3 < np.mean(lead) < 0.8


# Single makers -----------------------------------------------------------------------------------------


def test_similarity_of_equal_and_of_unlike_events():
    first = similarity.Clause("Mara", "buy", "hat", "red", place="in the market", time="at noon")
    assert similarity.score_in_fifths(first, first) == 25
    assert similarity.score_in_fifths(first, first._replace(adjective="blue")) == 24
    other = similarity.Clause("the king", "lose", "drum", place="by the river", time="at night")
    assert similarity.score_in_fifths(first, other) == 0


def test_similarity_targets_are_steps_of_a_fifth():
    targets = {example.targets for split in demo_world.splits("demo_similarity").values() for example in split}
    assert targets <= {f"{step / 5:.1f}" for step in range(26)}
    assert len(targets) > 18


def test_velish_stems_differ_and_cases_show():
    words = translation.velish_words()
    assert len(set(words.values())) == len(words)
    hats = translation.NounPhrase("hat", "red", is_plural=True)
    assert hats.english() == "the red hats"
    assert hats.velish("n") == f"{words['hat']}in {words['red']}in"


def test_dice_are_fair_and_repeat():
    draws = [Dice("fair").pick("abcd") for _ in range(3)]
    assert draws == draws[:1] * 3
    dice = Dice("many")
    counts = Counter(dice.weighted({"a": 1.0, "b": 3.0}) for _ in range(4000))
    assert abs(counts["b"] / 4000 - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 4000)
    assert sorted(dice.shuffled(range(20))) == list(range(20))


# Registration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", SUPERVISED)
def test_the_registered_task_gives_tokens(task: str):
    registered = seqio.TaskRegistry.get(task)
    dataset = registered.get_dataset({"inputs": 64, "targets": 32}, "validation", shuffle=False)
    rows: list[dict[str, Any]] = list(dataset.as_numpy_iterator())
    examples = demo_world.splits(task)["validation"]
    assert len(rows) == len(examples) == registered.num_input_examples("validation")
    for row, example in zip(rows, examples, strict=True):
        assert row["inputs"][-1] == row["targets"][-1] == 1
        assert demo.VOCABULARY.decode(row["targets"][:-1].tolist()) == example.targets
        assert not (row["inputs"] == demo.VOCABULARY.unk_id).any()
        assert len(row["inputs"]) < 64
        assert len(row["targets"]) < 32


@pytest.mark.parametrize("task", ["demo_text", "demo_text_lm"])
def test_the_unlabelled_tasks_give_tokens(task: str):
    dataset = seqio.TaskRegistry.get(task).get_dataset(
        {"inputs": 64, "targets": 64}, "validation", shuffle=False, seed=1
    )
    rows = list(dataset.as_numpy_iterator())
    assert len(rows) > 50
    sentinels = [(row["inputs"] >= demo.VOCABULARY.vocab_size - 100).any() for row in rows]
    assert all(sentinels) == (task == "demo_text")


def test_a_source_can_be_read_in_any_order_of_calls():
    source = seqio.TaskRegistry.get("demo_qa").source
    dataset = source.get_dataset("test", shuffle=False)
    assert isinstance(dataset, tf.data.Dataset)
    spec: Any = dataset.element_spec
    assert set(spec) == {"inputs", "targets", "answers"}


def test_the_vocabulary_is_small_and_has_the_ids_of_t5():
    vocabulary = demo.VOCABULARY
    assert (vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id) == (0, 1, 2)
    assert vocabulary.vocab_size <= 4096
    assert demo.VOCABULARY_FILE.stat().st_size < 200_000
    printable = "".join(map(chr, range(33, 127)))
    assert vocabulary.decode(vocabulary.encode(printable)) == printable
    assert 2 not in vocabulary.encode(printable)


def test_every_headline_is_a_metric_of_its_task():
    assert set(SUPERVISED) == set(demo_world.MAKERS) - {"demo_text"}
    for task in SUPERVISED:
        assert seqio.TaskRegistry.get(task).metric_fns
    assert metrics.accuracy in seqio.TaskRegistry.get("demo_paraphrase").metric_fns
