"""Prompt tuning: learned vectors before the embedded inputs of a frozen model (Lester et al. 2021)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.configurable import configurable
from t5mix.finetuning.adapters import check_size
from t5mix.finetuning.bank import AdapterBank, BankLayout
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape

_BOUND = 0.5  # of the initial values; Lester et al. 2021, section 3.2


class Prompt(nnx.Module):
    """A prompt that all examples share, in the place of `t5mix.model.layers.NoPrompt`.

    Args:
        length: P, the positions that it takes of each example's inputs.
        d_model: D.
        rngs: the source of the initial vectors, uniform in [-0.5, 0.5].
    """

    def __init__(self, length: int, d_model: int, *, rngs: nnx.Rngs):
        self.length = length
        draw = jax.random.uniform(rngs.params(), (length, d_model), jnp.float32, -_BOUND, _BOUND)
        self.prompt_embedding = nnx.Param(draw)

    def __call__(self, embedded: jax.Array, positions: jax.Array, task_ids: jax.Array | None) -> jax.Array:
        """Returns the embedded inputs [B, S, D] with the prompt in the first P positions of each example.

        Args:
            embedded: [B, S, D].
            positions: [B, S] int, counted from 0 in each example.
            task_ids: [B, S] int or None.
        """
        del task_ids
        return _put(embedded, positions, self.vectors(positions), self.length)

    def vectors(self, positions: jax.Array) -> jax.Array:
        """Returns the prompt's vector for each position, float32 [B, S, D]; past its end they are zero."""
        # A product, and not a lookup: the gradient of a lookup adds up rows in whatever order a GPU takes them.
        chosen = jax.nn.one_hot(positions, self.length, dtype=jnp.float32)
        return jnp.einsum("bsp,pd->bsd", chosen, self.prompt_embedding[...], precision="highest")


class PromptBank(AdapterBank[Prompt]):
    """A prompt for each task, and perhaps one for all, which is added to it."""

    @property
    def length(self) -> int:
        """P, the positions that each takes of an example's inputs."""
        return self.first.length

    def __call__(self, embedded: jax.Array, positions: jax.Array, task_ids: jax.Array | None) -> jax.Array:
        """Returns the embedded inputs with the prompt of each example's task, as `Prompt` does."""
        routes = self.routes(task_ids)
        chosen = jax.nn.one_hot(positions, self.length, dtype=jnp.float32)
        of_task = routes[..., :, None] * chosen[..., None, :]
        prompts = self.stacked(lambda task_module: task_module.prompt_embedding[...])
        vectors = jnp.einsum("bsnp,npd->bsd", of_task, prompts, precision="highest")
        if self.shared is not None:
            vectors = vectors + self.shared.vectors(positions)
        return _put(embedded, positions, vectors, self.length)


def _put(embedded: jax.Array, positions: jax.Array, vectors: jax.Array, length: int) -> jax.Array:
    """Returns the embedded inputs with vectors in the first `length` positions of each example."""
    # Padding counts as position 0 in packed rows and gets a vector too; the mask hides it like any padding.
    return jnp.where((positions < length)[..., None], vectors.astype(embedded.dtype), embedded)


@POLICIES.register("prompt")
@configurable
class PromptTuning(FineTuningPolicy):
    """Vectors before each example's embedded inputs train, and nothing else (Lester et al. 2021).

    Two things set it apart from the other policies. The model computes something else from step 0 on, because the
    prompt starts at random: uniform in [-0.5, 0.5], one of the paper's choices. And it wants a large learning rate: the
    paper's is 0.3, constant, with Adafactor that does not scale by parameter.

    Attributes:
        length: P, the number of vectors. Rows of a batch are longer by as much.
    """

    length: int = 100

    def __post_init__(self) -> None:
        check_size("length", self.length)

    @property
    def prompt_length(self) -> int:
        """Encoder positions that the data must keep free before each example's inputs."""
        return self.length

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Puts a prompt into the model's place for one."""
        model.prompt = Prompt(self.length, model.config.d_model, rngs=rngs)
        return model

    def in_bank(self, model: Any, rngs: Any, layout: BankLayout) -> Any:
        """Puts the prompts of all tasks into that place."""
        model.prompt = PromptBank(layout, lambda: Prompt(self.length, model.config.d_model, rngs=rngs))
        return model

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for the prompt."""
        return 0 if path.endswith("/prompt_embedding") else None
