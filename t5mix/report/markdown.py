"""The report as Markdown, short, to be kept beside documentation; its figures are files."""

from collections.abc import Iterator

from t5mix.report.document import (
    Block,
    Cell,
    Document,
    Listing,
    Notes,
    Paragraph,
    Picture,
    Section,
    Table,
    VerdictCard,
)


def render_markdown(document: Document) -> str:
    """Returns the report's brief sections as Markdown."""
    parts = [f"# {document.title}", *(part for block in document.lead for part in _block(block))]
    for section in document.sections:
        if section.brief:
            parts += _section(section)
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield block.text
    elif isinstance(block, Notes):
        yield "\n".join(f"> - {line}" for line in block.lines)
    elif isinstance(block, Listing):
        yield f"```\n{block.text.rstrip()}\n```"
    elif isinstance(block, VerdictCard):
        lines = "\n".join(f"  - {line}" for line in block.lines)
        yield f"- **{block.verdict}**: {block.name}: {block.claim}\n{lines}"
    elif isinstance(block, Table):
        yield from _table(block)
    else:
        yield from _picture(block)


def _table(table: Table) -> Iterator[str]:
    align = "---" if table.words else "---:"
    lines = [_row(table.header), _row(["---", *[align] * (len(table.header) - 1)])]
    lines += [_row([_cell(cell) for cell in row]) for row in table.rows]
    yield "\n".join(lines)
    yield table.caption


def _picture(picture: Picture) -> Iterator[str]:
    titles = ", ".join(panel.title for panel in picture.panels)
    yield f"![{_escaped(titles)}](figures/{picture.name}.svg)"
    yield picture.caption


def _row(cells: "list[str] | tuple[str, ...] | object") -> str:
    return f"| {' | '.join(cells)} |"  # type: ignore[arg-type]


def _cell(cell: Cell) -> str:
    text = _escaped(cell.text)
    return "<br>".join([f"**{text}**" if cell.strong else text, *map(_escaped, cell.notes)])


def _escaped(text: str) -> str:
    for character in "|[]*":
        text = text.replace(character, "\\" + character)
    return text
