"""Figures over the steps of training: losses, and the proportions of adaptive mixing."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from t5mix.analysis.training_curves import Line, Progress
from t5mix.console import units
from t5mix.plots.style import step_axis, task_styles
from t5mix.report.document import TITLE_LENGTH, FigureBlock, Panel, Styles
from t5mix.report.formatting import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 150  # of a line
_MOST_MARKERS = 12  # of a line


def training_figure(progress: Mapping[str, Progress], styles: Styles) -> FigureBlock | None:
    """Draws the training and validation losses of all methods; None where nothing was logged more than once."""
    tasks = dict.fromkeys(task for curves in progress.values() for task in curves.validation)
    training = _with_course(
        {"Training loss (nats a token)": {name: curves.loss for name, curves in progress.items()}},
    )
    validation = _with_course(
        {
            "Validation loss, mean of tasks": {name: curves.mean_validation for name, curves in progress.items()},
            **{
                f"Validation loss: {task}": {name: curves.validation.get(task) for name, curves in progress.items()}
                for task in tasks
            },
        }
    )
    panels = [_losses(title, lines, styles) for title, lines in {**training, **validation}.items()]
    if not panels:
        return None
    caption = ["Losses over the steps of the reported runs, mean over seeds."]
    if validation:
        caption.append("Validation losses can be compared across methods.")
    if training:
        caption.append(
            "The training loss weighs tasks as they were drawn: it can be compared only where methods mix alike, and "
            "methods with a run for each task have none."
        )
    return FigureBlock("training", " ".join(caption), panels, {name: styles[name] for name in progress})


def _with_course(panels: Mapping[str, Mapping[str, Line | None]]) -> dict[str, Mapping[str, Line | None]]:
    """Returns the panels of which a line has a course: a run that was evaluated once, at its end, has none."""
    return {title: lines for title, lines in panels.items() if _any_has_course(lines.values())}


def _any_has_course(lines: Iterable[Line | None]) -> bool:
    return any(line is not None and line.steps.size > 1 for line in lines)


def _losses(title: str, lines: Mapping[str, Line | None], styles: Styles) -> Panel:
    def draw(axes: "Axes") -> None:
        for name, line in lines.items():
            if line is not None and line.steps.size:
                steps, values = _thinned(line)
                style = {key: styles[name][key] for key in ("color", "linestyle")}
                if len(steps) <= _MOST_MARKERS:
                    style |= {"marker": styles[name]["marker"], "markersize": 3.5}
                axes.plot(steps, values, linewidth=1.5, **style)
        step_axis(axes)

    ends = [f"{name} {line.values[-1]:.3f}" for name, line in lines.items() if line is not None and line.steps.size]
    return Panel(shortened(title, TITLE_LENGTH), draw, 2.5, "at the end " + ", ".join(ends))


def proportions_figure(progress: Mapping[str, Progress]) -> FigureBlock | None:
    """Draws the tasks' proportions under each strategy that changes them; None where there is none."""
    adaptive = {name: curves for name, curves in progress.items() if curves.adaptive}
    if not adaptive:
        return None
    styles = task_styles(dict.fromkeys(task for curves in adaptive.values() for task in curves.proportions))
    return FigureBlock(
        "weights",
        "The share of the examples that adaptive strategies ask for of each task, over the steps; mean over seeds.",
        [_proportions(name, curves.proportions, styles) for name, curves in adaptive.items()],
        styles,
    )


def _proportions(title: str, lines: Mapping[str, Line], styles: Styles) -> Panel:
    def draw(axes: "Axes") -> None:
        for task, line in lines.items():
            steps, values = _thinned(line)
            axes.plot(steps, 100 * values, **{**styles[task], "linewidth": 1.4})
        axes.set_ylim(bottom=0)
        axes.set_ylabel("%", fontsize=8)
        step_axis(axes)

    logged = {task: line.values for task, line in lines.items() if line.values.size}
    alt_text = ", ".join(
        f"{task} from {units.percent(values[0])} to {units.percent(values[-1])}" for task, values in logged.items()
    )
    return Panel(shortened(title, TITLE_LENGTH), draw, 2.5, alt_text)


def _thinned(line: Line) -> tuple[np.ndarray, np.ndarray]:
    """Returns a line's steps and values, thinned to at most so many points, each the mean of its stretch."""
    if line.steps.size <= _MOST_POINTS:
        return line.steps, line.values
    steps, values = (
        [stretch.mean() for stretch in np.array_split(series, _MOST_POINTS)] for series in (line.steps, line.values)
    )
    return np.array(steps), np.array(values)
