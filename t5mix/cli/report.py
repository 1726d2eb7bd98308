"""`t5mix report`."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table
from t5mix.errors import T5MixError
from t5mix.files import check_writable

if TYPE_CHECKING:
    from t5mix.analysis.analysis import Analysis
    from t5mix.analysis.comparisons import Entry


def run(options: argparse.Namespace) -> int:
    """Writes a sweep's report, and shows its headline and verdicts."""
    directory = Path(options.directory)
    out = Path(options.out) if options.out else directory / "report"
    if out.exists() and not out.is_dir():
        raise T5MixError(f"--out {out} is a file; the report is a folder.")
    check_writable(out, "--out")
    with stage("Analysing the trials and drawing"):
        from t5mix.report.write import write_report

        analysis = write_report(directory, out)
    if options.json:
        print(json.dumps({**_plain(analysis), "report": str(out / "index.html")}, indent=1))
    else:
        _show(analysis)
    for note in analysis.notes:
        print(f"Note: {note}", file=sys.stderr)
    print(f"Written: {out / 'index.html'}", file=sys.stderr)
    return 0


def _plain(analysis: "Analysis") -> dict[str, Any]:
    from t5mix.analysis.comparisons import LEVEL
    from t5mix.report.formatting import reason_text

    return {
        "sweep": analysis.results.sweep.name,
        "reference": analysis.headline.reference,
        "level": LEVEL,
        "methods": [
            {"method": method, "columns": {column: _plain_entry(entry, LEVEL) for column, entry in entries.items()}}
            for method, entries in analysis.headline.entries.items()
        ],
        "hypotheses": [
            {
                "name": name,
                "claim": judgement.hypothesis.claim,
                "verdict": judgement.verdict.value,
                "reason": reason_text(judgement),
            }
            for name, judgement in analysis.verdicts.items()
        ],
        "notes": list(analysis.notes),
    }


def _plain_entry(entry: "Entry", level: float) -> dict[str, Any]:
    """Returns a cell of the headline table as plain data; what is not known is null."""
    low, high = entry.mean.interval(level) or (None, None)
    difference = None if entry.difference is None else entry.difference.value
    numbers = {"mean": entry.mean.value, "low": low, "high": high, "difference": difference}
    known = {name: None if value is None or math.isnan(value) else float(value) for name, value in numbers.items()}
    return {**known, "better": bool(entry.better), "worse": bool(entry.worse)}


def _show(analysis: "Analysis") -> None:
    from t5mix.analysis.comparisons import LEVEL
    from t5mix.report import formatting

    table = TextTable("method", *analysis.headline.columns)
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
