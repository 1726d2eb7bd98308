"""Template of a task: copy this file to tasks/<your benchmark>.py and change it. Nothing here is registered.

A task has four parts:

- a source of raw examples;
- preprocessors, which turn them into the texts `inputs` and `targets`, and then into tokens;
- a post-processor, which turns the model's text into what a metric compares;
- metrics.

`register()` below adds two tasks. In your copy, register at the top level of the module, so that importing it is
enough. In a run's configuration, `plugins: [my.module]` imports a module of your own.

Registration must not touch disk or network: a source reads when its data set is asked for, not before.
"""

from t5mix import metrics
from t5mix.metrics import postprocessors
from t5mix.sources.seqio_sources import TsvDataSource
from t5mix.tasks.demo import OUTPUT_FEATURES  # your own: seqio.SentencePieceVocabulary(path, extra_ids=100)
from t5mix.tensorflow_setup import seqio, tf

_LABELS = ("negative", "positive")


def review_to_text(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Turns raw examples {"review", "label"} into the texts that the model reads and writes.

    T5 names the task in the input ("sst2 sentence: ") and writes labels as words. Fields besides inputs and targets
    stay in the example, where the post-processor finds them.
    """

    def to_text(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {
            "inputs": tf.strings.join(["my_reviews sentence: ", example["review"]]),
            "targets": example["label"],
        }

    return dataset.map(to_text, num_parallel_calls=tf.data.AUTOTUNE)


def summary_to_text(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Turns CNN/DailyMail's {"article", "highlights"} into texts."""

    def to_text(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {
            "inputs": tf.strings.join(["summarize: ", example["article"]]),
            "targets": example["highlights"],
        }

    return dataset.map(to_text, num_parallel_calls=tf.data.AUTOTUNE)


# The last two preprocessors of every task: text to tokens, then the end-of-sequence token.
_TO_TOKENS = (seqio.preprocessors.tokenize, seqio.preprocessors.append_eos)


def register() -> None:
    """Adds one task read from TSV files and one from TFDS."""
    seqio.TaskRegistry.add(
        "my_reviews",
        # Files with a header line "review<TAB>label"; paths are relative to where the run starts.
        source=TsvDataSource(  # type: ignore[arg-type]  # seqio annotates `source` too narrowly
            {"train": "reviews/train.tsv", "validation": "reviews/validation.tsv"}
        ),
        preprocessors=[review_to_text, *_TO_TOKENS],
        output_features=OUTPUT_FEATURES,
        postprocess_fn=postprocessors.label_choice(_LABELS),  # any other text counts as wrong
        metric_fns=[metrics.accuracy],  # the first one is the headline
    )
    seqio.TaskRegistry.add(
        "my_summaries",
        # Name and version are fixed, so that the run can be repeated with the same data.
        source=seqio.TfdsDataSource(tfds_name="cnn_dailymail:3.4.0"),  # type: ignore[arg-type]
        preprocessors=[summary_to_text, *_TO_TOKENS],
        output_features=OUTPUT_FEATURES,
        postprocess_fn=postprocessors.string,
        metric_fns=[metrics.rouge],
    )
