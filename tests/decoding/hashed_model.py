"""A model without a network: what follows depends on all tokens so far, through a number made of them."""

import dataclasses
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from t5mix.decoding import Decoded, GenerationConfig, PrefixTree
from t5mix.decoding.beam import beam_search
from t5mix.decoding.processors import processors_of
from t5mix.decoding.sampling import decode_apart

VOCABULARY = 9
EOS, PAD, START = 1, 0, 8
_STATES = 61


def follow(state, token):
    return (state * 7 + token + 3) % _STATES


@dataclasses.dataclass(frozen=True)
class HashedModel:
    """Random logits [rows, states, V], another table for each row; `ending` makes the end of a sequence likelier."""

    rows: int = 40
    ending: float = 0.0
    seed: int = 0

    @cached_property
    def table(self) -> np.ndarray:
        draw = np.random.default_rng(self.seed)
        table = draw.normal(0, 1.5, (self.rows, _STATES, VOCABULARY)).astype(np.float32)
        table[:, :, EOS] += self.ending
        return table

    def log_probs(self, row: int, tokens: tuple[int, ...]) -> np.ndarray:
        """What follows the tokens after the start token."""
        state = 0
        for token in (START, *tokens):
            state = follow(state, token)
        logits = self.table[row, state].astype(np.float64)
        return logits - np.log(np.exp(logits).sum())

    def advance(self, session, tokens, index, ancestors):
        """As `t5mix.decoding.session.step`; the session holds each sequence's number."""
        if ancestors is not None:
            parents = jax.lax.dynamic_index_in_dim(ancestors, jnp.maximum(index - 1, 0), axis=2, keepdims=False)
            session = jnp.where(index > 0, jnp.take_along_axis(session, parents, axis=1), session)
        session = follow(session, tokens)
        return jnp.asarray(self.table)[jnp.arange(self.rows)[:, None], session], session

    def decode(
        self,
        config: GenerationConfig,
        *,
        beams: bool,
        keys: jax.Array | None = None,
        tree: PrefixTree | None = None,
        blank: np.ndarray | None = None,
    ) -> Decoded:
        sequences = config.num_beams if beams else config.num_return_sequences
        strategy = beam_search if beams else decode_apart

        def run() -> Decoded:
            return strategy(
                self.advance,
                jnp.zeros((self.rows, sequences), jnp.int32),
                jnp.zeros(self.rows, bool) if blank is None else jnp.asarray(blank),
                config,
                processors_of(config, EOS, tree),
                start_id=START,
                pad_id=PAD,
                eos_id=EOS,
                keys=keys,
                tree=tree,
            )

        return jax.device_get(jax.jit(run)())
