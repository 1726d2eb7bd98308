"""What a report consists of, before it becomes a page or Markdown."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Style = Mapping[str, Any]
"""How a line is drawn: color, linestyle, marker and the like, as matplotlib takes them."""

Styles = Mapping[str, Style]
"""A style by the name of a method or a task."""

TITLE_LENGTH = 44
"""Characters that fit above a panel."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it says.
        notes: smaller lines below.
        strong: whether the text is emphasised.
        heat: a colour behind it: from -1, a large loss, to 1, a large gain; None for none.
        style: of the line that stands for the method or task in figures.
    """

    text: str
    notes: tuple[str, ...] = ()
    strong: bool = False
    heat: float | None = None
    style: Style | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose first column names the rows.

    Attributes:
        caption: what is seen, and how to read it.
        header: one for each column.
        rows: cells, as many as the header has.
        text: whether the other columns are text too, and not numbers.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    text: bool = False


@dataclasses.dataclass(frozen=True)
class Panel:
    """One of the plots of a figure.

    Attributes:
        title: above it.
        draw: draws it.
        height: in inches; all are equally wide.
        alt_text: what it shows, for those who cannot see it.
    """

    title: str
    draw: Callable[["Axes"], None]
    height: float = 2.5
    alt_text: str = ""


@dataclasses.dataclass(frozen=True)
class FigureBlock:
    """A figure of several panels that share a legend.

    Attributes:
        name: of its files.
        caption: what is seen, and how to read it.
        panels: in reading order.
        legend: what the lines stand for.
    """

    name: str
    caption: str
    panels: Sequence[Panel]
    legend: Mapping[str, Style] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class VerdictCard:
    """A hypothesis and what became of it; `verdict` is one word, `lines` say the rest."""

    name: str
    claim: str
    verdict: str
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Paragraph:
    """Text; what stands between backticks is code. `small` is for remarks."""

    text: str
    small: bool = False


@dataclasses.dataclass(frozen=True)
class Notes:
    """What a reader must know before believing a number."""

    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class CodeBlock:
    """Text as it is, such as a file's."""

    text: str


Block = Table | FigureBlock | VerdictCard | Paragraph | Notes | CodeBlock


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        anchor: its name in links.
        title: its heading.
        blocks: its content.
        in_markdown: whether the Markdown has it too.
    """

    anchor: str
    title: str
    blocks: Sequence[Block]
    in_markdown: bool = True


@dataclasses.dataclass(frozen=True)
class Document:
    """A report."""

    title: str
    lead: Sequence[Block]
    sections: Sequence[Section]

    @property
    def figures(self) -> list[FigureBlock]:
        """All figures, in reading order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, FigureBlock)]
