"""Beam search by Hugging Face's rules and by T5X's, for one input, in plain Python lists."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Scores = Callable[[tuple[int, ...]], np.ndarray]
"""Gives the (processed) log-probabilities [V] of what may follow the tokens decoded so far."""


class Found(NamedTuple):
    score: float
    tokens: tuple[int, ...]


def _best(found: list[Found], count: int) -> list[Found]:
    return sorted(found, key=lambda entry: -entry.score)[:count]


def _continued(live: list[Found], scores: Scores, count: int) -> list[Found]:
    following = [
        Found(beam.score + float(score), (*beam.tokens, token))
        for beam in live
        for token, score in enumerate(scores(beam.tokens))
        if np.isfinite(score)
    ]
    return _best(following, count)


def hugging_face(
    scores: Scores, *, beams: int, limit: int, penalty: float, early_stopping: Any, eos_id: int
) -> list[Found]:
    live, finished = [Found(0.0, ())], []
    for length in range(1, limit + 1):
        candidates = _continued(live, scores, 2 * beams)
        ended = [beam.tokens[-1] == eos_id or length == limit for beam in candidates]
        finishing = [beam for beam, ends in zip(candidates[:beams], ended, strict=False) if ends]
        finished += [Found(beam.score / length**penalty, beam.tokens) for beam in finishing]
        finished = _best(finished, beams)
        live = [beam for beam, ends in zip(candidates, ended, strict=True) if not ends][:beams]
        if not live:
            break
        if len(finished) == beams:
            judged_at = limit if early_stopping == "never" and penalty > 0 else length
            if early_stopping is True or live[0].score / judged_at**penalty <= finished[-1].score:
                break
    return finished


def t5x(scores: Scores, *, beams: int, limit: int, penalty: float, eos_id: int) -> list[Found]:
    def normalized(beam: Found, length: int) -> Found:
        return Found(beam.score / ((5 + length) / 6) ** penalty, beam.tokens)

    live, finished = [Found(0.0, ())], []
    for length in range(1, limit + 1):
        candidates = _continued(live, scores, 2 * beams)
        ended = [beam for beam in candidates if beam.tokens[-1] == eos_id]
        finished = _best(finished + [normalized(beam, length) for beam in ended], beams)
        live = [beam for beam in candidates if beam.tokens[-1] != eos_id][:beams]
        if len(finished) == beams and finished[-1].score > normalized(live[0], limit + 1).score:
            break
    return finished or live
