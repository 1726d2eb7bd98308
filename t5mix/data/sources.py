"""seqio data sources for plain files: TSV, JSON Lines and text.

    source = JsonLinesDataSource({"train": "squad/train.jsonl", "validation": "squad/validation.jsonl"})

Registering one touches no disk; the file is read, and checked line by line, when its data set is asked for.
A field with a list of texts becomes a string tensor of that many elements, which post-processors get as an
array. The columns are held in memory, which the text of a fine-tuning task fits into with ease; a corpus of
many gigabytes belongs in TFDS or TFRecord files.
"""

# TensorFlow's stubs know less than TensorFlow.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
import abc
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.data.rows import Documents, Row, columns_of, read_rows, text_rows
from t5mix.data.tensorflow_setup import seqio, tf
from t5mix.errors import T5MixError

Files = Mapping[str, str | Path]


class FileRowsDataSource(seqio.DataSource, abc.ABC):
    """A source whose splits are files of rows.

    Args:
        files: the file of each split.
    """

    def __init__(self, files: Files) -> None:
        super().__init__(splits=tuple(files))
        self.files = {split: Path(path).expanduser() for split, path in files.items()}

    @abc.abstractmethod
    def columns(self, split: str) -> dict[str, list[Any]]:
        """Reads a split: the values of each field, in the file's order.

        Raises:
            T5MixError: the file is missing or breaks its format; the message names the line.
        """

    @property
    @abc.abstractmethod
    def options(self) -> Mapping[str, Any]:
        """What else than the files' content decides the examples; goes into the fingerprint."""

    @property
    def supports_arbitrary_sharding(self) -> bool:
        """False: a file is read as one piece."""
        return False

    def num_input_examples(self, split: str) -> int:
        """Returns the number of rows; reads the file."""
        return len(next(iter(self.columns(split).values())))

    def list_shards(self, split: str) -> Sequence[str]:
        """Returns the split's file."""
        return [str(self.files[split])]

    def get_dataset(
        self,
        split: str = "train",
        shuffle: bool = True,
        seed: int | None = None,
        shard_info: Any = None,
        **unused: Any,
    ) -> tf.data.Dataset:
        """Returns the split's rows as a data set of dictionaries of tensors."""
        columns = self.columns(split)
        size = len(next(iter(columns.values())))
        dataset = tf.data.Dataset.from_tensor_slices({name: _tensor(column) for name, column in columns.items()})
        if shard_info is not None and shard_info.num_shards > 1:
            dataset = dataset.shard(shard_info.num_shards, shard_info.index)
        return dataset.shuffle(size, seed=seed) if shuffle else dataset


class TsvDataSource(FileRowsDataSource):
    """Tab-separated files with a header line and no quoting; every field is text.

    Args:
        files: the file of each split.
        fields: the columns to keep, by default all.
    """

    def __init__(self, files: Files, fields: Sequence[str] | None = None) -> None:
        super().__init__(files)
        self.fields = None if fields is None else tuple(fields)

    def columns(self, split: str) -> dict[str, list[Any]]:
        """Reads a split's columns."""
        return columns_of(read_rows(self.files[split], "tsv"), self.fields)

    @property
    def options(self) -> Mapping[str, Any]:
        """The columns kept."""
        return {"fields": self.fields}


class JsonLinesDataSource(FileRowsDataSource):
    """Files with a JSON object on each line.

    Args:
        files: the file of each split.
        fields: the fields to keep, by default those of the first line; every line must have them.
    """

    def __init__(self, files: Files, fields: Sequence[str] | None = None) -> None:
        super().__init__(files)
        self.fields = None if fields is None else tuple(fields)

    def columns(self, split: str) -> dict[str, list[Any]]:
        """Reads a split's fields."""
        return columns_of(read_rows(self.files[split], "jsonl"), self.fields)

    @property
    def options(self) -> Mapping[str, Any]:
        """The fields kept."""
        return {"fields": self.fields}


class TextDataSource(FileRowsDataSource):
    """Plain text files, for unlabelled text.

    Args:
        files: the file of each split.
        documents: what one example is: each of the "lines", "paragraphs" between blank lines, or "articles"
            from one WikiText title to the next.
        field: the name given to the text.
        strip: whether white space at the ends of lines goes.
        keep_empty: whether empty lines are examples; only with "lines".
    """

    def __init__(
        self,
        files: Files,
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

    def columns(self, split: str) -> dict[str, list[Any]]:
        """Reads a split's texts."""
        path = self.files[split]
        rows: Iterator[Row] = text_rows(
            path, documents=self.documents, field=self.field, strip=self.strip, keep_empty=self.keep_empty
        )
        columns = columns_of(rows)
        if not columns:
            raise T5MixError(f"{path} holds no text.")
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
