"""What a model will see of a task: the data behind `t5mix tasks show`."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from t5mix.cache.materialize import shard_seed
from t5mix.cache.prepare_worker import split_spec_of
from t5mix.cache.run_task import FIXED_SEED, TRAIN, SplitSpec
from t5mix.cache.run_tasks import load_tasks
from t5mix.data.manifest import DataRequest, VocabularyEntry
from t5mix.data.ragged import Ragged
from t5mix.data.token_store import FEATURES
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError

_SHOWN = 400  # characters of a passed-along field


@dataclasses.dataclass(frozen=True)
class FeatureView:
    """The inputs or targets of one example.

    Attributes:
        text: before tokenising, where the task passes it along.
        ids: the token ids that the model gets, cut to the length.
        pieces: what each id stands for.
        decoded: the text of the ids.
        length: tokens before the cut.
        truncated: whether it was cut.
    """

    text: str | None
    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    decoded: str
    length: int
    truncated: bool


@dataclasses.dataclass(frozen=True)
class ExampleView:
    """One example, and the other fields that post-processors get, as text."""

    inputs: FeatureView
    targets: FeatureView
    fields: dict[str, str]


@dataclasses.dataclass(frozen=True)
class LengthStatistics:
    """Lengths in tokens, before any cut, and the share of examples that are cut."""

    min: int
    mean: float
    p50: float
    p95: float
    max: int
    limit: int
    truncated: float


@dataclasses.dataclass(frozen=True)
class TaskView:
    """One split of a task as the model will see it.

    Attributes:
        name: the task.
        split: the split.
        source: what kind of source it reads.
        size: raw examples of the split, where the source knows without reading.
        splits: all its splits.
        metrics: names of its metrics.
        random: whether each epoch of its training split is drawn anew.
        vocabulary: what it is tokenised with.
        examples: the first ones.
        examined: number of examples that the statistics rest on.
        inputs: their lengths.
        targets: their lengths.
    """

    name: str
    split: str
    source: str
    size: int | None
    splits: tuple[str, ...]
    metrics: tuple[str, ...]
    random: bool
    vocabulary: VocabularyEntry
    examples: tuple[ExampleView, ...]
    examined: int
    inputs: LengthStatistics
    targets: LengthStatistics


def inspect_task(
    request: DataRequest, name: str, split: str = TRAIN, *, count: int = 3, sample: int = 1000
) -> TaskView:
    """Runs the first examples of a task and shows what comes out; writes nothing.

    Args:
        request: lengths, vocabulary, plugins and declared tasks; its mixture does not matter.
        name: a registered or declared task.
        split: which split.
        count: number of examples to show.
        sample: number of examples to take the lengths of.

    Raises:
        T5MixError: the task is unknown or its data wrong.
    """
    request = dataclasses.replace(request, mixture=(name,))
    run = load_tasks(request)
    task = run.task(name)
    task.check_split(split)
    spec = split_spec_of(request, task, split)
    random = split == TRAIN and task.is_random(spec, 0)
    seed = shard_seed(request.seed, name, 0) if random else FIXED_SEED
    tokenizer = Tokenizer(run.vocabulary)
    views: list[ExampleView] = []
    lengths: dict[str, list[int]] = {feature: [] for feature in FEATURES}
    for index, example in enumerate(task.raw_examples(spec, seed)):
        if index >= max(sample, count):
            break
        if index < count:
            views.append(_view(example, spec, tokenizer))
        for feature in FEATURES:
            lengths[feature].append(len(example[feature]))
    if not lengths["inputs"]:
        raise T5MixError(f"Task {name!r}, split {split!r} holds no examples.")
    statistics = {feature: _statistics(lengths[feature], spec.lengths[feature]) for feature in FEATURES}
    return TaskView(
        name=name,
        split=split,
        source=task.source,
        size=task.size(split),
        splits=task.splits,
        metrics=task.metrics,
        random=random,
        vocabulary=run.vocabulary,
        examples=tuple(views),
        examined=len(lengths["inputs"]),
        **statistics,
    )


def _view(example: dict[str, Any], spec: SplitSpec, tokenizer: Tokenizer) -> ExampleView:
    features = {
        name: _feature(example[name], example.get(f"{name}_pretokenized"), spec.lengths[name], tokenizer)
        for name in FEATURES
    }
    shown = {*FEATURES, *(f"{name}_pretokenized" for name in FEATURES)}
    fields = {name: _text(value)[:_SHOWN] for name, value in example.items() if name not in shown}
    return ExampleView(**features, fields=fields)


def _feature(tokens: np.ndarray, text: Any, limit: int, tokenizer: Tokenizer) -> FeatureView:
    ids = Ragged.of([tokens]).cut(limit).values.tolist()
    return FeatureView(
        text=None if text is None else _text(text),
        ids=tuple(ids),
        pieces=tuple(tokenizer.pieces(ids)),
        decoded=tokenizer.decode(ids),
        length=len(tokens),
        truncated=len(tokens) > limit,
    )


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value)


def _statistics(lengths: Sequence[int], limit: int) -> LengthStatistics:
    values = np.asarray(lengths)
    middle, high = np.percentile(values, [50, 95])
    return LengthStatistics(
        min=int(values.min()),
        mean=float(values.mean()),
        p50=float(middle),
        p95=float(high),
        max=int(values.max()),
        limit=limit,
        truncated=float((values > limit).mean()),
    )
