"""The headline as a LaTeX table, laid out as the paper's."""

from t5mix.analysis.analysis import Analysis
from t5mix.analysis.comparisons import LEVEL, Entry
from t5mix.console import wording
from t5mix.report import formatting

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    formatting.MINUS: "$-$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def headline_latex(analysis: Analysis) -> str:
    """Returns the headline table; it needs the packages booktabs and xcolor.

    Rows are methods, columns the sweep's; bold is significantly better than the reference. Where the sweep corresponds
    to one of the paper's tables, its rows follow, in grey.
    """
    table = analysis.headline
    seeds = wording.quantity(len(analysis.study.seeds), "seed")
    lines = [
        f"% Made by t5mix report from the sweep {analysis.results.sweep.name}.",
        r"% \usepackage{booktabs, xcolor}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        _line(["", *map(_escaped, table.columns)]),
        r"\midrule",
        *(_line([_escaped(name), *map(_entry, row.values())]) for name, row in table.entries.items()),
        *_paper_lines(analysis),
        r"\bottomrule",
        r"\end{tabular}",
        f"% Mean over {seeds}; small: half the {formatting.level_text(LEVEL).replace('%', 'per cent')} interval. Bold: "
        f"better than {analysis.headline.reference} after Holm's correction.",
    ]
    return "\n".join(lines) + "\n"


def _paper_lines(analysis: Analysis) -> list[str]:
    rows = []
    for name, method in analysis.results.methods.items():
        values = [analysis.paper_value(name, column) for column in analysis.headline.columns]
        if any(value is not None for value in values):
            cells = [_escaped(method.paper or name), *("--" if value is None else f"{value:.2f}" for value in values)]
            rows.append(_line([rf"\textcolor{{gray}}{{{cell}}}" for cell in cells]))
    if not rows or analysis.paper is None:
        return []
    span = len(analysis.headline.columns) + 1
    heading = rf"\textit{{Raffel et al.\ (2020), Table {analysis.paper.number}}}"
    return [r"\midrule", rf"\multicolumn{{{span}}}{{l}}{{{heading}}} \\", *rows]


def _entry(entry: Entry) -> str:
    if entry.mean.value != entry.mean.value:
        return "--"
    value = f"{entry.mean.value:.2f}".replace("-", "$-$")
    half = formatting.half_width(entry.mean, LEVEL)
    spread = "" if half is None else rf" {{\scriptsize$\pm${half:.2f}}}"
    return (rf"\textbf{{{value}}}" if entry.better else value) + spread


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)
