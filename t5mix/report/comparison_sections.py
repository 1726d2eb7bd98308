"""The parts of a report that set methods beside each other: the headline, and the same task by task."""

from t5mix.analysis.analysis import Analysis
from t5mix.analysis.comparisons import LEVEL, Entry, MethodComparison
from t5mix.analysis.paper import COLUMNS, SIGMA
from t5mix.console import wording
from t5mix.report import formatting
from t5mix.report.document import Block, Cell, Paragraph, Section, Table
from t5mix.report.formatting import BETTER, WORSE, significance_mark
from t5mix.report.method_styles import styles_of


def headline_section(analysis: Analysis) -> Section:
    """Methods by columns, against the reference, and the paper's numbers beside them."""
    table = analysis.headline
    blocks: list[Block] = [_comparison_table(analysis, table, _headline_caption(analysis), paper=True)]
    blocks += interval_remarks(table)
    if analysis.paper is not None:
        blocks += _about_paper(analysis)
    return Section("headline", "Headline", blocks)


def tasks_section(analysis: Analysis) -> Section:
    """Methods by tasks, where the headline's columns are not the tasks."""
    tasks = [f"{task} ({wording.mean_of(m)})" if m else task for task, m in analysis.metrics.items()]
    caption = (
        f"As above, task by task: {wording.listed(tasks, 60)}. Holm's correction is over all differences of this table."
    )
    blocks: list[Block] = [_comparison_table(analysis, analysis.by_task, caption), *interval_remarks(analysis.by_task)]
    return Section("tasks", "Scores by task", blocks)


def _headline_caption(analysis: Analysis) -> str:
    metrics = dict.fromkeys(wording.mean_of(metrics) for metrics in analysis.metrics.values() if metrics)
    return (
        f"Scores on the {analysis.results.sweep.split} split ({', '.join(metrics)}; higher is better): mean "
        f"over seeds ± half the {formatting.level_text(LEVEL)} interval, over seeds and examples. Below each, the "
        f"difference to “{analysis.headline.reference}” with its interval, paired by seeds and examples. Bold and "
        f"{BETTER}: shown to be better, {WORSE}: shown to be worse, after Holm's correction over all differences of "
        "the table. All else is within what luck can do."
    )


def _comparison_table(analysis: Analysis, table: MethodComparison, caption: str, paper: bool = False) -> Table:
    rows = []
    for method, entries in table.entries.items():
        tag = ("reference",) if method == table.reference else ()
        row = [Cell(method, tag, style=styles_of(analysis)[method])]
        for column, entry in entries.items():
            notes = [] if entry.difference is None else [_difference(entry)]
            if paper and (text := _paper(analysis, method, column)):
                notes.append(text)
            text = formatting.score_text(entry.mean.value) + formatting.half_width_text(entry.mean, LEVEL)
            row.append(Cell(text, tuple(notes), strong=entry.better))
        rows.append(row)
    return Table(caption, ["method", *table.columns], rows)


def _difference(entry: Entry) -> str:
    assert entry.difference is not None
    bounds = entry.difference.interval(LEVEL)
    interval = f" {formatting.interval_text(bounds)}" if bounds else ""
    return formatting.difference_text(entry.difference.value) + interval + significance_mark(entry)


def _paper(analysis: Analysis, method: str, column: str) -> str:
    value, reference = analysis.paper_value(method, column), analysis.headline.reference
    if value is None:
        return ""
    text, base = f"paper {formatting.score_text(value)}", analysis.paper_value(reference, column)
    return text if base is None or method == reference else f"{text} ({formatting.difference_text(value - base)})"


def _about_paper(analysis: Analysis) -> list[Block]:
    assert analysis.paper is not None
    methods, columns = analysis.results.methods, analysis.results.sweep.columns
    paper_columns = {name: column.paper for name, column in columns.items() if column.paper is not None}
    if not paper_columns:  # the tasks are others than the paper's: none of its numbers is shown
        return []
    named = [method.paper for method in methods.values() if method.paper is not None]
    unknown = [row for row in dict.fromkeys(named) if analysis.paper.row(row) is None]
    pairs = [f"{name} beside {paper_column}" for name, paper_column in paper_columns.items()]
    text = (
        f"“paper”: Table {analysis.paper.number} ({analysis.paper.title}) of Raffel et al. 2020, arXiv:1910.10683, "
        "with its difference to the same reference in brackets. Models, data and budgets are others than ours: "
        f"compare differences, not scores. Columns: {wording.listed(pairs)}."
    )
    deviations = [
        f"{name} {sigma:g}" for name, sigma in zip(COLUMNS, SIGMA, strict=True) if name in paper_columns.values()
    ]
    if deviations:
        text += f" Standard deviation of ten runs of the paper's baseline: {wording.listed(deviations)}."
    if unknown:
        rows = wording.listed(list(analysis.paper.rows))
        text += f" The table has no row called {wording.listed(unknown)}; it has {rows}."
    return [Paragraph(text, small=True)]


def interval_remarks(table: MethodComparison) -> list[Block]:
    """Returns why intervals are missing, if any are."""
    if not table.reasons:
        return []
    return [Paragraph(f"Where there is no interval: {'; '.join(table.reasons)}.", small=True)]
