"""`t5mix mixtures`."""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t5mix.cli.file_ahead import FileAhead
from t5mix.cli.tasks import registered
from t5mix.console import units
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table, together
from t5mix.data import prepare_client
from t5mix.errors import T5MixError

if TYPE_CHECKING:
    from t5mix.config.experiment import Experiment
    from t5mix.mixing import MixingStrategy
    from t5mix.mixing.forecast import Forecast, TaskForecast


def run(options: argparse.Namespace) -> int:
    """Lists the mixtures, or shows what one will draw."""
    if options.show is None:
        return _list(options)
    from t5mix.plots.style import check_output

    if options.plot:
        check_output(Path(options.plot), "--plot")
    ahead = FileAhead.read(options.config, [*options.overrides, f"mixture={options.show}"])
    with prepare_client.early_preparation(tensorflow=ahead.needs_tensorflow):
        return _show(options)


def _show(options: argparse.Namespace) -> int:
    names = options.show.split(",")
    with stage("Loading JAX"):
        from t5mix.cache.request_checks import check_request
        from t5mix.cli.composing import experiment_of
        from t5mix.mixing.forecast import MixtureData, compare_strategies

        experiment = experiment_of(options, [f"mixture={json.dumps(names)}", "run_dir=unused"])
    steps = experiment.training.steps if options.steps is None else options.steps
    experiment = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, steps=steps))
    strategies = _strategies(experiment, options.mixing)
    request = experiment.data_request(splits=("train",))
    check_request(request)
    manifest = prepare_client.prepare_in_subprocess(request)
    data = MixtureData(manifest, experiment.batch_shape, experiment.mixing_unit, experiment.seed)
    with stage("Packing the first batches"):
        comparison = compare_strategies(data, strategies, steps)
    title = _title(options.show, experiment, "training.steps" if options.steps is None else "--steps")
    if options.plot:
        from t5mix.plots.mixtures import mixture_figure
        from t5mix.plots.style import save

        save(mixture_figure(comparison, title), Path(options.plot))
    if options.json:
        print(json.dumps(_plain(names, experiment, strategies, comparison.forecasts), indent=1))
        return 0
    if len(strategies) == 1:
        ((label, forecast),) = comparison.forecasts.items()
        _show_one(f"{title}, {label}", forecast)
    else:
        _show_all(title, comparison.forecasts)
    return 0


def _strategies(experiment: "Experiment", specs: list[str]) -> dict[str, "MixingStrategy"]:
    """Returns the strategies to show by the names they go by: those asked for, else the experiment's own."""
    from t5mix.config.compose import parse_choice
    from t5mix.config.reading import strategy_from_dict
    from t5mix.mixing.forecast import label

    if not specs:
        experiment.mixing.check_steps(experiment.training.steps)
        return {label(experiment.mixing): experiment.mixing}
    strategies: dict[str, MixingStrategy] = {}
    for spec in specs:
        if spec in strategies:
            raise T5MixError(f"--mixing {spec} is given twice. Give each strategy once.")
        try:
            strategies[spec] = strategy_from_dict(parse_choice(spec))
            strategies[spec].check_steps(experiment.training.steps)
        except T5MixError as error:
            raise T5MixError(f"--mixing {spec}: {error}") from error
    return strategies


def _title(shown: str, experiment: "Experiment", origin: str) -> str:
    """Returns what is shown, and for which run.

    Args:
        shown: the mixture.
        experiment: says how many steps and rows.
        origin: the setting that the number of steps is from.
    """
    unit = "" if experiment.mixing_unit == "examples" else f", sizes in {experiment.mixing_unit}"
    return f"{shown}: {experiment.training.steps:,} steps ({origin}) of {experiment.training.batch_size} rows{unit}"


def _plain(
    names: list[str],
    experiment: "Experiment",
    strategies: Mapping[str, "MixingStrategy"],
    forecasts: Mapping[str, "Forecast"],
) -> dict[str, Any]:
    from t5mix.config.reading import strategy_to_dict

    return {
        "mixture": names,
        "rows": experiment.training.batch_size,
        "mixing_unit": experiment.mixing_unit,
        "strategies": [
            {"mixing": label, "strategy": strategy_to_dict(strategies[label]), **dataclasses.asdict(forecast)}
            for label, forecast in forecasts.items()
        ],
    }


def _show_one(title: str, forecast: "Forecast") -> None:
    table = TextTable("task", "size", "rate", "proportion", "examples", "tokens", "epochs", "cut (%)")
    rates = units.in_one_notation([task.rate for task in forecast.tasks])
    for task, rate in zip(forecast.tasks, rates, strict=True):
        table.add_row(
            task.name,
            units.count(task.size),
            rate,
            _share(forecast, task),
            units.count(task.examples),
            units.count(task.tokens),
            f"{task.epochs:,.2f}",
            f"{100 * task.truncated:.1f}",
        )
    print_table(title, table)
    print(
        f"Expected, from packing {forecast.planned_steps} batches: {forecast.examples_per_step:.1f} examples a step; "
        f"{units.percent(forecast.inputs_filled)} of encoder and {units.percent(forecast.targets_filled)} of decoder "
        "positions filled."
    )
    _explain({"": forecast})


def _show_all(title: str, forecasts: Mapping[str, "Forecast"]) -> None:
    """Shows the tasks as rows and the strategies as columns."""
    several = list(forecasts.values())
    below = together("proportion epochs")
    table = TextTable("task", "size", *(f"{label.replace(':', ': ')}\n{below}" for label in forecasts))
    for tasks in zip(*(forecast.tasks for forecast in several), strict=True):
        pairs = zip(several, tasks, strict=True)
        cells = (f"{_share(forecast, task):>10} {task.epochs:6,.2f}" for forecast, task in pairs)
        table.add_row(tasks[0].name, units.count(tasks[0].size), *cells)
    table.add_rule()
    table.add_row("examples a step", "", *(f"{forecast.examples_per_step:.1f}" for forecast in several))
    table.add_row("encoder filled", "", *(units.percent(forecast.inputs_filled) for forecast in several))
    table.add_row("decoder filled", "", *(units.percent(forecast.targets_filled) for forecast in several))
    print_table(title, table)
    print(f"Expected, from packing {several[0].planned_steps} batches.")
    _explain(forecasts)


def _share(forecast: "Forecast", task: "TaskForecast") -> str:
    return f"{task.first:.3f}→{task.last:.3f}" if forecast.changes else f"{task.proportion:.4f}"


def _explain(forecasts: Mapping[str, "Forecast"]) -> None:
    """Says what the numbers of strategies that are not static mean."""
    if any(forecast.changes for forecast in forecasts.values()):
        print("a→b: from the first step to the last; epochs count the whole run.")
    learning = [label for label, forecast in forecasts.items() if forecast.adaptive]
    if learning:
        which = f" ({', '.join(learning)})" if any(learning) else ""
        print(f"Adaptive{which}: shown without feedback, as if no loss were ever known.")


def _list(options: argparse.Namespace) -> int:
    mixtures = registered(options.plugins).mixtures
    if options.json:
        print(json.dumps(mixtures, indent=1))
        return 0
    table = TextTable("mixture", "tasks", wrapped=["tasks"])
    for name, tasks in mixtures.items():
        table.add_row(name, ", ".join(tasks))
    print_table("", table)
    return 0
