"""`t5mix eval`."""

import argparse
import json
import sys
from pathlib import Path

from t5mix.compiled_programs import keep_compiled_programs
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table
from t5mix.files import check_writable
from t5mix.tracking.run_directory import RunDirectory, check_exists


def run(options: argparse.Namespace) -> int:
    """Evaluates a run and shows the scores."""
    settings = [*options.overrides, *(word for word in options.tasks if "=" in word)]  # those after --tasks
    check_exists(Path(options.run))
    answers = RunDirectory(Path(options.run)).predictions
    check_writable(answers, "The folder of the answers", "Copy the run to where you may write, and score the copy.")
    keep_compiled_programs()
    with stage("Loading JAX"):
        from t5mix.runs.evaluate import evaluate_run
        from t5mix.runs.load import base_path

    evaluations = evaluate_run(
        Path(options.run),
        which=options.checkpoint,
        split=options.split,
        tasks=[word for word in options.tasks if "=" not in word],
        base=base_path(options.base),
        settings=settings,
        notice=lambda text: print(text, file=sys.stderr),
    )
    scores = {task: evaluation.metrics for task, evaluation in evaluations.items()}
    if options.json:
        print(json.dumps(scores, indent=1))
        return 0
    table = TextTable("task", "metric", "score", "loss (nats)", text=["metric"])
    for task, metrics in scores.items():
        loss = f"{metrics['loss']:.4f}"
        for metric, value in metrics.items():
            if metric != "loss":
                table.add_row(task, metric, f"{value:,.2f}", loss)
                loss = ""  # once, beside what comes of the same pass
    print_table(f"{options.run}, {options.split}", table)
    for task, evaluation in evaluations.items():
        for metric, signature in evaluation.signatures.items():
            print(f"{task}, {metric}: {signature}")
    return 0
