"""What the first lines of a report say of how methods began."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from t5mix.analysis.analysis import Analysis
from t5mix.report.summary import _start
from t5mix.sweep.spec import read_sweep

PLAIN: dict[str, Any] = {"runs": [[]]}
FRESH = {"runs": [["training.batch_size=4"]], "from_scratch": True}
LONGER = {"runs": [["training.batch_size=2"], []]}
BEFORE: dict[str, Any] = {"shared_runs": [[]]}
CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"a": PLAIN}, {}, ""),
    (
        {"a": PLAIN, "b": PLAIN},
        BEFORE,
        "All methods start from one checkpoint, made once with seed 3: intervals speak of what comes after it, not of "
        "its luck.",
    ),
    (
        {"a": PLAIN, "b": FRESH},
        {**BEFORE, "seeded_shared_runs": True},
        "“a” starts from one checkpoint, made anew for each seed, so that intervals include the luck of making it. “b” "
        "begins with fresh parameters.",
    ),
    (
        {"a": PLAIN, "b": LONGER},
        BEFORE,
        "All methods start from one checkpoint, and the reported runs of “b” from a run of their own, made once with "
        "seed 3: intervals speak of what comes after them, not of their luck.",
    ),
    (
        {"a": PLAIN, "b": LONGER},
        {},
        "The reported runs of “b” start from a run of their own, made once with seed 3: intervals speak of what comes "
        "after them, not of their luck.",
    ),
    (
        {"a": PLAIN, "b": FRESH},
        {"start_from": "runs/base"},
        "“a” starts from the checkpoint in runs/base, made beforehand: intervals speak of what comes after it, not of "
        "its luck. “b” begins with fresh parameters.",
    ),
]


@pytest.mark.parametrize(("methods", "fields", "text"), CASES)
def test_where_methods_began_is_told(methods: dict[str, Any], fields: dict[str, Any], text: str):
    sweep = read_sweep({"name": "s", "config": "experiment", "methods": methods, "seeds": [3, 4], **fields})
    analysis = SimpleNamespace(results=SimpleNamespace(sweep=sweep, methods=sweep.methods))
    assert _start(cast(Analysis, analysis)) == text
