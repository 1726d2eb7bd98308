"""How often the most probable label is the right one: metrics of choices while a run trains, without generated text."""

from collections.abc import Callable, Sequence

import numpy as np

from t5mix.data.manifest import TaskEntry
from t5mix.data.token_store import TokenStore
from t5mix.metrics.choice import choice_accuracy, choice_accuracy_by_token


def evaluate_choices(
    score: Callable[[Sequence[np.ndarray], Sequence[Sequence[int]]], np.ndarray],
    store: TokenStore,
    task: TaskEntry,
    limit: int | None = None,
) -> dict[str, float]:
    """Returns the values of those of a task's metrics that choose among its labels, by name.

    Args:
        score: gives the log-likelihoods [examples, labels] of inputs and of the labels' tokens (`score_choices`).
        store: a split; its targets are labels.
        task: whose split it is.
        limit: the most examples; None for all.
    """
    examples = [store.example(index) for index in range(min(len(store), limit or len(store)))]
    label_of = {tokens: label for label, tokens in task.choices.items()}
    targets = [label_of[tuple(tokens.tolist())] for _, tokens in examples]
    log_probs = score([inputs for inputs, _ in examples], list(label_of))
    values: dict[str, float] = {}
    for metric in (choice_accuracy, choice_accuracy_by_token):
        if metric.kind in task.metrics:
            values |= metric.among(list(label_of.values()), list(map(len, label_of)))(targets, log_probs.tolist())
    return values
