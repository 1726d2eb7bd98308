"""Which runs a sweep starts, in which order, and what it makes of what becomes of them. Nothing is trained here."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.files import write_json
from t5mix.sweep import data_checks, runner
from t5mix.sweep.executors import CoresPerRun
from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.plan import SweepPlanner, plan_trials
from t5mix.sweep.plan_summary import summarise_plan
from t5mix.sweep.progress import RunningProcess
from t5mix.sweep.runner import Runner
from t5mix.sweep.spec import Sweep, read_sweep
from t5mix.sweep.trial import Failure, read_failure
from tests.support.synthetic_sweep import pretended_trial

SWEEP: dict[str, Any] = {
    "name": "small",
    "config": "experiment",
    "settings": ["mixture=[copy]", "training.steps=10"],
    "shared_runs": [["training.steps=30"]],
    "methods": {"full": {}, "lora": {"runs": [["finetuning=lora"]], "learning_rates": [0.01]}},
    "seeds": [0, 1],
    "tuning": {"learning_rates": [0.001, 0.002, 0.004], "split": "validation", "extensions": 1},
    "split": "test",
}


class Pretend:
    """An executor whose processes end at once, with the scores that a function gives."""

    def __init__(self, score: Callable[[dict[str, Any]], float | int]) -> None:
        self.score, self.started = score, list[tuple[str, dict[str, Any]]]()

    def has_room(self, cores: int) -> bool:
        return True

    def submit(self, name: str, command: Sequence[str], log: Path, cores: int) -> "Ended":
        job = json.loads(Path(command[-1]).read_text())
        self.started.append((name, job))
        log.write_text("a line\nwhat went wrong")
        score = self.score(job)
        if isinstance(score, int):
            return Ended(score)
        write_json(Path(job["experiment"]["run_dir"], "result.json"), {})
        if job["trial"] is not None:
            pretended_trial(job, {"copy": score}).write(Path(job["trial"]))
        return Ended(0)

    def close(self) -> None:
        pass


class Ended:
    def __init__(self, status: int) -> None:
        self.status = status

    def poll(self) -> int:
        return self.status

    def end(self) -> None:
        pass

    def wait(self, seconds: float) -> None:
        pass


class Silent:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.counts: list[tuple[int, int]] = []

    def update(self, processes: list[RunningProcess], done: int, total: int) -> None:
        assert done <= total
        self.counts.append((done, total))

    def info(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "check_data", lambda planner, trials, prepare: None)
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.0)


def sweep(**changes: Any) -> Sweep:
    return read_sweep({**SWEEP, **changes})


def run(folder: Path, executor: Any, retries: int = 0, **changes: Any) -> list[Failure]:
    return Runner(
        SweepPlanner(sweep(**changes)), SweepFolder(folder), executor, CoresPerRun(1, 2), retries, Silent()
    ).run()


def rate(job: dict[str, Any]) -> float:
    return job["description"].get("learning_rate") or math.nan


def by_rate(job: dict[str, Any]) -> float:
    """Full fine-tuning is best at 0.008, beyond the grid."""
    return -abs(math.log(rate(job) / 0.008)) if job["trial"] else 0.0


def test_rates_are_tuned_extended_and_then_reported_with_all_seeds(tmp_path: Path):
    executor = Pretend(by_rate)
    assert run(tmp_path, executor) == []
    done = [
        (job["description"].get("method"), job["description"].get("seed"), rate(job), tuple(job["splits"]))
        for _, job in executor.started[1:]
    ]
    assert executor.started[0][0].startswith("shared-")
    tuned = [("full", 0, tried, ("validation",)) for tried in (0.001, 0.002, 0.004, 0.008)]
    reported = [("full", 0, 0.008, ("validation", "test")), ("full", 1, 0.008, ("test",))]
    assert [trial for trial in done if trial[0] == "full"] == tuned + reported
    assert [trial for trial in done if trial[0] == "lora"] == [("lora", seed, 0.01, ("test",)) for seed in (0, 1)]
    choice = json.loads((tmp_path / "choices.json").read_text())["full"]
    assert (choice["learning_rate"], choice["extended"], choice["at_edge"]) == (0.008, [0.008], True)


def listen(folder: Path, executor: Any, **changes: Any) -> Silent:
    listener = Silent()
    Runner(SweepPlanner(sweep(**changes)), SweepFolder(folder), executor, CoresPerRun(1, 2), 0, listener).run()
    return listener


def test_each_run_is_named_by_what_it_is_and_told_of_once(tmp_path: Path):
    said = [text.partition(" in ")[0] for text in listen(tmp_path, Pretend(by_rate)).said]
    tuned = [f"full, lr {rate}, seed 0, tuning: trained and scored" for rate in (0.001, 0.002, 0.004, 0.008)]
    lora = [f"lora, lr 0.01, seed {seed}, test: trained and scored" for seed in (0, 1)]
    tested = ["full, lr 0.008, seed 0, test: scored", "full, lr 0.008, seed 1, test: trained and scored"]
    assert sorted(said) == sorted(["shared, seed 0: trained", *tuned, *lora, *tested])


def test_the_count_is_that_of_the_plan_and_grows_with_the_grid_alone(tmp_path: Path):
    planner = SweepPlanner(sweep())
    summary = summarise_plan(planner, plan_trials(planner))
    full, lora = summary.methods
    assert (full.tuning_runs, full.test_runs, full.steps, full.learning_rates) == (3, 2, (10,), (0.001, 0.002, 0.004))
    assert (lora.tuning_runs, lora.test_runs, lora.seeds) == (0, 2, (0, 1))
    assert (summary.parent_runs, summary.total) == (1, 8)
    counts = listen(tmp_path, Pretend(by_rate)).counts
    assert counts[0] == (0, 8)
    assert counts[-1] == (9, 9)  # a rate beyond the grid was tried
    assert counts == sorted(counts)
    assert {total for _, total in counts} == {8, 9}


def test_a_resumed_sweep_counts_what_was_done_before(tmp_path: Path):
    left = [3]

    def interrupted(job: dict[str, Any]) -> float:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return by_rate(job)

    with pytest.raises(KeyboardInterrupt):
        listen(tmp_path, Pretend(interrupted))
    counts = listen(tmp_path, Pretend(by_rate)).counts
    assert counts[0][0] == 3
    assert counts[-1] == (9, 9)


def test_what_failed_stays_undone_in_the_count(tmp_path: Path):
    counts = listen(tmp_path, Pretend(lambda job: 2 if rate(job) == 0.01 else by_rate(job))).counts
    assert counts[-1] == (7, 9)


def test_without_a_rate_that_works_the_tests_stay_in_the_count(tmp_path: Path):
    counts = listen(tmp_path, Pretend(lambda job: 2 if rate(job) < 0.009 else by_rate(job))).counts
    assert counts[-1] == (3, 8)


def test_what_was_tuned_on_the_reported_split_is_not_scored_again(tmp_path: Path):
    tuning = {**SWEEP["tuning"], "extensions": 0}
    counts = listen(tmp_path, Pretend(by_rate), tuning=tuning, split="validation").counts
    assert {total for _, total in counts} == {7}
    assert counts[-1] == (7, 7)


def test_seeds_come_one_after_the_other_with_all_methods(tmp_path: Path):
    executor = Pretend(by_rate)
    run(tmp_path, executor, methods={"full": {}, "lora": {"runs": [["finetuning=lora"]]}}, tuning=None)
    done = [(job["description"]["seed"], job["description"]["method"]) for _, job in executor.started[1:]]
    assert done == [(0, "full"), (0, "lora"), (1, "full"), (1, "lora")]


def test_all_start_from_one_beginning(tmp_path: Path):
    executor = Pretend(by_rate)
    run(tmp_path, executor)
    shared = executor.started[0][1]["experiment"]["run_dir"]
    assert {job["experiment"]["start_from"] for _, job in executor.started[1:]} == {shared}
    assert [job["cores"] for _, job in executor.started[:2]] == [2, 1]


def test_a_sweep_goes_on_where_it_was_interrupted(tmp_path: Path):
    undisturbed = Pretend(by_rate)
    run(tmp_path / "whole", undisturbed)
    started: list[str] = []
    for count in range(20):

        def interrupted(job: dict[str, Any], left: list[int] = [count % 3 + 1]) -> float:  # noqa: B006
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return by_rate(job)

        executor = Pretend(interrupted)
        try:
            run(tmp_path / "parts", executor)
            break
        except KeyboardInterrupt:
            started += [name for name, _ in executor.started[:-1]]
    else:
        pytest.fail("it never ended")
    started += [name for name, _ in executor.started]
    assert started == [name for name, _ in undisturbed.started]
    for file in ("choices.json", *(f"trials/{file.name}" for file in (tmp_path / "whole/trials").iterdir())):
        assert (tmp_path / "parts" / file).read_text() == (tmp_path / "whole" / file).read_text()


def test_a_passing_failure_is_tried_again_and_a_lasting_one_is_not(tmp_path: Path):
    for status, times in ((1, 3), (-9, 3), (2, 1)):
        folder = tmp_path / str(status)
        executor = Pretend(lambda job, status=status: status if rate(job) == 0.01 else 0.5)
        failures = run(folder, executor, retries=2)
        assert sum(rate(job) == 0.01 for _, job in executor.started) == 2 * times
        assert [(failure.method, failure.seed, failure.status) for failure in failures] == [
            ("lora", 0, status),
            ("lora", 1, status),
        ]
        name = Path(failures[0].run.folder).name
        assert read_failure(folder / "failed" / f"{name}.json") == failures[0]
        assert failures[0].why.endswith("what went wrong")
        assert str(folder / "jobs" / f"{name}.json") in failures[0].command
        assert (folder / failures[0].log).exists()


def test_what_failed_is_tried_again_by_the_next_start(tmp_path: Path):
    assert len(run(tmp_path, Pretend(lambda job: 2 if rate(job) == 0.01 else 0.5))) == 2
    executor = Pretend(by_rate)
    assert run(tmp_path, executor) == []
    assert {rate(job) for _, job in executor.started} == {0.01}
    assert not (tmp_path / "failed").exists()


def test_a_learning_rate_that_fails_is_not_chosen(tmp_path: Path):
    def diverges(job: dict[str, Any]) -> float | int:
        return 2 if rate(job) > 0.003 and rate(job) < 0.009 else 1.0 / rate(job) if job["trial"] else 0.0

    failures = run(tmp_path, Pretend(diverges), tuning={**SWEEP["tuning"], "extensions": 0})
    assert [(failure.method, failure.learning_rate) for failure in failures] == [("full", 0.004)]
    choice = json.loads((tmp_path / "choices.json").read_text())["full"]
    assert choice["learning_rate"] == 0.001
    assert choice["scores"]["0.004"] is None


def test_without_its_beginning_nothing_starts(tmp_path: Path):
    executor = Pretend(lambda job: 2)
    failures = run(tmp_path, executor)
    assert len(executor.started) == 1
    assert {Path(failure.run.folder).name for failure in failures} == {executor.started[0][0]}
    assert {failure.method for failure in failures} == {"full", "lora"}


def test_another_sweep_is_refused(tmp_path: Path):
    folder, cores = SweepFolder(tmp_path / "out"), vars(CoresPerRun(1, 2))
    run(folder.path, Pretend(by_rate))
    folder.check(sweep(), cores)
    with pytest.raises(T5MixError, match=r"another sweep:\n  seeds: \[0, 1\] there, \[0, 1, 2\] here"):
        folder.check(sweep(seeds=[0, 1, 2]), cores)
    with pytest.raises(T5MixError, match=r"cores: .*there"):
        folder.check(sweep(), {"trial": 2, "shared": 2})
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    with pytest.raises(T5MixError, match=r"not empty \(file\) and holds no sweep"):
        SweepFolder(tmp_path / "other").check(sweep(), cores)


def test_a_folder_has_one_sweep_at_a_time(tmp_path: Path):
    with SweepFolder(tmp_path).locked(), pytest.raises(T5MixError, match="already running"):
        run(tmp_path, Pretend(by_rate))


def test_metrics_are_known_by_the_values_they_give():
    assert data_checks.value_names(("squad", "f1")) == ["em", "f1", "f1"]
    assert data_checks.value_names(("accuracy", "my_own")) is None
