"""Vocabularies of seqio tasks: loading, describing, replacing, and agreeing on one."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

from t5mix.cache.request_checks import BYTES, vocabulary_path
from t5mix.data.manifest import VocabularyEntry
from t5mix.data.token_store import FEATURES
from t5mix.data.tokenizer import load_sentencepiece
from t5mix.errors import T5MixError
from t5mix.files import sha256_of
from t5mix.tensorflow_setup import seqio, tf


def load_vocabulary(name: str, extra_ids: int) -> seqio.Vocabulary:
    """Returns the vocabulary of a run's configuration.

    Args:
        name: path of a SentencePiece model, or "bytes".
        extra_ids: number of sentinels on top of the model's own pieces.

    Raises:
        T5MixError: the file is missing, no SentencePiece model, or has other special ids than T5.
    """
    if name == BYTES:
        return seqio.ByteVocabulary(extra_ids=extra_ids)
    path = vocabulary_path(name)
    load_sentencepiece(path, extra_ids)
    return seqio.SentencePieceVocabulary(str(path), extra_ids=extra_ids)


def describe_vocabulary(vocabulary: seqio.Vocabulary) -> VocabularyEntry:
    """Returns what identifies a vocabulary.

    Raises:
        T5MixError: it is of a kind that t5mix cannot train with.
    """
    if isinstance(vocabulary, seqio.ByteVocabulary):
        return VocabularyEntry(BYTES, "", "", vocabulary.extra_ids, int(vocabulary.vocab_size))
    if not isinstance(vocabulary, seqio.SentencePieceVocabulary):
        raise T5MixError(
            f"{type(vocabulary).__name__} is a vocabulary that t5mix does not train with; "
            "use seqio.SentencePieceVocabulary or seqio.ByteVocabulary."
        )
    if not getattr(vocabulary, "_reverse_extra_ids", True):
        raise T5MixError(
            f"{vocabulary.sentencepiece_model_file} is loaded with reverse_extra_ids=False; in T5 the first "
            "sentinel has the highest id. Leave that argument out."
        )
    path = _local(vocabulary.sentencepiece_model_file)
    size = load_sentencepiece(path, vocabulary.extra_ids).GetPieceSize()
    return VocabularyEntry("sentencepiece", str(path), sha256_of(path), vocabulary.extra_ids, size)


@functools.lru_cache(maxsize=8)
def _local(name: str) -> Path:
    """Returns a vocabulary's file; one in a bucket is kept in the user's cache first."""
    if "://" not in name:
        return Path(name).expanduser().resolve()
    kept = Path.home() / ".cache" / "t5mix" / "vocabularies" / name.split("://", 1)[1].replace("/", "__")
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            tf.io.gfile.copy(name, str(kept), overwrite=True)
        except tf.errors.OpError as error:
            raise T5MixError(f"The vocabulary {name} cannot be read: {error.message}.") from error
    return kept


def with_vocabulary(task: seqio.Task, vocabulary: seqio.Vocabulary) -> seqio.Task:
    """Returns a copy of a task that tokenises with another vocabulary; the registered task stays as it is."""
    features = {
        name: dataclasses.replace(feature, vocabulary=vocabulary) if name in FEATURES else feature
        for name, feature in task.output_features.items()
    }
    return task.replace(output_features=features)


def common_vocabulary(tasks: Sequence[seqio.Task]) -> VocabularyEntry:
    """Returns the one vocabulary of all tasks, inputs and targets.

    Raises:
        T5MixError: a task lacks inputs or targets, or two vocabularies differ; the message names the tasks.
    """
    users: dict[VocabularyEntry, list[str]] = {}
    for task in tasks:
        for name in FEATURES:
            if name not in task.output_features:
                raise T5MixError(
                    f"Task {task.name!r} has no {name}: its features are {', '.join(task.output_features)}. "
                    "t5mix trains encoder-decoder tasks with inputs and targets."
                )
            try:
                entry = describe_vocabulary(task.output_features[name].vocabulary)
            except T5MixError as error:
                raise T5MixError(f"Task {task.name!r}: {error}") from error
            # A path is where a vocabulary lies, not what it is: two copies of one file are one vocabulary.
            same = next((other for other in users if other.identity == entry.identity), entry)
            if task.name not in users.setdefault(same, []):
                users[same].append(task.name)
    if len(users) > 1:
        lines = "; ".join(
            f"{entry.path or entry.kind} with {entry.extra_ids} sentinels: {', '.join(names[:8])}"
            for entry, names in users.items()
        )
        raise T5MixError(
            f"The tasks of a run must share one vocabulary, and these do not: {lines}. "
            "Set `vocabulary` to use one for all."
        )
    return next(iter(users))
