"""Materialising: runs a seqio task's preprocessing once and keeps the tokens in a store.

A store's folder is named after its fingerprint, so one that exists is the right one. The training
split of a task whose preprocessing draws at random (span corruption) has a store for each epoch, that of a streamed
task one for each shard of its source in each epoch; both are made shard by shard.
"""

import dataclasses
import hashlib
import itertools
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.cache.fingerprint import describe, digest
from t5mix.console.progress import counted, progress
from t5mix.console.units import data_size
from t5mix.data.manifest import StoreEntry, has_many_shards, shard_path
from t5mix.data.stream import source_shard_of
from t5mix.data.token_store import FEATURES, TokenStore, open_store, write_store
from t5mix.data.tokenizer import EOS
from t5mix.errors import T5MixError
from t5mix.files import free_space, is_full, is_refused_write
from t5mix.tensorflow_setup import seqio, tf

TRAIN = "train"
FIXED_SEED = 0  # of what is made once: evaluation splits, and all of tasks that draw nothing
PROBED = 32  # examples that are made twice to see whether a task draws at random
BATCHED = 128
STALE_SECONDS = 3600  # an unfinished store that nobody has written to for so long is left from a crash

log = logging.getLogger(__name__)
TokenizedExample = tuple[np.ndarray, np.ndarray]


class PreprocessingError(T5MixError):
    """A task's own code failed; its `__cause__` says where."""


@dataclasses.dataclass(frozen=True)
class SplitSpec:
    """One split of a task, as a run asks for it.

    Attributes:
        task: the task, with the vocabulary in force.
        split: the split.
        inputs_length: longest input in tokens.
        targets_length: longest target in tokens.
        source_shards: how many shards its source is read in, one at a time; 1 to read it whole.
    """

    task: seqio.Task
    split: str
    inputs_length: int
    targets_length: int
    source_shards: int = 1

    @property
    def is_streamed(self) -> bool:
        """Whether its source is read one shard at a time."""
        return self.source_shards > 1

    @property
    def lengths(self) -> dict[str, int]:
        """The lengths as seqio takes them."""
        return {"inputs": self.inputs_length, "targets": self.targets_length}

    def folder(self, store_dir: Path, seed: int | None) -> tuple[Path, dict[str, Any]]:
        """Returns where the store belongs, and the description that its name is taken from."""
        description = describe(self.task, self.split, self.lengths, seed, self.source_shards)
        return store_dir / self.task.name / f"{self.split}-{digest(description)[:16]}", description


@dataclasses.dataclass(frozen=True)
class CachedSplit:
    """A split that is ready.

    Attributes:
        entry: where it lies and what it holds; of a random or streamed task, the folder of the shards and the first
            one's counts.
        random: whether each epoch is drawn anew.
    """

    entry: StoreEntry
    random: bool


def find_cached(spec: SplitSpec, store_dir: Path, seed: int) -> CachedSplit | None:
    """Returns a split that is there already, without running any of the task's code; None if it is not.

    Raises:
        DamagedStoreError: there is a store, and it is not whole.
    """
    if not spec.is_streamed:
        folder, description = spec.folder(store_dir, None)
        if folder.exists():
            return _cached_split(folder, description, open_store(folder), random=False)
    if spec.split == TRAIN:
        folder, description = spec.folder(store_dir, seed)
        first = shard_path(folder, 0, spec.source_shards)
        if first.exists():
            store = open_store(first)
            return _cached_split(folder, description, store, random=store.provenance.get("random", True))
    return None


def materialize(spec: SplitSpec, store_dir: Path, seed: int, *, quiet: bool = False) -> CachedSplit:
    """Makes the store of one split, or returns the one that is there.

    Args:
        spec: what to make.
        store_dir: folder of all stores.
        seed: the run's seed, for tasks whose preprocessing draws at random.
        quiet: whether to show no progress.

    Raises:
        T5MixError: the task's data cannot be had, is empty, or does not fit; nothing is left half-written.
        DamagedStoreError: there is a store, and it is not whole.
    """
    ready = find_cached(spec, store_dir, seed)
    if ready is None:
        source_shard = source_shard_of(seed, spec.task.name, 0, spec.source_shards)
        random = spec.split == TRAIN and is_random(spec, source_shard)
        in_shards = has_many_shards(random, spec.source_shards)
        folder, description = spec.folder(store_dir, seed if in_shards else None)
        if in_shards:
            store = make_shard(spec, store_dir, seed, 0, quiet=quiet, random=random)
        else:
            store = _write(spec, folder, description, FIXED_SEED, quiet)
        ready = _cached_split(folder, description, store, random=random)
    _warn_of_truncation(spec, ready.entry)
    return ready


def make_shard(
    spec: SplitSpec, store_dir: Path, seed: int, shard: int, *, quiet: bool = False, random: bool = True
) -> TokenStore:
    """Makes the store of one shard of a training split, or opens the one that is there.

    Args:
        spec: the split of a random task, whose shards are epochs, or of a streamed one.
        store_dir: folder of all stores.
        seed: the run's seed.
        shard: counted from 0 through all epochs.
        quiet: whether to show no progress.
        random: whether the task draws at random, recorded with a streamed task's shard.

    Raises:
        T5MixError: see `materialize`.
    """
    folder, description = spec.folder(store_dir, seed)
    path = shard_path(folder, shard, spec.source_shards)
    if path.exists():
        return open_store(path)
    drawn = shard_seed(seed, spec.task.name, shard)
    if not spec.is_streamed:
        return _write(spec, path, {**description, "epoch": shard}, drawn, quiet)
    source_shard = source_shard_of(seed, spec.task.name, shard, spec.source_shards)
    provenance = {**description, "shard": shard, "source_shard": source_shard, "random": random}
    return _write(spec, path, provenance, drawn, quiet, source_shard)


def shard_seed(seed: int, task: str, shard: int) -> int:
    """Returns what one shard of one task draws from, a 31-bit number."""
    key = f"{seed}/{task}/{shard}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:4], "big") >> 1


def is_random(spec: SplitSpec, source_shard: int = 0) -> bool:
    """Whether a task's preprocessing draws at random, so that each epoch should differ.

    Judged by what it does: its first examples are made with two seeds and compared. No declaration is
    needed, and none can be wrong; a step that changes fewer than one in `PROBED` examples would escape.
    """
    first, second = (list(itertools.islice(examples(spec, seed, source_shard), PROBED)) for seed in (1, 2))
    if _equal(first, second):
        return False
    if not _equal(first, list(itertools.islice(examples(spec, 1, source_shard), PROBED))):
        log.warning(
            "Task %s draws numbers that no seed governs, so its stores cannot be made again alike. "
            "Draw with the seed that seqio.map_over_dataset(num_seeds=1) passes.",
            spec.task.name,
        )
    return True


def _equal(first: list[TokenizedExample], second: list[TokenizedExample]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a, b) for pair in zip(first, second, strict=True) for a, b in zip(*pair, strict=True)
    )


def examples(spec: SplitSpec, seed: int, source_shard: int = 0) -> Iterator[TokenizedExample]:
    """Runs a task's source and preprocessing and yields its examples, in order and uncut.

    Args:
        spec: the task, split and lengths.
        seed: what its preprocessors draw from.
        source_shard: which shard of its source.

    Raises:
        T5MixError: the task's code fails, or yields something else than 1-D integer inputs and targets.
    """

    def batches(dataset: tf.data.Dataset) -> Iterator[Any]:
        # Crossing from TensorFlow to Python costs more than tokenising: many examples cross at once.
        kept = dataset.map(lambda example: {name: example[name] for name in FEATURES})
        return iter(kept.ragged_batch(BATCHED).prefetch(2))

    for batch in _run(spec, seed, source_shard, batches):
        yield from zip(*(_rows(batch[name]) for name in FEATURES), strict=True)


def _rows(batch: Any) -> list[np.ndarray]:
    if isinstance(batch, tf.RaggedTensor):
        return np.split(batch.values.numpy(), batch.row_splits.numpy()[1:-1])
    return list(batch.numpy())  # a task whose examples are all of one length


def raw_examples(spec: SplitSpec, seed: int) -> Iterator[dict[str, Any]]:
    """Like `examples` of the first shard, but yields dictionaries with every feature that the task passes along."""
    return _run(spec, seed, 0, lambda dataset: dataset.prefetch(16).as_numpy_iterator())


def _run(
    spec: SplitSpec, seed: int, source_shard: int, read: Callable[[tf.data.Dataset], Iterator[Any]]
) -> Iterator[dict[str, Any]]:
    """Yields what `read` makes of a task's data set, and says which task it was if something fails."""
    try:
        yield from read(_dataset(spec, seed, source_shard))
    except T5MixError:
        raise
    except Exception as error:  # any line of the task author's code can fail in any way
        raise PreprocessingError(
            f"Task {spec.task.name!r}, split {spec.split!r}: its source or preprocessing failed with "
            f"{type(error).__name__}: {getattr(error, 'message', None) or error}"
        ) from error


def _dataset(spec: SplitSpec, seed: int, source_shard: int) -> tf.data.Dataset:
    # Not `Task.get_dataset`: it hands the seed to the source too, which functions without such an argument
    # refuse, and its trimming would cut the end of the sequence off and hide how much was cut.
    task = _untrimmed(spec.task)
    tf.random.set_seed(seed)  # reaches what draws without a seed of its own
    shard_info: dict[str, Any] = (
        {"shard_info": seqio.ShardInfo(source_shard, spec.source_shards)} if spec.is_streamed else {}
    )
    dataset = task.source.get_dataset(split=spec.split, shuffle=False, **shard_info)
    dataset = task.preprocess_precache(dataset, seed=seed)
    dataset = task.preprocess_postcache(dataset, sequence_length=spec.lengths, seed=seed)
    _check_features(spec, dataset.element_spec)
    options = tf.data.Options()
    options.deterministic = True
    return dataset.with_options(options)


def _untrimmed(task: seqio.Task) -> seqio.Task:
    """Returns the task with the end appended but nothing cut; the store cuts in the same way, and counts."""
    trims = seqio.preprocessors.append_eos_after_trim
    if trims not in task.preprocessors:
        return task
    steps = [seqio.preprocessors.append_eos if step is trims else step for step in task.preprocessors]
    return task.replace(preprocessors=steps)


def _check_features(spec: SplitSpec, specs: Mapping[str, Any]) -> None:
    for name in FEATURES:
        if name not in specs:
            raise T5MixError(
                f"Task {spec.task.name!r}: its preprocessed examples have no {name}; they have "
                f"{', '.join(sorted(specs))}."
            )
        if specs[name].shape.rank != 1 or not specs[name].dtype.is_integer:
            raise T5MixError(
                f"Task {spec.task.name!r}: {name} are {specs[name].dtype.name} of rank "
                f"{specs[name].shape.rank}, where a row of token ids is needed. Does a preprocessor "
                "tokenise them (seqio.preprocessors.tokenize)?"
            )


def _write(
    spec: SplitSpec, path: Path, provenance: dict[str, Any], seed: int, quiet: bool, source_shard: int = 0
) -> TokenStore:
    _remove_stale_drafts(path)
    shard = "".join(f" {name} {provenance[name]}" for name in ("epoch", "shard") if name in provenance)
    title = f"{spec.task.name} {spec.split}{shard}"
    whole = not provenance.get("shard")  # later shards may be unlike the rest: one short shard is no reason to stop
    pairs = examples(spec, seed, source_shard)
    started = time.perf_counter()
    try:
        with progress(None if quiet else title, total=None) as advance:
            store = write_store(
                path,
                counted(_checked(spec, pairs, whole=whole), advance),
                provenance=provenance,
                max_inputs=spec.inputs_length,
                max_targets=spec.targets_length,
            )
    except OSError as error:
        if not is_refused_write(error):
            raise
        raise T5MixError(_no_room(spec, path, error)) from error
    log.info("%s: %d examples in %.1f s", title, len(store), time.perf_counter() - started)
    return store


def _no_room(spec: SplitSpec, path: Path, error: OSError) -> str:
    folder, free = free_space(path.parent)
    name = spec.task.name
    if not is_full(error):
        return f"The token store cannot be written: {error.strerror}. Folder {folder}. Set another store_dir."
    stream = f", or keep only parts of {name} at a time: streamed=[{name}]" if spec.split == TRAIN else ""
    return (
        f"The token store cannot be written: {error.strerror}. Folder {folder}, {data_size(free)} free. "
        f"Make room, or set another store_dir{'' if spec.is_streamed else stream}. Nothing half-written was "
        "left."
    )


def _checked(spec: SplitSpec, pairs: Iterator[TokenizedExample], *, whole: bool) -> Iterator[TokenizedExample]:
    """Passes examples on; raises if an id is not in the vocabulary and, of a whole split, if none is there or fits."""
    name = f"Task {spec.task.name!r}, split {spec.split!r}"
    shortest = dict.fromkeys(FEATURES, np.iinfo(np.int64).max)
    longest = dict.fromkeys(FEATURES, 0)
    sizes = {feature: spec.task.output_features[feature].vocabulary.vocab_size for feature in FEATURES}
    unended = number = 0
    for number, pair in enumerate(pairs, 1):
        for feature, tokens in zip(FEATURES, pair, strict=True):
            if not len(tokens):
                raise T5MixError(f"{name}, example {number - 1}: its {feature} hold no token, not even the end.")
            if tokens.min() < 0 or tokens.max() >= sizes[feature]:
                raise T5MixError(
                    f"{name}, example {number - 1}: {feature} hold the id {_outside(tokens, sizes[feature])}, and "
                    f"the vocabulary has {sizes[feature]} ids. Was it tokenised with another vocabulary?"
                )
            shortest[feature] = min(shortest[feature], len(tokens))
            longest[feature] = max(longest[feature], len(tokens))
        unended += pair[1][-1] != EOS
        yield pair
    if not whole:
        return
    if not number:
        raise T5MixError(f"{name} holds no examples: its size is 0. Check its files and its filters.")
    for feature in FEATURES:
        limit = spec.lengths[feature]
        if shortest[feature] > limit:
            raise T5MixError(
                f"{name}: no {feature} fit into {limit} tokens; they have {shortest[feature]} to "
                f"{longest[feature]}. Set lengths.{feature} to {shortest[feature]} or more "
                f"({longest[feature]} cuts nothing)."
            )
    if unended:
        log.warning(
            "%s: %d of %d targets lack the end of the sequence (id %d), so a model would not learn to stop. "
            "Add seqio.preprocessors.append_eos.",
            *(name, unended, number, EOS),
        )


def _outside(tokens: np.ndarray, size: int) -> int:
    return int(tokens[(tokens < 0) | (tokens >= size)][0])


def _remove_stale_drafts(path: Path) -> None:
    """Removes what crashed writers of this store, or of another shard of its split, left beside it."""
    shards = path.name.startswith("epoch-")
    for draft in path.parent.glob(".epoch-*" if shards else f".{path.name}-*"):
        try:
            newest = max(file.stat().st_mtime for file in [draft, *draft.iterdir()])
        except FileNotFoundError:  # its writer has just finished
            continue
        if time.time() - newest > STALE_SECONDS:
            shutil.rmtree(draft, ignore_errors=True)


def _cached_split(folder: Path, description: Mapping[str, Any], store: TokenStore, *, random: bool) -> CachedSplit:
    return CachedSplit(StoreEntry(str(folder), digest(description), store.counts), random)


def _warn_of_truncation(spec: SplitSpec, entry: StoreEntry) -> None:
    for text in truncation_warnings(spec.task.name, spec.split, spec.lengths, entry):
        log.warning("%s", text)


def truncation_warnings(task: str, split: str, lengths: Mapping[str, int], entry: StoreEntry) -> list[str]:
    """Returns a sentence for each feature of which some examples are cut."""
    counts = entry.counts
    cut = {"inputs": counts.truncated_inputs, "targets": counts.truncated_targets}
    longest = {"inputs": counts.longest_input, "targets": counts.longest_target}
    return [
        f"Task {task}, {split}: {100 * cut[name] / counts.examples:.1f} % of the {name} are cut to "
        f"{lengths[name]} tokens (the longest has {longest[name]}; lengths.{name} sets this)."
        for name in FEATURES
        if cut[name]
    ]
