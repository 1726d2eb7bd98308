"""Tables on a terminal, and whole in a pipe."""

import pytest
from rich.console import Console

from t5mix.console import tables
from t5mix.console.tables import new_table, print_table

LONG = "demo_acceptability_with_a_name_that_is_longer_than_a_line_of_a_terminal_by_some_way"


def wide_table():
    table = new_table("task", "source", "examples", text=("source",))
    table.add_row(LONG, "tasks/[demo].py", "1,234,567")
    table.add_row("b", "c", "8")
    return table


def cells(line: str) -> list[str]:
    return line.strip("│").split("│")


@pytest.mark.parametrize("stderr", [False, True])
def test_in_a_pipe_nothing_is_cut_or_wrapped(stderr: bool, capsys: pytest.CaptureFixture[str]):
    print_table("a title [of its own]", wide_table(), stderr=stderr)
    captured = capsys.readouterr()
    shown, silent = (captured.err, captured.out) if stderr else (captured.out, captured.err)
    assert silent == ""
    title, *lines = shown.splitlines()
    assert title == "a title [of its own]"
    rows = [cells(line) for line in lines if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        [LONG, "tasks/[demo].py", "1,234,567"],
        ["b", "c", "8"],
    ]
    assert rows[1][1].startswith(" c ")
    assert rows[1][2].endswith(" 8 ")


def test_without_a_title_the_table_comes_first(capsys: pytest.CaptureFixture[str]):
    print_table("", wide_table())
    assert capsys.readouterr().out.startswith("┏")


def test_a_terminal_folds_what_it_cannot_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def terminal(**settings: object) -> Console:
        return Console(**{**settings, "force_terminal": True, "color_system": None, "width": 60})  # type: ignore[arg-type]

    monkeypatch.setattr(tables, "Console", terminal)
    print_table("", wide_table())
    shown = capsys.readouterr().out
    assert all(len(line) <= 60 for line in shown.splitlines())
    assert "…" not in shown
