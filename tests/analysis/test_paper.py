"""The paper's tables, and the names by which their figures are found."""

from pathlib import Path

import pytest
import yaml

from t5mix.analysis.paper import COLUMNS, SIGMA, TABLES

FILES = Path(__file__).parents[2] / "t5mix" / "sweep" / "presets"


def test_every_row_has_every_column():
    assert len(SIGMA) == len(COLUMNS) == 7
    for table in TABLES.values():
        assert {len(row) for row in table.rows.values()} == {7}


def test_figures_as_printed():
    assert TABLES[10].value("adapter, d=512", "EnFr") == 33.98
    assert TABLES[10].value("gradual unfreezing", "SGLUE") == 70.79
    assert TABLES[11].value("temperature, T=2", "GLUE") == 81.90
    assert TABLES[11].value("proportional, K=2^19", "CNNDM") == 19.24
    assert TABLES[12].value("leave-one-out + fine-tuning", "SGLUE") == 71.68
    # The multi-task row of Table 12 is the one of Table 11 with K = 2^19, and all share the baseline.
    assert TABLES[12].row("multi-task") == TABLES[11].row("K=2^19")
    assert TABLES[10].row("all parameters") == TABLES[11].row("baseline") == TABLES[12].row("baseline")


def test_the_misprinted_row_is_the_appendixs():
    assert TABLES[10].row("d=2048") != TABLES[10].row("d=128")


@pytest.mark.parametrize(
    ("table", "name", "row"),
    [
        (10, "Adapter d=32", "adapter, d=32"),
        (10, "d=2048", "adapter, d=2048"),
        (11, "t=8", "temperature, T=8"),
        (12, "leave-one-out", "leave-one-out + fine-tuning"),
        (12, "multi-task", "multi-task"),
        (12, "multi-task + fine-tuning", "multi-task + fine-tuning"),
        (12, "supervised multi-task", "supervised multi-task + fine-tuning"),
    ],
)
def test_names_that_stand_for_a_row(table: int, name: str, row: str):
    assert TABLES[table].row(name) == TABLES[table].rows[row]


@pytest.mark.parametrize("name", ["d=20", "adapter", "proportional", "pre-training", "", None])
def test_names_that_stand_for_none(name: str | None):
    assert all(table.row(name) is None for table in TABLES.values())
    assert TABLES[10].value("all parameters", "RTE") is None


@pytest.mark.parametrize("path", sorted(FILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_all_rows_and_columns_that_our_sweeps_name_are_there(path: Path):
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    table = TABLES[raw["paper"]]
    for part in (raw, *raw["scales"].values()):
        methods, columns = part.get("methods") or {}, part.get("columns") or {}
        rows = [method.get("paper") for method in (methods.values() if isinstance(methods, dict) else [])]
        assert all(table.row(row) is not None for row in rows if row)
        assert all(column["paper"] in COLUMNS for column in columns.values() if "paper" in column)
