"""The demo tasks: a small generated world of English text in the shapes of T5's benchmarks.

Ten supervised tasks and unlabelled text, so that everything t5mix does can be tried without a download.
`docs/demo.md` shows examples; `REFERENCE` says what a constant answer scores and what is possible.
Registering makes no text: a task's examples are generated when its data set is first asked for.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from t5mix import metrics
from t5mix.metrics import postprocessors
from t5mix.metrics.example_scores import Metric
from t5mix.preprocessors.objectives import Objective, unlabelled_text_preprocessors
from t5mix.tasks import demo_world
from t5mix.tensorflow_setup import seqio, tf

VOCABULARY_FILE = Path(__file__).resolve().parent / "vocabularies" / "demo.model"
VOCABULARY = seqio.SentencePieceVocabulary(str(VOCABULARY_FILE), extra_ids=100)
OUTPUT_FEATURES = {
    "inputs": seqio.Feature(vocabulary=VOCABULARY, add_eos=True),
    "targets": seqio.Feature(vocabulary=VOCABULARY, add_eos=True),
}


@dataclasses.dataclass(frozen=True)
class TaskReference:
    """What a score on a task is to be compared with, on the scale of the metrics (0 to 100).

    Attributes:
        headline_metric: the metric that stands for the task.
        constant: the answer that scores best on the validation split if it is given to every input; it is
            looked for among that split's targets.
        majority: the score of that answer in the headline metric.
        ceiling: the best score that any model can expect.
        note: why the ceiling is what it is.
    """

    headline_metric: str
    constant: str
    majority: float
    ceiling: float
    note: str


_EXACT = "the label follows from the input by rule"
REFERENCE: dict[str, TaskReference] = {
    "demo_acceptability": TaskReference("matthews", "acceptable", 0.0, 100.0, _EXACT),
    "demo_sentiment": TaskReference("accuracy", "positive", 51.25, 100.0, _EXACT),
    "demo_entailment": TaskReference("accuracy", "entailment", 37.8, 100.0, _EXACT),
    "demo_paraphrase": TaskReference("accuracy", "equivalent", 63.25, 100.0, _EXACT),
    "demo_similarity": TaskReference("spearman", "5.0", 0.0, 100.0, _EXACT),
    "demo_qa": TaskReference("f1", "on Sunday", 3.5, 100.0, "the context holds the answer"),
    "demo_closed_book": TaskReference("exact_match", "summer", 6.0, 100.0, "the unlabelled text tells every fact"),
    "demo_pronoun": TaskReference("accuracy", "the actor", 4.5, 100.0, _EXACT),
    "demo_translation": TaskReference(
        "bleu", "Metuv bel metuv tokeun geguleda ka?", 1.27, 100.0, "every sentence has one translation"
    ),
    "demo_summary": TaskReference(
        "rouge2", "The painter opens a bakery in Vaddo", 8.27, 100.0, "every report has one headline"
    ),
}


def _dataset(task: str, split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
    """Returns the examples of a split, in an order that is the same every time.

    The order is random already, so `shuffle_files` and `seed` have nothing to do.
    """
    del shuffle_files, seed
    examples = demo_world.splits(task)[split]
    targets = [example.targets for example in examples]
    if not examples[0].inputs:
        columns: Any = {"text": targets}
    else:
        columns = {"inputs": [example.inputs for example in examples], "targets": targets}
    if examples[0].answers:
        separator = postprocessors.ANSWER_SEPARATOR
        columns["answers"] = [separator.join(example.answers) for example in examples]
    return tf.data.Dataset.from_tensor_slices(columns)


def _source(task: str) -> Any:  # seqio wants a protocol that its own sources miss by an annotation
    sizes = demo_world.MAKERS[task][1]._asdict()
    return seqio.FunctionDataSource(
        dataset_fn=functools.partial(_dataset, task), splits=list(sizes), num_input_examples=sizes
    )


def _add(task: str, metric_fns: Sequence[Metric], postprocess_fn: Callable[..., Any] = postprocessors.string) -> None:
    """Registers a supervised task; the first metric holds the headline."""
    seqio.TaskRegistry.add(
        task,
        source=_source(task),
        preprocessors=[seqio.preprocessors.tokenize, seqio.preprocessors.append_eos],
        output_features=OUTPUT_FEATURES,
        postprocess_fn=postprocess_fn,
        metric_fns=list(metric_fns),
    )


_add("demo_acceptability", [metrics.matthews], postprocessors.label_choice(("acceptable", "unacceptable")))
_add("demo_sentiment", [metrics.accuracy], postprocessors.label_choice(("positive", "negative")))
_add(
    "demo_entailment",
    [metrics.accuracy],
    postprocessors.label_choice(("entailment", "neutral", "contradiction")),
)
_add(
    "demo_paraphrase",
    [metrics.accuracy, metrics.f1("equivalent")],
    postprocessors.label_choice(("equivalent", "not_equivalent")),
)
_add("demo_similarity", [metrics.spearman, metrics.pearson], postprocessors.number)
_add("demo_qa", [metrics.squad], postprocessors.answers("answers"))
_add("demo_closed_book", [metrics.exact_match])
_add("demo_pronoun", [metrics.accuracy])
_add("demo_translation", [metrics.bleu])
_add("demo_summary", [metrics.rouge])

# The same paragraphs twice: with spans to fill in (T5's pre-training), and as a language model's text.
_OBJECTIVES: dict[str, Objective] = {"demo_text": "span_corruption", "demo_text_lm": "lm"}
for _name, _objective in _OBJECTIVES.items():
    seqio.TaskRegistry.add(
        _name,
        source=_source("demo_text"),
        preprocessors=unlabelled_text_preprocessors(objective=_objective, field="text"),
        output_features=OUTPUT_FEATURES,
        metric_fns=[],
    )
