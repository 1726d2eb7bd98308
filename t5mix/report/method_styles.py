"""Colours, lines and markers of methods, the same in all figures and tables."""

from collections.abc import Iterable

from t5mix.analysis.analysis import Analysis
from t5mix.plots.style import task_styles
from t5mix.report.document import Styles

COLOURS = tuple(dict.fromkeys(str(style["color"]) for style in task_styles(map(str, range(40))).values()))
"""The colours of lines, in their order."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")


def method_styles(methods: Iterable[str]) -> Styles:
    """Returns the line and the marker of each method: colours first, and where they repeat, other lines and markers."""
    return {
        method: {**style, "marker": _MARKERS[(index + index // len(COLOURS)) % len(_MARKERS)], "markersize": 4.5}
        for index, (method, style) in enumerate(task_styles(methods).items())
    }


def styles_of(analysis: Analysis) -> Styles:
    """Returns the styles of a report's methods."""
    return method_styles(analysis.results.methods)
