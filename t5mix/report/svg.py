"""Panels and samples of lines as SVG elements of a page, in the page's colours, light or dark."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

import numpy as np

from t5mix.plots.style import lay_out, new_figure, tidy
from t5mix.report.document import Panel, Style
from t5mix.report.method_styles import COLOURS

PANEL_WIDTH = 3.9  # inches

_BLACK = "#000000"
_PAGE_COLOURS = {
    **{colour.lower(): f"var(--c{index})" for index, colour in enumerate(COLOURS)},
    _BLACK: "currentColor",
    "#ffffff": "var(--page)",
    "#e6e6e6": "var(--line)",
    "#737373": "var(--soft)",
}
"""What stands on the page for a colour that matplotlib writes."""


def panel_svg(panel: Panel, name: str) -> str:
    """Returns a panel as an SVG element for a page.

    Colours become the page's: black its text's, white its own, those of methods the variables --c0, --c1, ...

    Args:
        panel: the panel.
        name: unique on the page; what the element holds is named after it.
    """
    with reproducible_svg():
        figure = new_figure(PANEL_WIDTH, panel.height)
        axes = figure.add_subplot()
        panel.draw(axes)
        tidy(axes, panel.title)
        lay_out(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = ElementTree.fromstring(text.getvalue())
    label = ": ".join(part for part in (panel.title, panel.alt_text) if part)
    element = ElementTree.Element("svg", {"viewBox": drawing.attrib["viewBox"], "role": "img", "aria-label": label})
    element.extend(child for child in drawing if _local_name(child.tag) != "metadata")
    for part in element.iter():
        if part is not element:
            _adapt(part, name)
    return ElementTree.tostring(element, encoding="unicode")


@contextmanager
def reproducible_svg() -> Iterator[None]:
    """A context in which matplotlib writes text as text, and the same figure as the same bytes."""
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "t5mix", "path.simplify": True}):
        yield


def _adapt(part: ElementTree.Element, name: str) -> None:
    """Makes an element of matplotlib's SVG one of the page's: names, references, fonts, colours, no namespaces."""
    part.tag = _local_name(part.tag)
    attributes = {_local_name(key): " ".join(value.split()) for key, value in part.items()}
    if part.tag == "g":
        attributes.pop("id", None)  # nothing refers to groups
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    for key, value in attributes.items():
        if key == "href":
            attributes[key] = value.replace("#", f"#{name}-")
        elif key == "style":
            attributes[key] = _page_style(value)
        elif key != "id":
            attributes[key] = value.replace("url(#", f"url(#{name}-")
    part.attrib.clear()
    part.attrib.update(attributes)
    if part.text and not part.text.strip():
        part.text = None
    part.tail = "\n" if part.tag == "g" else None


def _local_name(name: str) -> str:
    """Returns a name of XML without its namespace."""
    return name.rpartition("}")[2]


def _page_style(style: str) -> str:
    """Returns the declarations of a style attribute with the page's fonts and colours."""
    declarations = []
    for declaration in style.split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font-family":
            value = "var(--font)"
        elif key == "font":
            value = f"{value.split()[0]} var(--font)"
        declarations.append(f"{key}: {_PAGE_COLOURS.get(value, value)}")
    return "; ".join(declarations)


def swatch(style: Style) -> str:
    """Returns a sample of a line as a small SVG element."""
    from matplotlib.markers import MarkerStyle

    colour = str(style["color"])
    ink = _PAGE_COLOURS.get(colour.lower(), colour)
    element = ElementTree.Element("svg", {"class": "swatch", "viewBox": "0 0 28 12", "aria-hidden": "true"})
    line = ElementTree.SubElement(element, "path", {"d": "M0 6H28", "stroke": ink, "stroke-width": "2"})
    dash = style.get("linestyle", "-")
    if not isinstance(dash, str):
        line.set("stroke-dasharray", " ".join(f"{2 * length:g}" for length in dash[1]))
    if style.get("marker"):
        marker = MarkerStyle(style["marker"])
        for outline in marker.get_path().transformed(marker.get_transform()).to_polygons(closed_only=False):
            points = " ".join(f"{14 + 8 * x:.1f},{6 - 8 * y:.1f}" for x, y in np.asarray(outline))
            ElementTree.SubElement(element, "polygon", {"points": points, "fill": ink})
    return ElementTree.tostring(element, encoding="unicode")
