"""A terminal that is made up: a standard output that says it is one, and is so wide."""

import io

import pytest


class Terminal(io.StringIO):
    """What is written to it can be read with `getvalue`."""

    def isatty(self) -> bool:
        """Says that it is a terminal."""
        return True


def set_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> Terminal:
    """Makes the standard output a terminal of so many columns."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")  # a dumb one has 80 columns, whatever COLUMNS says
    return terminal
