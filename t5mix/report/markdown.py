"""The report as Markdown, short enough to keep beside documentation; its figures are files."""

import textwrap
from collections.abc import Iterator, Sequence

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

_WIDTH = 120


def render_markdown(document: Document) -> str:
    """Returns those of the report's sections that it is to have, as Markdown."""
    parts = [f"# {document.title}", *(part for block in document.lead for part in _block(block))]
    for section in document.sections:
        if section.in_markdown:
            parts += _section(section)
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield _wrapped(block.text)
    elif isinstance(block, Notes):
        yield "\n".join(_wrapped(line, "> - ", ">   ") for line in block.lines)
    elif isinstance(block, CodeBlock):
        yield f"```\n{block.text.rstrip()}\n```"
    elif isinstance(block, VerdictCard):
        claim = _wrapped(f"**{block.verdict}**: {block.name}: {block.claim}", "- ", "  ")
        yield "\n".join([claim, *(_wrapped(line, "  - ", "    ") for line in block.lines)])
    elif isinstance(block, Table):
        yield from _table(block)
    else:
        yield from _figure(block)


def _table(table: Table) -> Iterator[str]:
    align = "---" if table.text else "---:"
    lines = [_row(table.header), _row(["---", *[align] * (len(table.header) - 1)])]
    lines += [_row([_cell(cell) for cell in row]) for row in table.rows]
    yield "\n".join(lines)
    yield _wrapped(table.caption)


def _figure(block: FigureBlock) -> Iterator[str]:
    titles = ", ".join(panel.title for panel in block.panels)
    yield f"![{_escaped(titles)}](figures/{block.name}.svg)"
    yield _wrapped(block.caption)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = _escaped(cell.text)
    return "<br>".join([f"**{text}**" if cell.strong else text, *map(_escaped, cell.notes)])


def _wrapped(text: str, first: str = "", others: str = "") -> str:
    wrapper = textwrap.TextWrapper(_WIDTH, first, others, break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(text)


def _escaped(text: str) -> str:
    for character in "|[]*":
        text = text.replace(character, "\\" + character)
    return text
