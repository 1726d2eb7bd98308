"""What a split is read from: files, parallel files or data sets, one shard each; and opening them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.sources.arrow_files import arrow_table
from t5mix.sources.delimited_files import delimited_table
from t5mix.sources.file_names import Files, Format, Location, format_of, matching_files
from t5mix.sources.hub_datasets import DatasetSplit
from t5mix.sources.json_files import json_lines_table, json_table
from t5mix.sources.opening import check_file
from t5mix.sources.problems import Problems
from t5mix.sources.remote_files import is_url
from t5mix.sources.tables import FileTable
from t5mix.sources.text_files import Documents, ParallelFiles, parallel_files, text_table
from t5mix.validation import validate

Shard = Location | ParallelFiles | DatasetSplit
"""What is read as a whole."""

_HEADER = 4096
"""Bytes that a file without rows has at most: those of its header."""

_DATASET_KEYS = ("dataset", "config", "split", "revision")


@dataclass(frozen=True)
class ReadingOptions:
    """How files are read.

    Attributes:
        format: of all files; None for what their names say.
        documents: what a row of a text file is.
        field: the name that a text file's rows give to their text.
        delimiter: what stands between the values of TSV and CSV files; None for a tab, or a comma.
        quoting: whether their values may be in quotes; None for what the format has: CSV does, TSV does not.
        columns: the names of their columns, where they have no header line.
    """

    format: Format | None = None
    documents: Documents = "lines"
    field: str = "text"
    delimiter: str | None = None
    quoting: bool | None = None
    columns: tuple[str, ...] = ()


def shards_of(named: Any) -> list[Shard]:
    """Returns what a split is read from, in order.

    Args:
        named: a file, a URL, a pattern, a mapping `{field: files}` for parallel text, a mapping with `dataset`, shards,
            or a sequence of these.

    Raises:
        T5MixError: no file matches a pattern, or parallel text has different numbers of files.
    """
    if isinstance(named, ParallelFiles | DatasetSplit):
        return [named]
    if isinstance(named, Mapping):
        if "dataset" in named:
            return [DatasetSplit(**named)]
        fields = {name: matching_files(files) for name, files in named.items()}
        if len({len(files) for files in fields.values()}) > 1:
            counts = ", ".join(f"{len(files)} for {name}" for name, files in fields.items())
            raise T5MixError(f"Parallel text needs as many files for each field; there are {counts}.")
        return [*parallel_files(fields)]
    if isinstance(named, str | Path):
        return [*matching_files(named)]
    return [shard for entry in named for shard in shards_of(entry)]


def files_of(named: Files | Any) -> list[Any]:
    """Returns the files that a split is read from: paths, and URLs as texts. Those of a pattern come in the order of
    their names; those of parallel text one pair after the other.

    Raises:
        T5MixError: no file matches a pattern. A file that is named and missing is found out when it is read.
    """
    return [file for shard in shards_of(named) for file in files_of_shard(shard)]


def files_of_shard(shard: Shard) -> list[Location]:
    """Returns the files of one shard; of a data set, those that hold it on this machine.

    Raises:
        T5MixError: a data set cannot be loaded.
    """
    if isinstance(shard, ParallelFiles):
        return [location for _, location in shard.files]
    return [*shard.files()] if isinstance(shard, DatasetSplit) else [shard]


def shard_name(shard: Shard) -> str:
    """Returns what a shard is called: a file's path, of parallel text that of the first."""
    return str(shard.files[0][1] if isinstance(shard, ParallelFiles) else shard)


def part_of_files(shard: Shard) -> str:
    """Returns what decides, next to the content of its files, what examples a shard holds."""
    if isinstance(shard, DatasetSplit):
        return f"{shard.config} {shard.split}"
    return " ".join(name for name, _ in shard.files) if isinstance(shard, ParallelFiles) else ""


def check_shard(shard: Shard) -> None:
    """Checks that the local files of a shard are there.

    Raises:
        T5MixError: one is missing.
    """
    if not isinstance(shard, DatasetSplit):
        for location in files_of_shard(shard):
            check_file(location)


def without_empty(shards: Sequence[Shard], options: ReadingOptions) -> list[Shard]:
    """Returns the shards that have rows, or all if none has; only small local files are looked into."""
    return [shard for shard in shards if not _is_empty(shard, options)] or [*shards]


def _is_empty(shard: Shard, options: ReadingOptions) -> bool:
    if isinstance(shard, DatasetSplit) or any(is_url(file) for file in files_of_shard(shard)):
        return False
    paths = [Path(file) for file in files_of_shard(shard)]
    if any(not path.is_file() or path.stat().st_size > _HEADER for path in paths):
        return False
    try:
        return next(iter(open_table(shard, options, Problems()).rows), None) is None
    except T5MixError:  # found out when it is read
        return False


def open_table(
    shard: Shard, options: ReadingOptions, problems: Problems, wanted: Collection[str] | None = None
) -> FileTable:
    """Opens a shard; its rows are read as they are asked for.

    Args:
        shard: what to read.
        options: how.
        problems: where rows that break the format are noted.
        wanted: the fields that are needed, the others need not be read; None for all.

    Raises:
        T5MixError: a file is missing, or breaks its format beyond a row.
    """
    if isinstance(shard, ParallelFiles):
        return shard.table(problems)
    if isinstance(shard, DatasetSplit):
        return shard.table(wanted)
    format = options.format or format_of(shard)
    match format:
        case "tsv" | "csv":
            quoting = format == "csv" if options.quoting is None else options.quoting
            delimiter = options.delimiter or ("," if format == "csv" else "\t")
            return delimited_table(shard, problems, delimiter=delimiter, quoting=quoting, names=options.columns)
        case "jsonl":
            return json_lines_table(shard, problems)
        case "json":
            return json_table(shard, problems)
        case "parquet" | "arrow":
            return arrow_table(shard, format, wanted)
    return text_table(shard, problems, options.documents, options.field)


def checked_files(split: str, named: Any, options: ReadingOptions) -> Any:
    """Returns what a declaration names as the files of a split, checked without a look at the disk.

    Raises:
        ValueError: it is nothing that `shards_of` takes, or a file's format is not clear from its name.
        T5MixError: a data set has an unknown setting.
    """
    key = f"files.{split}"
    if isinstance(named, str) and named:
        if options.format is None:
            _check_format(named)
        return named
    if isinstance(named, Mapping) and named:
        return _checked_mapping(key, split, named, options)
    if isinstance(named, Sequence) and named and not isinstance(named, str | bytes):
        checked = [checked_files(split, entry, options) for entry in named]
        return tuple(entry for files in checked for entry in (files if isinstance(files, tuple) else [files]))
    raise ValueError(
        f"{key} is {named!r}: give a file, a pattern, a list of files, {{inputs: FILE, targets: FILE}} for parallel "
        "text, or {dataset: NAME} for a data set"
    )


def _checked_mapping(key: str, split: str, named: Mapping[Any, Any], options: ReadingOptions) -> dict[str, Any]:
    if any(name in _DATASET_KEYS for name in named):
        source = validate(DatasetSplit, {"split": split, **{k: v for k, v in named.items() if v is not None}}, key)
        if not source.dataset:
            raise ValueError(f"{key}.dataset is empty: give a folder or the name of a data set")
        return {name: value for name in _DATASET_KEYS if (value := getattr(source, name)) is not None}
    if options.format not in (None, "text"):
        raise ValueError(f"format is {options.format}, and {key} names parallel text; leave format out")
    for name, files in named.items():
        listed = files if isinstance(files, list | tuple) else [files]
        if not isinstance(name, str) or not listed or not all(isinstance(file, str) and file for file in listed):
            raise ValueError(
                f"{key} is {dict(named)!r}: parallel text is a file, or a list of files, for the name of each field, "
                "such as {inputs: train.en, targets: train.de}; a data set is {dataset: NAME}"
            )
    return {name: files if isinstance(files, str) else tuple(files) for name, files in named.items()}


def _check_format(named: str) -> None:
    try:
        format_of(named)
    except T5MixError as error:
        raise ValueError(str(error).removesuffix(".")) from error
