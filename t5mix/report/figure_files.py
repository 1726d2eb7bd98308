"""Figures of a report as files: all panels of one together, with their legend."""

from pathlib import Path
from typing import TYPE_CHECKING

from t5mix.plots.style import lay_out, legend, legend_columns, new_figure, save, tidy
from t5mix.report.document import FigureBlock
from t5mix.report.svg import PANEL_WIDTH, reproducible_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS_A_ROW = 3


def save_figure(block: FigureBlock, folder: Path) -> None:
    """Writes a figure, all panels together, as PNG and SVG files."""
    with reproducible_svg():
        figure = _drawn(block)
        lay_out(figure)
        for ending in ("png", "svg"):
            save(figure, folder / f"{block.name}.{ending}")


def _drawn(block: FigureBlock) -> "Figure":
    columns = 2 if len(block.panels) == 4 else min(_PANELS_A_ROW, len(block.panels))
    rows = [block.panels[start : start + columns] for start in range(0, len(block.panels), columns)]
    heights = [max(panel.height for panel in row) for row in rows]
    width = columns * PANEL_WIDTH
    key_columns = min(legend_columns(block.legend, width), len(block.legend)) if block.legend else 1
    figure = new_figure(width, sum(heights) + 0.2 * (len(block.legend) / key_columns) + 0.2)
    grid = figure.add_gridspec(len(rows), columns, height_ratios=heights)
    for index, panel in enumerate(block.panels):
        axes = figure.add_subplot(grid[index // columns, index % columns])
        panel.draw(axes)
        tidy(axes, panel.title)
    if block.legend:
        first = figure.axes[0]
        handles = [first.plot([], [], label=name, **style)[0] for name, style in block.legend.items()]
        legend(figure, first, "lower", columns=key_columns)
        for handle in handles:
            handle.remove()
    return figure
