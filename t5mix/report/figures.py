"""The figures of a report."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from t5mix.analysis.comparisons import LEVEL, MethodComparison
from t5mix.analysis.costs import Cost, pareto_front
from t5mix.analysis.hypotheses import Judgement, Verdict
from t5mix.analysis.statistics import Estimate
from t5mix.analysis.training_curves import Line, Progress
from t5mix.console import units
from t5mix.plots.style import log_axis, task_styles
from t5mix.report import formatting
from t5mix.report.document import FigureBlock, Panel, Style
from t5mix.sweep.tuning import Choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Styles = Mapping[str, Style]

_ROW = 0.36  # inches, of a row in a forest plot
_TITLE = 44  # characters that fit above a panel
_NAME = 34  # characters that fit beside a figure


# Differences ------------------------------------------------------------------------------------------


def verdicts_figure(judged: Mapping[str, Judgement], styles: Styles) -> FigureBlock:
    """Draws the differences that hypotheses are about, with their corrected intervals and margins."""
    rows = [
        _Row(name, one.estimate, one.interval, styles[one.hypothesis.better], one.verdict != Verdict.INCONCLUSIVE)
        for name, one in judged.items()
    ]
    margins = [one.hypothesis.margin for one in judged.values()]
    return FigureBlock(
        "verdicts",
        "What the hypotheses are about: the difference found, with the interval that is corrected for judging all of "
        "them. The upright line is the margin. An interval to the right of it wins, one to the left loses, one "
        "that holds it decides nothing (hollow). Colours are those of the method that should be better.",
        [_forest("Hypotheses (points)", rows, margins)],
    )


def differences_figure(comparison: MethodComparison, styles: Styles) -> FigureBlock:
    """Draws by how much each method exceeds the reference, a panel for each column."""
    panels = []
    for column in comparison.columns:
        rows = []
        for method in comparison.others:
            entry = comparison.entries[method][column]
            assert entry.difference is not None
            bounds = entry.difference.interval(LEVEL)
            rows.append(_Row(method, entry.difference, bounds, styles[method], entry.better or entry.worse))
        panels.append(_forest(column, rows, [0.0] * len(rows)))
    return FigureBlock(
        "differences",
        f"By how many points each method exceeds “{comparison.reference}”, with the same seeds on the same examples: "
        f"mean and {formatting.level(LEVEL)} interval. Filled markers stay different from 0 after Holm's correction "
        "over all differences shown. Each panel has its own scale.",
        panels,
    )


@dataclasses.dataclass(frozen=True)
class _Row:
    """A line of a forest plot; `sure` says whether its marker is filled."""

    name: str
    estimate: Estimate
    bounds: tuple[float, float] | None
    style: Style
    sure: bool

    @property
    def text(self) -> str:
        found = formatting.signed(self.estimate.value)
        return found if self.bounds is None else f"{found} {formatting.interval(self.bounds)}"


def _forest(title: str, rows: Sequence[_Row], nulls: Sequence[float]) -> Panel:
    """Returns a panel with one row for each difference: its name and figures above its interval."""

    def draw(axes: "Axes") -> None:
        blank = {"facecolor": "#ffffff", "edgecolor": "none", "pad": 1}
        for place, (row, null) in enumerate(zip(rows, nulls, strict=True)):
            colour = row.style["color"]
            over = axes.get_yaxis_transform()
            line = {"transform": over, "fontsize": 8, "va": "center", "bbox": blank}
            axes.text(0.0, place - 0.28, _cut(row.name, _NAME), **line)
            axes.text(1.0, place - 0.28, row.text, ha="right", color="0.45", **line)
            axes.plot([null, null], [place - 0.05, place + 0.35], color="#000000", linewidth=1.2)
            if row.bounds is not None:
                axes.plot(row.bounds, [place + 0.15] * 2, color=colour, linewidth=2, solid_capstyle="butt")
            face = colour if row.sure else "#ffffff"
            look = {"color": colour, "markerfacecolor": face, "marker": row.style["marker"], "markersize": 6}
            axes.plot([row.estimate.value], [place + 0.15], linestyle="", markeredgewidth=1.4, zorder=4, **look)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.04)

    alt_text = "; ".join(f"{row.name} {row.text}" for row in rows)
    return Panel(_cut(title, _TITLE), draw, 0.65 + _ROW * len(rows), alt_text)


# Learning rates ---------------------------------------------------------------------------------------


def rates_figure(choices: Mapping[str, Choice], styles: Styles, split: str) -> FigureBlock:
    """Draws the scores that learning rates were chosen by."""
    panels = []
    for method, choice in choices.items():
        points = sorted((rate, score) for rate, score in choice.scores.items() if np.isfinite(score))
        if points:
            panels.append(_rates(method, choice, points, styles[method]))
    return FigureBlock(
        "learning_rates",
        f"How each method's learning rate was chosen: the mean score over tasks on the {split} split, by learning "
        "rate. The chosen one is circled; hollow points lie beyond the grid as it was declared, which was extended "
        "because the best lay at its edge. Each panel has its own scale.",
        panels,
    )


def _rates(method: str, choice: Choice, points: Sequence[tuple[float, float]], style: Style) -> Panel:
    rates, scores = zip(*points, strict=True)

    def draw(axes: "Axes") -> None:
        axes.plot(rates, scores, color=style["color"], linewidth=1.6)
        for rate, score in points:
            face = "#ffffff" if any(np.isclose(rate, extended) for extended in choice.extended) else style["color"]
            axes.plot(rate, score, marker=style["marker"], markersize=5, color=style["color"], markerfacecolor=face)
            if choice.learning_rate is not None and np.isclose(rate, choice.learning_rate):
                axes.plot(rate, score, marker="o", markersize=12, color="#000000", markerfacecolor="none")
        axes.set_xscale("log")
        axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axes.minorticks_off()
        axes.margins(x=0.1, y=0.2)

    alt_text = ", ".join(f"{score:.2f} at {rate:g}" for rate, score in points)
    chosen = f"; chosen: {units.learning_rate(choice.learning_rate)}" + (
        ", at the edge of the grid" if choice.at_edge else ""
    )
    edge = ": best at the edge" if choice.at_edge else ""
    return Panel(_cut(method, _TITLE - len(edge)) + edge, draw, 1.7, alt_text + chosen)


# Costs ------------------------------------------------------------------------------------------------


def costs_figure(costs: Mapping[str, Cost], scores: Mapping[str, Estimate], styles: Styles) -> FigureBlock | None:
    """Draws the mean score against what it costs; None where there is nothing to draw."""
    wanted: dict[str, Callable[[Cost], float | None]] = {
        "Trained parameters": lambda cost: cost.trained,
        "Floating-point operations of training": lambda cost: cost.operations,
        "Peak memory (GiB)": lambda cost: None if cost.memory is None else cost.memory / 2**30,
        "Time of training (seconds)": lambda cost: cost.training,
    }
    panels = []
    for title, read in wanted.items():
        values = {name: read(cost) for name, cost in costs.items()}
        points = {
            name: (value, scores[name].value)
            for name, value in values.items()
            if value is not None and value > 0 and np.isfinite(scores[name].value)
        }
        if len(points) > 1:
            panels.append(_cost(title, points, scores, styles))
    if not panels:
        return None
    return FigureBlock(
        "costs",
        f"The mean score over tasks against what a method costs, with {formatting.level(LEVEL)} intervals; further "
        "left is "
        "cheaper, further up is better. Circled and joined: the methods that no other beats at their price or less "
        "(the Pareto front), as far as the means tell. Operations and times are those of "
        "the reported runs, without the runs that they start from; a method with a run for each task pays for all.",
        panels,
        {name: styles[name] for name in costs},
    )


def _cost(
    title: str, points: Mapping[str, tuple[float, float]], scores: Mapping[str, Estimate], styles: Styles
) -> Panel:
    front = pareto_front(points)

    def draw(axes: "Axes") -> None:
        steps = [points[name] for name in front]
        axes.plot(*zip(*steps, strict=True), color="0.5", linestyle="--", linewidth=1, drawstyle="steps-post", zorder=1)
        for name, (cost, score) in points.items():
            half = formatting.half_width(scores[name], LEVEL)
            look = {key: styles[name][key] for key in ("color", "marker")}
            axes.errorbar(cost, score, half, linestyle="", markersize=6, elinewidth=1.2, **look)
            if name in front:
                axes.plot(cost, score, marker="o", markersize=12, color="#000000", markerfacecolor="none")
        _cost_axis(axes, [cost for cost, _ in points.values()])
        axes.margins(x=0.12, y=0.12)
        axes.set_ylabel("mean score", fontsize=8)

    return Panel(title, draw, 2.6, f"on the Pareto front, cheapest first: {', '.join(front)}")


def _cost_axis(axes: "Axes", costs: Sequence[float]) -> None:
    """Makes the axis logarithmic where costs lie far apart, with ticks at powers of ten where there is room for few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    wide = max(costs) / min(costs)
    if wide > 3:
        log_axis(axes, "x")
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1.0,) if wide > 50 else (1.0, 3.0) if wide > 8 else (1.0, 2.0, 5.0))
        )
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.si_number(value)))


# Training ---------------------------------------------------------------------------------------------


def training_figure(progress: Mapping[str, Progress], styles: Styles) -> FigureBlock | None:
    """Draws the training and validation losses of all methods; None where nothing was logged more than once."""
    training = {"Training loss (nats a token)": {name: one.loss for name, one in progress.items()}}
    tasks = dict.fromkeys(task for one in progress.values() for task in one.validation)
    validation = {
        "Validation loss, mean of tasks": {name: one.mean_validation for name, one in progress.items()},
        **{
            f"Validation loss: {task}": {name: one.validation.get(task) for name, one in progress.items()}
            for task in tasks
        },
    }
    training, validation = (
        {title: lines for title, lines in each.items() if _any(lines.values())} for each in (training, validation)
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


def _any(lines: Iterable[Line | None]) -> bool:
    """Says whether one of the lines has a course: a run that was evaluated once, at its end, has none."""
    return any(line is not None and line.steps.size > 1 for line in lines)


def _losses(title: str, lines: Mapping[str, Line | None], styles: Styles) -> Panel:
    def draw(axes: "Axes") -> None:
        for name, line in lines.items():
            if line is not None and line.steps.size:
                steps, values = _thinned(line)
                look = {key: styles[name][key] for key in ("color", "linestyle")}
                dots = {"marker": styles[name]["marker"], "markersize": 3.5} if len(steps) <= 12 else {}
                axes.plot(steps, values, linewidth=1.5, **look, **dots)
        axes.set_xlabel("step", fontsize=8)

    ends = [f"{name} {line.values[-1]:.3f}" for name, line in lines.items() if line is not None and line.steps.size]
    return Panel(_cut(title, _TITLE), draw, 2.5, "at the end " + ", ".join(ends))


def proportions_figure(progress: Mapping[str, Progress]) -> FigureBlock | None:
    """Draws the tasks' weights under each strategy that changes them; None where there is none."""
    adaptive = {name: one for name, one in progress.items() if one.adaptive}
    if not adaptive:
        return None
    styles = task_styles(dict.fromkeys(task for one in adaptive.values() for task in one.proportions))
    return FigureBlock(
        "weights",
        "The share of the examples that adaptive strategies ask for of each task, over the steps; mean over seeds.",
        [_proportions(name, one.proportions, styles) for name, one in adaptive.items()],
        styles,
    )


def _proportions(title: str, lines: Mapping[str, Line], styles: Styles) -> Panel:
    def draw(axes: "Axes") -> None:
        for task, line in lines.items():
            steps, values = _thinned(line)
            axes.plot(steps, 100 * values, **{**styles[task], "linewidth": 1.4})
        axes.set_ylim(bottom=0)
        axes.set_ylabel("%", fontsize=8)
        axes.set_xlabel("step", fontsize=8)

    known = {task: line.values for task, line in lines.items() if line.values.size}
    alt_text = ", ".join(
        f"{task} from {units.percent(values[0])} to {units.percent(values[-1])}" for task, values in known.items()
    )
    return Panel(_cut(title, _TITLE), draw, 2.5, alt_text)


# Parts ------------------------------------------------------------------------------------------------


def _thinned(line: Line, most: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Returns a line with at most so many points, each the mean of its stretch."""
    if line.steps.size <= most:
        return line.steps, line.values
    steps, values = ([part.mean() for part in np.array_split(of, most)] for of in (line.steps, line.values))
    return np.array(steps), np.array(values)


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
