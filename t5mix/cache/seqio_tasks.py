"""From tasks declared in configuration to registered seqio tasks, so that all else sees seqio tasks only."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.metrics.declared import scoring_of
from t5mix.preprocessors.objectives import unlabelled_text_preprocessors
from t5mix.sources.declaration import TaskDeclaration
from t5mix.sources.seqio_sources import FileRowsDataSource
from t5mix.sources.shards import ReadingOptions
from t5mix.tensorflow_setup import seqio

_registered: set[str] = set()  # ours, which a later request in this process may declare differently


class DeclaredDataSource(FileRowsDataSource):
    """The files of a declared task, its template filled in.

    Args:
        declaration: of the task.
    """

    def __init__(self, declaration: TaskDeclaration) -> None:
        super().__init__(declaration.files)
        self.declaration = declaration

    def columns(self, paths: Sequence[Path]) -> dict[str, list[Any]]:
        """Reads files: `inputs`, `targets` and answers, or the unlabelled text."""
        columns: dict[str, list[Any]] = {}
        for example in self.declaration.examples(paths):
            for name, value in example.items():
                columns.setdefault(name, []).append(value)
        return columns

    @property
    def reading(self) -> ReadingOptions:
        """How the declaration has files read."""
        return self.declaration.reading

    @property
    def options(self) -> Mapping[str, Any]:
        """All of the declaration but the files, whose content counts, and the metrics, which see no token."""
        options = dataclasses.asdict(self.declaration)
        labels = [[str(value), text] for value, text in (self.declaration.labels or {}).items()]
        del options["files"], options["metrics"]
        return {**options, "labels": labels}


def register(name: str, declaration: TaskDeclaration, vocabulary: seqio.Vocabulary) -> seqio.Task:
    """Registers a declared task with seqio.

    Args:
        name: its name in mixtures.
        declaration: of the task.
        vocabulary: what its inputs and targets are tokenised with.

    Raises:
        T5MixError: the name is taken by a registered task or mixture, or not one that seqio allows.
        UnknownNameError: one of its metrics does not exist.
    """
    if name in _registered:
        seqio.TaskRegistry.remove(name)
        _registered.discard(name)
    if name in seqio.TaskRegistry.names() or name in seqio.MixtureRegistry.names():
        raise T5MixError(f"The declared task {name!r} has the name of a registered one; choose another name.")
    if declaration.objective is not None:
        preprocessors = unlabelled_text_preprocessors(
            declaration.objective,
            field=declaration.field,
            noise_density=declaration.noise_density,
            mean_span_length=declaration.mean_span_length,
        )
    else:
        preprocessors = [seqio.preprocessors.tokenize, seqio.preprocessors.append_eos]
    feature = seqio.Feature(vocabulary, add_eos=True)
    scoring = scoring_of(declaration)
    try:
        task = seqio.TaskRegistry.add(
            name,
            source=DeclaredDataSource(declaration),
            preprocessors=preprocessors,
            output_features={"inputs": feature, "targets": feature},
            postprocess_fn=scoring.postprocess,
            metric_fns=list(scoring.metrics),
        )
    except ValueError as error:
        raise T5MixError(f"Declared task {name!r}: {error}") from error
    _registered.add(name)
    return task
