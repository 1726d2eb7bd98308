"""The report as one page that needs nothing else: no network, no script, no font, no other file."""

import re
from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from t5mix.report.document import CodeBlock, Document, FigureBlock, Notes, Paragraph, Table, VerdictCard
from t5mix.report.svg import panel_svg, swatch

_BLOCKS = {
    "paragraph": Paragraph,
    "notes": Notes,
    "code_block": CodeBlock,
    "verdict_card": VerdictCard,
    "table": Table,
    "figure_block": FigureBlock,
}
"""What the template asks about a block: `block is table`."""


def render_page(document: Document) -> str:
    """Returns the report as HTML; the same document gives the same text."""
    return _environment().get_template("page.html.jinja").render(document=document)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("t5mix.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"breakable": _breakable, "code_spans": _code_spans}
    environment.tests |= {name: _is_a(kind) for name, kind in _BLOCKS.items()}
    environment.globals |= {
        "panel_svg": lambda panel, name: Markup(panel_svg(panel, name)),
        "swatch": lambda style: Markup(swatch(style)),
    }
    return environment


def _is_a(kind: type) -> Callable[[object], bool]:
    return lambda block: isinstance(block, kind)


def _breakable(text: str) -> Markup:
    """Returns text that may be broken inside long names."""
    return Markup(re.sub(r"([_=/]|\.(?=[a-z]))(?=\w)", r"\1<wbr>", str(escape(text))))


def _code_spans(text: str) -> Markup:
    """Returns text in which what stands between backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
