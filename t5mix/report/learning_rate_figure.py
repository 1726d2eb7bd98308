"""The figure of how learning rates were chosen."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from t5mix.console import units
from t5mix.report.document import TITLE_LENGTH, FigureBlock, Panel, Style, Styles
from t5mix.report.formatting import shortened
from t5mix.sweep.tuning import Choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def learning_rate_figure(choices: Mapping[str, Choice], styles: Styles, split: str) -> FigureBlock:
    """Draws the scores that learning rates were chosen by."""
    panels = []
    for method, choice in choices.items():
        points = sorted((rate, score) for rate, score in choice.scores.items() if np.isfinite(score))
        if points:
            panels.append(_panel(method, choice, points, styles[method]))
    return FigureBlock(
        "learning_rates",
        f"How each method's learning rate was chosen: the mean score over tasks on the {split} split, by learning "
        "rate. The chosen one is circled; hollow points lie beyond the grid as it was declared, which was extended "
        "because the best lay at its edge. Each panel has its own scale.",
        panels,
    )


def _panel(method: str, choice: Choice, points: Sequence[tuple[float, float]], style: Style) -> Panel:
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

    edge = ": best at the edge" if choice.at_edge else ""
    alt_text = ", ".join(f"{score:.2f} at {rate:g}" for rate, score in points)
    alt_text += f"; chosen: {units.learning_rate(choice.learning_rate)}"
    alt_text += ", at the edge of the grid" if choice.at_edge else ""
    return Panel(shortened(method, TITLE_LENGTH - len(edge)) + edge, draw, 1.7, alt_text)
