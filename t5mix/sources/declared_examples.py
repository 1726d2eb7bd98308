"""From the rows of a declared task's files to its examples: inputs, targets and answers."""

import functools
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from t5mix.errors import T5MixError
from t5mix.sources.labels import LabelTexts
from t5mix.sources.problems import Problems, RowError
from t5mix.sources.shards import Shard, open_table
from t5mix.sources.tables import FileTable, as_text, field_text, field_texts
from t5mix.sources.templates import Text, compile_template, field_text_of, has_field, template_fields, value_of

if TYPE_CHECKING:
    from t5mix.sources.declaration import TaskDeclaration

log = logging.getLogger(__name__)

ANSWER_SEPARATOR = "|||"
MISSING_LABEL = "-1"
"""What GLUE and Hugging Face's data sets put where a test split has no label."""

ExampleFields = dict[str, Any]
"""The fields of one example."""

Maker = Callable[[Any], ExampleFields]
"""From a row to an example; raises RowError."""


class ExampleReader:
    """Reads examples of a declared task, and knows what has to be the same for all files of a split.

    Args:
        declaration: of the task.
        problems: where rows that are wrong are noted.
        only_inputs: whether targets are left out.
    """

    def __init__(
        self, declaration: "TaskDeclaration", problems: Problems | None = None, *, only_inputs: bool = False
    ) -> None:
        self._task = declaration
        self._problems = Problems() if problems is None else problems
        self._only_inputs = only_inputs
        self._lists: bool | None = None  # whether the target field holds lists, once a row has been seen

    def read(self, shards: list[Shard]) -> Iterator[ExampleFields]:
        """Yields the examples of some shards in their order.

        Raises:
            T5MixError: a file or a row is wrong; none of the shards has examples.
        """
        empty = []
        for shard in shards:
            count = 0
            for example in self.read_shard(shard):
                count += 1
                yield example
            if not count:
                empty.append(str(shard))
        if len(empty) == len(shards):
            raise T5MixError(no_examples(empty) if shards else "No files are named.")
        warn_of_empty(empty)

    def read_shard(self, shard: Shard) -> Iterator[ExampleFields]:
        """Yields the examples of one shard, which may be none.

        Raises:
            T5MixError: the file or a row is wrong.
        """
        table = open_table(shard, self._task.reading, self._problems, self._task.fields())
        make: Maker | None = None
        for number, row in table.rows:
            try:
                make = make or self._maker(table, row)
                example = make(row)
            except RowError as error:
                self._problems.add(f"{table.location(number)}: {error}")
                continue
            yield example

    def _maker(self, table: FileTable, row: Any) -> Maker:
        """Returns what makes an example of each row of a table, of which `row` is the first."""
        task = self._task
        if task.objective is not None:
            text = field_text_of(task.field, table)
            name = "inputs" if self._only_inputs else task.field
            return lambda row: {name: text(row)}
        inputs = compile_template(task.inputs or "", table)
        if self._only_inputs:
            return lambda row: {"inputs": inputs(row)}
        if task.answers is not None:
            return self._maker_of_answers(inputs, task.answers, table)
        targets = task.targets or ""
        if template_fields(targets):
            filled = compile_template(targets, table)
            return lambda row: {"inputs": inputs(row), "targets": filled(row)}
        if task.labels is not None or targets in table.class_names:
            return self._maker_of_labels(inputs, targets, table)
        if self._lists is None:
            self._lists = isinstance(value_of(targets, table)(row), list | tuple)
        if self._lists:
            return self._maker_of_answers(inputs, targets, table)
        text = field_text_of(targets, table)
        return lambda row: {"inputs": inputs(row), "targets": text(row)}

    def _maker_of_labels(self, inputs: Text, field: str, table: FileTable) -> Maker:
        labels = LabelTexts(field, self._task.labels, table.class_names.get(field, ()))
        value = value_of(field, table)
        if table.only_text:
            return lambda row: {"inputs": inputs(row), "targets": labels[value(row)]}
        return lambda row: {"inputs": inputs(row), "targets": labels[field_text(value(row), field)]}

    def _maker_of_answers(self, inputs: Text, field: str, table: FileTable) -> Maker:
        value, no_answer = value_of(field, table), self._task.no_answer

        def make(row: Any) -> ExampleFields:
            answers = answers_of(value(row), field) or [no_answer]
            return {"inputs": inputs(row), "targets": answers[0], "answers": answers}

        return make

    def lacks_targets(self, shards: list[Shard]) -> bool:
        """Says whether the first row has no target: no field for it, nothing in it, or -1 where that is no label.

        Raises:
            T5MixError: a file is wrong.
        """
        task = self._task
        targets = task.targets or task.answers or ""
        for shard in shards:
            table = open_table(shard, task.reading, self._problems, task.fields())
            for _, row in table.rows:
                if not all(has_field(field, table, row) for field in template_fields(targets) or [targets]):
                    return True
                has_labels = task.labels is not None or targets in table.class_names
                value = as_text(value_of(targets, table)(row)) if has_labels else ""
                return value == MISSING_LABEL and MISSING_LABEL not in map(as_text, task.labels or ())
        return False


def answers_of(value: Any, field: str) -> list[str]:
    """Returns the answers that a field holds: a list of texts, which may be empty, or one text with several.

    Raises:
        RowError: it holds something else.
    """
    answers = field_texts(value, field)
    if len(answers) == 1:
        return answers[0].split(ANSWER_SEPARATOR)
    for answer in answers:
        if ANSWER_SEPARATOR in answer:
            raise RowError(f"the answer {answer!r} holds {ANSWER_SEPARATOR!r}.")
    return answers


_warned: set[str] = set()


def warn_of_empty(names: list[str]) -> None:
    """Warns, once for each, of files that hold no examples."""
    new = [name for name in names if name not in _warned]
    _warned.update(new)
    if new:
        log.warning("%s", no_examples(new))


@functools.cache
def warn_of_missing(name: str, missing: int, count: int) -> None:
    """Warns, once for each file, of targets that may stand for missing values."""
    log.warning(
        "%s: %d of %d targets are empty or 'NaN', and a model would learn to write that. If a value is missing there, "
        "leave the rows out.",
        *(name, missing, count),
    )


def no_examples(names: list[str]) -> str:
    """Returns the sentence about files that hold no examples."""
    return f"{', '.join(names)} {'holds' if len(names) == 1 else 'hold'} no examples."
