"""A declared task as a seqio task, for those who use seqio: the same examples, to the bit."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.cache.seqio_vocabularies import seqio_vocabulary
from t5mix.data.manifest import VocabularyEntry
from t5mix.metrics.choice import ChoiceMetric
from t5mix.metrics.declared import scoring_of
from t5mix.preprocessors.objectives import unlabelled_text_preprocessors
from t5mix.sources.declaration import TaskDeclaration
from t5mix.sources.seqio_sources import FileRowsDataSource
from t5mix.sources.shards import ReadingOptions
from t5mix.tensorflow_setup import seqio


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


def declared_to_seqio(name: str, declaration: TaskDeclaration, vocabulary: VocabularyEntry) -> seqio.Task:
    """Returns a declared task as a seqio task, which is not registered; without metrics of choices, unknown to seqio.

    Args:
        name: its name.
        declaration: of the task.
        vocabulary: what its inputs and targets are tokenised with.

    Raises:
        T5MixError: its metrics cannot score it, or the vocabulary writes two of its labels alike.
    """
    if declaration.objective is not None:
        preprocessors = unlabelled_text_preprocessors(
            declaration.objective,
            field=declaration.field,
            noise_density=declaration.noise_density,
            mean_span_length=declaration.mean_span_length,
        )
    else:
        preprocessors = [seqio.preprocessors.tokenize, seqio.preprocessors.append_eos]
    codec = seqio_vocabulary(vocabulary)
    feature = seqio.Feature(codec, add_eos=True)
    scoring = scoring_of(declaration, lambda text: codec.decode(codec.encode(text)))
    return seqio.Task(
        name,
        source=DeclaredDataSource(declaration),
        preprocessors=preprocessors,
        output_features={"inputs": feature, "targets": feature},
        postprocess_fn=scoring.postprocess,
        metric_fns=[metric for metric in scoring.metrics if not isinstance(metric, ChoiceMetric)],
    )
