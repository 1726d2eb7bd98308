"""seqio tasks as tasks of a run: their source and preprocessing run in TensorFlow, many examples at a time."""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from t5mix.cache.fingerprint import describe
from t5mix.cache.run_task import FIXED_SEED, PreprocessingError, RunTask, SplitSpec
from t5mix.cache.seqio_vocabularies import describe_vocabulary
from t5mix.data.manifest import VocabularyEntry
from t5mix.data.ragged import Ragged, TokenBatch
from t5mix.data.token_store import FEATURES
from t5mix.errors import T5MixError
from t5mix.metrics.choice import ChoiceMetric
from t5mix.metrics.example_scores import ExampleMetric
from t5mix.metrics.perfect import PerfectScore, perfect_score
from t5mix.metrics.scoring import Scoring
from t5mix.preprocessors.objectives import check_sentinels
from t5mix.sources.seqio_sources import FileRowsDataSource
from t5mix.tensorflow_setup import seqio, tf

PROBED = 32  # examples that are made twice to see whether a task draws at random
BATCHED = 128

log = logging.getLogger(__name__)
TokenizedExample = tuple[np.ndarray, np.ndarray]


class SeqioTask(RunTask):
    """A seqio task.

    Args:
        task: it, with the vocabulary in force.

    Raises:
        T5MixError: its data set is not prepared, or a metric chooses among labels, which it does not declare.
    """

    def __init__(self, task: seqio.Task) -> None:
        self.task = task
        self.name = task.name
        _check_prepared(task)
        for metric in task.metric_fns:
            if isinstance(metric, ChoiceMetric):
                raise T5MixError(
                    f"Task {self.name!r}: the metric {metric.kind!r} chooses among labels, which tasks in Python do "
                    "not declare. Leave it out, or declare the task in configuration, with labels."
                )
        self.splits = tuple(task.splits)
        self.source = type(task.source).__name__
        self.metrics = metric_names(task)

    @property
    def likelihoods(self) -> bool:  # type: ignore[override]
        """Whether a metric scores the targets' likelihoods."""
        return needs_likelihoods(self.task)

    def vocabularies(self) -> tuple[VocabularyEntry, VocabularyEntry]:
        """Returns the vocabularies of inputs and targets; see `RunTask.vocabularies`."""
        inputs, targets = map(self._vocabulary, FEATURES)
        return inputs, targets

    def _vocabulary(self, feature: str) -> VocabularyEntry:
        features = self.task.output_features
        if feature not in features:
            raise T5MixError(
                f"Task {self.name!r} has no {feature}: its features are {', '.join(features)}. "
                "t5mix trains encoder-decoder tasks with inputs and targets."
            )
        try:
            return describe_vocabulary(features[feature].vocabulary)
        except T5MixError as error:
            raise T5MixError(f"Task {self.name!r}: {error}") from error

    def describe(self, spec: SplitSpec, seed: int | None) -> dict[str, Any]:
        """Returns its source, its preprocessors and its vocabularies; see `t5mix.cache.fingerprint`."""
        return describe(self.task, spec.split, spec.lengths, seed, spec.source_shards)

    def check_lengths(self, lengths: Mapping[str, int]) -> None:
        """Checks that the vocabulary has the sentinels that span corruption needs."""
        check_sentinels(self.task, lengths)

    def check_files(self, splits: list[str]) -> None:
        """Does nothing: whatever is wrong with a source shows when it is read."""

    def shards(self, split: str) -> list[str]:
        """Returns what its source says of its shards."""
        return list(self.task.source.list_shards(split))

    def shard_bytes(self, split: str) -> list[int] | None:
        """Returns the sizes of its source's files, if it has files."""
        try:
            return [tf.io.gfile.stat(file).length for file in self.shards(split)]
        except (tf.errors.OpError, TypeError):
            return None

    def size(self, split: str) -> int | None:
        """Returns what its source says; None where it would have to read for it."""
        return known_sizes(self.task.source, [split]).get(split)

    def is_random(self, spec: SplitSpec, source_shard: int) -> bool:
        """Whether its preprocessing draws at random.

        Judged by what it does: its first examples are made with two seeds and compared. No declaration is
        needed, and none can be wrong; a step that changes fewer than one in `PROBED` examples would escape.
        """
        first, second = (self._first(spec, seed, source_shard) for seed in (1, 2))
        if _equal(first, second):
            return False
        if not _equal(first, self._first(spec, 1, source_shard)):
            log.warning(
                "Task %s draws numbers that no seed governs, so its stores cannot be made again alike. "
                "Draw with the seed that seqio.map_over_dataset(num_seeds=1) passes.",
                self.name,
            )
        return True

    def _first(self, spec: SplitSpec, seed: int, source_shard: int) -> list[TokenizedExample]:
        rows = (zip(*(part.rows() for part in batch), strict=True) for batch in self.batches(spec, seed, source_shard))
        return list(itertools.islice(itertools.chain.from_iterable(rows), PROBED))

    def batches(self, spec: SplitSpec, seed: int, source_shard: int = 0) -> Iterator[TokenBatch]:
        """Yields the tokens of its examples; see `RunTask.batches`."""

        def read(dataset: tf.data.Dataset) -> Iterator[Any]:
            # Crossing from TensorFlow to Python costs more than tokenising: many examples cross at once.
            kept = dataset.map(lambda example: {name: example[name] for name in FEATURES})
            return iter(kept.ragged_batch(BATCHED).prefetch(2))

        for batch in self._run(spec, seed, source_shard, read):
            yield _ragged(batch["inputs"]), _ragged(batch["targets"])

    def perfect_score(self, spec: SplitSpec) -> PerfectScore | None:
        """Returns what a perfect model would score; None if a metric is not t5mix's own."""
        metrics = [metric for metric in self.task.metric_fns if isinstance(metric, ExampleMetric)]
        if len(metrics) < len(self.task.metric_fns) or self.task._metric_objs_constructor_args:
            return None
        examples = list(self.raw_examples(spec, FIXED_SEED))
        vocabulary = self.task.output_features["targets"].vocabulary
        scoring = Scoring(
            self.task.postprocess_fn, tuple(metrics), lambda text: vocabulary.decode(vocabulary.encode(text))
        )
        return perfect_score(scoring, [target_text(self.task, example) for example in examples], examples)

    def raw_examples(self, spec: SplitSpec, seed: int) -> Iterator[dict[str, Any]]:
        """Yields its examples, with every feature that the task passes along."""
        return self._run(spec, seed, 0, lambda dataset: dataset.prefetch(16).as_numpy_iterator())

    def _run(
        self, spec: SplitSpec, seed: int, source_shard: int, read: Callable[[tf.data.Dataset], Iterator[Any]]
    ) -> Iterator[dict[str, Any]]:
        """Yields what `read` makes of the data set, and says which task it was if something fails."""
        try:
            yield from read(self._dataset(spec, seed, source_shard))
        except T5MixError:
            raise
        except Exception as error:  # any line of the task author's code can fail in any way
            raise PreprocessingError(
                f"Task {self.name!r}, split {spec.split!r}: its source or preprocessing failed with "
                f"{type(error).__name__}: {getattr(error, 'message', None) or error}"
            ) from error

    def _dataset(self, spec: SplitSpec, seed: int, source_shard: int) -> tf.data.Dataset:
        # Not `Task.get_dataset`: it hands the seed to the source too, which functions without such an argument
        # refuse, and its trimming would cut the end of the sequence off and hide how much was cut.
        task = _untrimmed(self.task)
        tf.random.set_seed(seed)  # reaches what draws without a seed of its own
        shard_info: dict[str, Any] = (
            {"shard_info": seqio.ShardInfo(source_shard, spec.source_shards)} if spec.is_streamed else {}
        )
        dataset = task.source.get_dataset(split=spec.split, shuffle=False, **shard_info)
        dataset = task.preprocess_precache(dataset, seed=seed)
        dataset = task.preprocess_postcache(dataset, sequence_length=spec.lengths, seed=seed)
        _check_features(self.name, dataset.element_spec)
        options = tf.data.Options()
        options.deterministic = True
        return dataset.with_options(options)


def _check_prepared(task: seqio.Task) -> None:
    """Checks that the data of a TFDS task lies on this machine: t5mix downloads none.

    Raises:
        T5MixError: it does not.
    """
    if not isinstance(task.source, seqio.TfdsDataSource):
        return
    data_set = task.source.tfds_dataset
    try:
        builder = data_set.builder
        name, folder, prepared = builder.info.full_name, builder.data_dir, builder.is_prepared()
    except Exception as error:  # no such data set, or none that TFDS can make without the network
        raise T5MixError(
            f"Task {task.name!r}: TFDS cannot load the data set {data_set.name} ({type(error).__name__}: {error})."
        ) from error
    if not prepared:
        raise T5MixError(
            f"Task {task.name!r}: the data set {name} is not prepared; it was looked for in {folder}. Prepare it with "
            f"`tfds build {name.replace(':', '/')} --data_dir {data_set.data_dir or '~/tensorflow_datasets'}`, where "
            "there is a network, or set TFDS_DATA_DIR to the folder that holds it."
        )


def target_text(task: seqio.Task, example: Mapping[str, Any]) -> str:
    """Returns the target of an example before it was tokenised, where the task kept it: uncut."""
    if "targets_pretokenized" in example:
        text = example["targets_pretokenized"]
    else:
        tokens = np.asarray(example["targets"]).tolist()
        text = task.output_features["targets"].vocabulary.decode(tokens)
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)


def metric_names(task: seqio.Task) -> tuple[str, ...]:
    """Returns the names of a task's metric functions and objects."""
    functions = [seqio.utils.function_name(function) for function in task.metric_fns]
    objects = [type(metric).__name__ for metric in task._metric_objs_constructor_args]
    return tuple(functions + objects)


def needs_likelihoods(task: seqio.Task) -> bool:
    """Whether a metric of a task scores the targets' likelihoods."""
    kinds = {seqio.metrics.ModelOutputType(metric.model_output_type) for metric in task.metric_objs}
    return seqio.metrics.ModelOutputType.SCORE in kinds


def known_sizes(source: Any, splits: Sequence[str]) -> dict[str, int]:
    """Returns the number of raw examples of each split of a source, where it knows without reading."""
    if isinstance(source, seqio.TfdsDataSource | FileRowsDataSource):
        return {}
    sizes = {split: source.num_input_examples(split) for split in splits}
    return {split: size for split, size in sizes.items() if size is not None}


def _ragged(batch: Any) -> Ragged:
    if isinstance(batch, tf.RaggedTensor):
        return Ragged(batch.values.numpy(), batch.row_lengths().numpy())
    rows = batch.numpy()  # of a task whose examples are all of one length
    return Ragged(rows.reshape(-1), np.full(len(rows), rows.shape[1], np.int64))


def _equal(first: list[TokenizedExample], second: list[TokenizedExample]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a, b) for pair in zip(first, second, strict=True) for a, b in zip(*pair, strict=True)
    )


def _untrimmed(task: seqio.Task) -> seqio.Task:
    """Returns the task with the end appended but nothing cut; the store cuts in the same way, and counts."""
    trims = seqio.preprocessors.append_eos_after_trim
    if trims not in task.preprocessors:
        return task
    steps = [seqio.preprocessors.append_eos if step is trims else step for step in task.preprocessors]
    return task.replace(preprocessors=steps)


def _check_features(task: str, specs: Mapping[str, Any]) -> None:
    for name in FEATURES:
        if name not in specs:
            raise T5MixError(
                f"Task {task!r}: its preprocessed examples have no {name}; they have {', '.join(sorted(specs))}."
            )
        if specs[name].shape.rank != 1 or not specs[name].dtype.is_integer:
            raise T5MixError(
                f"Task {task!r}: {name} are {specs[name].dtype.name} of rank {specs[name].shape.rank}, where a row of "
                "token ids is needed. Does a preprocessor tokenise them (seqio.preprocessors.tokenize)?"
            )
