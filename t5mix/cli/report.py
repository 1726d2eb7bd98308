"""`t5mix report`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from t5mix.console.tables import new_table, print_table
from t5mix.errors import T5MixError

if TYPE_CHECKING:
    from t5mix.analysis.analysis import Analysis


def run(options: argparse.Namespace) -> int:
    """Writes a sweep's report, and shows its headline and verdicts."""
    from t5mix.report.write import write_report

    directory = Path(options.directory)
    out = Path(options.out) if options.out else directory / "report"
    if out.exists() and not out.is_dir():
        raise T5MixError(f"--out {out} is a file; the report is a folder.")
    analysis = write_report(directory, out)
    _show(analysis)
    print(f"Written: {out / 'index.html'}", file=sys.stderr)
    return 0


def _show(analysis: "Analysis") -> None:
    from t5mix.analysis.comparisons import LEVEL
    from t5mix.report import formatting

    table = new_table("method", *analysis.headline.columns)
    for method, entries in analysis.headline.entries.items():
        cells = [
            formatting.score_text(e.mean.value)
            + formatting.half_width_text(e.mean, LEVEL)
            + formatting.significance_mark(e)
            for e in entries.values()
        ]
        table.add_row(method, *cells)
    title = analysis.results.sweep.title or analysis.results.sweep.name
    print_table(f"{title}: scores, and what differs from {analysis.headline.reference}", table)
    for name, judgement in analysis.verdicts.items():
        print(f"{judgement.verdict.value}: {name}: {judgement.hypothesis.claim} ({formatting.reason_text(judgement)})")
    for note in analysis.notes:
        print(f"Note: {note}", file=sys.stderr)
