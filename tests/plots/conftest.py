"""Metrics files as runs leave them, made by hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Lines = Sequence[dict[str, Any]]


def train_line(step: int, **tasks: tuple[float | None, int, float, float]) -> dict[str, Any]:
    """A logged window: for each task loss, examples, weight and epochs."""
    total = sum(examples for _, examples, _, _ in tasks.values())
    tasks_logged = {
        name: {
            "loss": loss,
            "token_accuracy": None,
            "loss_tokens": 3 * examples,
            "examples": examples,
            "expected_examples": proportion * total,
            "tokens": 10 * examples,
            "epochs": epochs,
            "proportion": proportion,
        }
        for name, (loss, examples, proportion, epochs) in tasks.items()
    }
    return {"kind": "train", "step": step, "loss": 1.0, "seconds": 1.0, "tasks": tasks_logged}


def evaluation_line(step: int, **losses: float) -> dict[str, Any]:
    return {"kind": "evaluation", "step": step, "tasks": {name: {"loss": loss} for name, loss in losses.items()}}


LINES = [
    train_line(10, a=(3.0, 30, 0.75, 0.3), b=(None, 0, 0.25, 0.0)),
    evaluation_line(10, a=2.5),
    train_line(20, a=(2.0, 60, 0.5, 0.9), b=(5.0, 40, 0.5, 4.0)),
    train_line(25, a=(1.5, 10, 0.4, 1.0), b=(None, 0, 0.6, 4.0)),
    evaluation_line(25, a=1.25, b=4.0),
]


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run's folder of such lines, and what may follow them."""

    def make(lines: Lines = LINES, name: str = "run", end: str = "", count: int | None = None) -> Path:
        (tmp_path / name).mkdir()
        text = "".join(json.dumps(line) + "\n" for line in lines[:count])
        (tmp_path / name / "metrics.jsonl").write_text(text + end, encoding="utf-8")
        return tmp_path / name

    return make
