"""Equal budgets: what a step of each method takes, and the steps that follow."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from t5mix.config.compose import compose_experiment
from t5mix.config.reading import read_experiment
from t5mix.errors import T5MixError
from t5mix.files import write_json
from t5mix.sweep import runner
from t5mix.sweep.equal_budget import equal_steps
from t5mix.sweep.executors import CoresPerRun
from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.plan import SweepPlanner
from t5mix.sweep.runner import Runner
from t5mix.sweep.spec import read_sweep
from t5mix.sweep.step_cost import cost_per_step
from t5mix.sweep.worker import RunRequest
from tests.support.synthetic_sweep import pretended_trial

SETTINGS = [
    "mixture=[letters]",
    "vocabulary=bytes",
    "lengths={inputs: 24, targets: 8}",
    "model={d_model: 16, d_ff: 32, d_kv: 8, num_heads: 2, num_layers: 1, num_decoder_layers: 2}",
    "training={steps: 12, batch_size: 4}",
    "optimizer=adamw",
    "tasks={letters: {files: {train: train.tsv, validation: train.tsv}, inputs: '{text}', targets: '{label}'}}",
]


@pytest.fixture
def _letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from t5mix.cache.prepare_worker import prepare

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("t5mix.data.prepare_client.prepare_in_subprocess", prepare)
    monkeypatch.setattr("t5mix.runs.train.prepare_in_subprocess", lambda request, **options: prepare(request))
    rows = [f"{chr(97 + number % 26)} {chr(97 + number % 7)}\t{number % 2}" for number in range(400)]
    Path("train.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")


def job(*settings: str) -> RunRequest:
    experiment = read_experiment(
        compose_experiment("experiment", [*SETTINGS, "run_dir=run", "store_dir=stores", *settings])
    )
    return RunRequest(experiment.to_json(), (), (), (), "latest", {}, None, "data", 1, "compiled")


def test_steps_take_as_much_as_those_of_one_method():
    configured = {"full": 100, "cheap": 100, "short": 10}
    steps = equal_steps(configured, {"full": 3.0, "cheap": 2.0, "short": 6.0}, "full")
    assert steps == {"full": 100, "cheap": 150, "short": 50}
    with pytest.raises(T5MixError, match="a step of 'full' takes 3, more than all steps of 'short'"):
        equal_steps({"full": 100, "short": 1}, {"full": 3.0, "short": 1.0}, "short")


@pytest.mark.usefixtures("_letters")
def test_tokens_are_those_that_batches_hold():
    inputs, targets = 3 + 1, 1 + 1  # with the end of the sequence
    examples = 4 * min(24 // inputs, 8 // targets)
    assert cost_per_step(job(), "tokens") == pytest.approx(examples * (inputs + targets), rel=0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("_letters")
def test_operations_and_seconds_are_fewer_where_less_trains():
    full, frozen = (cost_per_step(job(*more), "flops") for more in ((), ("finetuning=feature_based",)))
    assert frozen < 0.8 * full
    phases = cost_per_step(job("finetuning=gradual_unfreezing"), "flops")
    assert frozen < phases < full
    assert 0 < cost_per_step(job("finetuning=gradual_unfreezing"), "seconds") < 5


class Measuring:
    """An executor that says what a step takes, and pretends to train."""

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.steps: dict[str, int] = {}

    def has_room(self, cores: int) -> bool:
        return True

    def submit(self, name: str, command: Sequence[str], log: Path, cores: int) -> "Measuring":
        if "t5mix.sweep.step_cost" in command:
            job_file, unit, out = command[-3:]
            kind = json.loads(Path(job_file).read_text())["experiment"]["finetuning"]["kind"]
            self.measured.append(f"{kind} in {unit}")
            write_json(Path(out), {"unit": unit, "per_step": {"full": 6.0, "lora": 4.0}[kind]})
            return self
        job = json.loads(Path(command[-1]).read_text())
        self.steps[job["description"]["method"]] = job["experiment"]["training"]["steps"]
        write_json(Path(job["experiment"]["run_dir"], "result.json"), {})
        pretended_trial(job, {"copy": 1.0}).write(Path(job["trial"]))
        return self

    def poll(self) -> int:
        return 0

    def end(self) -> None: ...

    def wait(self, seconds: float) -> None: ...

    def close(self) -> None: ...

    def update(self, *args: Any) -> None: ...

    def info(self, text: str) -> None: ...


def test_a_sweep_measures_once_and_gives_each_method_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "check_data", lambda planner, trials, prepare: None)
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.0)
    sweep = read_sweep(
        {
            "name": "equal",
            "config": "experiment",
            "settings": ["mixture=[copy]", "training.steps=10"],
            "methods": {"full": {}, "lora": {"runs": [["finetuning=lora"]]}},
            "seeds": [0],
            "budget": {"equal": "flops"},
        }
    )
    for _ in range(2):
        executor = Measuring()
        Runner(SweepPlanner(sweep), SweepFolder(tmp_path), executor, CoresPerRun(1, 1), 0, executor).run()
        if not (tmp_path / "again").exists():
            (tmp_path / "again").touch()
            assert executor.measured == ["full in flops", "lora in flops"]
            assert executor.steps == {"full": 10, "lora": 15}
    assert executor.measured == []
    assert executor.steps == {}
