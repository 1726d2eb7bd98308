"""The inputs that a model is to answer, of which there need be no targets: lines, or a template around fields."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from t5mix.errors import T5MixError
from t5mix.sources.declaration import TOLD_AT_ONCE, TaskDeclaration
from t5mix.sources.file_names import Format, Location, format_of, matching_files
from t5mix.sources.opening import check_file
from t5mix.sources.problems import Problems
from t5mix.sources.remote_files import is_url
from t5mix.sources.text_files import lines_of
from t5mix.validation import validate


class InputSummary(NamedTuple):
    """How many inputs there are, and what tells them from others: the SHA-256 of their texts, in hexadecimal."""

    count: int
    sha256: str


class InputTexts:
    """Inputs in their order, which can be gone through more than once.

    Args:
        read: begins at the first input; notes what is wrong with problems.
    """

    def __init__(self, read: Callable[[Problems], Iterator[str]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[str]:
        """Yields the inputs.

        Raises:
            T5MixError: a file or a row is wrong; the message names the line.
        """
        return self._read(Problems())

    def check(self) -> InputSummary:
        """Reads all inputs once, so that whatever is wrong shows before any work is done.

        Raises:
            T5MixError: what is wrong, a line for each, up to twenty.
        """
        problems, count, digest = Problems(TOLD_AT_ONCE), 0, hashlib.sha256()
        with problems.collecting():
            for text in self._read(problems):
                raw = text.encode("utf-8")
                digest.update(b"%d:%b" % (len(raw), raw))
                count += 1
        problems.raise_any()
        return InputSummary(count, digest.hexdigest())


def line_inputs(named: str) -> InputTexts:
    """Returns the lines of text files, divided as those of training; empty ones count.

    Args:
        named: a file, a URL, or a pattern for several; they may be compressed.

    Raises:
        T5MixError: there is no such file, or it has fields and no lines.
    """
    files = matching_files(named)
    for file in files:
        _check_lines(file)
    return InputTexts(lambda problems: (line for file in files for _, line in lines_of(file, problems)))


def _check_lines(file: Location) -> None:
    if not is_url(file) and Path(file).is_dir():
        raise T5MixError(
            f"{file} is a folder. Name its files by a pattern, '{file}/*'; if it is a data set, say what to make of "
            'its fields, --inputs "TEXT {FIELD}".'
        )
    check_file(file)
    if format_of(file, default="text") in ("parquet", "arrow"):
        raise T5MixError(f'{file} has fields, and no lines: say what to make of them, --inputs "TEXT {{FIELD}}".')


def template_inputs(
    template: str,
    named: str,
    *,
    split: str,
    format: Format | None = None,
    delimiter: str | None = None,
    quoting: bool | None = None,
) -> InputTexts:
    """Returns a template filled with the fields of files, as the inputs of a declared task are.

    Args:
        template: see `TaskDeclaration.inputs`. The one field of a text file is `text`; its empty lines count.
        named: a file, a URL, a pattern for several, or a folder with a data set of Hugging Face.
        split: of a data set.
        format: of the files; None for what their names say.
        delimiter: what stands between the values of TSV and CSV files.
        quoting: whether their values may be in quotes.

    Raises:
        T5MixError: the template or an option is impossible, or the format is not clear.
    """
    files: Any = named
    if not is_url(named) and Path(named).expanduser().is_dir():
        files = {"dataset": named}
    elif (format or format_of(named)) == "text":
        files = {"text": named}  # as one side of parallel text, of which every line counts
    declaration = validate(
        TaskDeclaration,
        {
            "files": {split: files},
            "inputs": template,
            "targets": template,  # a declaration has some; they are not read
            "format": format,
            "delimiter": delimiter,
            "quoting": quoting,
        },
    )
    return declared_inputs(declaration, split)


def declared_inputs(declaration: TaskDeclaration, split: str) -> InputTexts:
    """Returns the inputs of a split of a declared task."""
    files = declaration.files[split]
    return InputTexts(lambda problems: (row["inputs"] for row in declaration.inputs_only(files, problems)))
