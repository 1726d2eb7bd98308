"""What came out of a finished run: `result.json`."""

import resource
import sys
from typing import Any

from t5mix.checkpoint.reader import read_run_state
from t5mix.tracking.metrics_file import read_metrics, values_of
from t5mix.tracking.provenance import hardware, versions
from t5mix.tracking.run_directory import RunDirectory, find_checkpoint
from t5mix.training.trainer import TrainingJob

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kibibytes elsewhere


def run_result(directory: RunDirectory, job: TrainingJob) -> dict[str, Any]:
    """Returns a finished run's costs, what it drew of each task, and its last and best validation losses."""
    lines = read_metrics(directory.metrics)
    run_state = read_run_state(find_checkpoint(directory.path))
    total = run_state["metrics"]["total"]
    examples, expected = total["examples"], total["expected_examples"]
    sizes = {task.name: task.splits["train"].counts.examples for task in job.manifest.tasks}
    return {
        "steps": job.config.steps,
        "seconds": sum(values_of(lines.train, "seconds")),
        "parameters": {"total": job.engine.num_parameters, "trained": job.engine.num_trained},
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT,
        "mixture": {
            name: {
                "size": size,
                "proportion": examples[i] / sum(examples),
                "examples": int(examples[i]),
                "expected_examples": expected[i],
                "epochs": examples[i] / size,
                "tokens": int(total["input_tokens"][i] + total["target_tokens"][i]),
                "loss_tokens": int(total["loss_tokens"][i]),
            }
            for i, (name, size) in enumerate(sizes.items())
        },
        "validation": lines.evaluation[-1]["tasks"] if lines.evaluation else {},
        "best": run_state["best"],
        "versions": versions(),
        "hardware": hardware(),
    }
