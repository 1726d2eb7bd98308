"""Materialising: runs a task's preprocessing once and keeps the tokens in a store.

A store's folder is named after its fingerprint, so one that exists is the right one. The training
split of a task whose preprocessing draws at random (span corruption) has a store for each epoch, that of a streamed
task one for each shard of its source in each epoch; both are made shard by shard.
"""

import dataclasses
import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.cache.run_task import FIXED_SEED, TRAIN, SplitSpec
from t5mix.console.progress import progress
from t5mix.console.units import data_size
from t5mix.data.manifest import StoreEntry, has_many_shards, shard_path
from t5mix.data.ragged import Ragged, TokenBatch
from t5mix.data.stream import source_shard_of
from t5mix.data.token_store import FEATURES, TokenStore, open_store, write_store
from t5mix.data.tokenizer import EOS
from t5mix.errors import T5MixError
from t5mix.files import free_space, is_full, is_refused_write, sha256_of_json

STALE_SECONDS = 3600  # an unfinished store that nobody has written to for so long is left from a crash

log = logging.getLogger(__name__)


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
        random = spec.split == TRAIN and spec.task.is_random(spec, source_shard)
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


def _write(
    spec: SplitSpec, path: Path, provenance: dict[str, Any], seed: int, quiet: bool, source_shard: int = 0
) -> TokenStore:
    _remove_stale_drafts(path)
    shard = "".join(f" {name} {provenance[name]}" for name in ("epoch", "shard") if name in provenance)
    title = f"{spec.task.name} {spec.split}{shard}"
    whole = not provenance.get("shard")  # later shards may be unlike the rest: one short shard is no reason to stop
    batches = spec.task.batches(spec, seed, source_shard)
    started = time.perf_counter()
    try:
        with progress(None if quiet else title, total=None) as advance:
            store = write_store(
                path,
                _checked(spec, batches, advance, whole=whole),
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


def _checked(
    spec: SplitSpec, batches: Iterator[TokenBatch], advance: Callable[[int], None], *, whole: bool
) -> Iterator[TokenBatch]:
    """Passes examples on; raises if an id is not in the vocabulary and, of a whole split, if none is there or fits."""
    name = f"Task {spec.task.name!r}, split {spec.split!r}"
    sizes = dict(zip(FEATURES, (entry.size for entry in spec.task.vocabularies()), strict=True))
    shortest = dict.fromkeys(FEATURES, np.iinfo(np.int64).max)
    longest = dict.fromkeys(FEATURES, 0)
    unended = number = 0
    for batch in batches:
        if not len(batch[0]):
            continue
        for feature, rows in zip(FEATURES, batch, strict=True):
            _check_ids(name, number, feature, rows, sizes[feature])
            shortest[feature] = min(shortest[feature], int(rows.lengths.min()))
            longest[feature] = max(longest[feature], int(rows.lengths.max()))
        targets = batch[1]
        unended += int((targets.values[targets.ends - 1] != EOS).sum())
        number += len(targets)
        advance(len(targets))
        yield batch
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


def _check_ids(name: str, before: int, feature: str, rows: Ragged, size: int) -> None:
    """Checks that each of some rows, with so many before them, has tokens, and only those that there are."""
    if not rows.lengths.min():
        example = before + int(rows.lengths.argmin())
        raise T5MixError(f"{name}, example {example}: its {feature} hold no token, not even the end.")
    outside = (rows.values < 0) | (rows.values >= size)
    if outside.any():
        position = int(outside.argmax())
        example = before + int(np.searchsorted(rows.ends, position, side="right"))
        raise T5MixError(
            f"{name}, example {example}: {feature} hold the id {rows.values[position]}, and the vocabulary has {size} "
            "ids. Was it tokenised with another vocabulary?"
        )


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
    return CachedSplit(StoreEntry(str(folder), sha256_of_json(description), store.counts), random)


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
