"""What an adaptive strategy costs: the time spent on mixing in a real run, as a share of the run.

    python benchmarks/mixing_overhead.py [--work DIR] [KEY=VALUE ...]

Trains on the demo mixture and on forty tasks, under strategies that learn at every step, and adds up the time inside
the mixer: asked in the thread that makes batches, told in the one that trains. Writes results/mixing_overhead.json.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provenance import save

from t5mix.config.compose import compose_experiment
from t5mix.config.reading import read_experiment
from t5mix.mixing.controller import MixtureController
from t5mix.runs.train import train_experiment
from t5mix.tracking.run_directory import RunDirectory

CASES = {
    "proportional": ["mixing=proportional"],
    "odm": ["mixing=odm"],
    "odm_prior": ["mixing=odm_prior"],
    "odm_prior, capped": ["mixing=capped", "mixing.strategy=odm_prior", "mixing.max_epochs=5"],
    "loss_gap": ["mixing=loss_gap"],
}


def main() -> None:
    """Runs all cases, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="t5mix-overhead-"))
    figures: dict[str, Any] = {}
    for mixture, settings in {"10 tasks": ["mixture=[demo]"], "40 tasks": forty_tasks(work)}.items():
        for case, strategy in CASES.items():
            run = work / f"{mixture}, {case}".replace(", ", "_").replace(" ", "_")
            overrides = [*settings, *strategy, f"run_dir={run}", "training.steps=60", "training.log_every=20"]
            spent = measured(lambda run=run, overrides=overrides: train(run, [*overrides, *options.overrides]))
            figures[f"{mixture}, {case}"] = spent
            print(
                f"{mixture}, {case}: {1e3 * spent['mixing']:.2f} ms of {1e3 * spent['step']:.1f} ms a step", flush=True
            )
    worst = max(figure["share"] for figure in figures.values())
    print(f"at most {worst:.2%} of a step; {save('mixing_overhead', figures)}")


def train(run: Path, overrides: list[str]) -> tuple[int, float]:
    """Trains and returns steps and seconds, the first logged window, which compiles, left out of account."""
    from t5mix.tracking.metrics_file import read_lines

    train_experiment(read_experiment(compose_experiment("demo", overrides)))
    lines = [line for line in read_lines(RunDirectory(run).metrics) if line["kind"] == "train"]
    return lines[-1]["step"] - lines[0]["step"], sum(line["seconds"] for line in lines[1:])


def measured(run: Callable[[], tuple[int, float]]) -> dict[str, float]:
    """Returns the seconds of a step, and those of them that mixing took on either thread."""
    spent, calls = [0.0], [0]

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: MixtureController, *arguments: Any, **named: Any) -> Any:
            started = time.thread_time()  # waiting for feedback is no work
            try:
                return method(self, *arguments, **named)
            finally:
                spent[0] += time.thread_time() - started
                calls[0] += 1

        return call

    originals = MixtureController.mixture, MixtureController.observe
    MixtureController.mixture, MixtureController.observe = (
        timed(MixtureController.mixture),
        timed(MixtureController.observe),
    )  # type: ignore[method-assign]
    try:
        steps, seconds = run()
    finally:
        MixtureController.mixture, MixtureController.observe = originals  # type: ignore[method-assign]
    mixing = 2 * spent[0] / calls[0]  # both methods are called once a step
    return {"step": seconds / steps, "mixing": mixing, "share": mixing / (seconds / steps)}


def forty_tasks(work: Path) -> list[str]:
    """Writes forty small tasks and returns the settings that declare them."""
    work.mkdir(parents=True, exist_ok=True)
    names, tasks = [f"task{i}" for i in range(40)], []
    for number, name in enumerate(names):
        rows = [f"{'the old king walks in the town ' * (1 + i % 4)}{i}\t{i % 2}" for i in range(100 + 50 * number)]
        (work / f"{name}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
        files = f"files: {{train: {work / name}.tsv}}"
        tasks.append(f"{name}: {{{files}, inputs: '{name} {{text}}', targets: label}}")
    vocabulary = Path(__file__).parents[1] / "tasks" / "vocabularies" / "demo.model"
    return [f"mixture=[{','.join(names)}]", f"tasks={{{', '.join(tasks)}}}", f"vocabulary={vocabulary}"]


if __name__ == "__main__":
    main()
