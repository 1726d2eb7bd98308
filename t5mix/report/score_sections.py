"""The parts of a report that draw on scores: verdicts, differences, transfer, every metric, wins, seeds."""

import collections

from t5mix.analysis.analysis import Analysis, metric_means, seed_scores
from t5mix.analysis.comparisons import LEVEL
from t5mix.console import units, wording
from t5mix.report import formatting
from t5mix.report.comparison_sections import interval_remarks
from t5mix.report.difference_figures import differences_figure, verdicts_figure
from t5mix.report.document import Block, Cell, Paragraph, Section, Table, VerdictCard
from t5mix.report.formatting import BETTER, WORSE, significance_mark
from t5mix.report.method_styles import styles_of


def verdicts_section(analysis: Analysis) -> Section:
    """The hypotheses and what became of them."""
    cards: list[Block] = []
    for name, judgement in analysis.verdicts.items():
        lines = (
            f"Judged: {formatting.claim_text(judgement)}.",
            formatting.outcome_text(judgement),
            f"{formatting.VERDICT_SENTENCES[judgement.verdict]}: {formatting.reason_text(judgement)}.",
            formatting.sensitivity_text(judgement),
        )
        cards.append(VerdictCard(name, judgement.hypothesis.claim, judgement.verdict.value, lines))
    counts = collections.Counter(judgement.verdict.value for judgement in analysis.verdicts.values())
    tally = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    intro = Paragraph(
        f"{wording.quantity(len(cards), 'claim')}: {tally}. They were written down before anything ran. Each is tested "
        "two-sided at its margin, over seeds and examples; Holm's correction keeps the chance of any false verdict at "
        "5 %. A claim that is neither shown nor refuted is inconclusive: that is no evidence against it."
    )
    return Section("verdicts", "Verdicts", [intro, *cards, verdicts_figure(analysis.verdicts, styles_of(analysis))])


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
            notes = (formatting.interval_text(bounds),) if bounds else ()
            heat = value / most if most and value == value else None
            text = formatting.difference_text(value) + significance_mark(entry)
            row.append(Cell(text, notes, strong=entry.better, heat=heat))
        rows.append(row)
    caption = (
        f"Points that each task gains (+) or loses ({formatting.MINUS}) against being trained alone "
        f"(“{table.reference}”), with the {formatting.level_text(LEVEL)} interval, paired by seeds and examples. "
        f"{BETTER} and {WORSE}: shown after Holm's correction over the table. The colour is the size of the "
        "difference, blue for gains."
    )
    gains = Table(caption, ["method", *table.columns], rows)
    return Section("transfer", "Gain or loss against training alone", [gains, *interval_remarks(table)])


def metrics_section(analysis: Analysis) -> Section:
    """Every metric of every task."""
    methods = [method for method in analysis.results.methods if analysis.results.trials_of(method)]
    rows = []
    for (task, metric), values in metric_means(analysis).items():
        row = [Cell(f"{task}: {metric}", ("headline",) if metric in analysis.metrics.get(task, ()) else ())]
        for method in methods:
            by_seed = values.get(method)
            if by_seed is None:
                row.append(Cell(units.UNKNOWN))
                continue
            digits = 3 if metric == "loss" else 2
            spread = f"± {by_seed.std(ddof=1):.{digits}f}" if len(by_seed) > 1 else ""
            row.append(Cell(formatting.score_text(by_seed.mean(), digits), (spread,) if spread else ()))
        rows.append(row)
    caption = (
        "Mean over seeds, and below it the standard deviation between seeds. Loss (nats a token, lower is better) and "
        "token accuracy are teacher-forced, as are metrics of likelihoods such as choice_accuracy; the other metrics "
        "judge generated text."
    )
    return Section("metrics", "Every metric", [Table(caption, ["task and metric", *methods], rows)], in_markdown=False)


def wins_section(analysis: Analysis) -> Section:
    """How often each method beat each other one."""
    wins = analysis.study.wins()
    rows = []
    for row_index, method in enumerate(wins.methods):
        row = [Cell(method, style=styles_of(analysis)[method])]
        for column_index, share in enumerate(wins.shares[row_index]):
            if column_index == row_index or share != share:
                row.append(Cell("·" if column_index == row_index else units.UNKNOWN))
            else:
                row.append(Cell(f"{100 * share:.0f} %", heat=2 * float(share) - 1))
        rows.append(row)
    cells = int(wins.cells.max())
    caption = (
        f"The share of tasks and seeds (up to {cells} pairs) in which the method of the row scores higher than that of "
        "the column; ties count half. A description, not a test: small differences count as much as large ones."
    )
    return Section("wins", "Who beats whom", [Table(caption, ["", *wins.methods], rows)], in_markdown=False)


def seeds_section(analysis: Analysis) -> Section:
    """The scores behind the means."""
    tasks = list(analysis.study.tasks)
    rows = []
    for (method, seed), scores in seed_scores(analysis).items():
        values = [scores[task] for task in tasks]
        average = [sum(values) / len(values)] if len(tasks) > 1 else []
        cells = [Cell(formatting.score_text(value)) for value in [*average, *values]]
        rows.append([Cell(f"{method}, seed {seed}", style=styles_of(analysis)[method]), *cells])
    header = ["trial", *(["average"] if len(tasks) > 1 else []), *tasks]
    caption = "Every reported trial. What is missing has not finished or has failed; see the list of trials."
    return Section("seeds", "Seed by seed", [Table(caption, header, rows)], in_markdown=False)
