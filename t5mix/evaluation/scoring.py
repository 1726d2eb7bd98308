"""Scores predictions from a process that must not load TensorFlow: a child process does it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from t5mix.data.lock import DataRequest
from t5mix.errors import T5MixError

_TAIL = 2000  # characters of a crashed child's messages that the error repeats


def score_in_child(
    request: DataRequest, predictions: str | Path, split: str, tasks: Iterable[str] = ()
) -> dict[str, dict[str, float]]:
    """Computes the metrics of predictions on disk.

    Args:
        request: the request that the run's stores were made by.
        predictions: the folder of the predictions (see `t5mix.evaluation.predictions.predictions_path`).
        split: the split they are for.
        tasks: the tasks; by default all of the request's that have predictions.

    Returns:
        For each task its metrics, on 0 to 100 if they are ours, each metric function's headline first.

    Raises:
        T5MixError: the child failed; the text is what it said.
    """
    with tempfile.TemporaryDirectory(prefix="t5mix-score-") as folder:
        asked, out = Path(folder, "request.json"), Path(folder, "metrics.json")
        asked.write_text(request.to_json(), encoding="utf-8")
        arguments = ["--request", str(asked), "--predictions", str(predictions), "--split", split]
        arguments += [part for task in tasks for part in ("--task", task)]
        return run_child("t5mix.evaluation.score", [*arguments, "--out", str(out)], out)


def run_child(module: str, arguments: Sequence[str], out: Path) -> Any:
    """Runs `python -m module` without accelerators and returns the JSON it wrote to `out`.

    The child imports from where this process does. If it knows what is wrong it writes {"error": text} to
    `out` and ends with a status other than 0.

    Raises:
        T5MixError: the child failed; with the error it wrote, or else the end of what it printed.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, "-m", module, *arguments]
    ended = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if ended.returncode == 0:
        return json.loads(out.read_text(encoding="utf-8"))
    if out.exists():
        raise T5MixError(json.loads(out.read_text(encoding="utf-8"))["error"])
    how = f"by signal {-ended.returncode}" if ended.returncode < 0 else f"with exit status {ended.returncode}"
    raise T5MixError(f"The process {module} ended {how}. {ended.stderr[-_TAIL:].strip()}".rstrip())
