"""Reading Parquet and Arrow files batch by batch, with pyarrow, which is loaded where one is met."""

from collections.abc import Collection, Iterator, Sequence
from typing import IO, Any

from t5mix.errors import T5MixError
from t5mix.sources.file_names import Location
from t5mix.sources.opening import seekable
from t5mix.sources.tables import FileTable, check_columns, is_wanted

_BATCH = 1024


def arrow_table(location: Location, format: str, wanted: Collection[str] | None) -> FileTable:
    """Opens a Parquet or Arrow file.

    Args:
        location: the file.
        format: "parquet" or "arrow"; an Arrow file may be a Feather file, or a stream as `datasets` writes it.
        wanted: the fields that are needed, the others need not be read; None for all.

    Raises:
        T5MixError: the file is missing or not of its format, or pyarrow is not installed.
    """
    batches = _batches(location, format, wanted)
    columns: Sequence[str] = next(batches)
    check_columns(location, columns, "")
    return FileTable(str(location), tuple(columns), _rows(location, batches, columns), unit="row")


def _rows(location: Location, batches: Iterator[Any], columns: Sequence[str]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yields the rows; what is in columns that were not read is None."""
    number = 0
    for batch in batches:
        values = [
            _values(location, batch.column(name), name) if name in batch.schema.names else [None] * batch.num_rows
            for name in columns
        ]
        for row in zip(*values, strict=True):
            number += 1
            yield number, row


def _values(location: Location, column: Any, name: str) -> list[Any]:
    try:
        return to_python(column)
    except (ValueError, OverflowError) as error:  # pyarrow's own among them
        raise T5MixError(
            f"{location}: the column {name!r}, of Arrow's type {column.type}, holds values that cannot be read "
            f"({_first_line(error)}). Save it as text."
        ) from error


def _batches(location: Location, format: str, wanted: Collection[str] | None) -> Iterator[Any]:
    """Yields the names of all columns, then record batches."""
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise T5MixError(f"To read {location}, install pyarrow: pip install 't5mix[parquet]'.") from error
    with seekable(location) as file:
        try:
            if format == "parquet":
                reader = pyarrow.parquet.ParquetFile(file)
                names = reader.schema_arrow.names
                yield names
                yield from reader.iter_batches(_BATCH, columns=_needed(names, wanted))
            else:
                reader = _arrow_reader(pyarrow, file)
                yield reader.schema.names
                needed = _needed(reader.schema.names, wanted)
                for batch in _arrow_batches(reader):
                    for start in range(0, batch.num_rows, _BATCH):
                        yield batch.select(needed).slice(start, _BATCH)
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise T5MixError(
                f"{location} cannot be read as {format} ({_first_line(error)}). It is another format, cut short or "
                "damaged."
            ) from error


def _arrow_reader(pyarrow: Any, file: IO[bytes]) -> Any:
    try:
        return pyarrow.ipc.open_file(file)
    except pyarrow.ArrowInvalid:
        file.seek(0)
        return pyarrow.ipc.open_stream(file)


def _arrow_batches(reader: Any) -> Iterator[Any]:
    if hasattr(reader, "num_record_batches"):
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        yield from reader


def _needed(names: Sequence[str], wanted: Collection[str] | None) -> list[str]:
    return [name for name in names if is_wanted(name, wanted)]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def to_python(column: Any) -> list[Any]:
    """Returns the values of an Arrow array: text, numbers, booleans, lists and objects; dates as text."""
    import pyarrow

    types = pyarrow.types
    kind = column.type
    if types.is_dictionary(kind):
        return to_python(column.dictionary_decode())
    if types.is_float16(kind) or types.is_float32(kind):  # 0.1 is to stay 0.1, not to become 0.10000000149011612
        single = column.to_numpy(zero_copy_only=False)
        return [float(str(number)) if valid else None for number, valid in zip(single, _valid(column), strict=True)]
    if types.is_temporal(kind) and not types.is_duration(kind):
        return column.cast(pyarrow.string()).to_pylist()
    return column.to_pylist()


def _valid(column: Any) -> list[bool]:
    return column.is_valid().to_pylist()
