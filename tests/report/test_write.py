"""The report's folder."""

import shutil
import subprocess
import sys
from pathlib import Path

from t5mix.analysis.analysis import Analysis
from t5mix.report.document import CodeBlock
from t5mix.report.provenance_sections import reproduction_section
from t5mix.report.write import write_report
from t5mix.sweep.sweep_file import load_sweep


def test_the_folder_holds_all_formats(written_report: Path):
    assert sorted(path.name for path in written_report.iterdir()) == [
        *("figures", "headline.csv", "headline.tex", "index.html", "report.md", "scores.csv")
    ]
    names = ("costs", "differences", "learning_rates", "training", "verdicts", "weights")
    assert sorted(path.name for path in (written_report / "figures").iterdir()) == sorted(
        f"{name}.{ending}" for name in names for ending in ("png", "svg")
    )


def test_writing_again_replaces_and_gives_the_same(sweep_folder: Path, written_report: Path, tmp_path: Path):
    shutil.copytree(written_report, tmp_path / "out")
    before = {
        path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.suffix in (".html", ".md", ".csv")
    }
    (tmp_path / "out" / "index.html").write_text("old", encoding="utf-8")
    write_report(sweep_folder, tmp_path / "out")
    assert {path: path.read_bytes() for path in before} == before
    assert not list((tmp_path / "out").rglob(".*"))


def test_the_report_loads_neither_jax_nor_tensorflow():
    code = (
        "import sys, t5mix.report.write, t5mix.cli.report\n"
        "print([m for m in ('jax', 'flax', 'tensorflow', 'seqio', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_sweep_on_the_page_is_the_sweep(analysis: Analysis, tmp_path: Path):
    (listing,) = [block for block in reproduction_section(analysis).blocks if isinstance(block, CodeBlock)]
    (tmp_path / "again.yaml").write_text(listing.text, encoding="utf-8")
    assert load_sweep(tmp_path / "again.yaml") == analysis.results.sweep
