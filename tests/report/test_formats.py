"""Markdown, LaTeX and CSV: what they hold, and that they hold the same."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from t5mix.analysis.analysis import Analysis, analyze
from t5mix.analysis.results import read_results
from t5mix.report.csv_export import headline_csv, scores_csv
from t5mix.report.latex import headline_latex
from t5mix.report.markdown import render_markdown
from t5mix.report.summary import build_document


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# CSV --------------------------------------------------------------------------------------------------


def test_scores_have_a_row_for_each_trial_task_split_and_metric(analysis: Analysis):
    rows = rows_of(scores_csv(analysis.results))
    expected = sum(
        len(score.metrics) for t in analysis.results.trials for tasks in t.scores.values() for score in tasks.values()
    )
    assert len(rows) == expected
    chosen = [row for row in rows if row["chosen"] == "True" and row["split"] == "test" and row["metric"] == "f1"]
    assert len(chosen) == 14  # five methods, three seeds, one of which failed
    odm = [float(row["value"]) for row in chosen if row["method"] == "odm"]
    assert np.mean(odm) == pytest.approx(analysis.headline.entries["odm"]["Pairs"].mean.value)
    assert {row["learning_rate"] for row in rows if row["method"] == "lora, r=8"} == {
        "0.001",
        "0.002",
        "0.004",
        "0.008",
    }
    assert not [row for row in rows if row["chosen"] == "True" and row["learning_rate"] in ("0.001", "0.004")]
    first = rows[0]
    assert (first["method"], first["steps"], first["memory"], first["seconds"]) == (
        "adapter",
        "100",
        "720000000.0",
        "26.0",
    )


def test_the_headlines_rows_are_the_findings(analysis: Analysis):
    rows = rows_of(headline_csv(analysis))
    assert len(rows) == 10
    for row in rows:
        entry = analysis.headline.entries[row["method"]][row["column"]]
        assert float(row["mean"]) == entry.mean.value
        assert row["better"] == str(entry.better)
        if entry.difference is None:
            assert row["difference"] == row["p_value"] == ""
        else:
            assert float(row["difference"]) == entry.difference.value
            assert float(row["corrected_p_value"]) == entry.corrected
            assert float(row["difference_low"]) < entry.difference.value < float(row["difference_high"])
    assert [row["paper"] for row in rows[:3]] == ["83.28", "80.88", ""]


def test_what_is_not_known_is_empty(make_sweep_folder: Callable[..., Path]):
    analysis = analyze(read_results(make_sweep_folder(seeds=(0,), fields={"tuning": None})))
    rows = rows_of(headline_csv(analysis))
    assert {row["low"] for row in rows} == {row["p_value"] for row in rows} == {""}
    assert {row["learning_rate"] for row in rows_of(scores_csv(analysis.results))} == {""}


# LaTeX ------------------------------------------------------------------------------------------------


def latex_rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.endswith(r"\\")]


def test_latex_is_the_papers_layout(analysis: Analysis):
    text = headline_latex(analysis)
    assert r"\begin{tabular}{lrr}" in text
    header, *rows = latex_rows(text)
    assert header == r" & Sentences & Pairs \\"
    ours, (title, *papers) = rows[:5], rows[5:]
    for row in (*ours, *papers):
        assert len(re.findall(r"(?<!\\)&", row)) == 2
    assert title == r"\multicolumn{3}{l}{\textit{Raffel et al.\ (2020), Table 10}} \\"
    assert papers == [r"\textcolor{gray}{all parameters} & \textcolor{gray}{83.28} & \textcolor{gray}{80.88} \\"]
    for (method, entries), row in zip(analysis.headline.entries.items(), ours, strict=True):
        cells = row.removesuffix(r" \\").split(" & ")
        assert cells[0] == method
        assert [cell.startswith(r"\textbf{") for cell in cells[1:]] == [entry.better for entry in entries.values()]
    assert r"\textbf" in text
    for opening, closing in (("{", "}"), (r"\begin", r"\end"), (r"\toprule", r"\bottomrule")):
        assert text.count(opening) == text.count(closing)
    assert all(ord(character) < 128 for character in text)


def test_latex_escapes_names(make_sweep_folder: Callable[..., Path]):
    analysis = analyze(read_results(make_sweep_folder(levels={"a_b & 50% {x}^2~\\#$": 1.0, "c": 0.2})))
    row = latex_rows(headline_latex(analysis))[1]
    assert row.startswith(r"a\_b \& 50\% \{x\}\textasciicircum{}2\textasciitilde{}\textbackslash{}\#\$ & ")
    assert len(re.findall(r"(?<!\\)&", row)) == 3  # the average and two tasks


# Markdown ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def markdown(analysis: Analysis) -> str:
    return render_markdown(build_document(analysis))


def test_markdown_is_brief_and_in_the_pages_order(markdown: str):
    assert markdown.startswith("# Made-up methods\n")
    assert re.findall(r"^## (.+)$", markdown, re.MULTILINE) == [
        *("Verdicts", "Headline", "Scores by task", "Differences to full", "Learning rates", "Quality and cost"),
        *("Training", "Adaptive mixing", "Gain or loss against training alone", "Failed and missing trials"),
    ]
    assert "- **supported**: H1: Training everything beats a low rank" in markdown
    assert len(markdown) < 20_000


def test_markdowns_tables_are_whole(markdown: str):
    blocks = [block for block in markdown.split("\n\n") if block.startswith("|")]
    assert len(blocks) >= 4
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_markdown_shows_the_same_figures_bold_where_better(markdown: str, analysis: Analysis):
    entry = analysis.headline.entries["odm"]["Pairs"]
    assert entry.better
    assert f"**{entry.mean.value:.2f} ± " in markdown
    table = markdown.partition("## Headline")[2].partition("##")[0]
    assert table.count("**") == 2 * sum(e.better for row in analysis.headline.entries.values() for e in row.values())


def test_markdowns_figures_are_files(markdown: str, written_report: Path):
    links = re.findall(r"!\[[^\n]*\]\(([^)]+)\)", markdown)
    assert len(links) == 6
    assert all((written_report / link).is_file() for link in links)
    assert all((written_report / link).with_suffix(".png").is_file() for link in links)


def test_markdowns_lines_are_short(markdown: str):
    assert all(len(line) <= 120 for line in markdown.splitlines() if not line.startswith(("|", "!")))
