"""The parts of a report that are about runs: learning rates, costs, curves, mixtures, failures, provenance."""

from collections.abc import Iterable
from typing import Any

import yaml

from t5mix.analysis.analysis import Analysis, fingerprints
from t5mix.analysis.results import Results
from t5mix.console import units
from t5mix.report import formatting
from t5mix.report.document import Block, Cell, CodeBlock, Paragraph, Section, Table
from t5mix.report.figures import costs_figure, proportions_figure, rates_figure, training_figure
from t5mix.report.method_styles import styles_of
from t5mix.sweep.methods import MethodVariant, Overrides
from t5mix.sweep.trial import Failure


def rates_section(analysis: Analysis) -> Section | None:
    """How learning rates were chosen; None where none was."""
    results = analysis.results
    tuning = results.sweep.tuning
    tuned = {name: choice for name in results.methods if (choice := results.choices.get(name)) and choice.scores}
    if tuning is None or not tuned:
        return None
    return Section("rates", "Learning rates", [rates_figure(tuned, styles_of(analysis), tuning.split)])


def costs_section(analysis: Analysis) -> Section:
    """What methods cost, and what they give for it."""
    rows = []
    for method, cost in analysis.costs.items():
        share = units.percent(cost.trained / cost.total) if cost.total else units.UNKNOWN
        cells = (
            formatting.score(analysis.overall[method].value),
            units.rate(cost.learning_rate),
            units.count(cost.steps),
            units.count(cost.trained),
            share,
            units.operations(cost.operations),
            units.memory(cost.memory),
            units.duration(cost.training),
            units.duration(cost.evaluation),
        )
        rows.append([Cell(method, style=styles_of(analysis)[method]), *map(Cell, cells)])
    header = ["method", "mean score", "learning rate", "steps", "trained", "of all"]
    header += ["operations", "peak memory", "training", "evaluation"]
    caption = (
        "What the reported runs took, mean over seeds; memory is the largest peak. Of a method with a run for each "
        "task, all of its runs together: several models are trained and kept, so that it may train more than all of "
        "one model's parameters. The runs that they start from are not counted."
    )
    figure = costs_figure(analysis.costs, analysis.overall, styles_of(analysis))
    blocks: list[Block] = [] if figure is None else [figure]
    return Section("costs", "Quality and cost", [*blocks, Table(caption, header, rows)])


def training_section(analysis: Analysis) -> Section | None:
    """Loss curves; None where none was logged."""
    figure = training_figure(analysis.progress, styles_of(analysis))
    return None if figure is None else Section("training", "Training", [figure])


def proportions_section(analysis: Analysis) -> Section | None:
    """Weights over the steps; None where no strategy changes them."""
    figure = proportions_figure(analysis.progress)
    return None if figure is None else Section("weights", "Adaptive mixing", [figure])


def mixture_section(analysis: Analysis) -> Section | None:
    """What was drawn of each task; None where that was not recorded."""
    mixtures = analysis.mixtures
    if not mixtures:
        return None
    tasks = dict.fromkeys(task for drawn in mixtures.values() for task in drawn)
    most = max(each.share for drawn in mixtures.values() for each in drawn.values()) or 1.0
    rows = []
    for task in tasks:
        row = [Cell(task)]
        for drawn in mixtures.values():
            one = drawn.get(task)
            if one is None:
                row.append(Cell(units.UNKNOWN))
            else:
                row.append(Cell(units.percent(one.share), (f"{one.epochs:.2f} epochs",), heat=one.share / most))
        rows.append(row)
    mixed = [name for name, method in analysis.results.methods.items() if not method.per_task_runs]
    several = len(mixtures) > 1
    header = [
        "task",
        *(", ".join(names) if several or len(names) < len(mixed) else "all methods" for names in mixtures),
    ]
    caption = (
        "What was drawn: each task's share of the examples of a run, darker for more, and how often its data was seen; "
        "mean over seeds. Methods that drew alike share a column; methods with a run for each task are left out."
    )
    return Section("mixture", "Realised mixture", [Table(caption, header, rows)], brief=several)


def missing_section(analysis: Analysis) -> Section | None:
    """Trials that failed or are missing; None where all are there."""
    results = analysis.results
    rows = []
    told: list[Failure] = []
    for wanted in results.expected:
        if wanted in results.reported:
            continue
        failure = results.failure(wanted)
        state = "not finished yet" if wanted.method in results.chosen_rates else "no learning rate chosen"
        if failure is not None:
            told.append(failure)
            state = _why(failure)
        rate = results.chosen_rates.get(wanted.method)
        rows.append(_missing(analysis, wanted.method, wanted.seed, rate, wanted.task, "reported", state, failure))
    for failure in results.failures:
        if failure not in told:
            one = (failure.method, failure.seed, failure.learning_rate, failure.task)
            use = "other trials" if failure.method is None else "tuning"
            rows.append(_missing(analysis, *one, use, _why(failure), failure))
    if not rows:
        return None
    header = ["method", "seed", "learning rate", "task", "wanted for", "state", "log", "command"]
    caption = "Trials that are not in the figures above, and why. Running the sweep again tries what failed once more."
    return Section("missing", "Failed and missing trials", [Table(caption, header, rows, words=True)])


def _why(failure: Failure) -> str:
    status = f" (exit status {failure.status})" if failure.status is not None else ""
    return f"failed{status}: {failure.reason}"


def _missing(
    analysis: Analysis,
    method: str | None,
    seed: int | None,
    rate: float | None,
    task: str | None,
    use: str,
    state: str,
    failure: Failure | None,
) -> list[Cell]:
    command = failure.command if failure else ""
    log = failure.log if failure else ""
    if method is None or seed is None:  # a run that trials start from
        texts = (units.UNKNOWN, units.UNKNOWN, units.UNKNOWN, use, state, log, command)
        return [Cell(failure.run.folder if failure else ""), *map(Cell, texts)]
    texts = (str(seed), units.rate(rate), task or "all", use, state, log, command)
    return [Cell(method, style=styles_of(analysis).get(method)), *map(Cell, texts)]


def provenance_section(analysis: Analysis) -> Section:
    """Software, hardware, time, settings and data."""
    results = analysis.results
    trials = results.trials
    training, evaluation = (sum(getattr(t.seconds, of) for t in trials) for of in ("training", "evaluation"))
    operations = [trial.operations for trial in trials if trial.operations is not None]
    facts = {
        "finished trials": f"{len(trials)}, of which {len(results.reported)} are reported",
        "time of all trials": f"{units.duration(training)} training, {units.duration(evaluation)} evaluation; "
        "the runs that several trials start from are not in it",
        "operations of all trials": units.operations(sum(operations)) if operations else units.UNKNOWN,
        **{f"hardware: {key}": value for key, value in _gathered(trial.hardware for trial in trials).items()},
        **_gathered(trial.versions for trial in trials),
    }
    machine = Table(
        "Software and hardware, as the trials recorded them; several values where trials differ.",
        ["what", "value"],
        [[Cell(key), Cell(value)] for key, value in facts.items()],
        words=True,
    )
    blocks: list[Block] = [machine, _settings(analysis)]
    if data := _data(results):
        blocks.append(data)
    return Section("provenance", "Provenance", blocks, brief=False)


def _gathered(records: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Returns what records say, by key; different values side by side."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for key, value in record.items():
            found.setdefault(key, {})[str(value)] = None
    return {key: ", ".join(values) for key, values in found.items()}


def _settings(analysis: Analysis) -> Table:
    sweep = analysis.results.sweep
    rows = [[Cell("all runs"), Cell(_written([("config=" + sweep.config, *sweep.settings)]))]]
    if sweep.shared_runs:
        rows.append([Cell("what all begin with"), Cell(_written(sweep.shared_runs))])
    if sweep.method_settings:
        rows.append([Cell("all methods"), Cell(_written([sweep.method_settings]))])
    for label, variant in sweep.variants.items():
        rows.append([Cell(label, style=styles_of(analysis)[label]), Cell(_method(variant, analysis))])
    return Table("Settings, as on the command line of `t5mix train`.", ["what", "settings"], rows, words=True)


def _method(variant: MethodVariant, analysis: Analysis) -> str:
    results, method = analysis.results, variant.method
    own = _written(method.runs) or "as configured"
    point = _written([variant.settings])
    rate = results.chosen_rates.get(variant.label)
    tuned = f"{results.sweep.tuning.key}={rate:g}, chosen" if results.sweep.tuning and rate is not None else ""
    fresh = "from fresh parameters" if method.from_scratch else ""
    return "; ".join(part for part in (own, point, tuned, fresh) if part)


def _written(runs: Iterable[Overrides]) -> str:
    return ", then ".join(" ".join(settings) for settings in runs)


def _data(results: Results) -> Table | None:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for trial in results.reported.values():
        for place, fingerprint in fingerprints(trial).items():
            found.setdefault(place, {})[fingerprint[:16]] = None
    if not found:
        return None
    splits = list(dict.fromkeys(split for _, split in found))
    tasks = dict.fromkeys(task for task, _ in found)
    rows = [[Cell(task), *(Cell(", ".join(found.get((task, split), ()))) for split in splits)] for task in tasks]
    caption = "Fingerprints of the data, by split. Data that is drawn at random differs from seed to seed."
    return Table(caption, ["task", *splits], rows, words=True)


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
    return Section("reproduction", "How to reproduce", [Paragraph(text), CodeBlock(listing)], brief=False)
