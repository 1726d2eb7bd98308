"""A picture of what strategies make of a mixture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from t5mix.mixing.forecast import Curve, StrategyComparison, TaskForecast
from t5mix.plots.style import legend, legend_columns, log_axis, new_figure, shades, task_styles, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_EPOCHS = 1e-3  # where the bar of a task that is hardly drawn ends
_WIDTH = 11.0  # inches
_GROUP = 0.8  # of the room of a task, what its bars take


def mixture_figure(comparison: StrategyComparison, title: str) -> "Figure":
    """Draws proportions and epochs by strategy, and the proportions over the range of T and of K.

    Tasks stand in the order of their size, the largest above; each has one colour and line style throughout.
    """
    tasks = next(iter(comparison.forecasts.values())).tasks
    bars = len(tasks) * (len(comparison.forecasts) * 0.11 + 0.12)
    upper, lower = min(max(bars, 2.4), 16.0) + 0.6, 4.2
    columns = legend_columns([task.name for task in tasks], _WIDTH)
    figure = new_figure(_WIDTH, upper + lower + 0.17 * (len(tasks) / columns + len(comparison.forecasts) / 3) + 0.8)
    grid = figure.add_gridspec(2, 2, height_ratios=[upper, lower])
    proportions = figure.add_subplot(grid[0, 0])
    epochs = figure.add_subplot(grid[0, 1], sharey=proportions)
    by_temperature = figure.add_subplot(grid[1, 0])
    by_max_examples = figure.add_subplot(grid[1, 1], sharey=by_temperature)

    order = sorted(range(len(tasks)), key=lambda i: (tasks[i].size, tasks[i].name))
    _proportions(proportions, comparison, order)
    _epochs(epochs, comparison, order)
    _name_tasks(proportions, tasks, order)
    legend(figure, proportions, "upper", columns=min(len(comparison.forecasts), 3), title=title)
    _curves(by_temperature, comparison.by_temperature, tasks, order)
    for share in np.unique(comparison.by_temperature.proportions[-1].round(12)):
        by_temperature.axhline(share, color="0.5", linewidth=0.8, linestyle=":")
    by_temperature.set_xlabel("T, without a limit; dotted: equal mixing", fontsize=8)
    tidy(by_temperature, "Proportions by temperature")
    _curves(by_max_examples, comparison.by_max_examples, tasks, order)
    by_max_examples.set_xlabel("K, examples-proportional mixing", fontsize=8)
    same = "; all tasks are of one size" if len({task.size for task in tasks}) == 1 else ""
    tidy(by_max_examples, f"Proportions by limit{same}")
    for right in (epochs, by_max_examples):
        right.tick_params(axis="y", length=0, labelleft=False)
    legend(figure, by_temperature, "lower", columns=columns)
    return figure


def _proportions(axes: "Axes", comparison: StrategyComparison, order: Sequence[int]) -> None:
    """Draws the mean proportions as bars; a line leads from the first step's to the last's where they differ."""
    for label, height, positions, colour, tasks in _groups(comparison, order):
        axes.barh(positions, [task.proportion for task in tasks], height, color=colour, label=label)
        if any(task.first != task.last for task in tasks):
            axes.hlines(positions, [t.first for t in tasks], [t.last for t in tasks], color="#D55E00", linewidth=1)
            axes.plot([t.last for t in tasks], positions, linestyle="", marker=".", markersize=4, color="#D55E00")
    tidy(axes, "Proportions" + _orange_note(comparison))
    axes.set_xlim(left=0)


def _epochs(axes: "Axes", comparison: StrategyComparison, order: Sequence[int]) -> None:
    """Draws epochs as bars that begin at one: to the right what is repeated, to the left what is not seen whole."""
    ends = [1.0]
    for _, height, positions, colour, tasks in _groups(comparison, order):
        epochs = np.maximum([task.epochs for task in tasks], _LEAST_EPOCHS)
        ends += [epochs.min(), epochs.max()]
        axes.barh(positions, np.abs(epochs - 1), height, left=np.minimum(epochs, 1), color=colour)
    log_axis(axes, "x")
    axes.set_xlim(min(ends) / 1.2, max(ends) * 1.2)
    axes.axvline(1, color="0.2", linewidth=1)
    steps = next(iter(comparison.forecasts.values())).steps
    tidy(axes, f"Epochs in {steps:,} steps")


def _groups(comparison: StrategyComparison, order: Sequence[int]) -> Any:
    """Yields for each strategy its label, the height and positions of its bars, its colour, and its tasks in order."""
    count = len(comparison.forecasts)
    height = _GROUP / count
    for i, ((label, forecast), colour) in enumerate(zip(comparison.forecasts.items(), shades(count), strict=True)):
        positions = np.arange(len(order)) + _GROUP / 2 - (i + 0.5) * height
        yield label, height, positions, colour, [forecast.tasks[task] for task in order]


def _orange_note(comparison: StrategyComparison) -> str:
    changing = any(forecast.changes for forecast in comparison.forecasts.values())
    return "; orange: from the first step to the last (dot)" if changing else ""


def _name_tasks(axes: "Axes", tasks: Sequence[TaskForecast], order: Sequence[int]) -> None:
    """Writes names and sizes beside the bars, with a sample of each task's line."""
    names = [f"{tasks[i].name}  {tasks[i].size:,}" for i in order]
    axes.set_yticks(range(len(order)), names, fontsize=8 if len(order) <= 40 else 6)
    axes.tick_params(axis="y", length=0, pad=22)
    axes.set_ylim(-0.6, len(order) - 0.4)
    styles = list(task_styles(task.name for task in tasks).values())
    for y, i in enumerate(order):
        sample = axes.plot([-0.045, -0.01], [y, y], transform=axes.get_yaxis_transform(), **styles[i])
        sample[0].set(clip_on=False, linewidth=2, label="_sample")


def _curves(axes: "Axes", curve: Curve, tasks: Sequence[TaskForecast], order: Sequence[int]) -> None:
    styles = task_styles(task.name for task in tasks)
    finite = np.isfinite(curve.setting)
    setting, proportions = curve.setting[finite], curve.proportions[finite]
    if setting.size == 1:  # all tasks are of one size, and any limit gives the same
        setting, proportions = setting * [0.5, 2.0], proportions.repeat(2, axis=0)
    for i in reversed(order):
        axes.plot(setting, proportions[:, i], label=tasks[i].name, **styles[tasks[i].name])
    log_axis(axes, "x")
    axes.set_xlim(setting[0], setting[-1])
    axes.set_ylim(bottom=0)
