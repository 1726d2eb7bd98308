"""Whole runs under strategies that learn or change: interrupted or not, the same losses and the same proportions."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from t5mix.checkpoint.reader import read_run_state
from t5mix.configurable import configurable
from t5mix.data.manifest import DataManifest
from t5mix.errors import T5MixError
from t5mix.mixing import ODM, Capped, DoReMi, Equal, LossGap, PhasedMixing, PriorODM, UniMax
from t5mix.training.config import TrainingConfig
from t5mix.training.trainer import train

STEPS = 13
CONFIG = TrainingConfig(
    steps=STEPS, batch_size=8, packing_buffer=12, log_every=1, checkpoint_every=5, evaluate_every=None, feedback_lag=4
)
STRATEGIES = {
    "odm": ODM(warmup=0.0),
    "odm_prior": PriorODM(eta=1.0, smoothing=0.5),
    "loss_gap": LossGap(references={"copy": 0.5, "first": 2.0}, smoothing=0.5),
    "capped": Capped(strategy=ODM(warmup=0.0), max_epochs=2.0),
    "unimax": UniMax(max_epochs=2.0),
    "phases": PhasedMixing(strategies=(Equal(), PriorODM(eta=2.0)), starts=(0, 7)),
    "doremi": DoReMi(reference="none"),
}


def reference_losses(batch: Any) -> np.ndarray:
    """A reference model that finds the longer targets of "copy" hard."""
    return np.where(batch["decoder_task_ids"] == 0, 3.0, 0.5).astype(np.float32)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType) -> DataManifest:
    return tiny.make_manifest(tmp_path_factory.mktemp("data"))


def job(tiny: ModuleType, manifest: DataManifest, run_dir: Path, kind: str, **changes: Any) -> Any:
    if kind == "doremi":
        changes["reference"] = reference_losses
    return tiny.make_job(run_dir, manifest, CONFIG, strategy=STRATEGIES[kind], **changes)


@pytest.fixture(scope="module")
def whole_run(
    tiny: ModuleType, manifest: DataManifest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Returns the folder of the uninterrupted run under a strategy, which is made once; not to be written to."""

    @functools.cache
    def folder(kind: str) -> Path:
        train(job(tiny, manifest, path := tmp_path_factory.mktemp("whole") / kind, kind))
        return path

    return folder


@pytest.mark.parametrize("kind", STRATEGIES)
def test_an_interrupted_run_continues_to_the_same_bits_and_proportions(
    tiny: ModuleType, manifest: DataManifest, whole_run: Callable[[str], Path], tmp_path: Path, kind: str
):
    whole, broken = whole_run(kind), tmp_path / "broken"
    engine = tiny.make_engine(CONFIG)
    for steps in (3, 6, 1):
        with pytest.raises(tiny.InterruptedRunError):
            train(job(tiny, manifest, broken, kind, engine=tiny.Watched(engine, tiny.raise_after(steps))))
    train(job(tiny, manifest, broken, kind))
    assert tiny.logged(broken) == tiny.logged(whole)
    expected, found = (tiny.final_params(folder, engine, STEPS) for folder in (whole, broken))
    for name, leaf in expected.items():
        np.testing.assert_array_equal(found[name], leaf, err_msg=name)
    here, there = (read_run_state(folder / "checkpoints" / str(STEPS)) for folder in (broken, whole))
    assert here == there
    weights = [line["tasks"]["copy"]["proportion"] for line in tiny.logged(whole) if line["kind"] == "train"]
    assert (len(set(weights)) > 1) == (kind not in ("unimax", "doremi"))


def test_proportions_answer_to_losses_no_sooner_than_the_lag(tiny: ModuleType, whole_run: Callable[[str], Path]):
    lines = [line for line in tiny.logged(whole_run("odm_prior")) if line["kind"] == "train"]
    weights = [line["tasks"]["copy"]["proportion"] for line in lines]
    lag = CONFIG.feedback_lag
    assert len(set(weights[:lag])) == 1
    assert weights[lag] != weights[0]


def test_the_totals_hold_what_was_expected_beside_what_was_drawn(tiny: ModuleType, whole_run: Callable[[str], Path]):
    run = whole_run("phases")
    total = read_run_state(run / "checkpoints" / str(STEPS))["metrics"]["total"]
    lines = [line for line in tiny.logged(run) if line["kind"] == "train"]
    for task, name in enumerate(("copy", "first")):
        by_step = [
            line["tasks"][name]["proportion"] * sum(t["examples"] for t in line["tasks"].values()) for line in lines
        ]
        assert total["expected_examples"][task] == pytest.approx(sum(by_step))
    assert sum(total["expected_examples"]) == pytest.approx(sum(total["examples"]))


def test_doremi_weighs_each_tasks_mean_loss(tiny: ModuleType, manifest: DataManifest, tmp_path: Path):
    """The gradient's objective is sum_i a_i mean_i, whatever the number of tokens of each task."""
    seen: list[Any] = []
    engine = tiny.make_engine(CONFIG)

    class Listening:
        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def step(self, state: Any, batch: Any) -> Any:
            seen.append(batch)
            return engine.step(state, batch)

    train(job(tiny, manifest, tmp_path / "run", "doremi", engine=Listening()))
    run_state = read_run_state(tmp_path / "run" / "checkpoints" / str(STEPS))
    alphas = run_state["mixing"]["strategy"]["alphas"]
    assert alphas["first"] > alphas["copy"]  # the reference model is far better at it
    logged = [line["tasks"] for line in tiny.logged(tmp_path / "run") if line["kind"] == "train"]
    assert logged[0]["first"]["loss_weight"] == 0.5
    assert logged[-1]["first"]["loss_weight"] == pytest.approx(alphas["first"])
    for batch in seen[:3]:
        real, tasks = batch["decoder_segment_ids"] > 0, batch["decoder_task_ids"]
        weights = batch["decoder_loss_weights"]
        assert not weights[~real].any()
        for task in (0, 1):
            share = weights[real & (tasks == task)].sum() / real.sum()
            assert share == pytest.approx(0.5, rel=1e-5)  # before the lag is over, a is equal


def test_a_strategy_that_leaves_the_simplex_ends_the_run_with_its_state(
    tiny: ModuleType, manifest: DataManifest, tmp_path: Path
):
    @configurable
    class Broken(Equal):
        def proportions(self, state: Any, step: int) -> dict[str, float]:
            return state if step < 7 else dict.fromkeys(state, float("nan"))

    with pytest.raises(T5MixError, match=r"gave no proportions for step 7: it gives .*nan.*mixing_state\.json"):
        train(tiny.make_job(tmp_path / "run", manifest, CONFIG, strategy=Broken()))
    assert (tmp_path / "run" / "mixing_state.json").exists()


def test_counting_in_tokens_evens_out_the_tokens(tiny: ModuleType, manifest: DataManifest, tmp_path: Path):
    longer = dataclasses.replace(CONFIG, steps=40, log_every=40)
    engine = tiny.make_engine(CONFIG)  # its step is that of a longer run too
    train(tiny.make_job(tmp_path / "run", manifest, longer, strategy=Equal(), unit="tokens", engine=engine))
    line = next(line for line in tiny.logged(tmp_path / "run") if line["kind"] == "train")
    copy, first = (line["tasks"][name] for name in ("copy", "first"))
    assert copy["tokens"] / first["tokens"] == pytest.approx(1, abs=0.15)
    assert first["examples"] > 1.2 * copy["examples"]
