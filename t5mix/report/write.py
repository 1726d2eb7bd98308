"""Writes a report: the page, its figures as files, tables for papers, documents and programs."""

from pathlib import Path

from t5mix.analysis.analysis import Analysis, analyze
from t5mix.analysis.results import read_results
from t5mix.files import write_text
from t5mix.report.csv_export import headline_csv, scores_csv
from t5mix.report.figure_files import save_figure
from t5mix.report.html import render_page
from t5mix.report.latex import headline_latex
from t5mix.report.markdown import render_markdown
from t5mix.report.summary import build_document


def write_report(directory: Path, out: Path) -> Analysis:
    """Reports what has come of a sweep so far.

    Args:
        directory: the sweep's folder.
        out: of the report; made if it is missing. Files of an earlier report are replaced.

    Returns:
        What the report tells.

    Raises:
        T5MixError: the folder is no sweep's, nothing that could be reported is finished, a file is broken, or
            sweep.json names what there is not.
    """
    analysis = analyze(read_results(directory))
    document = build_document(analysis)
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for figure in document.figures:
        save_figure(figure, figures)
    texts = {
        "index.html": render_page(document),
        "report.md": render_markdown(document),
        "headline.tex": headline_latex(analysis),
        "headline.csv": headline_csv(analysis),
        "scores.csv": scores_csv(analysis.results),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    return analysis
