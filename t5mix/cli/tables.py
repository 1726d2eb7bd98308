"""Tables on the terminal, and whole in a file."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def new_table(*headings: str) -> Table:
    """Returns a table whose first column is text, and the others figures."""
    table = Table()
    table.add_column(headings[0], overflow="fold", vertical="bottom")
    for heading in headings[1:]:
        table.add_column(heading, justify="right", overflow="fold")
    return table


def print_table(title: str, table: Table) -> Console:
    """Prints a table as wide as the terminal, or as wide as it likes where there is none, and returns the console."""
    console = Console(highlight=False, markup=False)  # names may hold brackets
    if not console.is_terminal:
        wish = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
        console = Console(highlight=False, markup=False, width=max(wish, console.width))
    console.print(title, soft_wrap=True)
    console.print(table)
    return console
