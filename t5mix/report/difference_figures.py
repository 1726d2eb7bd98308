"""Figures of differences between methods: forest plots of hypotheses, and of all methods against the reference."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from t5mix.analysis.comparisons import LEVEL, MethodComparison
from t5mix.analysis.hypotheses import Judgement, Verdict
from t5mix.analysis.statistics import Estimate
from t5mix.report import formatting
from t5mix.report.document import TITLE_LENGTH, FigureBlock, Panel, Style, Styles
from t5mix.report.formatting import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_HEIGHT = 0.36  # inches
_NAME_LENGTH = 34  # characters that fit beside a row's numbers


def verdicts_figure(judgements: Mapping[str, Judgement], styles: Styles) -> FigureBlock:
    """Draws the differences that hypotheses are about, with their corrected intervals and margins."""
    rows = [
        _Row(
            name,
            judgement.estimate,
            judgement.interval,
            styles[judgement.hypothesis.better],
            judgement.verdict != Verdict.INCONCLUSIVE,
        )
        for name, judgement in judgements.items()
    ]
    margins = [judgement.hypothesis.margin for judgement in judgements.values()]
    return FigureBlock(
        "verdicts",
        "What the hypotheses are about: the estimated difference, with the interval that is corrected for judging all "
        "of them. The upright line is the margin. An interval to the right of it supports the claim, one to the left "
        "refutes it, one that holds it decides nothing (hollow). Colours are those of the method that should be "
        "better.",
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
        f"mean and {formatting.level_text(LEVEL)} interval. Filled markers stay different from 0 after Holm's "
        "correction over all differences shown. Each panel has its own scale.",
        panels,
    )


@dataclasses.dataclass(frozen=True)
class _Row:
    """A line of a forest plot; `significant` says whether its marker is filled."""

    name: str
    estimate: Estimate
    bounds: tuple[float, float] | None
    style: Style
    significant: bool

    @property
    def text(self) -> str:
        difference = formatting.difference_text(self.estimate.value)
        return difference if self.bounds is None else f"{difference} {formatting.interval_text(self.bounds)}"


def _forest(title: str, rows: Sequence[_Row], nulls: Sequence[float]) -> Panel:
    """Returns a panel with one row for each difference: its name and numbers above its interval."""

    def draw(axes: "Axes") -> None:
        white = {"facecolor": "#ffffff", "edgecolor": "none", "pad": 1}
        text_style = {"transform": axes.get_yaxis_transform(), "fontsize": 8, "va": "center", "bbox": white}
        for y, (row, null) in enumerate(zip(rows, nulls, strict=True)):
            colour = row.style["color"]
            axes.text(0.0, y - 0.28, shortened(row.name, _NAME_LENGTH), **text_style)
            axes.text(1.0, y - 0.28, row.text, ha="right", color="0.45", **text_style)
            axes.plot([null, null], [y - 0.05, y + 0.35], color="#000000", linewidth=1.2)
            if row.bounds is not None:
                axes.plot(row.bounds, [y + 0.15] * 2, color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot(
                [row.estimate.value],
                [y + 0.15],
                linestyle="",
                marker=row.style["marker"],
                markersize=6,
                color=colour,
                markerfacecolor=colour if row.significant else "#ffffff",
                markeredgewidth=1.4,
                zorder=4,
            )
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.04)

    alt_text = "; ".join(f"{row.name} {row.text}" for row in rows)
    return Panel(shortened(title, TITLE_LENGTH), draw, 0.65 + _ROW_HEIGHT * len(rows), alt_text)
