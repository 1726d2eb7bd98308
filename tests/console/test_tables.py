"""Tables: whole in a pipe, fitted to a terminal without breaking names and numbers."""

import pytest

from t5mix.console.tables import TextTable, print_table, together
from tests.support.terminal import Terminal

NAME = "demo_acceptability_[with_a_name_that_is_longer_than_a_line_of_a_terminal_by_some_way_indeed]"
LISTS = ("splits", "metrics")


def tasks_table(name: str = "demo_acceptability") -> TextTable:
    table = TextTable("task", "training examples", *LISTS, wrapped=LISTS)
    splits = ", ".join(map(together, ("train 4,000", "validation 500", "test 500")))
    table.add_row(name, "1,234,567", splits, "matthews_correlation, sequence_accuracy")
    table.add_row("b", "8", "train", "f1")
    return table


@pytest.mark.parametrize("stderr", [False, True])
def test_in_a_pipe_each_row_is_a_whole_line(stderr: bool, capsys: pytest.CaptureFixture[str]):
    print_table("a title [of its own]", tasks_table(NAME), stderr=stderr)
    captured = capsys.readouterr()
    shown, silent = (captured.err, captured.out) if stderr else (captured.out, captured.err)
    assert silent == ""
    title, headings, rule, first, second = shown.splitlines()
    assert title == "a title [of its own]"
    assert headings.split("  ")[0] == "task"
    assert set(rule) == {"-", " "}
    row = "1,234,567  train 4,000, validation 500, test 500  matthews_correlation, sequence_accuracy"
    assert first == f"{NAME}          {row}"
    assert second.split() == ["b", "8", "train", "f1"]
    assert second.index("8") == headings.index("examples") + len("example")  # numbers end where their heading does


def test_without_a_title_the_table_comes_first(capsys: pytest.CaptureFixture[str]):
    print_table("", tasks_table())
    assert capsys.readouterr().out.startswith("task ")


def test_a_terminal_with_room_gets_the_same_as_a_pipe():
    assert tasks_table().lines(200) == tasks_table().lines(None)


@pytest.mark.parametrize("width", [100, 80, 60])
def test_a_terminal_breaks_lists_and_headings_alone(width: int):
    lines = tasks_table().lines(width)
    assert all(len(line) <= width for line in lines)
    words = " ".join(lines).split()
    for whole in ("demo_acceptability", "1,234,567", "matthews_correlation,", "sequence_accuracy"):
        assert whole in words
    text = "\n".join(lines)
    assert all(part in text for part in ("train 4,000", "validation 500", "test 500"))
    assert "…" not in text


def test_columns_come_closer_before_rows_become_blocks():
    table = TextTable("task", "size", "epochs")
    table.add_row("abcdefgh", "1,234", "12.50")
    assert table.lines(23)[2] == "abcdefgh  1,234   12.50"
    assert table.lines(22)[2] == "abcdefgh 1,234  12.50"
    assert table.lines(20) == ["task", "   size  epochs", "  -----  ------", "abcdefgh", "  1,234   12.50"]
    assert table.lines(13) == ["abcdefgh", "  size 1,234", "  epochs 12.50"]


def test_a_block_wider_than_the_terminal_is_broken_between_the_lines_of_a_heading():
    table = TextTable("task", f"temperature=2,max_examples=200\n{together('share epochs')}", "size")
    table.add_row("abc", "  0.25  1.50", "1,234")
    assert table.lines(34) == [
        *("abc", "  temperature=2,max_examples=200", "  share epochs 0.25  1.50", "  size 1,234")
    ]


def test_a_name_on_lines_of_its_own_is_shown_once_for_its_rows():
    table = TextTable("task", "run", "loss", text=["run"])
    for task, run, loss in (("abc", "first", "1.25"), ("abc", "second", "10.50"), ("b", "first", "2.00")):
        table.add_row(task, run, loss)
    assert table.lines(16) == [
        *("task", "  run      loss", "  ------  -----"),
        *("abc", "  first    1.25", "  second  10.50", "b", "  first    2.00"),
    ]
    assert [line.split()[0] for line in table.lines(None)[2:]] == ["abc", "abc", "b"]


@pytest.mark.parametrize("width", [40, 25])
def test_a_narrow_terminal_gets_a_block_for_each_row(width: int):
    lines = tasks_table(NAME).lines(width)
    assert lines[0] == NAME  # longer than the line, and in one piece all the same
    assert lines[1] == "  training examples 1,234,567"
    assert all(len(line) <= width for line in lines[2:] if "_" not in line)
    text = "\n".join(lines)
    parts = (
        "splits train 4,000",
        "validation 500",
        "test 500",
        "metrics",
        "matthews_correlation,",
        "sequence_accuracy",
    )
    assert all(part in text for part in parts)
    assert "b" in lines


def test_a_rule_stands_between_rows_and_their_sum():
    table = TextTable("task", "size")
    table.add_row("a", "1")
    table.add_rule()
    table.add_row("all", "1")
    assert table.lines(None) == ["task  size", "----  ----", "a        1", "----  ----", "all      1"]


def test_a_heading_may_have_two_lines():
    table = TextTable("task", "equal\nproportion")
    table.add_row("a", "0.5")
    assert table.lines(None)[:2] == ["           equal", "task  proportion"]


def test_wide_characters_take_two_columns():
    table = TextTable("task", "size")
    table.add_row("日本語", "1")
    assert table.lines(None)[2] == "日本語     1"


def test_a_row_has_a_cell_for_each_heading():
    with pytest.raises(ValueError, match="1 cells for 2 headings"):
        TextTable("task", "size").add_row("a")


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    print_table("", tasks_table())
    assert terminal.getvalue().splitlines() == tasks_table().lines(60)
