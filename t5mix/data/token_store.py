"""Token stores: one task's tokenised examples on disk, memory-mapped, checked, written all or nothing.

A store is a folder: `inputs.tokens` and `targets.tokens` (flat little-endian int32), `inputs.offsets`
and `targets.offsets` (int64, one more than there are examples) and `meta.json`, which says what made the
store, how much it holds and the CRC-32 of each file. The folder appears by a rename once all of it is on
disk, so a store that can be seen is whole.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from t5mix.data.ragged import TokenBatch
from t5mix.errors import T5MixError
from t5mix.files import atomic_folder, draft_path, read_json, write_json

FORMAT = 1
META = "meta.json"
"""The file that a complete store holds."""
FEATURES: tuple[str, ...] = ("inputs", "targets")
_CHUNK = 1 << 22  # bytes a checksum reads at a time: bounded memory, and large enough to run at disk speed


class DamagedStoreError(T5MixError):
    """A token store whose files are not what its `meta.json` says."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"The token store {path} is damaged: {problem}. Delete that folder; the next run makes it again."
        )
        self.path = path


class MissingStoreError(FileNotFoundError):
    """There is no store at a path. One that was there may have been deleted, by another run too."""


@dataclasses.dataclass(frozen=True)
class StoreCounts:
    """What a store holds.

    Attributes:
        examples: number of examples; for a training split this is the size that mixing sees.
        input_tokens: tokens in all inputs together, end-of-sequence tokens included.
        target_tokens: the same for the targets.
        truncated_inputs: examples whose inputs were cut to the input length.
        truncated_targets: examples whose targets were cut to the target length.
        longest_input: tokens of the longest input before it was cut.
        longest_target: tokens of the longest target before it was cut.
    """

    examples: int
    input_tokens: int
    target_tokens: int
    truncated_inputs: int = 0
    truncated_targets: int = 0
    longest_input: int = 0
    longest_target: int = 0


@dataclasses.dataclass(frozen=True)
class TokenStore:
    """An opened store. Arrays are memory maps: opening costs no memory, reading costs the pages read.

    Attributes:
        path: its folder.
        provenance: what determined its content, as the writer recorded it.
        counts: how much it holds.
        inputs: int32 tokens of all inputs, one after the other.
        targets: int32 tokens of all targets.
        input_offsets: int64 [examples + 1]; example i has inputs[input_offsets[i] : input_offsets[i + 1]].
        target_offsets: the same for the targets.
    """

    path: Path
    provenance: dict[str, Any]
    counts: StoreCounts
    inputs: np.ndarray
    targets: np.ndarray
    input_offsets: np.ndarray
    target_offsets: np.ndarray

    def __len__(self) -> int:
        return self.counts.examples

    def example(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the int32 tokens (inputs [S], targets [T]) of one example."""
        if not 0 <= index < len(self):
            raise IndexError(f"example {index} of a store of {len(self)}: {self.path}")
        start, stop = self.input_offsets[index : index + 2]
        target_start, target_stop = self.target_offsets[index : index + 2]
        return self.inputs[start:stop], self.targets[target_start:target_stop]


def write_store(
    path: Path,
    batches: Iterable[TokenBatch],
    *,
    provenance: dict[str, Any],
    max_inputs: int,
    max_targets: int,
) -> TokenStore:
    """Writes a store in one pass with bounded memory and opens it.

    Args:
        path: the folder to make. If another process finishes the same store first, that one is kept.
        batches: the examples in the task's own order; each is cut to the lengths below (`Ragged.cut`).
        provenance: JSON-able description of everything that determined the content.
        max_inputs: longest input kept, in tokens.
        max_targets: longest target kept, in tokens.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind under `path`.
    """
    with atomic_folder(path, META) as draft:
        with _Writer(draft) as writer:
            for batch in batches:
                writer.add(batch, (max_inputs, max_targets))
        meta = {
            "format": FORMAT,
            "provenance": provenance,
            "counts": dataclasses.asdict(writer.counts()),
            "files": {name: _checksum(draft / name) for name in _file_names()},
        }
        write_json(draft / META, meta)
    return open_store(path)


def open_store(path: Path, *, verify: bool = True) -> TokenStore:
    """Opens a store, by default after comparing every file with its checksum.

    Raises:
        MissingStoreError: there is no store at `path`, or no longer.
        DamagedStoreError: a file is missing, of another length, or fails its checksum.
    """
    try:
        return _open(path, verify)
    except (OSError, DamagedStoreError) as error:
        if path.exists():
            raise
        raise MissingStoreError(path) from error


def _open(path: Path, verify: bool) -> TokenStore:
    if not (path / META).exists():
        raise DamagedStoreError(path, f"it has no {META}")
    try:
        meta = read_json(path / META)
        counts = StoreCounts(**meta["counts"])
        files = {name: (int(meta["files"][name]["bytes"]), int(meta["files"][name]["crc32"])) for name in _file_names()}
        provenance, version = meta["provenance"], meta["format"]
    except (T5MixError, ValueError, KeyError, TypeError) as error:
        raise DamagedStoreError(path, f"{META} cannot be read ({error!r})") from error
    if version != FORMAT:
        raise DamagedStoreError(path, f"it has format {version}, and this version of t5mix reads {FORMAT}")
    for name in _file_names():
        file = path / name
        if not file.exists():
            raise DamagedStoreError(path, f"{name} is missing")
        size, crc = files[name]
        if file.stat().st_size != size:
            raise DamagedStoreError(path, f"{name} has {file.stat().st_size} bytes, not {size}")
        if verify and _checksum(file)["crc32"] != crc:
            raise DamagedStoreError(path, f"{name} does not match its checksum")
    inputs, targets = (_map(path / f"{feature}.tokens", np.dtype("<i4")) for feature in FEATURES)
    input_offsets, target_offsets = (_map(path / f"{feature}.offsets", np.dtype("<i8")) for feature in FEATURES)
    for offsets, tokens, counted in (
        (input_offsets, inputs, counts.input_tokens),
        (target_offsets, targets, counts.target_tokens),
    ):
        if len(offsets) != counts.examples + 1 or not int(offsets[-1]) == len(tokens) == counted:
            raise DamagedStoreError(path, f"{META} counts other examples or tokens than the files hold")
    return TokenStore(path, provenance, counts, inputs, targets, input_offsets, target_offsets)


def delete_store(path: Path) -> None:
    """Deletes a store, if it is there and ours; who has it open can read on, and nobody else sees a part of it."""
    hidden = draft_path(path)
    with contextlib.suppress(FileNotFoundError, PermissionError):
        path.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


def content_of(path: Path) -> str:
    """Returns what two stores have in common if they hold the same examples in the same order."""
    return json.dumps(read_json(path / META)["files"], sort_keys=True)


class _Writer:
    """Appends examples to the four files of a store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._ends = dict.fromkeys(FEATURES, 0)
        self._truncated = dict.fromkeys(FEATURES, 0)
        self._longest = dict.fromkeys(FEATURES, 0)
        self._examples = 0

    def __enter__(self) -> Self:
        for name in _file_names():
            self._files[name] = open(self._folder / name, "wb", buffering=1 << 20)
        for feature in FEATURES:
            self._files[f"{feature}.offsets"].write(np.int64(0).tobytes())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as closing:  # closes all of them, also where the disk is full
            for file in self._files.values():
                closing.callback(file.close)
            for file in self._files.values() if kind is None else ():
                file.flush()
                os.fsync(file.fileno())

    def add(self, batch: TokenBatch, limits: tuple[int, int]) -> None:
        for feature, rows, limit in zip(FEATURES, batch, limits, strict=True):
            self._longest[feature] = max(self._longest[feature], int(rows.lengths.max(initial=0)))
            self._truncated[feature] += int((rows.lengths > limit).sum())
            kept = rows.cut(limit)
            self._files[f"{feature}.tokens"].write(np.ascontiguousarray(kept.values, "<i4").tobytes())
            ends = self._ends[feature] + kept.ends
            self._files[f"{feature}.offsets"].write(np.ascontiguousarray(ends, "<i8").tobytes())
            self._ends[feature] += len(kept.values)
        self._examples += len(batch[0])

    def counts(self) -> StoreCounts:
        return StoreCounts(
            examples=self._examples,
            input_tokens=self._ends["inputs"],
            target_tokens=self._ends["targets"],
            truncated_inputs=self._truncated["inputs"],
            truncated_targets=self._truncated["targets"],
            longest_input=self._longest["inputs"],
            longest_target=self._longest["targets"],
        )


def _file_names() -> Iterator[str]:
    for feature in FEATURES:
        yield f"{feature}.tokens"
        yield f"{feature}.offsets"


def _checksum(path: Path) -> dict[str, int]:
    crc = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return {"bytes": path.stat().st_size, "crc32": crc}


def _map(path: Path, dtype: np.dtype) -> np.ndarray:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))
