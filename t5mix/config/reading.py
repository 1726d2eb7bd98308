"""Reading: from plain data to an experiment, or to one of its parts, and back.

Unknown keys, wrong types and impossible combinations are refused by name, before anything is loaded.
"""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t5mix.config.experiment import KIND_GROUPS, Experiment
from t5mix.config.renamed_keys import RENAMED_KEYS
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.files import expand_home
from t5mix.finetuning import FineTuningPolicy
from t5mix.mixing import MixingStrategy
from t5mix.model.presets import AUTO, DEFAULT_PRESET, PRESETS
from t5mix.plugins import import_plugins
from t5mix.sources.declaration import plain_declaration, task_declaration
from t5mix.validation import to_plain, validate

_HINTS = {
    "run_dir": "give the folder that the run is to be kept in, such as run_dir=runs/first.",
    "mixture": "give the tasks or mixtures to train on, such as mixture=demo or mixture=[sst2,cola]; "
    "`t5mix mixtures` and `t5mix tasks` list them.",
    **{key: f"choose one with {key}=NAME, or begin the file's defaults list with experiment." for key in KIND_GROUPS},
}
"""What to do about a key that must be set."""


def read_experiment(raw: Mapping[str, Any], origin: str | None = None) -> Experiment:
    """Turns composed configuration into an experiment.

    Args:
        raw: plain data; the key `variables`, which other values may refer to, is left out of account.
        origin: the checkpoint that decides what the experiment leaves open, such as the model; None for `start_from`.

    Raises:
        T5MixError: a key is unknown, a value is of the wrong type or out of range, a required key is missing, or
            two settings contradict each other; names the key, the value and what is allowed.
    """
    values = {key: value for key, value in raw.items() if key != "variables"}
    keys = [field.name for field in dataclasses.fields(Experiment)]  # type: ignore[arg-type]
    for key in values:
        if key not in keys:
            raise UnknownNameError("configuration key", key, [*keys, "variables"])
    for key, hint in _HINTS.items():
        if not values.get(key):
            raise T5MixError(f"{key} is not set: {hint}")
    import_plugins(validate(tuple[str, ...], values.get("plugins") or [], "plugins"), without_tensorflow=True)
    for key, expand in _SHORT_FORMS.items():
        if key in values:
            values[key] = expand(values[key])
    _settle(values, origin or values.get("start_from"))
    experiment = validate(Experiment, values, renamed=RENAMED_KEYS)
    for name, task in experiment.tasks.items():
        task_declaration(name, task)
    return experiment


def policy_from_dict(raw: Any) -> FineTuningPolicy:
    """Reads a policy from plain data, a kind or a mapping with `kind` and settings.

    Raises:
        T5MixError: there is no such kind or setting, or a value is not allowed.
    """
    return validate(FineTuningPolicy, raw, "finetuning", renamed=RENAMED_KEYS)


def policy_to_dict(policy: FineTuningPolicy) -> dict[str, Any]:
    """Returns a policy as plain data that `policy_from_dict` reads back."""
    return to_plain(policy)


def strategy_from_dict(raw: Any) -> MixingStrategy:
    """Reads a mixing strategy from plain data, a kind or a mapping with `kind` and settings.

    Raises:
        T5MixError: there is no such kind or setting, or a value is not allowed.
    """
    return validate(MixingStrategy, raw, "mixing", renamed=RENAMED_KEYS)


def strategy_to_dict(strategy: MixingStrategy) -> dict[str, Any]:
    """Returns a strategy as plain data that `strategy_from_dict` reads back."""
    return to_plain(strategy)


def _settle(values: dict[str, Any], start_from: Any) -> None:
    """Settles what was left open: by the checkpoint that the run starts from, else by default."""
    settings: dict[str, Any] = {}
    if isinstance(start_from, str):
        from t5mix.config.starting_checkpoint import settings_of  # loads Orbax, which most experiments do without here

        settings = settings_of(Path(start_from))
    model = values.get("model", {})
    if isinstance(model, dict) and model.get("preset") == AUTO:
        default = settings.get("model") or to_plain(PRESETS[DEFAULT_PRESET])
        values["model"] = {**default, **{key: value for key, value in model.items() if key != "preset"}}
    if values.get("vocabulary") is None and "vocabulary" in settings:
        values |= {key: settings[key] for key in ("vocabulary", "extra_ids")}


def _mixture(raw: Any) -> Any:
    """Returns the names of a mixture, which may be one name."""
    return [raw] if isinstance(raw, str) else raw


def _tasks(raw: Any) -> Any:
    """Returns declared tasks as JSON can hold them."""
    if not isinstance(raw, Mapping):
        return raw or {}
    return {name: plain_declaration(name, task) if isinstance(task, Mapping) else task for name, task in raw.items()}


def _streamed(raw: Any) -> dict[str, int | None]:
    """Returns streamed tasks with their numbers of examples, from names with or without them."""
    names = [raw] if isinstance(raw, str) else raw or ()
    if not isinstance(names, Mapping):
        return dict.fromkeys(validate(tuple[str, ...], names, "streamed"))
    streamed = validate(dict[str, int | None], names, "streamed")
    for name, examples in streamed.items():
        if examples is not None and examples < 1:
            raise T5MixError(f"streamed.{name} is {examples}: give its number of training examples, or null.")
    return streamed


def _model(raw: Any) -> dict[str, Any]:
    """Returns the settings of a model, from a preset's name or from settings on top of one."""
    settings = {"preset": raw} if isinstance(raw, str) else validate(dict[str, Any], raw, "model")
    preset = settings.pop("preset", None)
    if preset == AUTO:
        return {"preset": AUTO, **settings}
    if preset is not None and preset not in PRESETS:
        raise UnknownNameError("model preset", preset, [AUTO, *PRESETS])
    return {**(to_plain(PRESETS[preset]) if preset else {}), **settings}


def _path(key: str, raw: Any) -> Any:
    """Returns a path, which may begin with ~ for the home folder."""
    return str(expand_home(raw, key)) if isinstance(raw, str) and raw.startswith("~") else raw


_SHORT_FORMS = {
    **{key: functools.partial(_path, key) for key in ("run_dir", "vocabulary", "start_from")},
    "mixture": _mixture,
    "tasks": _tasks,
    "streamed": _streamed,
    "model": _model,
}
"""What people may write shorter than it is stored."""
