"""Checkpoints of other frameworks made ones of t5mix, once: what `t5mix import` and `start_from` do."""

import math
from pathlib import Path
from typing import NamedTuple

from t5mix.cache.vocabulary import vocabulary_entry
from t5mix.checkpoint.plain_checkpoint import write_plain_checkpoint
from t5mix.console.stage import stage
from t5mix.data.manifest import VocabularyEntry
from t5mix.errors import T5MixError
from t5mix.files import atomic_folder, check_room, check_writable, sha256_of_json
from t5mix.finetuning import Full
from t5mix.interop.foreign import T5_IDS, ForeignCheckpoint
from t5mix.interop.formats import is_foreign, read_foreign
from t5mix.interop.hub_models import find_folder
from t5mix.interop.vocabularies import find_vocabulary
from t5mix.runs.load import CheckpointMetadata
from t5mix.tracking.run_directory import find_checkpoint, has_checkpoint, keep_vocabulary

_CACHE = Path("~/.cache/t5mix/imported")


class ImportPlan(NamedTuple):
    """What an import would write.

    Attributes:
        foreign: the checkpoint.
        vocabulary: what its ids mean.
    """

    foreign: ForeignCheckpoint
    vocabulary: VocabularyEntry

    @property
    def parameters(self) -> int:
        """The number of parameters, of four bytes each."""
        return sum(math.prod(tensor.shape) for tensor in self.foreign.tensors.values())


def plan_import(source: Path, out: Path, vocabulary: VocabularyEntry | None = None) -> ImportPlan:
    """Checks that a checkpoint can be imported; reads no more of it than tells what it is.

    The arguments and errors are those of `import_checkpoint`.
    """
    if out.exists():
        raise T5MixError(f"{out} exists already. Name a folder that does not.")
    check_writable(out, "TO")
    source = find_folder(source)
    foreign = read_foreign(source)
    if foreign.special_ids != T5_IDS:
        ids = foreign.special_ids
        raise T5MixError(
            f"{source}: the model was trained with {ids.pad} for padding, {ids.eos} for the end and {ids.start} before "
            f"the first token; t5mix trains with T5's {T5_IDS.pad}, {T5_IDS.eos} and {T5_IDS.start}."
        )
    plan = ImportPlan(foreign, vocabulary or _vocabulary(foreign))
    check_room(out, 4 * plan.parameters)
    return plan


def import_checkpoint(source: Path, out: Path, vocabulary: VocabularyEntry | None = None) -> Path:
    """Writes a checkpoint of another framework as one of t5mix, which runs may start from (`start_from`).

    Args:
        source: its folder.
        out: a folder that does not exist yet.
        vocabulary: what its ids mean, where its folder does not say.

    Returns:
        The folder of the new checkpoint.

    Raises:
        T5MixError: `out` exists, the disk has too little room, or the checkpoint is damaged, of another architecture,
            or without a vocabulary.
    """
    foreign, vocabulary = plan_import(source, out, vocabulary)
    metadata = CheckpointMetadata(foreign.config, Full(), vocabulary, "float32")
    run_state = {**metadata.to_json(), "imported_from": str(foreign.path.absolute()), "best": {}}
    with atomic_folder(out, "checkpoints") as draft:
        write_plain_checkpoint(draft / "checkpoints" / "0", foreign.tensors, run_state)
        keep_vocabulary(vocabulary, draft)
    return find_checkpoint(out)


def starting_folder(path: Path) -> Path:
    """Returns the folder of a checkpoint of t5mix: the one that a path names, or made of the foreign one there.

    What was made is kept in the user's cache, so that it is made once.

    Raises:
        T5MixError: see `import_checkpoint`; or there is no checkpoint.
    """
    path = find_folder(path)
    if not is_foreign(path):
        return find_checkpoint(path)
    cached = _CACHE.expanduser() / f"{path.absolute().name}-{_version(path)[:12]}"
    if has_checkpoint(cached):
        return find_checkpoint(cached)
    with stage(f"Importing {path}"):
        return import_checkpoint(path, cached)


def _version(path: Path) -> str:
    """Returns what changes with the file that a checkpoint is, or with any in its folder."""
    files = sorted(file for file in (path, *path.rglob("*")) if file.is_file())
    stats = [(str(file.relative_to(path)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return sha256_of_json([str(path.absolute()), stats])


def _vocabulary(foreign: ForeignCheckpoint) -> VocabularyEntry:
    found = find_vocabulary(foreign.path)
    if found is None:
        raise T5MixError(
            f"{foreign.path} holds no vocabulary: neither spiece.model nor a tokenizer_config.json that says ByT5. "
            "Give the one that the model was trained with: t5mix import FROM TO --vocabulary FILE, or bytes for FILE."
        )
    entry = vocabulary_entry(*found)
    rows = foreign.config.vocab_size
    assert rows is not None
    if entry.size > rows:
        raise T5MixError(
            f"{foreign.path}: the vocabulary has {entry.size:,} ids, {entry.extra_ids} of them added sentinels, and "
            f"the embedding {rows:,} rows. They do not belong together, or extra_ids in tokenizer_config.json is wrong."
        )
    return entry
