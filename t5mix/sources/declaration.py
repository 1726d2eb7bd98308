"""Tasks declared in configuration alone: files, a template and labels, without a line of Python.

    tasks:
      sst2:
        files: {train: sst2/train.tsv, validation: sst2/validation.tsv}
        inputs: "sst2 sentence: {sentence}"
        targets: label
        labels: {0: negative, 1: positive}
        metrics: [accuracy]

This module needs neither TensorFlow nor seqio; `t5mix.cache.seqio_tasks` makes a seqio task of each.
"""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field as dataclass_field
from typing import Any, Literal

from t5mix.configurable import configurable
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sources.file_readers import (
    Documents,
    FileRow,
    Files,
    Format,
    as_text,
    check_file,
    files_of,
    format_of,
    read_rows,
)
from t5mix.validation import validate

ANSWER_SEPARATOR = "|||"
LabelValue = str | int | float | bool


@configurable
class TaskDeclaration:
    """A task that is a set of files and the text around their fields.

    Attributes:
        files: the files of each split: a name, a pattern such as part-*.txt, or a list of them.
        format: of all files; by default what their names say.
        inputs: template of the input text; `{name}` stands for the field of that name.
        targets: the field that holds the target, or a template.
        labels: what each value of the target field reads in the target text; other values are errors.
        answers: a field with one or more right answers; the first is the target, metrics see all of them.
        metrics: names of metrics in `t5mix.metrics`, or {name: {option: value}} (see `t5mix.metrics.catalogue`).
        objective: for unlabelled text: "span_corruption" or "lm", in place of inputs and targets.
        field: the field that holds the unlabelled text.
        documents: what an example of a text file is: each of the "lines", "paragraphs" between blank lines, or
            "articles" from one WikiText title to the next.
        noise_density: share of the tokens that span corruption hides.
        mean_span_length: mean tokens of a hidden span.
    """

    files: Mapping[str, str | Sequence[str]]
    format: Format | None = None
    inputs: str | None = None
    targets: str | None = None
    labels: Mapping[LabelValue, str] | None = None
    answers: str | None = None
    metrics: tuple[Any, ...] = dataclass_field(default_factory=tuple)
    objective: Literal["span_corruption", "lm"] | None = None
    field: str = "text"
    documents: Documents = "lines"
    noise_density: float = 0.15
    mean_span_length: float = 3.0

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError("files names no split; give at least {train: path}")
        if self.objective is None:
            self._check_labelled()
        else:
            self._check_unlabelled()

    def _check_labelled(self) -> None:
        if self.inputs is None or (self.targets is None) == (self.answers is None):
            raise ValueError(
                "a task needs inputs and exactly one of targets and answers; for unlabelled text, set objective "
                "to span_corruption or lm"
            )
        if not template_fields(self.inputs):
            raise ValueError(f"inputs {self.inputs!r} names no field; write the field's name in braces, {{name}}")
        if self.targets is not None and "{" in self.targets and not template_fields(self.targets):
            raise ValueError(f"targets {self.targets!r} names no field")
        if self.labels is not None and (self.targets is None or "{" in self.targets):
            raise ValueError("labels needs targets to be the name of a field, not a template or answers")
        if self.labels is not None and not self.labels:
            raise ValueError("labels is empty")

    def _check_unlabelled(self) -> None:
        given = [name for name in ("inputs", "targets", "labels", "answers") if getattr(self, name) is not None]
        if given:
            raise ValueError(
                f"objective {self.objective} makes inputs and targets itself; leave out {', '.join(given)}"
            )
        if not 0 < self.noise_density < 1 or self.mean_span_length < 1:
            raise ValueError("noise_density must lie between 0 and 1, and mean_span_length be at least 1")

    def choices(self) -> tuple[str, ...]:
        """Returns every target text that the labels allow, without repeats."""
        return tuple(dict.fromkeys((self.labels or {}).values()))

    def fields(self) -> tuple[str, ...]:
        """Returns the names of the file's fields that the task reads."""
        if self.objective is not None:
            return (self.field,)
        targets = self.targets or ""
        named = [*template_fields(self.inputs or ""), *(template_fields(targets) or [targets])]
        return tuple(dict.fromkeys(name for name in [*named, self.answers] if name))

    def examples(self, files: Files) -> Iterator[dict[str, Any]]:
        """Yields the examples of some files in their order: `inputs`, `targets` and, if declared, the answers.

        Of unlabelled text it yields the text alone, under the name of its field.

        Raises:
            T5MixError: a file breaks its format, lacks a field, or holds a label that is not declared; the
                message names the line.
        """
        labels = {as_text(value): text for value, text in (self.labels or {}).items()}
        for row in self._rows(files):
            if self.objective is not None:
                yield {self.field: row.text(self.field)}
            elif self.answers is not None:
                answers = self._answers(row, self.answers)
                yield {"inputs": self._fill(row, self.inputs or ""), "targets": answers[0], "answers": answers}
            else:
                yield {"inputs": self._fill(row, self.inputs or ""), "targets": self._target(row, labels)}

    def check(self, splits: Iterable[str] | None = None) -> None:
        """Reads every file once, so that whatever is wrong shows before any work is done.

        Args:
            splits: those to read; None for all.

        Raises:
            T5MixError: see `examples`.
        """
        for split in self.files if splits is None else splits:
            for _ in self.examples(self.files[split]):
                pass

    def check_beginning(self) -> None:
        """Makes the first example of each split, so that wrong names of files and fields show within moments.

        Raises:
            T5MixError: a file is missing, or see `examples`.
        """
        for files in self.files.values():
            for path in files_of(files):
                check_file(path)
            next(self.examples(files), None)

    def _rows(self, files: Files) -> Iterator[FileRow]:
        for path in files_of(files):
            yield from read_rows(path, self.format, documents=self.documents, field=self.field)

    def _fill(self, row: FileRow, template: str) -> str:
        return template.format(**{name: row.text(name) for name in template_fields(template)})

    def _target(self, row: FileRow, labels: Mapping[str, str]) -> str:
        targets = self.targets or ""
        if "{" in targets:
            return self._fill(row, targets)
        value = row.text(targets)
        if not labels:
            return value
        if value not in labels:
            raise T5MixError(
                f"{row.location}: {targets} is {value!r}, which labels does not list. "
                f"It lists {', '.join(labels)}; add the value there or mend the file."
            )
        return labels[value]

    def _answers(self, row: FileRow, field: str) -> list[str]:
        answers = row.texts(field)
        for answer in answers:
            if ANSWER_SEPARATOR in answer and len(answers) > 1:
                raise T5MixError(f"{row.location}: the answer {answer!r} holds {ANSWER_SEPARATOR!r}.")
        return answers[0].split(ANSWER_SEPARATOR) if len(answers) == 1 else answers


def template_fields(template: str) -> list[str]:
    """Returns the names of the fields in a template, in order; doubled braces stand for themselves.

    Raises:
        ValueError: a brace is left open, or a field has no plain name.
    """
    names = []
    for _, name, form, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(
                f"template {template!r}: {{{name}}} is no plain field name; write {{name}}, and {{{{ }}}} for braces"
            )
        names.append(name)
    return names


def task_declaration(name: str, raw: Mapping[str, Any]) -> TaskDeclaration:
    """Makes a declared task of what a data request holds.

    Raises:
        T5MixError: a key is unknown, or the combination is impossible.
    """
    keys = TaskDeclaration.__dataclass_fields__  # type: ignore[attr-defined]
    for key in raw:
        if key not in keys:
            raise UnknownNameError(f"key of the declared task {name!r},", key, keys)
    try:
        task = validate(TaskDeclaration, {key: value for key, value in raw.items() if value is not None})
        for named in task.files.values() if task.format is None else ():
            for path in [named] if isinstance(named, str) else named:
                format_of(path)
    except T5MixError as error:
        raise T5MixError(f"Declared task {name!r}: {error}{_advice(raw)}") from error
    return task


def _advice(raw: Mapping[str, Any]) -> str:
    """Returns what to write in place of values that YAML reads as something else than was meant."""
    if isinstance(raw.get("files"), str):
        return f" Write files: {{train: {raw['files']}}}."
    for key in ("inputs", "targets"):
        if isinstance(value := raw.get(key), Mapping):
            return f' Put the template in quotes: "{{{", ".join(map(str, value))}}}".'
    return ""
