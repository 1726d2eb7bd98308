import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from t5mix.config.compose import compose_experiment, parse_choice
from t5mix.config.composer import Composer, _accept_new_keys
from t5mix.config.config_files import named_configs
from t5mix.config.groups import groups
from t5mix.config.reading import read_experiment
from t5mix.errors import T5MixError
from t5mix.finetuning import POLICIES
from t5mix.mixing import STRATEGIES, Equal
from t5mix.model.presets import AUTO, PRESETS
from t5mix.training.optimizer import OPTIMIZERS
from t5mix.training.schedule import SCHEDULES

REQUIRED = ("run_dir=r", "mixture=demo")


def compose(*overrides: str) -> dict[str, Any]:
    return compose_experiment(overrides=[*REQUIRED, *overrides])


def own_file(folder: Path, text: str, name: str = "mine.yaml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


NEEDED = {
    "fixed": ["mixing.task_weights={a: 1, b: 2}"],
    "phases": ["mixing.strategies=[equal, {kind: temperature, temperature: 4}]", "mixing.starts=[0, 0.5]"],
    "doremi": ["mixing.reference=runs/reference"],
}
"""What options need besides their name."""


@pytest.mark.parametrize("name", named_configs())
def test_every_named_configuration_is_valid(name: str):
    experiment = read_experiment(compose_experiment(name, REQUIRED))
    assert experiment.mixture == ("demo",)


@pytest.mark.parametrize(
    ("group", "registry"),
    [
        ("mixing", STRATEGIES),
        ("finetuning", POLICIES),
        ("optimizer", OPTIMIZERS),
        ("schedule", SCHEDULES),
        ("model", [AUTO, *PRESETS]),
    ],
)
def test_every_kind_has_an_option_of_its_name_and_every_option_is_valid(group: str, registry: Any):
    assert set(registry) == set(groups()[group])
    for option in groups()[group]:
        read_experiment(compose(f"{group}={option}", *NEEDED.get(option, ())))


def test_overrides_need_no_plus():
    raw = compose("training.steps=7", "mixing=temperature", "mixing.temperature=4", "lengths.inputs=32")
    experiment = read_experiment(raw)
    assert (experiment.training.steps, experiment.lengths.inputs) == (7, 32)
    assert experiment.to_json()["mixing"] == {"kind": "temperature", "temperature": 4.0, "max_examples": None}


def test_an_option_replaces_the_default_with_all_its_settings():
    assert read_experiment(compose("mixing.max_examples=5")).to_json()["mixing"] == {
        "kind": "proportional",
        "max_examples": 5,
    }
    with pytest.raises(T5MixError, match=r"'mixing\.max_examples'\. It is a setting of .*proportional.*, not of equal"):
        read_experiment(compose("mixing=equal", "mixing.max_examples=5"))
    without = compose("mixing=equal", "mixing.max_examples=5", "~mixing.max_examples")
    assert read_experiment(without).to_json()["mixing"] == {"kind": "equal"}


OWN_MIXING = "defaults:\n  - experiment\n  - override mixing: temperature\n  - _self_\nmixing: {temperature: 2}\n"


@pytest.mark.parametrize(
    "overrides",
    [
        ["mixing=odm"],
        ["mixing={kind: odm}"],
        ["mixing=odm", "~mixing.temperature"],  # what once was needed
    ],
)
def test_another_option_replaces_that_of_a_file_with_its_settings_and_says_so(tmp_path: Path, overrides: list[str]):
    lines: list[str] = []
    raw = compose_experiment(own_file(tmp_path, OWN_MIXING), [*REQUIRED, *overrides], lines.append)
    assert raw["mixing"] == {"kind": "odm"}
    assert lines == ["mixing=odm takes the place of temperature and its settings: temperature=2."]


def test_the_settings_of_the_new_option_may_stand_before_it(tmp_path: Path):
    raw = compose_experiment(own_file(tmp_path, OWN_MIXING), [*REQUIRED, "mixing.eta=0.5", "mixing=odm"])
    assert raw["mixing"] == {"kind": "odm", "eta": 0.5}


def test_the_option_that_is_there_keeps_its_settings(tmp_path: Path):
    lines: list[str] = []
    file = own_file(tmp_path, OWN_MIXING)
    raw = compose_experiment(file, [*REQUIRED, "mixing=temperature", "mixing.max_examples=9"], lines.append)
    assert raw["mixing"] == {"kind": "temperature", "temperature": 2, "max_examples": 9}
    assert lines == []


def test_a_models_preset_replaces_the_files_sizes():
    lines: list[str] = []
    raw = compose_experiment("demo", ["model={preset: mini, d_ff: 99}", "model=tiny"], lines.append)
    assert raw["model"] == {"preset": "tiny", "d_ff": 99}
    assert compose_experiment("quickstart", ["model=t5_base"])["model"] == {"preset": "t5_base"}


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.steps=7", "training.steps=8", "lengths={inputs: 32}"],
        ["training={steps: 3}", "variables={a: 1}", "seed=${variables.a}", "run_dir='a b=c'"],
        ["optimizer=adamw", "optimizer.weight_decay=0.1", "schedule=linear", "model=mini"],
        ["+note=4"],
        ["~schedule.warmup_steps"],
    ],
)
def test_overrides_are_set_as_hydra_sets_them(overrides: list[str]):
    composer = Composer("experiment")
    arguments = [*REQUIRED, "schedule.warmup_steps=9", *overrides]
    accepted = tuple(_accept_new_keys(override, groups()) for override in arguments)
    assert composer.compose(arguments) == OmegaConf.to_container(composer._hydra(accepted), resolve=True)


def test_what_is_not_there_cannot_be_taken_out():
    with pytest.raises(T5MixError, match=r"~mixing\.temperature: the configuration has no mixing\.temperature"):
        compose("~mixing.temperature")


def test_values_may_be_lists_and_dictionaries():
    raw = compose_experiment(overrides=["run_dir=r", "mixture=[a,b]", "training={steps:3,batch_size:4}"])
    assert raw["mixture"] == ["a", "b"]
    assert read_experiment(raw).training.batch_size == 4


def test_values_may_refer_to_others():
    raw = compose("variables={t:4}", "mixing=temperature", "mixing.temperature=${variables.t}")
    assert read_experiment(raw).to_json()["mixing"]["temperature"] == 4.0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mixing=temprature", r"Unknown mixing strategy 'temprature'\. Did you mean 'temperature'"),
        ("finetuning=lorra", "Unknown fine-tuning policy 'lorra'"),
        ("model=tinny", r"Unknown model preset 'tinny'\. Did you mean 'tiny'"),
        ("mixing=5", "'mixing=5': mixing is a group. Choose one of its options: .*equal, .*proportional, temperature"),
        ("model=[tiny]", "model is a group"),
        ("mixing=null", "mixing is a group"),
        ("trainin.steps=4", r"Unknown configuration key 'trainin'\. Did you mean 'training'"),
        ("+trainin.steps=4", "Unknown configuration key 'trainin'"),
        ("training.stepss=4", r"Did you mean training\.steps"),
        ("steps", "'steps' is not an override: write key=value, such as training.steps=500"),
        ("mixture=[a", r"'mixture=\[a' is not an override"),
        ("mixture=a,b", r"A list is written 'mixture=\[a,b\]'"),
        ("mixing=größe", "Unknown mixing strategy 'größe'"),
        ("seed=${nowhere}", "The configuration cannot be composed: .*nowhere"),
        ("seed=???", "The configuration cannot be composed: Missing mandatory value: seed"),
        ("~mixing", "mixing is not set"),
        ("optimizer@elsewhere=adamw", "The configuration cannot be composed"),
    ],
)
def test_a_wrong_override_is_named(override: str, message: str):
    with pytest.raises(T5MixError, match=message):
        read_experiment(compose(override))


def test_an_error_leaves_no_trace():
    with pytest.raises(T5MixError):
        compose("optimizer@elsewhere=adamw")
    assert read_experiment(compose("optimizer=adamw")).to_json()["optimizer"]["kind"] == "adamw"


def test_a_file_of_ones_own_composes_the_packages_groups(tmp_path: Path):
    text = """
defaults:
  - experiment
  - override mixing: temperature
  - override model: mini
  - _self_
run_dir: ${oc.env:NOTHING_OF_THIS_NAME,runs}/own
mixture: [demo]
mixing: {temperature: 8}
training:
  steps: 5
"""
    experiment = read_experiment(
        compose_experiment(own_file(tmp_path, text), ["training.steps=6", "mixing.max_examples=9"])
    )
    assert (experiment.run_dir, experiment.training.steps, experiment.model.d_model) == ("runs/own", 6, 256)
    assert experiment.to_json()["mixing"] == {"kind": "temperature", "temperature": 8.0, "max_examples": 9}


def test_a_file_may_build_on_another_beside_it_and_bring_options_of_its_own(tmp_path: Path):
    (tmp_path / "mixing").mkdir()
    own_file(tmp_path / "mixing", "kind: temperature\ntemperature: 3\n", "three.yaml")
    own_file(tmp_path, "defaults:\n  - experiment\n  - _self_\nseed: 5\nmixture: demo\n", "base.yaml")
    file = own_file(tmp_path, "defaults:\n  - base\n  - override mixing: three\n  - _self_\nrun_dir: r\n")
    experiment = read_experiment(compose_experiment(file))
    assert experiment.seed == 5
    assert experiment.to_json()["mixing"]["temperature"] == 3.0


def test_an_option_beside_the_file_comes_before_the_packages(tmp_path: Path):
    (tmp_path / "mixing").mkdir()
    own_file(tmp_path / "mixing", "kind: temperature\ntemperature: 3\n", "equal.yaml")
    file = own_file(tmp_path, "defaults:\n  - experiment\n  - override mixing: equal\n  - _self_\nrun_dir: r\n")
    assert compose_experiment(file)["mixing"] == {"kind": "temperature", "temperature": 3}
    assert compose("mixing=equal")["mixing"] == {"kind": "equal"}


def test_a_kind_that_registers_later_is_an_option_from_then_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(STRATEGIES, "_classes", dict(STRATEGIES._classes))
    assert compose("mixing=my_own", "mixing.power=2")["mixing"] == {"kind": "my_own", "power": 2}
    STRATEGIES.register("my_own")(type("MyOwn", (Equal,), {}))
    assert "my_own" in groups()["mixing"]
    assert compose("mixing=my_own", "mixing.power=2")["mixing"] == {"kind": "my_own", "power": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\n", r"mine\.yaml has no defaults list\. Begin it with:\ndefaults:\n  - experiment\n  - _self_"),
        ("", "has no defaults list"),
        ("foo: [", r"mine\.yaml, line 1, column 7: this is not YAML: "),
        ("defaults:\n  - [\n", r"mine\.yaml, line 3, column 1: this is not YAML: "),
        ("defaults:\n  - experiment\n  - _self_\nseed: [1\n", r"mine\.yaml, line 5, column 1: this is not YAML: "),
        (
            "defaults:\n  - experiment\n  - override mixing: temprature\n  - _self_\n",
            "Could not find 'mixing/temprature'",
        ),
        (
            "defaults:\n  - dmo\n  - _self_\n",
            r"'dmo'\. Did you mean 'demo'.* The defaults list of .*mine\.yaml names it, and .*dmo\.yaml is missing",
        ),
        ("defaults:\n  - broken\n  - _self_\n", r"broken\.yaml, line 3, column 1: this is not YAML: "),
        ("defaults:\n  - between\n  - _self_\n", r"broken\.yaml, line 3, column 1: this is not YAML: "),
        ("defaults:\n  - experiment\n  - override mixing: mine\n", r"mixing.mine\.yaml, line 1: this is not UTF-8"),
        ("defaults:\n  - _self_\nrun_dir: r\nmixture: demo\n", "mixing is not set: choose .* defaults list with exper"),
        ("defaults:\n  - experiment\n  - _self_\nsede: 3\nrun_dir: r\nmixture: a\n", "'sede'. Did you mean 'seed'"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str):
    own_file(tmp_path, "seed: 1\nmixture: [demo\n", "broken.yaml")
    own_file(tmp_path, "defaults:\n  - experiment\n  - broken\n  - between\n", "between.yaml")
    (tmp_path / "mixing").mkdir()
    (tmp_path / "mixing/mine.yaml").write_bytes(b"kind: \xff\n")
    with pytest.raises(T5MixError, match=message):
        read_experiment(compose_experiment(own_file(tmp_path, text)))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(T5MixError, match=re.escape(f"The configuration file {tmp_path / 'no.yaml'} is missing")):
        compose_experiment(str(tmp_path / "no.yaml"))


def test_an_unknown_name_is_offered_the_nearest():
    with pytest.raises(T5MixError, match=r"Unknown configuration 'dmo'\. Did you mean 'demo'.*ends in \.yaml"):
        compose_experiment("dmo")


def test_a_file_that_hides_the_packages_defaults_is_named(tmp_path: Path):
    text = "defaults:\n  - experiment\n  - _self_\n"
    own_file(tmp_path, text, "experiment.yaml")
    with pytest.raises(T5MixError, match=r"experiment\.yaml hides the package's own defaults.*another name"):
        compose_experiment(own_file(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("equal", {"kind": "equal"}),
        (
            "temperature:temperature=4,max_examples=65536",
            {"kind": "temperature", "temperature": 4, "max_examples": 65536},
        ),
        (
            "temperature:temperature=inf,max_examples=null",
            {"kind": "temperature", "temperature": float("inf"), "max_examples": None},
        ),
        ("capped:strategy=equal,max_epochs=2", {"kind": "capped", "strategy": "equal", "max_epochs": 2}),
        (
            "capped:strategy={kind:temperature,temperature:4},max_epochs=1.5",
            {"kind": "capped", "strategy": {"kind": "temperature", "temperature": 4}, "max_epochs": 1.5},
        ),
        (
            "phases:strategies=[equal,{kind: odm}],starts=[0,0.5]",
            {"kind": "phases", "strategies": ["equal", {"kind": "odm"}], "starts": [0, 0.5]},
        ),
        (
            "fixed:task_weights=runs/a/mixing_weights.json",
            {"kind": "fixed", "task_weights": "runs/a/mixing_weights.json"},
        ),
    ],
)
def test_a_choice_has_a_kind_and_settings(text: str, choice: dict[str, Any]):
    assert parse_choice(text) == choice


@pytest.mark.parametrize(
    "text", ["temperature:4", "temperature:temperature=4,5", "temperature:=4", "capped:strategy={", "t:~a"]
)
def test_a_setting_that_is_none_is_refused(text: str):
    with pytest.raises(T5MixError, match=r"is not a setting: write KIND:key=value,key=value, such as temperature:"):
        parse_choice(text)
