"""The vocabulary of a run: reading the one that is set, and agreeing on one for all tasks."""

from collections.abc import Sequence

from t5mix.cache.run_task import RunTask
from t5mix.data.manifest import VocabularyEntry
from t5mix.data.tokenizer import BYTE_IDS, load_sentencepiece, sentinel_ids
from t5mix.errors import T5MixError
from t5mix.files import expand_home, sha256_of

BYTES = "bytes"


def vocabulary_entry(name: str, extra_ids: int) -> VocabularyEntry:
    """Returns what identifies a vocabulary.

    Args:
        name: path of a SentencePiece model, or "bytes".
        extra_ids: number of sentinels on top of the model's own pieces; none are added to a model that has its own.

    Raises:
        T5MixError: the file is missing, no SentencePiece model, or has other special ids than T5.
    """
    if name == BYTES:
        return VocabularyEntry(BYTES, "", "", extra_ids, BYTE_IDS + extra_ids)
    path = expand_home(name, "vocabulary").resolve()
    added = 0 if len(sentinel_ids(load_sentencepiece(path, 0), 0)) else extra_ids
    size = load_sentencepiece(path, added).GetPieceSize()
    return VocabularyEntry("sentencepiece", str(path), sha256_of(path), added, size)


def common_vocabulary(tasks: Sequence[RunTask]) -> VocabularyEntry:
    """Returns the one vocabulary of all tasks, inputs and targets.

    Raises:
        T5MixError: a task lacks inputs or targets, or two vocabularies differ; the message names the tasks.
    """
    users: dict[VocabularyEntry, list[str]] = {}
    for task in tasks:
        for entry in task.vocabularies():
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
