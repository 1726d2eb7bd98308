"""`t5mix mixtures`."""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from t5mix.cli.tables import new_table, print_table
from t5mix.config.compose import compose_experiment, parse_choice
from t5mix.errors import T5MixError

if TYPE_CHECKING:
    from t5mix.config.experiment import Experiment
    from t5mix.mixing import MixingStrategy
    from t5mix.runs.forecast import Forecast, TaskForecast


def run(options: argparse.Namespace) -> int:
    """Lists the mixtures, or shows what one will draw."""
    if options.show is None:
        return _list(options)
    from t5mix.config.reading import read_experiment
    from t5mix.plots.style import check_output

    if options.plot:
        check_output(Path(options.plot), "--plot")
    names = options.show.split(",")
    arguments = [f"mixture={json.dumps(names)}", "run_dir=unused", *options.overrides]
    experiment = read_experiment(compose_experiment(options.config, arguments))
    strategies = _strategies(experiment, options.mixing)
    from t5mix.runs.forecast import compare_strategies

    comparison = compare_strategies(experiment, strategies, options.steps)
    if options.plot:
        from t5mix.plots.mixtures import mixture_figure
        from t5mix.plots.style import save

        save(mixture_figure(comparison, _title(options.show, experiment, options.steps)), Path(options.plot))
    if options.json:
        print(json.dumps(_plain(names, experiment, strategies, comparison.forecasts), indent=1))
        return 0
    title = _title(options.show, experiment, options.steps)
    if len(strategies) == 1:
        (label, found), *_ = comparison.forecasts.items()
        _show_one(f"{title}, {label}", found)
    else:
        _show_all(title, comparison.forecasts)
    return 0


def _strategies(experiment: "Experiment", specs: list[str]) -> dict[str, "MixingStrategy"]:
    """Returns the strategies to show by the names they go by: those asked for, else the experiment's own."""
    from t5mix.config.reading import strategy_from_dict
    from t5mix.runs.forecast import label

    if not specs:
        return {label(experiment.mixing): experiment.mixing}
    strategies: dict[str, MixingStrategy] = {}
    for spec in specs:
        if spec in strategies:
            raise T5MixError(f"--mixing {spec} is given twice. Give each strategy once.")
        try:
            strategies[spec] = strategy_from_dict(parse_choice(spec))
        except T5MixError as error:
            raise T5MixError(f"--mixing {spec}: {error}") from error
    return strategies


def _title(shown: str, experiment: "Experiment", steps: int) -> str:
    unit = "" if experiment.mixing_unit == "examples" else f", sizes in {experiment.mixing_unit}"
    return f"{shown}: {steps:,} steps of {experiment.training.batch_size} rows{unit}"


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
            {"mixing": label, "strategy": strategy_to_dict(strategies[label]), **dataclasses.asdict(found)}
            for label, found in forecasts.items()
        ],
    }


def _show_one(title: str, found: "Forecast") -> None:
    table = new_table("task", "size", "rate", "proportion", "examples", "tokens", "epochs", "truncated")
    for task in found.tasks:
        table.add_row(
            task.name,
            f"{task.size:,}",
            "" if task.rate is None else f"{task.rate:,.4g}",
            _share(found, task),
            f"{task.examples:,.0f}",
            f"{task.tokens:,.0f}",
            f"{task.epochs:.2f}",
            f"{task.truncated:.1%}" if task.truncated else "",
        )
    console = print_table(title, table)
    console.print(
        f"Expected, from packing {found.planned_steps} batches: {found.examples_per_step:.1f} examples a step; "
        f"{found.inputs_filled:.1%} of encoder and {found.targets_filled:.1%} of decoder positions filled.",
        soft_wrap=True,
    )
    _explain(console, {"": found})


def _show_all(title: str, forecasts: Mapping[str, "Forecast"]) -> None:
    """Shows the tasks as rows and the strategies as columns."""
    found = list(forecasts.values())
    table = new_table("task", "size", *(f"{label.replace(':', ': ')}\nproportion epochs" for label in forecasts))
    for tasks in zip(*(forecast.tasks for forecast in found), strict=True):
        cells = (f"{_share(f, task)} {task.epochs:8.2f}" for f, task in zip(found, tasks, strict=True))
        table.add_row(tasks[0].name, f"{tasks[0].size:,}", *cells)
    table.add_section()
    table.add_row("examples a step", "", *(f"{forecast.examples_per_step:.1f}" for forecast in found))
    table.add_row("encoder filled", "", *(f"{forecast.inputs_filled:.1%}" for forecast in found))
    table.add_row("decoder filled", "", *(f"{forecast.targets_filled:.1%}" for forecast in found))
    console = print_table(title, table)
    console.print(f"Expected, from packing {found[0].planned_steps} batches.", soft_wrap=True)
    _explain(console, forecasts)


def _share(forecast: "Forecast", task: "TaskForecast") -> str:
    return f"{task.first:.3f}→{task.last:.3f}" if forecast.changes else f"{task.proportion:.4f}"


def _explain(console: Console, forecasts: Mapping[str, "Forecast"]) -> None:
    """Says what the figures of strategies that are not static mean."""
    if any(found.changes for found in forecasts.values()):
        console.print("a→b: from the first step to the last; epochs count the whole run.", soft_wrap=True)
    learning = [label for label, found in forecasts.items() if found.adaptive]
    if learning:
        which = f" ({', '.join(learning)})" if any(learning) else ""
        console.print(f"Adaptive{which}: shown without feedback, as if no loss were ever known.", soft_wrap=True)


def _list(options: argparse.Namespace) -> int:
    from t5mix.cache.inspection import list_mixtures

    table = Table("mixture", "tasks")
    for name, tasks in list_mixtures(options.plugins).items():
        table.add_row(name, ", ".join(tasks))
    Console().print(table)
    return 0
