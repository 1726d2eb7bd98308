"""From tasks declared in configuration to registered seqio tasks, so that all else sees seqio tasks only."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.preprocessors.objectives import unlabelled_text_preprocessors
from t5mix.sources.declaration import TaskDeclaration
from t5mix.sources.seqio_sources import FileRowsDataSource
from t5mix.tensorflow_setup import seqio

_registered: set[str] = set()  # ours, which a later request in this process may declare differently


class DeclaredDataSource(FileRowsDataSource):
    """The files of a declared task, its template filled in.

    Args:
        declared: the task.
    """

    def __init__(self, declared: TaskDeclaration) -> None:
        super().__init__(declared.files)
        self.declared = declared

    def columns(self, paths: Sequence[Path]) -> dict[str, list[Any]]:
        """Reads files: `inputs`, `targets` and answers, or the unlabelled text."""
        columns: dict[str, list[Any]] = {}
        for example in self.declared.examples(paths):
            for name, value in example.items():
                columns.setdefault(name, []).append(value)
        return columns

    @property
    def options(self) -> Mapping[str, Any]:
        """All of the declaration but the files, whose content counts, and the metrics, which see no token."""
        options = dataclasses.asdict(self.declared)
        labels = [[str(value), text] for value, text in (self.declared.labels or {}).items()]
        del options["files"], options["metrics"]
        return {**options, "labels": labels}


def register(name: str, declared: TaskDeclaration, vocabulary: seqio.Vocabulary) -> seqio.Task:
    """Registers a declared task with seqio.

    Args:
        name: its name in mixtures.
        declared: the task.
        vocabulary: what its inputs and targets are tokenised with.

    Raises:
        T5MixError: the name is taken by a registered task or mixture, or not one that seqio allows.
        UnknownNameError: one of its metrics does not exist.
    """
    from t5mix.metrics import metric

    if name in _registered:
        seqio.TaskRegistry.remove(name)
        _registered.discard(name)
    if name in seqio.TaskRegistry.names() or name in seqio.MixtureRegistry.names():
        raise T5MixError(f"The declared task {name!r} has the name of a registered one; choose another name.")
    if declared.objective is not None:
        preprocessors = unlabelled_text_preprocessors(
            declared.objective,
            field=declared.field,
            noise_density=declared.noise_density,
            mean_span_length=declared.mean_span_length,
        )
    else:
        preprocessors = [seqio.preprocessors.tokenize, seqio.preprocessors.append_eos]
    feature = seqio.Feature(vocabulary, add_eos=True)
    try:
        task = seqio.TaskRegistry.add(
            name,
            source=DeclaredDataSource(declared),
            preprocessors=preprocessors,
            output_features={"inputs": feature, "targets": feature},
            postprocess_fn=_postprocessor(declared),
            metric_fns=[metric(each) for each in declared.metrics],
        )
    except ValueError as error:
        raise T5MixError(f"Declared task {name!r}: {error}") from error
    _registered.add(name)
    return task


def _postprocessor(declared: TaskDeclaration) -> Any:
    from t5mix.metrics import postprocessors

    if declared.labels is not None:
        return postprocessors.label_choice(declared.choices())
    if declared.answers is not None:
        return postprocessors.answers("answers")
    if declared.metrics and set(declared.metrics) <= {"pearson", "spearman"}:
        return postprocessors.number
    return postprocessors.string
