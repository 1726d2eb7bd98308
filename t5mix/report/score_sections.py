"""The parts of a report that are about scores: verdicts, the headline, tasks, transfer, wins, seeds."""

import collections

from t5mix.analysis.analysis import Analysis, metric_means, seed_scores
from t5mix.analysis.comparisons import LEVEL, Entry, MethodComparison
from t5mix.analysis.paper import COLUMNS, SIGMA
from t5mix.console import units, wording
from t5mix.report import formatting
from t5mix.report.document import Block, Cell, Paragraph, Section, Table, VerdictCard
from t5mix.report.figures import differences_figure, verdicts_figure
from t5mix.report.method_styles import styles_of

BETTER, WORSE = "▲", "▼"


def verdicts_section(analysis: Analysis) -> Section:
    """The hypotheses and what became of them."""
    cards: list[Block] = []
    for name, judged in analysis.verdicts.items():
        judgement = f"{formatting.VERDICTS[judged.verdict]}: {formatting.reason(judged)}."
        lines = (
            f"Judged: {formatting.what_is_judged(judged)}.",
            formatting.outcome(judged),
            judgement,
            formatting.sensitivity(judged),
        )
        cards.append(VerdictCard(name, judged.hypothesis.claim, judged.verdict.value, lines))
    counted = collections.Counter(judged.verdict.value for judged in analysis.verdicts.values())
    told = ", ".join(f"{count} {verdict}" for verdict, count in counted.most_common())
    intro = Paragraph(
        f"{wording.times(len(cards), 'claim')}: {told}. They were written down before anything ran. Each is tested "
        "two-sided at its margin, over seeds and examples; Holm's correction keeps the chance of any false verdict at "
        "5 %. A claim that is neither shown nor refuted is inconclusive: that is no evidence against it."
    )
    return Section("verdicts", "Verdicts", [intro, *cards, verdicts_figure(analysis.verdicts, styles_of(analysis))])


def headline_section(analysis: Analysis) -> Section:
    """Methods by columns, against the reference, and the paper's figures beside them."""
    table = analysis.headline
    blocks: list[Block] = [_comparison_table(analysis, table, _headline_caption(analysis), paper=True)]
    blocks += _reasons(table)
    if analysis.paper is not None:
        blocks += _about_paper(analysis)
    return Section("headline", "Headline", blocks)


def _headline_caption(analysis: Analysis) -> str:
    metrics = dict.fromkeys(wording.mean_of(metrics) for metrics in analysis.metrics.values() if metrics)
    return (
        f"Scores on the {analysis.results.sweep.split} split ({', '.join(metrics)}; higher is better): mean "
        f"over seeds ± half the {formatting.level(LEVEL)} interval, over seeds and examples. Below each, the "
        "difference to "
        f"“{analysis.headline.reference}” with its interval, paired by seeds and examples. Bold and {BETTER}: shown to "
        f"be better, {WORSE}: shown to be worse, after Holm's correction over all differences of the table. All else "
        "is within what luck can do."
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
            text = formatting.score(entry.mean.value) + formatting.plus_minus(entry.mean, LEVEL)
            row.append(Cell(text, tuple(notes), strong=entry.better))
        rows.append(row)
    return Table(caption, ["method", *table.columns], rows)


def _difference(entry: Entry) -> str:
    assert entry.difference is not None
    bounds = entry.difference.interval(LEVEL)
    told = formatting.signed(entry.difference.value) + (f" {formatting.interval(bounds)}" if bounds else "")
    return told + significance_mark(entry)


def significance_mark(entry: Entry) -> str:
    """Returns the sign of a difference that is shown, after a space."""
    return f" {BETTER}" if entry.better else f" {WORSE}" if entry.worse else ""


def _paper(analysis: Analysis, method: str, column: str) -> str:
    value = analysis.paper_value(method, column)
    if value is None:
        return ""
    base = analysis.paper_value(analysis.headline.reference, column)
    against = "" if base is None or method == analysis.headline.reference else f" ({formatting.signed(value - base)})"
    return f"paper {formatting.score(value)}{against}"


def _reasons(table: MethodComparison) -> list[Block]:
    if not table.reasons:
        return []
    return [Paragraph(f"Where there is no interval: {'; '.join(table.reasons)}.", small=True)]


def _about_paper(analysis: Analysis) -> list[Block]:
    assert analysis.paper is not None
    methods, columns = analysis.results.methods, analysis.results.sweep.columns
    places = {name: column.paper for name, column in columns.items() if column.paper is not None}
    if not places:  # the tasks are others than the paper's: none of its figures is shown
        return []
    named = [method.paper for method in methods.values() if method.paper is not None]
    unknown = [row for row in dict.fromkeys(named) if analysis.paper.row(row) is None]
    stands = [f"{name} beside {place}" for name, place in places.items()]
    text = (
        f"“paper”: Table {analysis.paper.number} ({analysis.paper.title}) of Raffel et al. 2020, arXiv:1910.10683, "
        "with its difference to the same reference in brackets. Models, data and budgets are others than ours: "
        f"compare differences, not scores. Columns: {wording.listed(stands)}."
    )
    shown = [f"{name} {sigma:g}" for name, sigma in zip(COLUMNS, SIGMA, strict=True) if name in places.values()]
    if shown:
        text += f" Standard deviation of ten runs of the paper's baseline: {wording.listed(shown)}."
    if unknown:
        rows = wording.listed(list(analysis.paper.rows))
        text += f" The table has no row called {wording.listed(unknown)}; it has {rows}."
    return [Paragraph(text, small=True)]


def tasks_section(analysis: Analysis) -> Section:
    """Methods by tasks, where the headline's columns are not the tasks."""
    judged = [f"{task} ({wording.mean_of(m)})" if m else task for task, m in analysis.metrics.items()]
    caption = (
        f"As above, task by task: {wording.listed(judged, 60)}. Holm's correction is over all differences of this "
        "table."
    )
    blocks: list[Block] = [_comparison_table(analysis, analysis.by_task, caption), *_reasons(analysis.by_task)]
    return Section("tasks", "Scores by task", blocks)


def differences_section(analysis: Analysis) -> Section:
    """The differences to the reference as a figure."""
    figure = differences_figure(analysis.headline, styles_of(analysis))
    return Section("differences", f"Differences to {analysis.headline.reference}", [figure])


def transfer_section(analysis: Analysis) -> Section:
    """What each task gains or loses by being trained with others."""
    table = analysis.transfer
    assert table is not None
    most = max((abs(e.difference.value) for r in table.entries.values() for e in r.values() if e.difference), default=0)
    rows = []
    for method in table.others:
        row = [Cell(method, style=styles_of(analysis)[method])]
        for entry in table.entries[method].values():
            assert entry.difference is not None
            value, bounds = entry.difference.value, entry.difference.interval(LEVEL)
            notes = (formatting.interval(bounds),) if bounds else ()
            heat = value / most if most and value == value else None
            row.append(Cell(formatting.signed(value) + significance_mark(entry), notes, strong=entry.better, heat=heat))
        rows.append(row)
    caption = (
        f"Points that each task gains (+) or loses ({formatting.MINUS}) against being trained alone "
        f"(“{table.reference}”), "
        f"with the {formatting.level(LEVEL)} interval, paired by seeds and examples. {BETTER} and {WORSE}: shown after "
        "Holm's correction over the table. The colour is the size of the difference, blue for gains."
    )
    shown = Table(caption, ["method", *table.columns], rows)
    return Section("transfer", "Gain or loss against training alone", [shown, *_reasons(table)])


def metrics_section(analysis: Analysis) -> Section:
    """Every metric of every task."""
    methods = [method for method in analysis.results.methods if analysis.results.trials_of(method)]
    rows = []
    for (task, metric), values in metric_means(analysis).items():
        row = [Cell(f"{task}: {metric}", ("headline",) if metric in analysis.metrics.get(task, ()) else ())]
        for method in methods:
            found = values.get(method)
            if found is None:
                row.append(Cell(units.UNKNOWN))
                continue
            digits = 3 if metric == "loss" else 2
            spread = f"± {found.std(ddof=1):.{digits}f}" if len(found) > 1 else ""
            row.append(Cell(formatting.score(found.mean(), digits), (spread,) if spread else ()))
        rows.append(row)
    caption = (
        "Mean over seeds, and below it the standard deviation between seeds. Loss (nats a token, lower is better) and "
        "token accuracy are teacher-forced; the other metrics judge generated text."
    )
    return Section("metrics", "Every metric", [Table(caption, ["task and metric", *methods], rows)], brief=False)


def wins_section(analysis: Analysis) -> Section:
    """How often each method beat each other one."""
    wins = analysis.study.wins()
    rows = []
    for place, method in enumerate(wins.methods):
        row = [Cell(method, style=styles_of(analysis)[method])]
        for other, share in enumerate(wins.shares[place]):
            if other == place or share != share:
                row.append(Cell("·" if other == place else units.UNKNOWN))
            else:
                row.append(Cell(f"{100 * share:.0f} %", heat=2 * float(share) - 1))
        rows.append(row)
    cells = int(wins.cells.max())
    caption = (
        f"The share of tasks and seeds (up to {cells} pairs) in which the method of the row scores higher than that of "
        "the column; ties count half. A description, not a test: small differences count as much as large ones."
    )
    return Section("wins", "Who beats whom", [Table(caption, ["", *wins.methods], rows)], brief=False)


def seeds_section(analysis: Analysis) -> Section:
    """The scores behind the means."""
    tasks = list(analysis.study.tasks)
    rows = []
    for (method, seed), scores in seed_scores(analysis).items():
        values = [scores[task] for task in tasks]
        average = [sum(values) / len(values)] if len(tasks) > 1 else []
        cells = [Cell(formatting.score(value)) for value in [*average, *values]]
        rows.append([Cell(f"{method}, seed {seed}", style=styles_of(analysis)[method]), *cells])
    header = ["trial", *(["average"] if len(tasks) > 1 else []), *tasks]
    caption = "Every reported trial. What is missing has not finished or has failed; see the list of trials."
    return Section("seeds", "Seed by seed", [Table(caption, header, rows)], brief=False)
