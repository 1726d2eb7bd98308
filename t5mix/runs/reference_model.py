"""A trained model by whose losses a mixing strategy judges a run's, as in DoReMi's second stage (Xie et al. 2023)."""

import functools
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
from flax import nnx

from t5mix.checkpoint.train_state import Params
from t5mix.data.manifest import VocabularyEntry
from t5mix.errors import T5MixError
from t5mix.model.t5 import T5, merge_params
from t5mix.runs.load import TrainedModel, load_model
from t5mix.training import losses


class ReferenceModel:
    """A trained model that says how well each target token can be predicted.

    Args:
        model: the model.
    """

    def __init__(self, model: TrainedModel) -> None:
        self._model = model

    def check_vocabulary(self, vocabulary: VocabularyEntry) -> None:
        """Refuses data of another vocabulary.

        Raises:
            T5MixError: it is.
        """
        if vocabulary.identity != self._model.vocabulary.identity:
            raise T5MixError(
                f"mixing.reference: {self._model.path} was trained with another vocabulary than the run's data has: "
                f"{self._model.vocabulary.identity} there, {vocabulary.identity} here."
            )

    def __call__(self, batch: Mapping[str, np.ndarray]) -> jax.Array:
        """Returns the cross-entropy of each target token of a batch, without dropout; [B, T]."""
        return _cross_entropy(self._model.graphdef, self._model.params, dict(batch))


@functools.partial(jax.jit, static_argnames="graphdef")
def _cross_entropy(graphdef: nnx.GraphDef[T5], params: Params, batch: dict[str, jax.Array]) -> jax.Array:
    return losses.token_losses(merge_params(graphdef, params)(batch), batch["decoder_targets"]).cross_entropy


def reference_model(run: str | None) -> ReferenceModel | None:
    """Returns the model of the run that a mixing strategy refers to, if it does (`MixingStrategy.reference_run`).

    Raises:
        T5MixError: there is no checkpoint where it says, or its model takes other batches.
    """
    if run is None:
        return None
    model = load_model(Path(run).expanduser())
    if not model.takes_plain_batches:
        raise T5MixError(
            f"mixing.reference: {model.path} has a prompt, or a module for each task. A reference model must take the "
            "run's batches as they are: name a run with another finetuning."
        )
    return ReferenceModel(model)
