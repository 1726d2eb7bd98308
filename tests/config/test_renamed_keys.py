"""Who writes a key's or a kind's old name is told the new one."""

from typing import Any

import pytest

from t5mix.config.compose import compose_experiment
from t5mix.config.experiment import KIND_GROUPS
from t5mix.config.reading import policy_from_dict, read_experiment, strategy_from_dict
from t5mix.config.renamed_keys import RENAMED_KEYS
from t5mix.errors import T5MixError
from t5mix.training.config import TrainingConfig

KIND_WITH = {
    "schedule.end": "cosine",
    "optimizer.scale_by_parameter": "adafactor",
    "mixing.first": "annealed_temperature",
    "mixing.last": "annealed_temperature",
    "mixing.until": "annealed_temperature",
    "mixing.large": "two_phase",
    "mixing.limit": "temperature",
}
"""A kind that each setting of a kind belongs to."""
KEYS = {old: new for old, new in RENAMED_KEYS.items() if "." in old}
KINDS = {old: new for old, new in RENAMED_KEYS.items() if "=" in old}


def read(*overrides: str) -> Any:
    return read_experiment(compose_experiment(overrides=["run_dir=r", "mixture=demo", *overrides]))


def message_of(*overrides: str) -> str:
    with pytest.raises(T5MixError) as caught:
        read(*overrides)
    return str(caught.value)


@pytest.mark.parametrize(("old", "new"), KEYS.items())
def test_an_old_key_is_refused_with_its_new_name(old: str, new: str):
    group, name = old.split(".")
    choice = [f"{group}={KIND_WITH[old]}"] if old in KIND_WITH else []
    message = message_of(*choice, f"{old}=1")
    assert message == f"Unknown configuration key '{old}'. It is called {group}.{new} now."
    owner: Any = KIND_GROUPS[group][KIND_WITH[old]] if old in KIND_WITH else TrainingConfig
    fields = owner.__dataclass_fields__
    assert new in fields
    assert name not in fields


@pytest.mark.parametrize(("old", "new"), KINDS.items())
def test_an_old_kind_is_refused_with_its_new_name(old: str, new: str):
    group, kind = old.split("=")
    assert message_of(old) == f"Unknown fine-tuning policy '{kind}'. It is called {new} now."
    assert new in KIND_GROUPS[group]
    assert kind not in KIND_GROUPS[group]


def test_old_names_are_refused_within_other_kinds():
    with pytest.raises(T5MixError) as caught:
        strategy_from_dict({"kind": "capped", "strategy": {"kind": "temperature", "limit": 3}})
    assert str(caught.value) == (
        "Unknown configuration key 'mixing.strategy.limit'. It is called mixing.strategy.max_examples now."
    )
    with pytest.raises(
        T5MixError, match=r"'mixing\.strategies\.1\.first'\. It is called mixing\.strategies\.1\.initial"
    ):
        strategy_from_dict(
            {"kind": "phases", "strategies": ["equal", {"kind": "annealed_temperature", "first": 3}], "starts": [0, 1]}
        )
    with pytest.raises(T5MixError, match=r"Unknown fine-tuning policy 'norms'\. It is called layer_norms now"):
        policy_from_dict({"kind": "discriminative", "policy": {"kind": "norms"}})


def test_several_old_keys_are_named_at_once():
    message = message_of("training.rows=8", "training.keep=1", "training.stepss=4")
    assert [line.split("'")[1] for line in message.splitlines()] == [
        "training.rows",
        "training.keep",
        "training.stepss",
    ]
