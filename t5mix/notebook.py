"""What a notebook needs: `t5mix.load` gives a model that answers, scores, chooses and can be written; `t5mix.train` a run.

    model = t5mix.load("google/flan-t5-small")
    model("translate English to German: Good morning.")
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from t5mix.compiled_programs import keep_compiled_programs
from t5mix.config.compose import compose_experiment
from t5mix.config.reading import read_experiment
from t5mix.decoding import GenerationConfig
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import score_choices, score_targets
from t5mix.interop.hub_models import find_folder
from t5mix.runs.evaluate import evaluate_run
from t5mix.runs.exporting import Format, export_model
from t5mix.runs.importing import starting_folder
from t5mix.runs.load import TrainedModel, checkpoint_of, load_model
from t5mix.runs.predict import Answer, answer_texts
from t5mix.runs.train import train_experiment
from t5mix.interop.formats import is_foreign

_MAX_NEW_TOKENS = 128


class Model:
    """A model that is ready to use.

    One text gives one result, several give a list of them, in their order.

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
        batch_size: int = 16,
        max_input_length: int | None = None,
        task: str | None = None,
        return_scores: bool = False,
        max_new_tokens: int = _MAX_NEW_TOKENS,
        **generation: Any,
    ) -> Any:
        """Answers texts.

        Args:
            text: one, or several.
            batch_size: texts that are decoded at once.
            max_input_length: the most tokens of an input; longer ones are cut. None for no limit.
            task: whose module of a bank answers; models without a bank need none.
            return_scores: give (answer, log-probability) in the place of each answer.
            max_new_tokens: the most tokens of an answer.
            generation: further settings of `t5mix.decoding.GenerationConfig`, such as num_beams=4.

        Returns:
            For each text its answer; with `num_return_sequences` above 1, a list of answers, the best first.
        """
        config = _generation(max_new_tokens=max_new_tokens, **generation)
        texts = [text] if isinstance(text, str) else list(text)
        answers = answer_texts(
            self.trained,
            texts,
            batch_size=batch_size,
            max_length=max_new_tokens,
            input_length=max_input_length,
            task=task,
            generation=config,
        )

        def shown(answer: Answer) -> Any:
            return (answer.prediction, answer.score) if return_scores else answer.prediction

        several = config.num_return_sequences > 1
        results = [
            [shown(one) for one in (answer, *answer.alternatives)] if several else shown(answer) for answer in answers
        ]
        return results[0] if isinstance(text, str) else results

    def summarize(self, text: str | Iterable[str], **options: Any) -> Any:
        """Summarises texts, under T5's prefix; the options are those of `generate`."""
        return self.generate(_mapped("summarize: {}".format, text), **options)

    def translate(self, text: str | Iterable[str], source: str, target: str, **options: Any) -> Any:
        """Translates texts, under T5's prefix, from one language to another, such as "English" and "German"."""
        return self.generate(_mapped(f"translate {source} to {target}: {{}}".format, text), **options)

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
        if not labels:
            raise T5MixError("labels is empty: give the answers that are allowed.")
        encode = self.trained.tokenizer.encode
        texts = [text] if isinstance(text, str) else list(text)
        choices = [encode(label) for label in labels]
        scores = score_choices(
            self.trained.graphdef,
            self.trained.params,
            [np.asarray(encode(prefix + one), np.int32) for one in texts],
            choices,
            batch_size=batch_size,
            task_id=self.trained.task_id(task),
        )
        if by_token:
            scores = scores / np.asarray([len(choice) for choice in choices])
        best = [labels[index] for index in scores.argmax(axis=1)]
        return best[0] if isinstance(text, str) else best
