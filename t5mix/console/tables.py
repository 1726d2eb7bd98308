"""Tables of the commands: as wide as the terminal, and whole in a pipe or a file."""

from collections.abc import Collection

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WIDEST = 10_000  # columns of a table that no terminal limits


def new_table(*headings: str, text: Collection[str] = ()) -> Table:
    """Returns a table whose first column is text, and the others numbers, aligned to the right.

    Args:
        headings: one for each column.
        text: headings of further columns that hold text.
    """
    table = Table()
    table.add_column(headings[0], overflow="fold")
    for heading in headings[1:]:
        table.add_column(heading, justify="left" if heading in text else "right", overflow="fold")
    return table


def print_table(title: str, table: Table, *, stderr: bool = False) -> Console:
    """Prints a table as wide as the terminal, or as it needs where there is none, so that nothing is cut or wrapped.

    Args:
        title: a line above it; none if empty.
        table: the table.
        stderr: whether to print to standard error.

    Returns:
        The console, for lines that follow.
    """
    console = Console(highlight=False, markup=False, stderr=stderr)  # names may hold brackets
    if not console.is_terminal:
        needed = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
        console = Console(highlight=False, markup=False, stderr=stderr, width=max(needed, console.width))
    if title:
        console.print(title, soft_wrap=True)
    console.print(table)
    return console
