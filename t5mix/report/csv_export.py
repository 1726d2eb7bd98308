"""The report's numbers as flat tables, for other programs."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from t5mix.analysis.analysis import Analysis
from t5mix.analysis.comparisons import LEVEL
from t5mix.analysis.results import Results
from t5mix.analysis.statistics import Estimate

_SCORES = (
    *("method", "seed", "learning_rate", "task", "split", "metric", "value", "chosen"),
    *("steps", "parameters", "flops", "memory", "seconds"),
)
_HEADLINE = (
    *("method", "column", "tasks", "seeds", "mean", "low", "high", "difference", "difference_low", "difference_high"),
    *("p_value", "corrected_p_value", "better", "worse", "paper"),
)


def scores_csv(results: Results) -> str:
    """Returns every score of every trial, tuning included: a row for each trial, task, split and metric.

    `chosen` says whether the row is of a reported trial; `parameters` are the trained ones, `flops` the training's
    operations, `memory` bytes at the peak, `seconds` the training's. A rate that is not tuned is empty.
    """
    rows = []
    reported = {id(trial) for trial in results.reported.values()}
    for trial in results.trials:
        run = (
            trial.steps,
            trial.parameters.trained,
            trial.operations,
            trial.peak_memory_bytes,
            trial.seconds.training,
        )
        for split, tasks in trial.scores.items():
            for task, score in tasks.items():
                chosen = id(trial) in reported and trial.reports(task)
                for metric, value in score.metrics.items():
                    row = (trial.method, trial.seed, trial.learning_rate, task, split, metric)
                    rows.append((*row, value, chosen, *run))
    return _csv(_SCORES, rows)


def headline_csv(analysis: Analysis) -> str:
    """Returns the headline table: a row for each method and column."""
    table, rows = analysis.headline, []
    for method, entries in table.entries.items():
        for column, entry in entries.items():
            difference = entry.difference
            tested = difference is not None and not difference.reason
            rows.append(
                (
                    *(method, column, " ".join(table.columns[column]), entry.mean.seeds),
                    *(entry.mean.value, *_bounds(entry.mean)),
                    *(("", "", "") if difference is None else (difference.value, *_bounds(difference))),
                    *((difference.p_value(), entry.corrected) if difference is not None and tested else ("", "")),
                    *(entry.better, entry.worse, analysis.paper_value(method, column)),
                )
            )
    return _csv(_HEADLINE, rows)


def _bounds(estimate: Estimate) -> tuple[float | None, float | None]:
    return estimate.interval(LEVEL) or (None, None)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table as CSV; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([["" if value is None or value != value else value for value in row] for row in rows])
    return text.getvalue()
