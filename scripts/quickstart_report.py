"""What the quickstart shows at its end: scores beside majority and ceiling, a few answers, and what to try next."""

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from t5mix.console.tables import TextTable, print_table
from t5mix.evaluation.predictions import Prediction, predictions_path, read_predictions
from t5mix.runs.evaluate import evaluate_run
from t5mix.runs.load import checkpoint_of

_SPLIT = "validation"
_RESAMPLES = 200
_NEXT = """\
Next, after `. .venv/bin/activate` in this folder, once in each shell:
  t5mix tasks show demo_entailment                 what the model reads and writes
  t5mix mixtures show demo mixing=equal            what another strategy would draw
  echo "translate English to Velish: The king sleeps." | t5mix predict {run}
  t5mix train --config quickstart mixing.temperature=8 run_dir=runs/t8 start_from={run}_pretrain
  cp tasks/_template.py my_tasks.py                your own task, see docs/tasks.md
"""


def main() -> None:
    """Evaluates the run that the command line names and prints the report."""
    run = Path(sys.argv[1])
    scores = evaluate_run(run, split=_SPLIT)
    folder = run / "predictions" / checkpoint_of(run, "latest").name
    from t5mix.tasks.demo import REFERENCE

    table = TextTable("task", "metric", "majority", "score", "2 s.e.", "ceiling", "", text=["metric", ""])
    above, samples = 0, []
    for task, reference in REFERENCE.items():
        predictions = read_predictions(predictions_path(folder, task, _SPLIT))
        score = scores[task].metrics[reference.headline_metric]
        margin = 2 * standard_error(task, reference.headline_metric, predictions)
        better = score - margin > reference.majority
        above += better
        row = (f"{reference.majority:.1f}", f"{score:.1f}", f"{margin:.1f}", f"{reference.ceiling:.0f}")
        table.add_row(task, reference.headline_metric, *row, "above" if better else "")
        samples.append((task, random.Random(task).choice(predictions)))
    print_table("Validation scores of the demo's ten tasks (0 to 100)", table)
    print(f"{above} of {len(REFERENCE)} tasks are above the best constant answer by two standard errors or more.\n")
    console = Console(highlight=False, soft_wrap=True)
    for task, sample in samples:
        mark = "=" if sample.prediction == sample.target else "!"
        console.print(f"[bold]{task}[/bold]  {sample.input}\n  {mark} {sample.prediction}   (target: {sample.target})")
    print_next(run)


def print_next(run: Path) -> None:
    """Prints the commands to try next, each on one line however narrow the terminal is, so that it can be copied."""
    print("\n" + _NEXT.format(run=run))


def standard_error(task: str, metric: str, predictions: Sequence[Prediction]) -> float:
    """Returns the bootstrap standard error of a task's headline metric over its validation examples."""
    from t5mix import metrics

    if metric == "spearman":
        functions = metrics.spearman
        pairs = [(float(p.target), _number(p.prediction)) for p in predictions]
    elif metric == "f1":
        functions = metrics.squad
        pairs = [([p.target], p.prediction) for p in predictions]
    else:
        functions = metrics.metric({"rouge2": "rouge"}.get(metric, metric))
        pairs = [(p.target, p.prediction) for p in predictions]
    draw = np.random.default_rng(0)
    values = []
    for _ in range(_RESAMPLES if metric not in ("bleu", "rouge2") else _RESAMPLES // 4):
        chosen = [pairs[i] for i in draw.integers(len(pairs), size=len(pairs))]
        targets, answers = zip(*chosen, strict=True)
        values.append(functions(list(targets), list(answers))[metric])
    return float(np.std(values, ddof=1))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


if __name__ == "__main__":
    main()
