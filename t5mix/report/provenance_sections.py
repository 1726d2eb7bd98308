"""The parts of a report about where its numbers come from: failures, software and data, how to run it all again."""

from collections.abc import Iterable
from typing import Any

import yaml

from t5mix.analysis.analysis import Analysis, fingerprints
from t5mix.analysis.results import Results
from t5mix.console import units
from t5mix.report.document import Block, Cell, CodeBlock, Paragraph, Section, Table
from t5mix.report.method_styles import styles_of
from t5mix.sweep.methods import MethodVariant, Overrides
from t5mix.sweep.trial import Failure


def missing_section(analysis: Analysis) -> Section | None:
    """Trials that failed or are missing; None where all are there."""
    results = analysis.results
    rows = []
    explained: list[Failure] = []
    for trial in results.expected:
        if trial in results.reported:
            continue
        rate = results.chosen_rates.get(trial.method)
        failure = results.failure(trial)
        if failure is not None:
            explained.append(failure)
            state = _failure_text(failure)
        else:
            state = "not finished yet" if trial.method in results.chosen_rates else "no learning rate chosen"
        key = (trial.method, trial.seed, rate, trial.task)
        rows.append(_missing_row(analysis, key, "reported", state, failure))
    for failure in results.failures:
        if failure not in explained:
            key = (failure.method, failure.seed, failure.learning_rate, failure.task)
            purpose = "other trials" if failure.method is None else "tuning"
            rows.append(_missing_row(analysis, key, purpose, _failure_text(failure), failure))
    if not rows:
        return None
    header = ["method", "seed", "learning rate", "task", "needed for", "state", "log", "command"]
    caption = "Trials that are not in the tables above, and why. Running the sweep again tries what failed once more."
    return Section("missing", "Failed and missing trials", [Table(caption, header, rows, text=True)])


def _failure_text(failure: Failure) -> str:
    status = f" (exit status {failure.status})" if failure.status is not None else ""
    return f"failed{status}: {failure.reason}"


def _missing_row(
    analysis: Analysis,
    key: tuple[str | None, int | None, float | None, str | None],
    purpose: str,
    state: str,
    failure: Failure | None,
) -> list[Cell]:
    """Returns a trial's row; `key` is its method, seed, learning rate and task."""
    method, seed, rate, task = key
    command = failure.command if failure else ""
    log = failure.log if failure else ""
    if method is None or seed is None:  # a run that trials start from
        texts = (units.UNKNOWN, units.UNKNOWN, units.UNKNOWN, purpose, state, log, command)
        return [Cell(failure.run.folder if failure else ""), *map(Cell, texts)]
    texts = (str(seed), units.learning_rate(rate), task or "all", purpose, state, log, command)
    return [Cell(method, style=styles_of(analysis).get(method)), *map(Cell, texts)]


def provenance_section(analysis: Analysis) -> Section:
    """Software, hardware, time, settings and data."""
    results = analysis.results
    trials = results.trials
    training = sum(trial.seconds.training for trial in trials)
    evaluation = sum(trial.seconds.evaluation for trial in trials)
    operations = [trial.operations for trial in trials if trial.operations is not None]
    facts = {
        "finished trials": f"{len(trials)}, of which {len(results.reported)} are reported",
        "time of all trials": f"{units.duration(training)} training, {units.duration(evaluation)} evaluation; "
        "the runs that several trials start from are not in it",
        "operations of all trials": units.si_number(sum(operations)) if operations else units.UNKNOWN,
        **{f"hardware: {key}": value for key, value in _values_by_key(trial.hardware for trial in trials).items()},
        **_values_by_key(trial.versions for trial in trials),
    }
    machine = Table(
        "Software and hardware, as the trials recorded them; several values where trials differ.",
        ["what", "value"],
        [[Cell(key), Cell(value)] for key, value in facts.items()],
        text=True,
    )
    blocks: list[Block] = [machine, _settings(analysis)]
    if data := _data(results):
        blocks.append(data)
    return Section("provenance", "Provenance", blocks, in_markdown=False)


def _values_by_key(records: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Returns what records say, by key; different values side by side."""
    values_by_key: dict[str, dict[str, None]] = {}
    for record in records:
        for key, value in record.items():
            values_by_key.setdefault(key, {})[str(value)] = None
    return {key: ", ".join(values) for key, values in values_by_key.items()}


def _settings(analysis: Analysis) -> Table:
    sweep = analysis.results.sweep
    rows = [[Cell("all runs"), Cell(_overrides_text([("config=" + sweep.config, *sweep.settings)]))]]
    if sweep.shared_runs:
        rows.append([Cell("what all begin with"), Cell(_overrides_text(sweep.shared_runs))])
    if sweep.method_settings:
        rows.append([Cell("all methods"), Cell(_overrides_text([sweep.method_settings]))])
    for label, variant in sweep.variants.items():
        rows.append([Cell(label, style=styles_of(analysis)[label]), Cell(_method_settings(variant, analysis))])
    return Table("Settings, as on the command line of `t5mix train`.", ["what", "settings"], rows, text=True)


def _method_settings(variant: MethodVariant, analysis: Analysis) -> str:
    results, method = analysis.results, variant.method
    runs = _overrides_text(method.runs) or "as configured"
    point = _overrides_text([variant.settings])
    rate = results.chosen_rates.get(variant.label)
    tuned = f"{results.sweep.tuning.key}={rate:g}, chosen" if results.sweep.tuning and rate is not None else ""
    from_scratch = "from fresh parameters" if method.from_scratch else ""
    return "; ".join(part for part in (runs, point, tuned, from_scratch) if part)


def _overrides_text(runs: Iterable[Overrides]) -> str:
    return ", then ".join(" ".join(settings) for settings in runs)


def _data(results: Results) -> Table | None:
    hashes: dict[tuple[str, str], dict[str, None]] = {}  # by task and split
    for trial in results.reported.values():
        for key, fingerprint in fingerprints(trial).items():
            hashes.setdefault(key, {})[fingerprint[:16]] = None
    if not hashes:
        return None
    splits = list(dict.fromkeys(split for _, split in hashes))
    tasks = dict.fromkeys(task for task, _ in hashes)
    rows = [[Cell(task), *(Cell(", ".join(hashes.get((task, split), ()))) for split in splits)] for task in tasks]
    caption = "Fingerprints of the data, by split. Data that is drawn at random differs from seed to seed."
    return Table(caption, ["task", *splits], rows, text=True)


def reproduction_section(analysis: Analysis) -> Section:
    """How to run it all again."""
    results = analysis.results
    name = results.sweep.name
    text = (
        f"Save this as `{name}.yaml` and run `t5mix sweep {name}.yaml --out DIR`, then `t5mix report DIR`. Each "
        "trial's own settings are in `DIR/trials/`; every score of every trial, tuning included, is in `scores.csv` "
        "beside this page."
    )
    listing = yaml.safe_dump(dict(results.plain), sort_keys=False, allow_unicode=True, width=100)
    return Section("reproduction", "How to reproduce", [Paragraph(text), CodeBlock(listing)], in_markdown=False)
