"""A sweep's folder made by hand: what `t5mix sweep` would leave, without training anything.

Also a program, to look at a page: `python tests/support/synthetic_sweep.py FOLDER [large]`, then `t5mix report FOLDER`.
"""

import dataclasses
import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.sweep.trial import Parameters, RunReference, Seconds, TaskScore, TrialResult, read_trial

EXAMPLES = 200
GRID = (0.001, 0.002, 0.004)


@dataclasses.dataclass
class Spec:
    """What is made up.

    Attributes:
        levels: how good each method is, in standard deviations of the examples' difficulty.
        metrics: of each task: "accuracy", or "f1", which has accuracy too.
        seeds: of the sweep.
        single_task_baseline: the method with a run for each task, if any.
        adaptive: a method whose weights change, if any.
        edge: a method whose best learning rate lies at an edge, beyond the declared grid, if any.
        fields: of the sweep, that are others.
    """

    levels: Mapping[str, float] = dataclasses.field(
        default_factory=lambda: {"full": 1.0, "lora, r=8": 0.15, "adapter": 0.95, "odm": 1.6, "alone": 0.7}
    )
    metrics: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"demo_sentiment": "accuracy", "demo_entailment": "accuracy", "demo_paraphrase": "f1"}
    )
    seeds: tuple[int, ...] = (0, 1, 2)
    single_task_baseline: str | None = "alone"
    adaptive: str | None = "odm"
    edge: str | None = "lora, r=8"
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def best(self, method: str) -> float:
        """Returns the best learning rate of a method."""
        return 0.008 if method == self.edge else GRID[1]

    def sweep(self) -> dict[str, Any]:
        """Returns the sweep as plain data."""
        tasks = list(self.metrics)
        first, second, *_ = self.levels
        methods: dict[str, Any] = {}
        for name in self.levels:
            per_task = name == self.single_task_baseline
            runs = [["mixture=[{task}]"]] if per_task else [[f"finetuning={name.partition(',')[0]}"]]
            methods[name] = {"runs": runs, "per_task_runs": per_task}
        methods[first]["paper"] = "all parameters"
        return {
            "name": "made-up",
            "title": "Made-up methods",
            "config": "quickstart_pretrain",
            "methods": methods,
            "settings": ["training.batch_size=16"],
            "method_settings": ["mixture=[demo]", "training.steps=100"],
            "shared_runs": [["training.steps=800"]],
            "seeds": list(self.seeds),
            "tuning": {"learning_rates": list(GRID), "seeds": [self.seeds[0]], "split": "validation", "extensions": 1},
            "split": "test",
            "tasks": tasks,
            "columns": {
                "Sentences": {"tasks": tasks[:-1], "paper": "GLUE"},
                "Pairs": {"tasks": tasks[-1:], "paper": "SQuAD"},
            },
            "single_task_baseline": self.single_task_baseline,
            "paper": 10,
            "hypotheses": {
                "H1": {"claim": "Training everything beats a low rank", "better": first, "worse": second},
                "H2": {"claim": "The reverse, by half a point", "better": second, "worse": first, "margin": 0.5},
                "H3": {
                    "claim": "More so on pairs than on sentences",
                    "better": first,
                    "worse": second,
                    "tasks": tasks[-1:],
                    "minus_tasks": tasks[:-1],
                },
            },
            **self.fields,
        }


def make_sweep(folder: Path, spec: Spec | None = None, failed: tuple[str, int] | None = None) -> Path:
    """Writes a sweep's folder.

    Args:
        folder: to be made.
        spec: what to make up.
        failed: the method and seed, not the first, whose reported trial failed.
    """
    spec = spec or Spec()
    sweep = spec.sweep()
    for name in ("trials", "failed"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write(folder / "sweep.json", {"sweep": sweep, "versions": {"python": "3.11"}, "cores": {"trial": 1, "shared": 2}})
    tuned: dict[str, dict[str, list[float]]] = {name: {} for name in spec.levels}
    for key in _keys(spec, sweep["tuning"] is not None):
        name, rate = key["method"], key["learning_rate"]
        file = "-".join(map(str, key.values())).replace(", ", "_") + ".json"
        reported = rate in (None, spec.best(name))
        if reported and failed == (name, key["seed"]):
            _write(folder / "failed" / file, {**key, **_failure(file)})
            continue
        document = trial(spec, key, ["validation", "test"] if reported else ["validation"])
        _write(folder / "trials" / file, document)
        if key["seed"] == spec.seeds[0]:
            scores = document["scores"]["validation"].items()
            tuned[name].setdefault(str(rate), []).extend(score["metrics"][spec.metrics[task]] for task, score in scores)
    if sweep["tuning"] is not None:
        _write(folder / "choices.json", {name: _choice(spec, name, scores) for name, scores in tuned.items()})
    return folder


def _keys(spec: Spec, tuning: bool) -> Iterator[dict[str, Any]]:
    """Yields what names each trial: with the first seed all learning rates, with the others the best."""
    for name in spec.levels:
        rates = (*GRID, spec.best(name)) if name == spec.edge else GRID
        for seed in spec.seeds:
            for rate in rates if tuning and seed == spec.seeds[0] else [spec.best(name)]:
                for task in spec.metrics if name == spec.single_task_baseline else [None]:
                    yield {"method": name, "seed": seed, "learning_rate": rate if tuning else None, "task": task}


def _choice(spec: Spec, name: str, scores: Mapping[str, list[float]]) -> dict[str, Any]:
    return {
        "learning_rate": spec.best(name),
        "scores": {rate: float(np.mean(values)) for rate, values in scores.items()},
        "extended": [spec.best(name)] if name == spec.edge else [],
        "at_edge": name == spec.edge,
    }


def trial(spec: Spec, key: Mapping[str, Any], splits: list[str]) -> dict[str, Any]:
    """Returns a trial's document."""
    name, seed = str(key["method"]), int(key["seed"])
    rank = list(spec.levels).index(name)
    tasks = [key["task"]] if key["task"] else list(spec.metrics)
    steps = list(range(10, 101, 10))
    shares = np.linspace(1, 2, len(tasks)) / np.linspace(1, 2, len(tasks)).sum()
    weights = {task: [float(share)] * len(steps) for task, share in zip(tasks, shares, strict=True)}
    if name == spec.adaptive:
        drift = np.linspace(0, 0.1, len(steps))
        weights[tasks[0]] = (shares[0] + drift).tolist()
        weights[tasks[1]] = (shares[1] - drift).tolist()
    losses = {task: [round(2 / (1 + 0.02 * step) + 0.02 * rank + 0.01 * seed, 4) for step in steps] for task in tasks}
    return {
        "format": 1,
        "sweep": "made-up",
        **key,
        "run": {"id": "0" * 64, "folder": f"runs/{name}", "parents": ["runs/shared"]},
        "settings": [f"finetuning={name}", f"seed={seed}"],
        "experiment": {},
        "versions": {"python": "3.11.2", "jax": "0.10.1"},
        "hardware": {"platform": "cpu", "device": "cpu", "devices": 1, "cores": 2},
        "data": {"tasks": [{"name": task, "splits": _fingerprints(task)} for task in tasks]},
        "steps": 100,
        "parameters": {"total": 1_657_216, "trained": 1_657_216 // 3**rank},
        "operations": 1.2e12 / (1 + 0.3 * rank) / (len(spec.metrics) if key["task"] else 1),
        "peak_memory_bytes": 8e8 - 4e7 * rank,
        "seconds": {"training": 30.0 - 2 * rank, "evaluation": 12.5},
        "mixture": {
            task: {
                "size": 1000,
                "proportion": float(share),
                "examples": 1600 * float(share),
                "epochs": 1.6 * float(share),
            }
            for task, share in zip(tasks, shares, strict=True)
        },
        "curves": {
            "steps": steps,
            "loss": losses[tasks[0]],
            "learning_rate": [key["learning_rate"]] * len(steps),
            "tasks": {task: {"loss": [None, *losses[task][1:]], "proportion": weights[task]} for task in tasks},
            "evaluated": [50, 100],
            "validation": {task: [losses[task][4], losses[task][9]] for task in tasks},
        },
        "scores": {split: {task: _scores(spec, key, split, task) for task in tasks} for split in splits},
    }


def pretended_trial(job: Mapping[str, Any], accuracies: Mapping[str, float]) -> TrialResult:
    """Returns what a job of a sweep would have recorded, on the splits it was asked for and those already scored.

    Args:
        job: what `t5mix.sweep.worker` was asked to do, as plain data.
        accuracies: by task.
    """
    path, description = Path(job["trial"]), job["description"]
    scores = read_trial(path).scores if path.exists() else {}
    evaluated = {task: TaskScore({"loss": 1.0, "accuracy": accuracy}) for task, accuracy in accuracies.items()}
    return TrialResult(
        **{**description, "run": RunReference(**description["run"])},
        steps=1,
        parameters=Parameters(1, 1),
        seconds=Seconds(1.0),
        scores={**scores, **dict.fromkeys(job["splits"], evaluated)},
    )


def _scores(spec: Spec, key: Mapping[str, Any], split: str, task: str) -> dict[str, Any]:
    """Returns a method's scores: whether its level, its luck and the example's add up to a right answer."""
    seed = [zlib.crc32(f"{split} {task}".encode())]
    difficulty = np.random.default_rng(seed).standard_normal(EXAMPLES)
    positive = np.random.default_rng([*seed, 1]).random(EXAMPLES) < 0.6
    luck = np.random.default_rng([*seed, zlib.crc32(str(key["method"]).encode()), int(key["seed"])])
    method, rate = str(key["method"]), key["learning_rate"] or spec.best(str(key["method"]))
    level = spec.levels[method] - 0.3 * abs(np.log(rate / spec.best(method))) + 0.01 * luck.standard_normal()
    right = level + 0.15 * luck.standard_normal(EXAMPLES) > difficulty
    hits, misses, alarms = right & positive, ~right & positive, ~right & ~positive
    f1 = 100 * 2 * hits.sum() / max(1, 2 * hits.sum() + misses.sum() + alarms.sum())
    metrics = {"loss": float(1.5 - level / 4), "token_accuracy": 70.0 + 5 * level}
    accuracy = {"kind": "mean", "rows": [[float(one), 1.0] for one in right]}
    of_f1 = {"kind": "f1", "rows": np.stack([hits, misses, alarms], axis=1).astype(float).tolist()}
    if spec.metrics[task] == "f1":
        metrics |= {"f1": float(f1), "accuracy": float(100 * right.mean())}
        return {"metrics": metrics, "step": 100, "examples": {"f1": of_f1, "accuracy": accuracy}}
    return {
        "metrics": {**metrics, "accuracy": float(100 * right.mean())},
        "step": 100,
        "examples": {"accuracy": accuracy},
    }


def _fingerprints(task: str) -> dict[str, dict[str, str]]:
    splits = ("train", "validation", "test")
    return {split: {"fingerprint": f"{zlib.crc32(f'{task} {split}'.encode()):08x}" * 8} for split in splits}


def _failure(file: str) -> dict[str, Any]:
    return {
        "run": {"id": "0" * 64, "folder": "runs/x"},
        "status": 1,
        "why": "Traceback ...\nValueError: the loss is NaN at step 40",
        "log": f"logs/{file}.log",
        "command": "python -m t5mix.sweep.worker jobs/x.json",
    }


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def large() -> Spec:
    """Returns a comparison of twelve methods on ten tasks, with five seeds."""
    names = (
        *("full", "adapter, d=8", "adapter, d=32", "adapter, d=128", "lora, r=8", "dora, r=8", "ia3", "prompt, P=20"),
        *("norms", "gradual_unfreezing, output end", "odm", "alone"),
    )
    tasks = ("acceptability", "sentiment", "entailment", "paraphrase", "similarity", "qa", "closed_book", "pronoun")
    tasks = tuple(f"demo_{task}" for task in (*tasks, "translation", "summary"))
    levels = {name: 1.0 - 0.1 * ((7 * index) % 12) for index, name in enumerate(names)}
    columns = {
        "Classification": {"tasks": list(tasks[:4]), "paper": "GLUE"},
        "Reading": {"tasks": [tasks[5]], "paper": "SQuAD"},
        "Summary": {"tasks": [tasks[9]], "paper": "CNNDM"},
        "Translation": {"tasks": [tasks[8]], "paper": "EnDe"},
        "Others": {"tasks": [tasks[4], *tasks[6:8]]},
    }
    metrics = {task: "f1" if task == "demo_paraphrase" else "accuracy" for task in tasks}
    return Spec(levels, metrics, (0, 1, 2, 3, 4), edge="ia3", fields={"columns": columns})


if __name__ == "__main__":
    make_sweep(Path(sys.argv[1]), large() if "large" in sys.argv else None, failed=("lora, r=8", 1))
