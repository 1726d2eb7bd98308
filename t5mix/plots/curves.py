"""A picture of how runs went: losses, mixing and epochs of each task over the steps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from t5mix.plots.style import (
    legend,
    legend_columns,
    log_axis,
    new_figure,
    save,
    step_axis,
    task_markers,
    task_styles,
    tidy,
)
from t5mix.tracking.history import History, TaskHistory, read_history

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAME = 48  # characters that fit above a column
_MARK = 4.5  # points


def draw_run(run: Path) -> Path:
    """Draws one run into its folder and returns the file.

    Raises:
        T5MixError: the run has logged nothing yet, or matplotlib is missing.
    """
    path = run / "curves.png"
    save(curves_figure({run.name: read_history(run)}), path)
    return path


def curves_figure(runs: Mapping[str, History]) -> "Figure":
    """Draws runs side by side, a column each; panels of a row have one scale.

    Args:
        runs: by the name that the column is to have.
    """
    names = dict.fromkeys(task for history in runs.values() for task in history.tasks)
    styles, markers = task_styles(names), task_markers(names)
    width = max(4.2 * len(runs), 8.0)
    columns = legend_columns(styles, width)
    figure = new_figure(width, 10.4 + 0.17 * len(styles) / columns)
    panels = figure.subplots(4, len(runs), sharex="col", sharey="row", squeeze=False)
    for column, (name, history) in enumerate(runs.items()):
        run_styles = {task: styles[task] for task in history.tasks}
        losses, validation, mixing, epochs = panels[:, column]
        _lines(losses, history, history.steps, run_styles, markers, lambda task: task.loss)
        tidy(losses, f"{_tail(name)}\nTraining loss (nats a token)")
        _lines(validation, history, history.evaluated, run_styles, markers, lambda task: task.validation, marked=True)
        if not history.evaluated.size:
            validation.text(0.5, 0.5, "no evaluation yet", transform=validation.transAxes, ha="center", color="0.5")
        tidy(validation, "Validation loss (nats a token)")
        _lines(mixing, history, history.steps, run_styles, markers, lambda task: task.proportion)
        for task, style in run_styles.items():
            drawn = {"color": style["color"], "marker": markers[task], "markersize": 2.5, "alpha": 0.5}
            mixing.plot(history.steps, history.tasks[task].share, linestyle="", **drawn)
        tidy(mixing, "Share of examples: asked for (line), drawn (marks)")
        _lines(epochs, history, history.steps, run_styles, markers, _seen)
        epochs.axhline(1, color="0.2", linewidth=1)
        tidy(epochs, "Epochs seen")
        step_axis(epochs)
    _scales(panels, runs)
    first = panels[0, 0]
    for task, style in styles.items():  # also those that this run does not have
        first.plot([], [], label=task, marker=markers[task], markersize=_MARK, **style)
    legend(figure, first, "lower", columns=columns)
    return figure


def _seen(task: TaskHistory) -> np.ndarray:
    """Returns a task's epochs from when it was first seen: before, it has no place on a logarithmic scale."""
    return np.where(task.epochs > 0, task.epochs, np.nan)


def _tail(name: str) -> str:
    """Returns the end of a name that is too long for a column."""
    return name if len(name) <= _NAME else "…" + name[1 - _NAME :]


def _lines(
    axes: "Axes",
    history: History,
    steps: np.ndarray,
    styles: Mapping[str, dict],
    markers: Mapping[str, str],
    values: Callable[[TaskHistory], np.ndarray],
    *,
    marked: bool = False,
) -> None:
    """Draws one line a task, joined over windows that held none of it; a single point is shown as the task's mark."""
    for task, style in styles.items():
        series = values(history.tasks[task])
        finite = np.isfinite(series)
        marker = markers[task] if marked or finite.sum() == 1 else ""
        look = {**style, "linewidth": 1.2, "marker": marker, "markersize": _MARK}
        axes.plot(steps[finite], series[finite], **look)


def _scales(panels: np.ndarray, runs: Mapping[str, History]) -> None:
    """Makes the scales of losses and epochs logarithmic, where there are losses and all of them are above zero."""
    tasks = [task for history in runs.values() for task in history.tasks.values()]
    losses, validation = ([getattr(task, name) for task in tasks] for name in ("loss", "validation"))
    for row, series in ((0, losses), (1, validation), (3, [_seen(task) for task in tasks])):
        values = np.concatenate(series)
        finite = values[np.isfinite(values)]
        if finite.size and finite.min() > 0:
            log_axis(panels[row, 0], "y")
    panels[2, 0].set_ylim(0, 1.05 * panels[2, 0].get_ylim()[1])  # with room for the marks on top
