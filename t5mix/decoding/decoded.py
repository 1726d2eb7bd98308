"""What decoding gives."""

from typing import NamedTuple

import jax


class Decoded(NamedTuple):
    """What was decoded: R sequences of each of B inputs, the best first where they have an order.

    Attributes:
        tokens: [B, R, L] int32, padding after EOS; without EOS where L was too short.
        log_probs: [B, R, L] float32, the natural logarithm of each token's probability under the model itself, whatever
            processors made of it; EOS included, 0 after it.
        scores: [B, R] float32. Of beams, what they are ranked by: log-probabilities after processors, added up and
            normalised for length. Otherwise the sequence's log-probability, the sum of `log_probs`.
    """

    tokens: jax.Array
    log_probs: jax.Array
    scores: jax.Array
