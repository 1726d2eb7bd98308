"""The parts of a report about how runs went: learning rates, costs, curves, mixtures."""

from t5mix.analysis.analysis import Analysis
from t5mix.console import units
from t5mix.report import formatting
from t5mix.report.cost_figure import costs_figure
from t5mix.report.document import Block, Cell, Section, Table
from t5mix.report.learning_rate_figure import learning_rate_figure
from t5mix.report.method_styles import styles_of
from t5mix.report.training_figures import proportions_figure, training_figure


def learning_rates_section(analysis: Analysis) -> Section | None:
    """How learning rates were chosen; None where none was."""
    results = analysis.results
    tuning = results.sweep.tuning
    tuned = {name: choice for name in results.methods if (choice := results.choices.get(name)) and choice.scores}
    if tuning is None or not tuned:
        return None
    return Section("rates", "Learning rates", [learning_rate_figure(tuned, styles_of(analysis), tuning.split)])


def costs_section(analysis: Analysis) -> Section:
    """What methods cost, and what they give for it."""
    rows = []
    for method, cost in analysis.costs.items():
        share = units.percent(cost.trained / cost.total) if cost.total else units.UNKNOWN
        cells = (
            formatting.score_text(analysis.overall[method].value),
            units.learning_rate(cost.learning_rate),
            units.count(cost.steps),
            units.count(cost.trained),
            share,
            units.si_number(cost.operations),
            units.data_size(cost.memory),
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
    largest = max(task.share for drawn in mixtures.values() for task in drawn.values()) or 1.0
    rows = []
    for name in tasks:
        row = [Cell(name)]
        for drawn in mixtures.values():
            task = drawn.get(name)
            if task is None:
                row.append(Cell(units.UNKNOWN))
            else:
                row.append(Cell(units.percent(task.share), (f"{task.epochs:.2f} epochs",), heat=task.share / largest))
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
    return Section("mixture", "Realised mixture", [Table(caption, header, rows)], in_markdown=several)
