"""The figure of quality against cost."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from t5mix.analysis.comparisons import LEVEL
from t5mix.analysis.costs import Cost, pareto_front
from t5mix.analysis.statistics import Estimate
from t5mix.console import units
from t5mix.plots.style import log_axis
from t5mix.report import formatting
from t5mix.report.document import FigureBlock, Panel, Styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COSTS: dict[str, Callable[[Cost], float | None]] = {
    "Trained parameters": lambda cost: cost.trained,
    "Floating-point operations of training": lambda cost: cost.operations,
    "Peak memory (GiB)": lambda cost: None if cost.memory is None else cost.memory / 2**30,
    "Time of training (seconds)": lambda cost: cost.training,
}
"""What a panel shows, by its title."""


def costs_figure(costs: Mapping[str, Cost], scores: Mapping[str, Estimate], styles: Styles) -> FigureBlock | None:
    """Draws the mean score against what it costs; None where there is nothing to draw."""
    panels = []
    for title, read in _COSTS.items():
        values = {name: read(cost) for name, cost in costs.items()}
        points = {
            name: (value, scores[name].value)
            for name, value in values.items()
            if value is not None and value > 0 and np.isfinite(scores[name].value)
        }
        if len(points) > 1:
            panels.append(_panel(title, points, scores, styles))
    if not panels:
        return None
    return FigureBlock(
        "costs",
        f"The mean score over tasks against what a method costs, with {formatting.level_text(LEVEL)} intervals; "
        "further left is cheaper, further up is better. Circled and joined: the methods that no other beats at their "
        "price or less (the Pareto front), as far as the means tell. Operations and times are those of the reported "
        "runs, without the runs that they start from; a method with a run for each task pays for all.",
        panels,
        {name: styles[name] for name in costs},
    )


def _panel(
    title: str, points: Mapping[str, tuple[float, float]], scores: Mapping[str, Estimate], styles: Styles
) -> Panel:
    front = pareto_front(points)

    def draw(axes: "Axes") -> None:
        steps = [points[name] for name in front]
        axes.plot(*zip(*steps, strict=True), color="0.5", linestyle="--", linewidth=1, drawstyle="steps-post", zorder=1)
        for name, (cost, score) in points.items():
            half = formatting.half_width(scores[name], LEVEL)
            marker = {key: styles[name][key] for key in ("color", "marker")}
            axes.errorbar(cost, score, half, linestyle="", markersize=6, elinewidth=1.2, **marker)
            if name in front:
                axes.plot(cost, score, marker="o", markersize=12, color="#000000", markerfacecolor="none")
        _scale_cost_axis(axes, [cost for cost, _ in points.values()])
        axes.margins(x=0.12, y=0.12)
        axes.set_ylabel("mean score", fontsize=8)

    return Panel(title, draw, 2.6, f"on the Pareto front, cheapest first: {', '.join(front)}")


def _scale_cost_axis(axes: "Axes", costs: Sequence[float]) -> None:
    """Makes the axis logarithmic where costs lie far apart, with ticks at powers of ten where there is room for few."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    ratio = max(costs) / min(costs)
    if ratio > 3:
        log_axis(axes, "x")
        axes.xaxis.set_major_locator(
            LogLocator(subs=(1.0,) if ratio > 50 else (1.0, 3.0) if ratio > 8 else (1.0, 2.0, 5.0))
        )
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.si_number(value)))
