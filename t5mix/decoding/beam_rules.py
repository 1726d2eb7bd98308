"""What Hugging Face's and T5X's beam searches do differently: who may finish, what a score is, and when to stop."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from t5mix.decoding.config import GenerationConfig


@dataclasses.dataclass(frozen=True)
class BeamRules:
    """The rules of a search.

    Attributes:
        nothing: the score of a place that is empty, and what a beam loses that must not go on.
        finish_from_top: whether only the K best of the 2K candidates may finish.
        finish_at_limit: whether beams that reach `max_new_tokens` count as finished, in competition with those that
            ended; otherwise they are the answers where nothing has ended.
        normalizers: [1 + L] float32, what the score of a sequence of each length is divided by.
        best_length: the length that what is left is judged at; None for its present one.
        stop_at_equality: whether a search is over when what is left can only equal the worst finished sequence.
        stop_when_full: whether K finished sequences are enough.
    """

    nothing: float
    finish_from_top: bool
    finish_at_limit: bool
    normalizers: np.ndarray
    best_length: int | None
    stop_at_equality: bool
    stop_when_full: bool = False

    @classmethod
    def of(cls, config: GenerationConfig) -> "BeamRules":
        """Returns the rules that a configuration asks for."""
        limit, penalty = config.limit, config.length_penalty
        if config.beam_rules == "t5x":
            # T5X counts the start token in the length that it judges live beams at.
            return cls(-1e7, False, False, _normalizers((5 + np.arange(limit + 2)) / 6, penalty), limit + 1, False)
        by_limit = config.early_stopping == "never" and penalty > 0
        lengths = np.maximum(np.arange(limit + 1), 1)
        best_length, when_full = limit if by_limit else None, config.early_stopping is True
        return cls(-1e9, True, True, _normalizers(lengths, penalty), best_length, True, when_full)

    def normalized(self, scores: jax.Array, length: jax.Array) -> jax.Array:
        """The scores of sequences of a length, a scalar."""
        return scores / jnp.asarray(self.normalizers)[length]

    def is_alive(self, scores: jax.Array) -> jax.Array:
        """Whether scores are those of sequences, rather than of what has been ruled out."""
        return scores > self.nothing / 2

    def is_done(
        self, live_scores: jax.Array, finished_scores: jax.Array, is_finished: jax.Array, length: jax.Array
    ) -> jax.Array:
        """Whether searches are over, [B] bool.

        Args:
            live_scores: [B, K] sums of log-probabilities of the beams that go on, the best first.
            finished_scores: [B, K] of those that have ended, normalised; `nothing` in empty places.
            is_finished: [B, K] bool, False in empty places.
            length: of the live beams, a scalar.
        """
        best = live_scores[:, :1]
        possible = self.normalized(best, length if self.best_length is None else jnp.asarray(self.best_length))
        worst = jnp.where(is_finished, jnp.min(finished_scores, axis=1, keepdims=True), self.nothing)
        hopeful = possible > worst if self.stop_at_equality else possible >= worst
        done = ~(jnp.any(hopeful, axis=1) & self.is_alive(best[:, 0]))
        return done | jnp.all(is_finished, axis=1) if self.stop_when_full else done


def _normalizers(lengths: np.ndarray, penalty: float) -> np.ndarray:
    """[lengths] float32, rounded once: a power in float32 would be off in its last digits."""
    return (lengths.astype(np.float64) ** penalty).astype(np.float32)
