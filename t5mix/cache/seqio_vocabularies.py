"""Vocabularies of seqio tasks: loading, describing and replacing them."""

import dataclasses
import functools
from pathlib import Path

from t5mix.cache.vocabulary import BYTES, vocabulary_entry
from t5mix.data.manifest import VocabularyEntry
from t5mix.data.token_store import FEATURES
from t5mix.errors import T5MixError
from t5mix.files import atomic_path
from t5mix.tensorflow_setup import seqio, tf


def seqio_vocabulary(entry: VocabularyEntry) -> seqio.Vocabulary:
    """Returns a vocabulary as seqio has it."""
    if entry.kind == BYTES:
        return seqio.ByteVocabulary(extra_ids=entry.extra_ids)
    return seqio.SentencePieceVocabulary(entry.path, extra_ids=entry.extra_ids)


def describe_vocabulary(vocabulary: seqio.Vocabulary) -> VocabularyEntry:
    """Returns what identifies a vocabulary.

    Raises:
        T5MixError: it is of a kind that t5mix cannot train with.
    """
    if isinstance(vocabulary, seqio.ByteVocabulary):
        return vocabulary_entry(BYTES, vocabulary.extra_ids)
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
    return vocabulary_entry(str(_local(vocabulary.sentencepiece_model_file)), vocabulary.extra_ids)


@functools.lru_cache(maxsize=8)
def _local(name: str) -> Path:
    """Returns a vocabulary's file; one in a bucket is kept in the user's cache first."""
    if "://" not in name:
        return Path(name).expanduser().resolve()
    kept = Path.home() / ".cache" / "t5mix" / "vocabularies" / name.split("://", 1)[1].replace("/", "__")
    if not kept.exists():
        try:
            with atomic_path(kept) as draft:
                tf.io.gfile.copy(name, str(draft), overwrite=True)
        except tf.errors.OpError as error:
            raise T5MixError(
                f"The vocabulary {name} cannot be reached: {error.message}. Set vocabulary to a copy of it on this "
                f"machine, or put one at {kept}."
            ) from error
    return kept


def with_vocabulary(task: seqio.Task, vocabulary: seqio.Vocabulary) -> seqio.Task:
    """Returns a copy of a task that tokenises with another vocabulary; the registered task stays as it is."""
    features = {
        name: dataclasses.replace(feature, vocabulary=vocabulary) if name in FEATURES else feature
        for name, feature in task.output_features.items()
    }
    return task.replace(output_features=features)
