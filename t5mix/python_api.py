"""What a notebook needs: `t5mix.load` (`open_model`) and `t5mix.train` (`train_run`).

model = t5mix.load("google/flan-t5-small")
model("translate English to German: Good morning.")
"""

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from t5mix.compiled_programs import keep_compiled_programs
from t5mix.config.compose import compose_experiment
from t5mix.config.reading import read_experiment
from t5mix.decoding import GenerationConfig
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import score_choices, score_targets
from t5mix.runs.evaluate import evaluate_run
from t5mix.runs.exporting import ExportFormat, export_model
from t5mix.runs.importing import starting_folder
from t5mix.runs.load import TrainedModel, load_model
from t5mix.runs.predict import Answer, answer_texts
from t5mix.runs.train import train_experiment
from t5mix.tracking.run_directory import find_checkpoint
from t5mix.validation import validate


def open_model(name: str | Path, *, base: str | Path | None = None) -> "Model":
    """Loads a model.

    Args:
        name: a run's folder, one of its checkpoints, a folder of Transformers, or a model of the Hugging Face hub.
        base: where the base of a checkpoint lies now that holds only what was trained; None for where it lay.

    Raises:
        T5MixError: there is no model, it is damaged, or of another architecture.
    """
    keep_compiled_programs()
    return Model(load_model(starting_folder(Path(name)), None if base is None else find_checkpoint(Path(base))))


def train_run(config: str | Path = "experiment", *overrides: str, **settings: Any) -> "Run":
    """Trains an experiment, or continues it where its folder says that it stopped.

    Args:
        config: a YAML file, or the name of a configuration of the package.
        overrides: `key=value` and `group=option`, as on the command line.
        settings: of the experiment, such as `start_from="google/flan-t5-small"` and `mixture=["sst2"]`.

    Raises:
        T5MixError: anything that is wrong with the experiment, before any work.
    """
    keep_compiled_programs()
    written = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())
    experiment = read_experiment(compose_experiment(str(config), [*overrides, *written]))
    train_experiment(experiment)
    return Run(experiment.run_dir)


class Run:
    """A run, by its folder.

    Attributes:
        folder: where it lies.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __repr__(self) -> str:
        return f"<t5mix run {self.folder}>"

    @functools.cached_property
    def model(self) -> "Model":
        """The model of its latest checkpoint."""
        return open_model(self.folder)

    def evaluate(self, split: str = "validation", **options: Any) -> dict[str, dict[str, float]]:
        """Returns the scores of each task on a split; the options are those of `t5mix.runs.evaluate.evaluate_run`."""
        return {task: dict(found.metrics) for task, found in evaluate_run(self.folder, split=split, **options).items()}


class Model:
    """A model that is ready to use. One text gives one result, several give a list of them, in their order.

    Attributes:
        trained: the parameters, the shape and the vocabulary.
    """

    def __init__(self, trained: TrainedModel) -> None:
        self.trained = trained

    def __repr__(self) -> str:
        return f"<t5mix model {self.trained.path}>"

    @overload
    def __call__(self, text: str, **options: Any) -> str: ...

    @overload
    def __call__(self, text: Iterable[str], **options: Any) -> list[str]: ...

    def __call__(self, text: str | Iterable[str], **options: Any) -> str | list[str]:
        """Answers texts, with the prefixes that the model was trained with; the options are those of `generate`."""
        if {"num_return_sequences", "return_scores"} & options.keys():
            raise T5MixError("A call returns one text for each: use generate for several answers or their scores.")
        return self.generate(text, **options)

    def generate(
        self,
        text: str | Iterable[str],
        *,
        max_new_tokens: int = 128,
        return_scores: bool = False,
        batch_size: int = 16,
        max_input_length: int | None = None,
        task: str | None = None,
        **generation: Any,
    ) -> Any:
        """Answers texts.

        Args:
            text: one, or several.
            max_new_tokens: the most tokens of an answer.
            return_scores: give (answer, natural log-probability) in the place of each answer.
            batch_size: texts that are decoded at once.
            max_input_length: the most tokens of an input; longer ones are cut. None for no limit.
            task: whose module of a bank answers; models without a bank need none.
            generation: further settings of `t5mix.decoding.GenerationConfig`, such as num_beams=4.

        Returns:
            For each text its answer; with `num_return_sequences` above 1, a list of answers, the best beam first.
        """
        settings = {"max_new_tokens": max_new_tokens, **generation}
        config = validate(GenerationConfig, settings, "generate")
        answers = answer_texts(
            self.trained,
            [text] if isinstance(text, str) else list(text),
            batch_size=batch_size,
            max_length=max_new_tokens,
            input_length=max_input_length,
            task=task,
            generation=config,
        )

        def shown(answer: Answer) -> Any:
            return (answer.prediction, answer.score) if return_scores else answer.prediction

        if config.num_return_sequences > 1:
            results = [[shown(one) for one in (answer, *answer.alternatives)] for answer in answers]
        else:
            results = [shown(answer) for answer in answers]
        return results[0] if isinstance(text, str) else results

    def summarize(self, text: str | Iterable[str], **options: Any) -> Any:
        """Summarises texts, under T5's prefix; the options are those of `generate`."""
        return self.generate(_mapped("summarize: {}".format, text), **options)

    def translate(self, text: str | Iterable[str], source: str, target: str, **options: Any) -> Any:
        """Translates texts from one language to another, such as "English" and "German", under T5's prefix."""
        return self.generate(_mapped(f"translate {source} to {target}: ".__add__, text), **options)

    def answer(self, question: str, context: str | None = None, **options: Any) -> Any:
        """Answers a question, from a context if there is one, under T5's prefixes of SQuAD."""
        rest = "" if context is None else f" context: {context}"
        return self.generate(f"question: {question}{rest}", **options)

    def classify(
        self,
        text: str | Iterable[str],
        labels: Sequence[str],
        *,
        prefix: str = "",
        by_token: bool = False,
        batch_size: int = 16,
        task: str | None = None,
    ) -> Any:
        """Returns the most probable of some labels for each text.

        Args:
            text: one, or several.
            labels: the answers that are allowed.
            prefix: what stands before each text.
            by_token: compare log-probabilities per token, which does not favour short labels.
            batch_size: texts at once.
            task: see `generate`.
        """
        if isinstance(labels, str) or not labels:
            raise T5MixError(f"labels is {labels!r}: give a list of the answers that are allowed.")
        texts = [text] if isinstance(text, str) else list(text)
        choices = [self._encoded(label) for label in labels]
        log_probs = score_choices(
            self.trained.graphdef,
            self.trained.params,
            [self._encoded(prefix + one) for one in texts],
            [choice.tolist() for choice in choices],
            batch_size=batch_size,
            task_id=self.trained.task_id(task),
        )
        lengths = np.array([len(choice) for choice in choices]) if by_token else 1
        best = [labels[index] for index in (log_probs / lengths).argmax(axis=1)]
        return best[0] if isinstance(text, str) else best

    def score(
        self,
        inputs: str | Sequence[str],
        targets: str | Sequence[str],
        *,
        by_token: bool = False,
        batch_size: int = 16,
        task: str | None = None,
    ) -> Any:
        """Returns how probable targets are, each given its input: natural log-probabilities, the end included.

        Args:
            inputs: one text, or several.
            targets: as many.
            by_token: divide each by its number of tokens.
            batch_size: pairs at once.
            task: see `generate`.
        """
        one = isinstance(inputs, str)
        given, wanted = ([text] if isinstance(text, str) else list(text) for text in (inputs, targets))
        if isinstance(targets, str) != one or len(given) != len(wanted):
            raise T5MixError("Give one input with one target, or a list of each, equally long.")
        scores = score_targets(
            self.trained.graphdef,
            self.trained.params,
            [(self._encoded(text), self._encoded(target)) for text, target in zip(given, wanted, strict=True)],
            batch_size=batch_size,
            task_id=self.trained.task_id(task),
        )
        values = (scores.log_probs / scores.tokens if by_token else scores.log_probs).tolist()
        return values[0] if one else values

    def save(
        self, out: str | Path, format: ExportFormat = "huggingface", *, dtype: str = "float32", task: str | None = None
    ) -> None:
        """Writes the model as `t5mix export` does; see `t5mix.runs.exporting.export_model`."""
        export_model(self.trained.path, Path(out).expanduser(), format, dtype=dtype, task=task)

    def _encoded(self, text: str) -> np.ndarray:
        return np.asarray(self.trained.tokenizer.encode(text), np.int32)


def _mapped(change: Callable[[str], str], text: str | Iterable[str]) -> str | list[str]:
    return change(text) if isinstance(text, str) else [change(one) for one in text]
