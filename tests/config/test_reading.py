import copy
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from t5mix.config.compose import compose_experiment
from t5mix.config.experiment import Experiment
from t5mix.config.reading import policy_from_dict, read_experiment
from t5mix.data.manifest import VocabularyEntry
from t5mix.errors import T5MixError
from t5mix.finetuning import Full
from t5mix.mixing import STRATEGIES, Proportional, Temperature
from t5mix.mixing.base import MixingBudget
from t5mix.training.config import TrainingConfig


@pytest.fixture
def raw() -> dict[str, Any]:
    return {
        "run_dir": "runs/x",
        "mixture": ["demo"],
        "mixing": {"kind": "temperature", "temperature": 4},
        "finetuning": {"kind": "full"},
        "optimizer": {"kind": "adafactor"},
        "schedule": {"kind": "constant"},
    }


def test_defaults_are_filled_in(raw: dict[str, Any]):
    experiment = read_experiment(raw)
    assert experiment.mixing == Temperature(temperature=4.0)
    assert experiment.finetuning == Full()
    assert experiment.training == TrainingConfig()
    assert experiment.mixture == ("demo",)
    assert experiment.model.d_model == 64


def test_reading_changes_nothing(raw: dict[str, Any]):
    before = copy.deepcopy(raw)
    read_experiment(raw)
    assert raw == before


def test_short_forms(raw: dict[str, Any]):
    raw |= {"mixture": "demo", "mixing": "equal", "model": "mini"}
    experiment = read_experiment(raw)
    assert experiment.mixture == ("demo",)
    assert STRATEGIES.kind_of(experiment.mixing) == "equal"
    assert experiment.model.d_model == 256


def test_a_preset_may_be_changed(raw: dict[str, Any]):
    model = read_experiment(raw | {"model": {"preset": "t5_small", "dropout_rate": 0.0}}).model
    assert (model.d_model, model.tie_embeddings, model.dropout_rate) == (512, True, 0.0)


def test_variables_are_for_others_to_refer_to(raw: dict[str, Any]):
    assert read_experiment(raw | {"variables": {"x": 1}}) == read_experiment(raw)


TASK = {"files": {"train": "a.tsv"}, "inputs": "{text}", "targets": "label", "labels": {0: "no", 1: "yes"}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mixing": {"kind": "temperature", "temperature": float("inf"), "max_examples": 2**19}},
        {"optimizer": {"kind": "adamw", "weight_decay": 0.1}, "schedule": {"kind": "cosine", "warmup_steps": 5}},
        {"tasks": {"mine": TASK}, "mixture": ["mine"], "vocabulary": "bytes", "plugins": []},
        {"model": "t5_1_1_base", "lengths": {"inputs": 64}, "mesh": {"data": -1}, "training": {"max_grad_norm": 1}},
        {"start_from": "runs/old", "seed": 7},
    ],
)
def test_to_json_is_read_back(raw: dict[str, Any], changes: dict[str, Any]):
    experiment = read_experiment(raw | changes)
    plain = json.loads(json.dumps(experiment.to_json()))
    again = read_experiment(plain)
    assert again.to_json() == plain
    assert dataclasses.replace(again, tasks={}) == dataclasses.replace(experiment, tasks={})
    assert again.tasks.keys() == experiment.tasks.keys()


def test_a_policy_is_read_back_alone(raw: dict[str, Any]):
    assert policy_from_dict(read_experiment(raw).to_json()["finetuning"]) == Full()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainin": {}}, r"Unknown configuration key 'trainin'\. Did you mean 'training'"),
        ({"training": {"stepss": 4}}, r"Unknown configuration key 'training\.stepss'\. Did you mean training\.steps"),
        ({"training": {"xyzzy": 4}}, r"Unknown configuration key 'training\.xyzzy'\. Known: .*steps, batch_size"),
        ({"mixing": {"kind": "proportional", "temperature": 2}}, r"'mixing\.temperature'\. It is a setting of temp"),
        (
            {"mixing": {"kind": "proportional", "temperature": 2, "task_weights": {}}},
            r"'mixing\.temperature'\. It is .*\n.*'mixing\.task_weights'\. It is a setting of fixed, not of prop",
        ),
        (
            {"schedule": {"kind": "constant", "end_value": 1}},
            r"'schedule\.end_value'\. It is a setting of cosine, linear, not of con",
        ),
        ({"mixing": {"kind": "proportional", "warmth": 2}}, r"'mixing\.warmth'\. Known: max_examples"),
        ({"mixing": {"kind": "temprature"}}, r"Unknown mixing strategy 'temprature'\. Did you mean 'temperature'"),
        ({"mixing": {"temperature": 2}}, r"mixing\.kind is not set\. Known: .*equal, .*proportional"),
        ({"mixing": ["equal"]}, r"mixing is \['equal'\]: input should be a valid dictionary"),
        ({"mixing": None}, "mixing is not set: choose one with mixing=NAME"),
        ({"mixing": {"kind": "temperature", "temperature": 0}}, r"mixing\.temperature is 0\.0: it must be greater"),
        (
            {"mixing": {"kind": "proportional", "max_examples": "many"}},
            r"mixing\.max_examples is 'many': input should be a valid int",
        ),
        ({"mixing": "fixed"}, r"mixing\.task_weights is not set"),
        ({"mixing": {"kind": "fixed", "task_weights": {"a": -1}}}, "mixing.task_weights has .*must be 0 or more"),
        ({"mixing": {"kind": "capped", "strategy": "equall"}}, r"Unknown mixing strategy 'equall'\. Did you mean"),
        (
            {"mixing": {"kind": "capped", "strategy": {"kind": "temperature", "max_exampls": 5}}},
            r"mixing\.strategy\.max_examples",
        ),
        ({"mixing": {"kind": "phases", "strategies": ["equal", 3], "starts": [0, 9]}}, r"mixing\.strategies\.1 is 3"),
        ({"mixing": {"kind": "phases", "strategies": "equal", "starts": [0]}}, r"mixing\.strategies is 'equal'"),
        ({"mixing_unit": "words"}, "mixing_unit is 'words': input should be 'examples' or 'tokens'"),
        ({"finetuning": {"kind": "lorra"}}, "Unknown fine-tuning policy 'lorra'"),
        ({"optimizer": {"kind": "adam"}}, r"Unknown optimizer 'adam'\. Did you mean 'adamw'"),
        ({"schedule": {"kind": "linear", "warmup": 3}}, r"Did you mean schedule\.warmup_steps"),
        ({"schedule": {"kind": "linear", "learning_rate": -1}}, r"schedule\.learning_rate is -1\.0"),
        ({"training": {"steps": "many"}}, r"training\.steps is 'many': input should be a valid integer"),
        ({"training": {"steps": 1.5}}, r"training\.steps is 1\.5: input should be a valid integer"),
        ({"training": {"steps": 0}}, r"training\.steps is 0: it must be 1 or more\.$"),
        (
            {"training": {"batch_size": 6, "gradient_accumulation_steps": 4}},
            r"training\.batch_size is 6, which training\.gradient_accumulation_steps = 4",
        ),
        ({"training": {"loss_normalizer": "mean"}}, r"loss_normalizer is 'mean': input should be 'loss_tokens', 'pos"),
        ({"training": 5}, "training is 5: input should be a dictionary"),
        ({"lengths": {"inputs": 1}}, "lengths are 1 and 32: both must be 2 or more"),
        ({"evaluation": {"batch_size": 0}}, r"evaluation\.batch_size is 0"),
        ({"mesh": {"fsdp": 0}}, "mesh is data=1, fsdp=0"),
        ({"model": "tinny"}, r"Unknown model preset 'tinny'\. Did you mean 'tiny'"),
        ({"model": {"preset": "tiny", "d_modell": 4}}, r"'model\.d_modell'\. Did you mean model\.d_model"),
        ({"model": {"num_layers": 0}}, "num_layers is 0"),
        ({"model": 3}, "model is 3: input should be a valid dictionary"),
        ({"seed": "x"}, "seed is 'x': input should be a valid integer"),
        ({"mixture": []}, "mixture is not set: give the tasks or mixtures"),
        ({"mixture": 3}, "mixture is 3: input should be a valid tuple"),
        ({"run_dir": ""}, "run_dir is not set: give the folder"),
        ({"plugins": "one"}, "plugins is 'one': input should be a valid tuple"),
        ({"plugins": ["no_such_module"]}, "The plugin 'no_such_module' is not found.*working directory"),
        ({"plugins": ["no_such.module"]}, r"The plugin 'no_such\.module' cannot be imported: .*named 'no_such'"),
        ({"plugins": [".relative"]}, r"The plugin '\.relative' is not found"),
        ({"plugins": ["sys"]}, "The plugin 'sys' is not found"),
        ({"tasks": ["a"]}, r"tasks is \['a'\]: input should be a valid dictionary"),
        ({"tasks": {"a": 3}}, r"tasks\.a is 3: input should be a valid dictionary"),
        ({"tasks": {"a": {"files": {"train": "x.tsv"}}}}, "Declared task 'a': a task needs inputs"),
        ({"tasks": {"a": {**TASK, "lables": {}}}}, r"key of the declared task 'a', 'lables'\. Did you mean 'labels'"),
    ],
)
def test_whatever_is_wrong_is_named(raw: dict[str, Any], changes: dict[str, Any], message: str):
    with pytest.raises(T5MixError, match=message):
        read_experiment(raw | changes)


@pytest.mark.parametrize("key", ["run_dir", "mixture", "mixing", "finetuning", "optimizer", "schedule"])
def test_what_is_required_is_asked_for(raw: dict[str, Any], key: str):
    del raw[key]
    with pytest.raises(T5MixError, match=f"^{key} is not set: "):
        read_experiment(raw)


def test_all_problems_of_a_part_are_told_at_once(raw: dict[str, Any]):
    with pytest.raises(T5MixError) as caught:
        read_experiment(raw | {"training": {"steps": "x", "batch_size": "y", "stepp": 1}})
    assert len(str(caught.value).splitlines()) == 3


def vocabulary(size: int) -> VocabularyEntry:
    return VocabularyEntry("sentencepiece", "v.model", "0" * 64, 100, size)


def test_the_vocabulary_decides_the_size_of_the_embedding(raw: dict[str, Any]):
    experiment = read_experiment(raw)
    assert [experiment.model_for(vocabulary(n)).vocab_size for n in (1, 128, 129, 32_100)] == [128, 128, 256, 32_128]


def test_an_embedding_too_small_is_refused(raw: dict[str, Any]):
    experiment = read_experiment(raw | {"model": {"preset": "tiny", "vocab_size": 200}})
    assert experiment.model_for(vocabulary(200)).vocab_size == 200
    with pytest.raises(T5MixError, match=r"model\.vocab_size is 200, and the vocabulary v\.model has 201 ids"):
        experiment.model_for(vocabulary(201))


def test_the_data_request_holds_what_the_data_depends_on(raw: dict[str, Any], tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw |= {"store_dir": "stores", "seed": 3, "lengths": {"inputs": 9, "targets": 5}, "tasks": {"mine": TASK}}
    request = read_experiment(raw).data_request(splits=("test",))
    assert request.store_dir == str(tmp_path / "stores")
    assert (request.inputs_length, request.targets_length, request.seed) == (9, 5, 3)
    assert (request.mixture, request.splits) == (("demo",), ("test",))
    assert type(request).from_json(request.to_json()).declared["mine"]["targets"] == "label"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, {}),
        ([], {}),
        ("c4", {"c4": None}),
        (["c4", "wiki"], {"c4": None, "wiki": None}),
        ({"c4": 364868892, "wiki": None}, {"c4": 364868892, "wiki": None}),
    ],
)
def test_streamed_tasks_are_names_or_numbers_of_examples(raw: dict[str, Any], given: Any, read: dict[str, Any]):
    experiment = read_experiment(raw | {"streamed": given})
    assert experiment.data_request().streamed == read
    assert read_experiment(experiment.to_json()) == experiment


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"c4": 0}, r"streamed\.c4 is 0: give its number of training examples, or null"),
        ({"c4": {"examples": 5}}, r"streamed\.c4 is \{'examples': 5\}"),
        (7, "streamed is 7"),
    ],
)
def test_other_values_of_streamed_are_refused(raw: dict[str, Any], given: Any, said: str):
    with pytest.raises(T5MixError, match=said):
        read_experiment(raw | {"streamed": given})


PLUGIN = '''
from collections.abc import Mapping

from t5mix.mixing import STRATEGIES, StaticStrategy
from t5mix.configurable import configurable


@STRATEGIES.register("my_kind")
@configurable
class Mine(StaticStrategy):
    """Alphabetical."""

    slope: float = 1.0

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        return {name: 1 + self.slope * place for place, name in enumerate(sorted(sizes))}
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A plugin in the working directory; forgotten afterwards."""
    name = "plugin_of_test_experiment"
    (tmp_path / f"{name}.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(STRATEGIES, "_classes", dict(STRATEGIES._classes))
    return name


def test_a_plugins_strategy_is_one_like_any_other(plugin: str):
    overrides = ["run_dir=r", "mixture=demo", f"plugins=[{plugin}]"]
    experiment = read_experiment(compose_experiment(overrides=[*overrides, "mixing=my_kind", "mixing.slope=2"]))
    assert experiment.mixing.init({"b": 5, "a": 9}, MixingBudget(1, 1.0)) == {"a": 0.25, "b": 0.75}
    assert experiment.to_json()["mixing"] == {"kind": "my_kind", "slope": 2.0}
    assert isinstance(experiment, Experiment)
    with pytest.raises(T5MixError, match=r"'mixing\.slop'\. Did you mean mixing\.slope"):
        read_experiment(compose_experiment(overrides=[*overrides, "mixing=my_kind", "mixing.slop=2"]))


def test_a_plugin_that_registers_tasks_is_left_to_the_data(raw: dict[str, Any], tmp_path: Path, monkeypatch):
    name = "task_plugin_of_test_experiment"
    (tmp_path / f"{name}.py").write_text("import seqio\nraise RuntimeError('imported')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "seqio", raising=False)  # another test may have loaded it
    assert read_experiment(raw | {"plugins": [name]}).plugins == (name,)
    assert name not in sys.modules


def test_mixing_defaults_to_proportional():
    experiment = read_experiment(compose_experiment(overrides=["run_dir=r", "mixture=demo"]))
    assert experiment.mixing == Proportional()


@pytest.mark.parametrize("number", [-1, 1_000_001])
def test_the_number_of_sentinels_is_checked(raw: dict[str, Any], number: int):
    with pytest.raises(T5MixError, match=f"extra_ids is {number}: it must be from 0 to 1,000,000"):
        read_experiment(raw | {"extra_ids": number})
