"""Whether the scores of a split can be right at all: what a perfect model would get, before anything is trained."""

import logging

from t5mix.cache.run_task import SplitSpec
from t5mix.errors import T5MixError
from t5mix.metrics.perfect import PerfectScore

_LEAST = 50.0  # a metric that a perfect model gets less in says nothing about any model

log = logging.getLogger(__name__)


def check_scores(spec: SplitSpec) -> None:
    """Checks that the metrics, the labels and the vocabulary of a split go together; warns of what is capped a little.

    Raises:
        T5MixError: post-processing does not recognise targets as the vocabulary writes them, or a metric cannot come
            near its best.
    """
    perfect = spec.task.perfect_score(spec)
    if perfect is None:
        return
    name = f"Task {spec.task.name!r}, {spec.split}"
    problems = perfect.problems()
    if problems and (perfect.mismatches or _is_hopeless(perfect)):
        raise T5MixError(
            f"{name}: {' '.join(problems)} `t5mix tasks check {spec.task.name}` shows all that is wrong; choose other "
            "metrics, labels or another vocabulary."
        )
    for sentence in [*problems, *perfect.warnings()]:
        log.warning("%s: %s", name, sentence)


def _is_hopeless(perfect: PerfectScore) -> bool:
    return any(perfect.values[metric] < _LEAST for metric in perfect.capped)
