"""Runs the commands of a page as a shell does, in a folder of their own, on small data and with small settings.

Also a program: `python -m tests.support.documented_commands ARGUMENTS` is t5mix, on small settings.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from t5mix.cli.main import main

ROOT = Path(__file__).parents[2]
SMALL = (
    *("model=tiny", "training.steps=4", "training.batch_size=4", "training.log_every=2"),
    *("training.checkpoint_every=4", "training.evaluation_examples=8"),
)
STORES = "T5MIX_DOCUMENTED_STORES"
"""The environment variable that names the folder of the token stores, which all pages share."""

_REPLACED = {
    "mixing.switch=500": "mixing.switch=2",  # within the run's few steps
    "model=t5_base": "model=tiny",
    "runs/bank/checkpoints/500": "runs/bank/checkpoints/4",
}
_SMALL_SWEEP = ("tuning=null", "seeds=[0]", "training.steps=4", "schedule.warmup_steps=1")
_SECONDS = 900  # for one command, on a busy machine
_WORDS = ("river", "stone", "garden", "letter", "window", "doctor", "market", "engine", "forest", "candle", "bridge")


def lines_to_run(page: str) -> Iterator[str]:
    """Yields the command lines of a page, in order; not those of blocks under a comment `<!-- not run: why -->`."""
    for marker, language, text in re.findall(r"^(<!-- not run: .*-->\n)?```(\w*)\n(.*?)^```", page, re.M | re.S):
        if not marker and not language:
            for line in text.replace("\\\n", " ").splitlines():
                if re.match(r"(t5mix|echo|cp -r|scripts/train_multihost\.sh) ", line):
                    yield line


def prepare_folder(folder: Path, stores: Path) -> dict[str, str]:
    """Makes the data that the pages' configurations name, and a command t5mix; returns the environment to run it in."""
    reviews = [f"{_sentence(index)}\t{index % 2}" for index in range(80)]
    ende = [json.dumps({"en": _sentence(i), "de": f"{_sentence(i + 7)} ö"}, ensure_ascii=False) for i in range(80)]
    for names, lines in (
        (("reviews.tsv", "reviews_dev.tsv", "new.tsv"), ["text\tlabel", *reviews]),
        (("sst2/train.tsv", "sst2/dev.tsv"), ["sentence\tlabel", *reviews]),
        (("ende.jsonl", "ende_dev.jsonl", "ende/train.jsonl", "ende/test.jsonl"), ende),
        (("notes.txt",), [f"{_sentence(index)}\n" for index in range(40)]),
        (("lines.txt",), [_sentence(index) for index in range(5)]),
        (("rows.csv",), ["id,sentence", *(f"{index},{_sentence(index)}" for index in range(5))]),
    ):
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "scripts").symlink_to(ROOT / "scripts")
    command = folder / "bin" / "t5mix"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {__spec__.name} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    paths = {"PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), STORES: str(stores)}
    return {**os.environ, **paths}


def run_line(line: str, folder: Path, environment: dict[str, str]) -> None:
    """Runs one line.

    Raises:
        AssertionError: it fails; the message has all that it printed.
    """
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, f"{line}\nended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def small(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments of t5mix with what makes its work small."""
    words = [_REPLACED.get(word, word) for word in arguments]
    if words[:2] == ["vocab", "train"]:
        words[words.index("--size") + 1] = "210"
    if words[0] == "train":
        words += SMALL
    if words[0] == "eval" and "--tasks" not in words and not _experiment(words[1])["tasks"]:
        words += ["--tasks", "demo_qa"]  # of the demo's ten
    if words[0] == "sweep":
        words += _SMALL_SWEEP if "scale=tiny" in words else ["--dry-run"]
    if words[0] == "train" or words[:2] in (["tasks", "show"], ["mixtures", "show"]):
        words.append(f"store_dir={os.environ[STORES]}")
    return words


def _experiment(run: str) -> dict[str, Any]:
    return json.loads((Path(run) / "experiment.json").read_text(encoding="utf-8"))["experiment"]


def _sentence(index: int) -> str:
    return " ".join(_WORDS[(index * step + step) % len(_WORDS)] for step in (1, 5, 7, 11)) + "."


if __name__ == "__main__":
    sys.exit(main(small(sys.argv[1:])))
