"""The page: whole, self-contained, accessible, and saying what was found."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from t5mix.analysis.analysis import Analysis, analyze
from t5mix.analysis.results import read_results
from t5mix.report.document import Document
from t5mix.report.html import render_page
from t5mix.report.markdown import render_markdown
from t5mix.report.summary import build_document

VOID = {"meta", "br", "wbr"}
MINUS, EN_DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


class Page(HTMLParser):
    """Checks nesting, and collects ids, references, headings, tables and labels."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.unlabelled: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.strong: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])
        assert "src" not in given
        if tag == "svg" and not given.get("aria-label") and given.get("aria-hidden") != "true":
            self.unlabelled.append(self.get_starttag_text() or "")
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag == "small":
            self.tables[-1][-1][-1] += "  "
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        if self.open and self.open[-1] == "strong" and "td" in self.open:
            self.strong.append(data)


@pytest.fixture(scope="module")
def text(written_report: Path) -> str:
    return (written_report / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def section(text: str, anchor: str) -> str:
    return text.partition(f'<section id="{anchor}">')[2].partition("</section>")[0]


def document_of(sweep: Path) -> Document:
    """What a report tells, without the figures that lie beside the page, which take longest."""
    return build_document(analyze(read_results(sweep)))


def test_the_page_needs_nothing_else(text: str, page: Page):
    assert len(text.encode()) < 3 * 2**20
    for unwanted in ("http://", "https://", "<script", "<link", "@import", "<img", "<iframe", "javascript:"):
        assert unwanted not in text
    assert all(link.startswith("#") for link in page.links)
    assert set(re.findall(r"url\((.)", text)) <= {"#"}


def test_the_page_is_whole(text: str, page: Page):
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)
    for rows in page.tables:
        assert len({len(row) for row in rows}) == 1


def test_figures_and_tables_are_labelled(text: str, page: Page):
    assert page.unlabelled == []
    assert text.count("<table") == text.count('class="scroll" tabindex="0" role="region" aria-label="')
    assert text.count("<figure>") == text.count("<figcaption>") > 5
    assert '<html lang="en">' in text
    assert 'name="viewport"' in text


def test_all_parts_are_there_in_order(text: str):
    assert re.findall(r'<section id="(\w+)">', text) == [
        *("verdicts", "headline", "tasks", "metrics", "differences", "rates", "costs", "training", "weights"),
        *("mixture", "transfer", "wins", "seeds", "missing", "provenance", "reproduction"),
    ]


def test_verdicts_are_words_near_the_top(text: str):
    cards = re.findall(r'<article class="verdict (\w+)"><header><span class="word">(\w+)</span><h3>(\w+)', text)
    assert cards == [
        ("supported", "supported", "H1"),
        ("refuted", "refuted", "H2"),
        ("inconclusive", "inconclusive", "H3"),
    ]
    assert text.index('class="verdict supported"') < text.index('<section id="headline">')
    assert "3 claims: 1 supported, 1 refuted, 1 inconclusive." in text


def test_the_headline_is_the_findings_bold_where_better_only(text: str, analysis: Analysis):
    part = Page(section(text, "headline"))
    header, *rows = part.tables[0]
    assert [cell.split()[0] for cell in header] == ["method", "Sentences", "Pairs"]
    better = []
    for (method, entries), row in zip(analysis.headline.entries.items(), rows, strict=True):
        assert row[0].startswith(method)
        for entry, cell in zip(entries.values(), row[1:], strict=True):
            assert cell.startswith(f"{entry.mean.value:.2f} ±")
            assert ("▲" in cell, "▼" in cell) == (entry.better, entry.worse)
            if entry.difference is not None:
                assert f"{entry.difference.value:+.2f} [".replace("-", MINUS) in cell
            if entry.better:
                better.append(cell.partition("  ")[0].strip())
    assert better
    assert part.strong == better


def test_the_papers_figures_stand_beside_ours(text: str):
    rows = Page(section(text, "headline")).tables[0]
    assert "paper 83.28" in rows[1][1]
    assert "paper 80.88" in rows[1][2]
    assert "paper" not in rows[2][1]
    assert "Table 10 (fine-tuning methods) of Raffel et al. 2020" in text
    assert "GLUE 0.235 and SQuAD 0.343" in text


def test_the_paper_is_not_spoken_of_where_no_figure_of_its_is_shown(make_sweep_folder: Callable[..., Path]):
    document = document_of(make_sweep_folder(fields={"paper": 10}))
    assert "paper" not in Page(section(render_page(document), "headline")).tables[0][1][1]
    assert "Raffel" not in render_markdown(document)


def test_missing_and_failed_trials_are_said(text: str):
    assert "1 of 21 trials to be reported is missing, 1 of them failed" in text
    rows = Page(section(text, "missing")).tables[0]
    assert [cell.strip() for cell in rows[1][:6]] == [
        *(
            "lora, r=8",
            "1",
            "0.008",
            "all",
            "reported",
            "failed (exit status 1): ValueError: the loss is NaN at step 40",
        )
    ]
    seeds = Page(section(text, "seeds")).tables[0]
    assert next(row for row in seeds if row[0].startswith("lora, r=8, seed 1"))[1].strip() == EN_DASH


def test_heat_is_there_in_words_too(text: str):
    cells = re.findall(rf'<td class="(heat|cold)"[^>]*>(?:<strong>)?([+{MINUS}]?)', section(text, "transfer"))
    assert {("heat", "+"), ("cold", MINUS)} == set(cells)


def test_names_are_escaped(make_sweep_folder: Callable[..., Path]):
    hostile = '<b>&"lora"'
    folder = make_sweep_folder(levels={hostile: 1.0, "full": 0.5}, fields={"title": "a < b </title><script>x</script>"})
    text = render_page(document_of(folder))
    Page(text)
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;&quot;lora&quot;" in text


def test_a_single_seed_has_no_intervals_and_says_why(make_sweep_folder: Callable[..., Path]):
    claim = {"H": {"claim": "c", "better": "full", "worse": "lora"}}
    text = render_page(document_of(make_sweep_folder(seeds=(0,), fields={"hypotheses": claim})))
    assert "There is one seed" in text
    assert "Where there is no interval: an interval needs 2 seeds or more; there are 1." in text
    assert "±" not in section(text, "headline").partition("<tbody>")[2].partition("</tbody>")[0]
    assert 'class="verdict inconclusive"' in text


def test_one_method_alone_is_reported_too(make_sweep_folder: Callable[..., Path]):
    folder = make_sweep_folder(levels={"full": 1.0, "x": 0.5}, fields={"methods": {"full": {}}})
    text = render_page(document_of(folder))
    Page(text)
    assert "1 method (“full”)" in text
    assert 'id="differences"' not in text
    assert 'id="wins"' not in text


def test_a_sweep_that_has_just_begun_is_reported(make_sweep_folder: Callable[..., Path]):
    folder = make_sweep_folder(fields={"hypotheses": {"H": {"claim": "c", "better": "full", "worse": "lora"}}})
    for path in (folder / "trials").iterdir():
        if path.name != "full-0-0.002-None.json":
            path.unlink()
    (folder / "choices.json").unlink()
    (folder / "sweep.json").write_text(
        (folder / "sweep.json").read_text(encoding="utf-8").replace("[0.001, 0.002, 0.004]", "[0.002]"),
        encoding="utf-8",
    )
    text = render_page(document_of(folder))
    Page(text)
    assert "5 of 6 trials to be reported are missing, 0 of them failed" in text
    assert text.count("not finished yet") == 5
    assert "nan" not in text.lower().replace("nance", "")
