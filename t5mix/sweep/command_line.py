"""Settings of the command line in a sweep: they win over the file's, and what they cannot win over is said."""

from collections.abc import Mapping, Sequence
from typing import Any

from t5mix.console.wording import named
from t5mix.errors import T5MixError
from t5mix.sweep.spec import Sweep

_OWN = {
    "seed": "a sweep's runs have the seeds of its field seeds: write seeds=[0,1,2]",
    "run_dir": "each run has a folder of its own in that of the sweep: choose this one with --out",
}
_ADVICE = "That is what the sweep compares: leave the setting out, or change the sweep's file."


def with_precedence(raw: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Returns a sweep's fields with settings that its `method_settings` and `shared_runs` do not overrule.

    Args:
        raw: the fields, as plain data.
        settings: of the command line, `key=value`; they hold for every run.
    """

    def changed(others: Sequence[str]) -> list[str]:
        stronger = [setting for setting in settings if any(_overlap(setting, other) for other in others)]
        weaker = [other for other in others if not any(_within(other, setting) for setting in settings)]
        return [*weaker, *stronger]

    fields = {**raw, "settings": [*(raw.get("settings") or ()), *settings]}
    if raw.get("method_settings"):
        fields["method_settings"] = changed(raw["method_settings"])
    if raw.get("shared_runs"):
        fields["shared_runs"] = [changed(run) for run in raw["shared_runs"]]
    return fields


def check_reach(sweep: Sweep, settings: Sequence[str]) -> list[str]:
    """Refuses settings of the command line that no method's runs would have, because these are about them.

    Returns:
        A line for each setting that some methods' runs will not have, as they set the same themselves.

    Raises:
        T5MixError: all methods' own runs set the same, the grid varies it, or tuning chooses it.
    """
    return [line for setting in settings if (line := _reach(sweep, setting))]


def _reach(sweep: Sweep, setting: str) -> str | None:
    key = _key(setting)
    if key in _OWN:
        raise T5MixError(f"{setting} would change nothing: {_OWN[key]}.")
    for noun, varied in (("grid", sweep.grid), ("zip", sweep.zip)):
        if any(_within(other, setting) for other in varied):
            raise T5MixError(f"{setting} would change nothing: the sweep's {noun} varies {key}. {_ADVICE}")
    tuned = sweep.tuning is not None and any(variant.learning_rates for variant in sweep.variants.values())
    if sweep.tuning is not None and tuned and _within(sweep.tuning.key, setting):
        raise T5MixError(
            f"{setting} would change nothing: tuning chooses it. Write tuning=null to train all methods with this one."
        )
    own = [name for name, method in sweep.methods.items() if any(_within(other, setting) for other in method.runs[-1])]
    if len(own) == len(sweep.methods):
        raise T5MixError(f"{setting} would change nothing: every method's own runs set {key}. {_ADVICE}")
    return f"{setting} does not hold for {named(own)}: their own runs set {key}." if own else None


def _key(setting: str) -> str:
    return setting.partition("=")[0].lstrip("+~")


def _within(setting: str, other: str) -> bool:
    """Says whether a setting is of the same key as another, or of one within it."""
    return f"{_key(setting)}.".startswith(f"{_key(other)}.")


def _overlap(setting: str, other: str) -> bool:
    return _within(setting, other) or _within(other, setting)
