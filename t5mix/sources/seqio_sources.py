"""seqio data sources for plain files: TSV, JSON Lines and text.

    source = JsonLinesDataSource({"train": "squad/train.jsonl", "validation": "squad/validation.jsonl"})

A split is a file, a pattern for several, or a list of both; each file is a shard. Registering touches no disk; a file
is read, and checked line by line, when its data set is asked for.
A field with a list of texts becomes a string tensor of that many elements, which post-processors get as an
array. The columns are held in memory, which the text of a fine-tuning task fits into with ease; a corpus of
many gigabytes should be many files and its task streamed, or belongs in TFDS or TFRecord files.
"""

# TensorFlow's stubs know less than TensorFlow.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
import abc
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from t5mix.errors import T5MixError
from t5mix.sources.file_names import Location
from t5mix.sources.file_readers import Documents, Files, columns_of, read_rows, text_rows
from t5mix.sources.shards import (
    ReadingOptions,
    Shard,
    files_of_shard,
    part_of_files,
    shard_name,
    shards_of,
    without_empty,
)
from t5mix.tensorflow_setup import seqio, tf


class FileRowsDataSource(seqio.DataSource, abc.ABC):
    """A source whose splits are files of rows.

    Args:
        files: the files of each split: a name, a pattern, or several of them.
    """

    def __init__(self, files: Mapping[str, Any]) -> None:
        super().__init__(splits=tuple(files))
        self.files = dict(files)

    @abc.abstractmethod
    def columns(self, paths: Sequence[Any]) -> dict[str, list[Any]]:
        """Reads files: the values of each field, in the files' order.

        Raises:
            T5MixError: a file is missing or breaks its format; the message names the line.
        """

    @property
    @abc.abstractmethod
    def options(self) -> Mapping[str, Any]:
        """What else than the files' content decides the examples; goes into the fingerprint."""

    @property
    def reading(self) -> ReadingOptions:
        """How files are read, to find out whether one is empty."""
        return ReadingOptions()

    @property
    def supports_arbitrary_sharding(self) -> bool:
        """False: a file is read as a whole."""
        return False

    def num_input_examples(self, split: str) -> int:
        """Returns the number of rows; reads the files."""
        return len(next(iter(self.columns(self._shards(split)).values())))

    def list_shards(self, split: str) -> Sequence[str]:
        """Returns the split's files, but for those without examples; of parallel text, the first of each pair."""
        return [shard_name(shard) for shard in self._shards(split)]

    def _shards(self, split: str) -> list[Shard]:
        return without_empty(shards_of(self.files[split]), self.reading)

    def contents(self, split: str) -> list[tuple[str, list[Location]]]:
        """Returns what the split's examples depend on: for each shard what is read of its files, and the files."""
        return [(part_of_files(shard), files_of_shard(shard)) for shard in shards_of(self.files[split])]

    def get_dataset(
        self,
        split: str = "train",
        shuffle: bool = True,
        seed: int | None = None,
        shard_info: Any = None,
        **unused: Any,
    ) -> tf.data.Dataset:
        """Returns the split's rows as a data set of dictionaries of tensors; of some files only, where asked."""
        paths, index, shards = self._shards(split), 0, 1
        if shard_info is not None and shard_info.num_shards > 1:
            index, shards = shard_info.index, shard_info.num_shards
        by_file = len(paths) >= shards  # if not, rows are dealt out
        columns = self.columns(paths[index::shards] if by_file else paths)
        size = len(next(iter(columns.values())))
        dataset = tf.data.Dataset.from_tensor_slices({name: _tensor(column) for name, column in columns.items()})
        if not by_file:
            dataset = dataset.shard(shards, index)
        return dataset.shuffle(size, seed=seed) if shuffle else dataset


class TsvDataSource(FileRowsDataSource):
    """Tab-separated files with a header line and no quoting; every field is text.

    Args:
        files: the files of each split.
        fields: the columns to keep, by default all.
    """

    def __init__(self, files: Mapping[str, Files], fields: Sequence[str] | None = None) -> None:
        super().__init__(files)
        self.fields = None if fields is None else tuple(fields)

    @property
    def reading(self) -> ReadingOptions:
        """The format."""
        return ReadingOptions("tsv")

    def columns(self, paths: Sequence[Any]) -> dict[str, list[Any]]:
        """Reads the files' columns."""
        return columns_of(itertools.chain.from_iterable(read_rows(path, "tsv") for path in paths), self.fields)

    @property
    def options(self) -> Mapping[str, Any]:
        """The columns kept."""
        return {"fields": self.fields}


class JsonLinesDataSource(FileRowsDataSource):
    """Files with a JSON object on each line.

    Args:
        files: the files of each split.
        fields: the fields to keep, by default those of the first line; every line must have them.
    """

    def __init__(self, files: Mapping[str, Files], fields: Sequence[str] | None = None) -> None:
        super().__init__(files)
        self.fields = None if fields is None else tuple(fields)

    @property
    def reading(self) -> ReadingOptions:
        """The format."""
        return ReadingOptions("jsonl")

    def columns(self, paths: Sequence[Any]) -> dict[str, list[Any]]:
        """Reads the files' fields."""
        return columns_of(itertools.chain.from_iterable(read_rows(path, "jsonl") for path in paths), self.fields)

    @property
    def options(self) -> Mapping[str, Any]:
        """The fields kept."""
        return {"fields": self.fields}


class TextDataSource(FileRowsDataSource):
    """Plain text files, for unlabelled text.

    Args:
        files: the files of each split.
        documents: what one example is: each of the "lines", "paragraphs" between blank lines, or "articles"
            from one WikiText title to the next.
        field: the name given to the text.
        strip: whether white space at the ends of lines goes.
        keep_empty: whether empty lines are examples; only with "lines".
    """

    def __init__(
        self,
        files: Mapping[str, Files],
        *,
        documents: Documents = "lines",
        field: str = "text",
        strip: bool = True,
        keep_empty: bool = False,
    ) -> None:
        super().__init__(files)
        self.documents: Documents = documents
        self.field = field
        self.strip = strip
        self.keep_empty = keep_empty

    @property
    def reading(self) -> ReadingOptions:
        """The format."""
        return ReadingOptions("text")

    def columns(self, paths: Sequence[Any]) -> dict[str, list[Any]]:
        """Reads the files' texts."""
        columns = columns_of(
            row
            for path in paths
            for row in text_rows(
                path, documents=self.documents, field=self.field, strip=self.strip, keep_empty=self.keep_empty
            )
        )
        if not columns:
            raise T5MixError(f"{', '.join(map(str, paths))} holds no text.")
        return columns

    @property
    def options(self) -> Mapping[str, Any]:
        """How lines become examples."""
        return {
            "documents": self.documents,
            "field": self.field,
            "strip": self.strip,
            "keep_empty": self.keep_empty,
        }


def _tensor(column: Sequence[Any]) -> Any:
    if isinstance(column[0], list):
        flat = list(itertools.chain.from_iterable(column))
        return tf.RaggedTensor.from_row_lengths(tf.constant(flat, tf.string), [len(texts) for texts in column])
    kinds = {str: tf.string, int: tf.int64, float: tf.float64, bool: tf.bool}
    return tf.constant(column, kinds[type(column[0])])
