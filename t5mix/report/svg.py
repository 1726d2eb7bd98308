"""Pictures into files and into a page, where they take the page's colours, light or dark."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from t5mix.plots.style import legend, legend_columns, new_figure, save, tidy
from t5mix.report.document import FigureBlock, Panel, Style
from t5mix.report.method_styles import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL = 3.9  # inches, the width of a panel
_ABREAST = 3
_INK, _PAPER = "#000000", "#ffffff"
_INKS = {_INK: "currentColor", _PAPER: "var(--page)", "#e6e6e6": "var(--line)", "#737373": "var(--soft)"}


def save_figure(block: FigureBlock, folder: Path) -> None:
    """Writes a figure, all panels together, as PNG and SVG files."""
    with _settings():
        figure = _together(block)
        for ending in ("png", "svg"):
            save(figure, folder / f"{block.name}.{ending}")


def _together(block: FigureBlock) -> "Figure":
    abreast = 2 if len(block.panels) == 4 else min(_ABREAST, len(block.panels))
    rows = [block.panels[start : start + abreast] for start in range(0, len(block.panels), abreast)]
    heights = [max(panel.height for panel in row) for row in rows]
    width = abreast * PANEL
    columns = min(legend_columns(block.legend, width), len(block.legend)) if block.legend else 1
    figure = new_figure(width, sum(heights) + 0.2 * (len(block.legend) / columns) + 0.2)
    grid = figure.add_gridspec(len(rows), abreast, height_ratios=heights)
    for place, panel in enumerate(block.panels):
        axes = figure.add_subplot(grid[place // abreast, place % abreast])
        panel.draw(axes)
        tidy(axes, panel.title)
    if block.legend:
        key = figure.axes[0]
        handles = [key.plot([], [], label=name, **style)[0] for name, style in block.legend.items()]
        legend(figure, key, "lower", columns=columns)
        for handle in handles:
            handle.remove()
    return figure


def inline(panel: Panel, name: str) -> str:
    """Returns a panel as an SVG element for a page.

    Colours become the page's: black its text's, white its own, those of methods the variables --c0, --c1, ...

    Args:
        panel: the panel.
        name: unique on the page.
    """
    with _settings():
        figure = new_figure(PANEL, panel.height)
        axes = figure.add_subplot()
        panel.draw(axes)
        tidy(axes, panel.title)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _adapted(text.getvalue(), panel, name)


@contextmanager
def _settings() -> Iterator[None]:
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "t5mix", "path.simplify": True}):
        yield


def _adapted(drawn: str, panel: Panel, name: str) -> str:
    """Returns matplotlib's SVG without what only a file needs."""
    size = re.search(r'viewBox="([^"]+)"', drawn)
    assert size is not None
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r' id="(\w+)"', rf' id="{name}-\1"', body)
    body = re.sub(r'(xlink:href="#|url\(#)(\w+)', rf"\1{name}-\2", body).replace("xlink:href", "href")
    body = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", body)
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--font)", body)
    body = re.sub(r"\n\s*", "\n", body).replace("\n\n", "\n")
    for place, colour in enumerate(COLOURS):
        if colour != _INK:
            body = body.replace(colour.lower(), f"var(--c{place})")
    for colour, variable in _INKS.items():
        body = body.replace(colour, variable)
    says = escape(": ".join(part for part in (panel.title, panel.alt_text) if part))
    return f'<svg viewBox="{size[1]}" role="img" aria-label="{says}">{body}'


def swatch(style: Style) -> str:
    """Returns a sample of a line as a small SVG element."""
    from matplotlib.markers import MarkerStyle

    colour = str(style["color"])
    place = COLOURS.index(colour) if colour in COLOURS else None
    ink = colour if place is None else "currentColor" if colour == _INK else f"var(--c{place})"
    dash = style.get("linestyle", "-")
    dashes = "" if isinstance(dash, str) else f' stroke-dasharray="{" ".join(f"{2 * part:g}" for part in dash[1])}"'
    drawn = f'<path d="M0 6H28" stroke="{ink}" stroke-width="2"{dashes}/>'
    if style.get("marker"):
        marker = MarkerStyle(style["marker"])
        for outline in marker.get_path().transformed(marker.get_transform()).to_polygons(closed_only=False):
            points = " ".join(f"{14 + 8 * x:.1f},{6 - 8 * y:.1f}" for x, y in np.asarray(outline))
            drawn += f'<polygon points="{points}" fill="{ink}"/>'
    return f'<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true">{drawn}</svg>'
