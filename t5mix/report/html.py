"""The report as one page that needs nothing else: no network, no script, no font, no other file."""

import re
from collections.abc import Iterator, Sequence
from html import escape

from t5mix.report.document import (
    Block,
    Cell,
    CodeBlock,
    Document,
    FigureBlock,
    Notes,
    Paragraph,
    Section,
    Table,
    VerdictCard,
)
from t5mix.report.stylesheet import STYLESHEET
from t5mix.report.svg import inline, swatch

_LONG = 40  # characters of a text that wants a wide column


def render_page(document: Document) -> str:
    """Returns the report as HTML."""
    links = "".join(f'<li><a href="#{each.anchor}">{escape(each.title)}</a></li>' for each in document.sections)
    lead = "".join(_block(block) for block in document.lead)
    sections = "".join(map(_section, document.sections))
    title = escape(document.title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLESHEET}</style>\n</head>\n<body>\n<main>\n"
        f'<header><h1>{title}</h1>{lead}<nav aria-label="Contents"><ul>{links}</ul></nav></header>\n'
        f"{sections}<footer>Made by <code>t5mix report</code>.</footer>\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    blocks = "".join(map(_block, section.blocks))
    return f'<section id="{section.anchor}"><h2>{escape(section.title)}</h2>{blocks}</section>\n'


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        kind = ' class="caption"' if block.small else ""
        return f"<p{kind}>{_text(block.text)}</p>"
    if isinstance(block, Notes):
        lines = "".join(f"<li>{_text(line)}</li>" for line in block.lines)
        return f'<div class="notes" role="note"><strong>Before you read on</strong><ul>{lines}</ul></div>'
    if isinstance(block, CodeBlock):
        return f'<pre tabindex="0">{escape(block.text)}</pre>'
    if isinstance(block, VerdictCard):
        return _verdict(block)
    return _table(block) if isinstance(block, Table) else _picture(block)


def _verdict(card: VerdictCard) -> str:
    lines = "".join(f"<li>{_text(line)}</li>" for line in card.lines)
    return (
        f'<article class="verdict {card.verdict}"><header><span class="word">{card.verdict}</span>'
        f'<h3>{escape(card.name)}</h3></header><p class="claim">{escape(card.claim)}</p><ul>{lines}</ul></article>'
    )


def _picture(figure: FigureBlock) -> str:
    panels = "".join(inline(panel, f"{figure.name}-{place}") for place, panel in enumerate(figure.panels))
    legend = "".join(f"<li>{swatch(style)}{escape(name)}</li>" for name, style in figure.legend.items())
    legend = f'<ul class="legend">{legend}</ul>' if legend else ""
    return (
        f'<figure>{legend}<div class="panels">{panels}</div><figcaption>{_text(figure.caption)}</figcaption></figure>'
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_breakable(name)}</th>' for name in table.header)
    body = "".join(f"<tr>{''.join(_cells(row, table.words))}</tr>\n" for row in table.rows)
    kind = "words" if table.words else "figures"
    label = escape(table.caption.partition(".")[0], quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="{kind}">'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>"
        f'<p class="caption">{_text(table.caption)}</p>'
    )


def _cells(row: Sequence[Cell], words: bool) -> Iterator[str]:
    for place, cell in enumerate(row):
        text = _breakable(cell.text) if words or place == 0 else escape(cell.text)
        text = f"<strong>{text}</strong>" if cell.strong else text
        sample = swatch(cell.style) if cell.style is not None else ""
        inner = sample + text + "".join(f"<small>{escape(note)}</small>" for note in cell.notes)
        if place == 0:
            yield f'<th scope="row">{inner}</th>'
        elif cell.heat is None:
            kind = ' class="long"' if len(row) > 3 and len(cell.text) > _LONG else ""
            yield f"<td{kind}>{inner}</td>"
        else:
            kind = "heat" if cell.heat >= 0 else "cold"
            yield f'<td class="{kind}" style="--much:{abs(cell.heat):.2f}">{inner}</td>'


def _breakable(text: str) -> str:
    """Returns text that may be broken inside long names."""
    return re.sub(r"([_=/]|\.(?=[a-z]))(?=\w)", r"\1<wbr>", escape(text))


def _text(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
