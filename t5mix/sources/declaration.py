"""Tasks declared in configuration alone: files, a template and labels, without a line of Python.

    tasks:
      sst2:
        files: {train: sst2/train.tsv, validation: sst2/validation.tsv}
        inputs: "sst2 sentence: {sentence}"
        targets: label
        labels: {0: negative, 1: positive}
        metrics: [accuracy]

This module needs neither TensorFlow nor seqio; `t5mix.cache.declared_in_seqio` makes a seqio task of each.
"""

import datetime
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field as dataclass_field
from typing import Any, Literal

from t5mix.configurable import configurable
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sources.declared_examples import (
    ANSWER_SEPARATOR,
    ExampleFields,
    ExampleReader,
    no_examples,
    warn_of_empty,
    warn_of_missing,
)
from t5mix.sources.file_names import Format, format_of
from t5mix.sources.hub_datasets import DatasetSplit
from t5mix.sources.labels import LabelValue, checked_labels
from t5mix.sources.problems import Problems
from t5mix.sources.shards import ReadingOptions, check_shard, checked_files, shards_of
from t5mix.sources.tables import as_text
from t5mix.sources.templates import template_fields
from t5mix.sources.text_files import Documents
from t5mix.validation import validate

__all__ = ["ANSWER_SEPARATOR", "LabelValue", "TaskDeclaration", "task_declaration", "template_fields"]

TOLD_AT_ONCE = 20
"""How many errors of files are told together."""

_MISSING = ("", "NaN", "nan")
"""What stands in text files where a value is missing, pandas' among them; it may also be meant."""

_ALWAYS_WITH_TARGETS = ("train", "validation")


@configurable
class TaskDeclaration:
    """A task that is a set of files and the text around their fields.

    Attributes:
        files: what each split is read from: a file, a URL, a pattern such as part-*.txt, a list of these; a mapping
            `{inputs: files, targets: files}` of parallel text, each line a field; or a mapping with `dataset` and, if
            need be, `config`, `split` and `revision`, of Hugging Face.
        format: of all files; by default what their names say.
        inputs: template of the input text; `{name}` stands for the field of that name, `{name.other}` for a field
            within it.
        targets: the field that holds the target, or a template. If the field holds a list, the first entry is the
            target, and metrics see all.
        labels: what each value of the target field reads in the target text; other values are errors. A data set's own
            names of classes serve where it is left out.
        answers: a field with one or more right answers; the first is the target, metrics see all of them.
        no_answer: the target where a list of answers is empty.
        metrics: names of metrics in `t5mix.metrics`, or {name: {option: value}} (see `t5mix.metrics.catalogue`).
        objective: for unlabelled text: "span_corruption" or "lm", in place of inputs and targets.
        field: the field that holds the unlabelled text.
        documents: what an example of a text file is: each of the "lines", "paragraphs" between blank lines, or
            "articles" from one WikiText title to the next.
        delimiter: what stands between the values of TSV and CSV files: a tab and a comma, if nothing is said.
        quoting: whether values of TSV and CSV files may be in quotes, as RFC 4180 has it; by default those of CSV.
        columns: the names of the columns of TSV and CSV files that have no header line.
        noise_density: share of the tokens that span corruption hides.
        mean_span_length: mean tokens of a hidden span.
    """

    files: Mapping[str, Any]
    format: Format | None = None
    inputs: str | None = None
    targets: str | None = None
    labels: Mapping[LabelValue, str] | None = None
    answers: str | None = None
    no_answer: str = ""
    metrics: tuple[Any, ...] = dataclass_field(default_factory=tuple)
    objective: Literal["span_corruption", "lm"] | None = None
    field: str = "text"
    documents: Documents = "lines"
    delimiter: str | None = None
    quoting: bool | None = None
    columns: tuple[str, ...] = ()
    noise_density: float = 0.15
    mean_span_length: float = 3.0

    def __post_init__(self) -> None:
        if not self.files:
            raise ValueError("files names no split; give at least {train: path}")
        files = {split: checked_files(split, named, self.reading) for split, named in self.files.items()}
        object.__setattr__(self, "files", files)
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '\r\n"'):
            raise ValueError(
                f"delimiter is {self.delimiter!r}: it must be one character, such as ';' or a tab, \"\\t\""
            )
        of_delimited = [name for name in ("delimiter", "quoting", "columns") if getattr(self, name) not in (None, ())]
        if of_delimited and not self._formats(files.values()) & {"tsv", "csv"}:
            given = " and ".join(of_delimited)
            raise ValueError(f"only TSV and CSV files have {given}, and there are none; leave {given} out")
        if twice := sorted({name for name in self.columns if self.columns.count(name) > 1}):
            raise ValueError(f"columns names {', '.join(twice)} twice; each column has a name of its own")
        if self.objective is None:
            self._fill_in_parallel_fields()
            self._check_labelled()
        else:
            self._check_unlabelled()

    @property
    def reading(self) -> ReadingOptions:
        """How the files are read."""
        return ReadingOptions(self.format, self.documents, self.field, self.delimiter, self.quoting, self.columns)

    def _formats(self, named: Iterable[Any]) -> set[str]:
        """Returns the formats of the files that splits name."""
        entries = [entry for files in named for entry in (files if isinstance(files, tuple) else [files])]
        return {self.format or format_of(entry) for entry in entries if isinstance(entry, str)}

    def _fill_in_parallel_fields(self) -> None:
        """Takes the fields inputs and targets of parallel text for what they are called, if nothing else is said."""
        fields = [set(named) for named in self.files.values() if isinstance(named, Mapping)]
        if self.inputs is None and len(fields) == len(self.files) and all("inputs" in names for names in fields):
            object.__setattr__(self, "inputs", "{inputs}")
        if self.targets is None and self.answers is None and any("targets" in names for names in fields):
            object.__setattr__(self, "targets", "targets")

    def _check_labelled(self) -> None:
        if self.inputs is None or (self.targets is None) == (self.answers is None):
            raise ValueError(
                "a task needs inputs and exactly one of targets and answers; for unlabelled text, set objective "
                "to span_corruption or lm"
            )
        if not template_fields(self.inputs):
            raise ValueError(f"inputs {self.inputs!r} names no field; write the field's name in braces, {{name}}")
        for key in ("targets", "answers"):
            if (value := getattr(self, key)) is not None and not value.strip():
                raise ValueError(f"{key} is empty; name the field that holds the target")
        targets = self.targets or ""
        if any(brace in targets for brace in "{}") and not template_fields(targets):
            raise ValueError(f"targets {self.targets!r} names no field")
        if self.labels is not None:
            if self.targets is None or template_fields(targets):
                raise ValueError("labels needs targets to be the name of a field, not a template or answers")
            checked_labels(self.labels)
        texts = {"inputs": self.inputs, "targets": targets, "no_answer": self.no_answer}
        for key, text in [*texts.items(), *(("labels", text) for text in (self.labels or {}).values())]:
            if not _is_unicode(text):
                raise ValueError(f"{key} {text!r} holds half a character, which is not Unicode text")

    def _check_unlabelled(self) -> None:
        given = [name for name in ("inputs", "targets", "labels", "answers") if getattr(self, name) is not None]
        if given:
            raise ValueError(
                f"objective {self.objective} makes inputs and targets itself; leave out {', '.join(given)}"
            )
        if not 0 < self.noise_density < 1 or not 1 <= self.mean_span_length < float("inf"):
            raise ValueError("noise_density must lie between 0 and 1, and mean_span_length be at least 1")
        if not self.field:
            raise ValueError("field is empty; name the field that holds the text")

    def choices(self) -> tuple[str, ...]:
        """Returns every target text that the labels allow, without repeats; of a data set, its names of classes.

        Raises:
            T5MixError: a data set cannot be loaded.
        """
        if self.labels is None and self.targets is not None:
            for named in self.files.values():
                if isinstance(named, Mapping) and "dataset" in named:
                    return tuple(dict.fromkeys(DatasetSplit(**named).class_names().get(self.targets, ())))
        return tuple(dict.fromkeys((self.labels or {}).values()))

    def fields(self) -> tuple[str, ...]:
        """Returns the names of the file's fields that the task reads."""
        if self.objective is not None:
            return (self.field,)
        targets = self.targets or ""
        named = [*template_fields(self.inputs or ""), *(template_fields(targets) or [targets])]
        return tuple(dict.fromkeys(name for name in [*named, self.answers] if name))

    def examples(self, files: Any) -> Iterator[ExampleFields]:
        """Yields the examples of some files in order: `inputs`, `targets` and, where there are several, `answers`.

        Of unlabelled text it yields the text alone, under the name of its field.

        Args:
            files: those of a split, or some of `t5mix.sources.shards.shards_of` them.

        Raises:
            T5MixError: a file breaks its format, lacks a field, or holds a label that is not declared; the
                message names the line.
        """
        return ExampleReader(self).read(shards_of(files))

    def inputs_only(self, files: Any, problems: Problems | None = None) -> Iterator[ExampleFields]:
        """Yields the `inputs` of some files in their order; whether there are targets does not matter.

        Args:
            files: see `examples`.
            problems: where rows that are wrong are noted; None for an error at the first.

        Raises:
            T5MixError: see `examples`.
        """
        return ExampleReader(self, problems, only_inputs=True).read(shards_of(files))

    def has_targets(self, split: str) -> bool:
        """Says whether a split has targets; another than train and validation may lack them, for predictions alone.

        It lacks them if its first row does: the field, a value in it, or another label than -1.

        Raises:
            T5MixError: a file is missing or breaks its format.
        """
        if self.objective is not None or split in _ALWAYS_WITH_TARGETS:
            return True
        return not ExampleReader(self).lacks_targets(shards_of(self.files[split]))

    def check(self, splits: Iterable[str] | None = None) -> None:
        """Reads every file once, so that whatever is wrong shows before any work is done.

        Other splits than train and validation may lack targets.

        Args:
            splits: those to read; None for all.

        Raises:
            T5MixError: what is wrong, a line for each, up to twenty.
        """
        problems = Problems(TOLD_AT_ONCE)
        for split in self.files if splits is None else splits:
            with problems.collecting():
                self._check_split(split, problems)
        problems.raise_any()

    def _check_split(self, split: str, problems: Problems) -> None:
        reader = ExampleReader(self, problems, only_inputs=self._is_for_predictions(split))
        shards = shards_of(self.files[split])
        empty = []
        for shard in shards:
            before = len(problems)
            count = missing = 0
            with problems.collecting():
                for example in reader.read_shard(shard):
                    count += 1
                    missing += example.get("targets") in _MISSING
            if missing and self.answers is None:
                warn_of_missing(str(shard), missing, count)
            if not count and len(problems) == before:
                empty.append(str(shard))
        if len(empty) == len(shards):
            problems.add(no_examples(empty))
        else:
            warn_of_empty(empty)

    def check_beginning(self, splits: Iterable[str] | None = None) -> None:
        """Makes the first example of each split, so that wrong names of files and fields show within moments.

        Args:
            splits: those to look at; None for all.

        Raises:
            T5MixError: a file is missing, or see `examples`.
        """
        for split in self.files if splits is None else splits:
            shards = shards_of(self.files[split])
            for shard in shards:
                check_shard(shard)
            next(ExampleReader(self, only_inputs=self._is_for_predictions(split)).read(shards), None)

    def _is_for_predictions(self, split: str) -> bool:
        return not self.has_targets(split)


def no_targets(name: str, split: str) -> str:
    """Returns what to do with a split of a task that has no targets."""
    return (
        f"the split {split!r} has no targets (no field for them, nothing in it, or -1 as label). Its inputs can be "
        f"answered: t5mix predict RUN --task {name} --split {split}. All else needs targets: give files that have them."
    )


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def task_declaration(name: str, raw: Mapping[str, Any]) -> TaskDeclaration:
    """Makes a declared task of what a data request holds.

    Raises:
        T5MixError: a key is unknown, or the combination is impossible.
    """
    keys = TaskDeclaration.__dataclass_fields__  # type: ignore[attr-defined]
    for key in raw:
        if key not in keys:
            raise UnknownNameError(f"key of the declared task {name!r},", str(key), keys)
    plain = plain_declaration(name, raw)
    try:
        return validate(TaskDeclaration, {key: value for key, value in plain.items() if value is not None})
    except T5MixError as error:
        raise T5MixError(f"Declared task {name!r}: {error}{_advice(raw)}") from error


def plain_declaration(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a declaration with the values of its labels, and labels that are numbers, as text.

    JSON knows no other keys, and their order is to be that of text.

    Raises:
        T5MixError: the values of the labels are not distinct, or not plain.
    """
    labels = raw.get("labels")
    if not isinstance(labels, Mapping):
        return dict(raw)
    texts = {}
    for value, text in labels.items():
        key = as_text(value)
        if not isinstance(value, LabelValue):
            written = "null" if value is None else str(value)
            raise T5MixError(
                f"Declared task {name!r}: labels lists {written}, which YAML does not read as text; put it into "
                f'quotes: "{written}".'
            )
        if key in texts:
            raise T5MixError(f"Declared task {name!r}: labels lists {key} twice; leave one out.")
        is_number = isinstance(text, int | float) and not isinstance(text, bool) and math.isfinite(text)
        texts[key] = as_text(text) if is_number else text
    return {**raw, "labels": texts}


def _advice(raw: Mapping[str, Any]) -> str:
    """Returns what to write in place of values that YAML reads as something else than was meant."""
    if isinstance(files := raw.get("files"), str | list):
        listed = files if isinstance(files, str) else f"[{', '.join(map(str, files))}]"
        return f" Write files: {{train: {listed}}}."
    for key in ("inputs", "targets", "answers", "field"):
        if isinstance(value := raw.get(key), Mapping):
            names = ", ".join(map(str, value))
            if key in ("inputs", "targets"):
                return f' Put the template in quotes: "{{{names}}}".'
            return f" Name the field without braces: {key}: {names}."
    labels = raw.get("labels")
    if isinstance(labels, list | tuple):
        return f" Write labels: {{{', '.join(f'{number}: {label}' for number, label in enumerate(labels))}}}."
    for value, text in labels.items() if isinstance(labels, Mapping) else ():
        if isinstance(text, datetime.date | float):
            return f' YAML does not read {text} as text: put the label in quotes, {as_text(value)}: "{text}".'
        if text is None or isinstance(text, bool):
            meant, word = ("no", "no, off or false") if text is False else ("yes", "yes, on or true")
            meant, word = ("null", "null, ~ or nothing") if text is None else (meant, word)
            return f' YAML reads {word} so: put the label in quotes, {as_text(value)}: "{meant}".'
    return ""
