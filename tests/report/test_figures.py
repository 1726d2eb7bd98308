"""What figures show, and what becomes of their colours."""

import dataclasses
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from t5mix.analysis.analysis import Analysis
from t5mix.analysis.training_curves import Line, Progress
from t5mix.report.cost_figure import costs_figure
from t5mix.report.difference_figures import differences_figure, verdicts_figure
from t5mix.report.document import FigureBlock, Panel
from t5mix.report.figure_files import save_figure
from t5mix.report.learning_rate_figure import learning_rate_figure
from t5mix.report.method_styles import COLOURS, method_styles, styles_of
from t5mix.report.svg import panel_svg, swatch
from t5mix.report.training_figures import proportions_figure, training_figure

STYLESHEET = (resources.files("t5mix.report") / "templates" / "style.css").read_text(encoding="utf-8")


def drawn(panel: Panel) -> Axes:
    axes = Figure().add_subplot()
    panel.draw(axes)
    return axes


def points(axes: Axes, marker: str) -> list[tuple[float, float]]:
    """Where a marker stands."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return [(float(x), float(y)) for line in lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def test_forty_methods_are_told_apart():
    styles = method_styles(f"m{number}" for number in range(40))
    assert len({(style["color"], str(style["linestyle"]), style["marker"]) for style in styles.values()}) == 40
    assert len({style["color"] for style in list(styles.values())[:8]}) == 8


def test_differences_stand_where_they_are(analysis: Analysis):
    figure = differences_figure(analysis.headline, styles_of(analysis))
    assert [panel.title for panel in figure.panels] == ["Sentences", "Pairs"]
    axes = drawn(figure.panels[1])
    for method in analysis.headline.others:
        entry = analysis.headline.entries[method]["Pairs"]
        assert entry.difference is not None
        style = styles_of(analysis)[method]
        (line,) = [line for line in axes.lines if line.get_marker() == style["marker"]]
        assert np.asarray(line.get_xdata()) == pytest.approx([entry.difference.value])
        assert (line.get_markerfacecolor() == style["color"]) == (entry.better or entry.worse)
    difference = analysis.headline.entries["odm"]["Pairs"].difference
    assert difference is not None
    low, high = difference.interval() or (np.nan, np.nan)
    assert f"odm +12.14 [{low:.2f}, {high:.2f}]" in figure.panels[1].alt_text


def test_hypotheses_are_drawn_with_their_margins(analysis: Analysis):
    (panel,) = verdicts_figure(analysis.verdicts, styles_of(analysis)).panels
    lines = drawn(panel).lines
    margins = [line.get_xdata()[0] for line in lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
    assert margins == [0.0, 0.5, 0.0]


def test_the_chosen_rate_is_circled_and_an_extended_one_hollow(analysis: Analysis):
    figure = learning_rate_figure(analysis.results.choices, styles_of(analysis), "validation")
    assert [panel.title for panel in figure.panels][:3] == ["full", "lora, r=8: best at the edge", "adapter"]
    axes = drawn(figure.panels[1])
    circled = [line for line in axes.lines if line.get_markersize() == 12]
    assert [line.get_xdata()[0] for line in circled] == [0.008]
    hollow = [line.get_xdata()[0] for line in axes.lines if line.get_markerfacecolor() == "#ffffff"]
    assert hollow == [0.008]
    assert "chosen: 0.008, at the edge of the grid" in figure.panels[1].alt_text


def test_costs_have_a_panel_each_and_the_front_is_circled(analysis: Analysis):
    figure = costs_figure(analysis.costs, analysis.overall, styles_of(analysis))
    assert figure is not None
    assert [panel.title.split()[0] for panel in figure.panels] == ["Trained", "Floating-point", "Peak", "Time"]
    assert list(figure.legend) == list(analysis.costs)
    circled = [line for line in drawn(figure.panels[3]).lines if line.get_markersize() == 12]
    assert [line.get_xdata()[0] for line in circled] == [24.0]
    assert figure.panels[3].alt_text.endswith("cheapest first: odm")


def test_one_method_alone_has_no_price_to_compare(analysis: Analysis):
    costs = {"full": analysis.costs["full"]}
    assert costs_figure(costs, analysis.overall, styles_of(analysis)) is None


def test_losses_of_all_methods_share_panels(analysis: Analysis):
    figure = training_figure(analysis.progress, styles_of(analysis))
    assert figure is not None
    titles = [panel.title for panel in figure.panels]
    assert titles[:3] == [
        "Training loss (nats a token)",
        "Validation loss, mean of tasks",
        "Validation loss: demo_sentiment",
    ]
    assert len(drawn(figure.panels[0]).lines) == 4
    assert len(drawn(figure.panels[1]).lines) == 5
    assert training_figure({}, {}) is None


def test_a_run_that_was_evaluated_once_has_no_course_to_show(analysis: Analysis):
    once = Line(np.array([100]), np.array([1.5]))
    single = {
        name: dataclasses.replace(one, validation=dict.fromkeys(one.validation, once), mean_validation=once)
        for name, one in analysis.progress.items()
    }
    figure = training_figure(single, styles_of(analysis))
    assert figure is not None
    assert [panel.title for panel in figure.panels] == ["Training loss (nats a token)"]
    assert "Validation" not in figure.caption
    assert training_figure({"alone": single["alone"]}, styles_of(analysis)) is None
    mixed = {**single, "full": analysis.progress["full"]}
    figure = training_figure(mixed, styles_of(analysis))
    assert figure is not None
    assert len(figure.panels) == 5


def test_long_curves_are_thinned(analysis: Analysis):
    line = Line(np.arange(1, 5001), np.arange(1.0, 5001))
    progress = {"full": Progress(line, {}, {}, {}, None)}
    figure = training_figure(progress, styles_of(analysis))
    assert figure is not None
    (shown,) = drawn(figure.panels[0]).lines
    assert len(shown.get_xdata()) == 150
    assert np.asarray(shown.get_ydata()) == pytest.approx(np.asarray(shown.get_xdata()))


def test_weights_are_drawn_where_they_change(analysis: Analysis):
    figure = proportions_figure(analysis.progress)
    assert figure is not None
    (panel,) = figure.panels
    assert panel.title == "odm"
    assert "demo_sentiment from 22.2 % to 32.2 %" in panel.alt_text
    assert proportions_figure({"full": analysis.progress["full"]}) is None


# On the page ------------------------------------------------------------------------------------------


def everything(axes: Axes) -> None:
    for y, style in enumerate(method_styles("abcdefgh").values()):
        axes.plot([0, 1], [y, y + 1], **style)
    axes.text(0, 0, "1 < 2 & 3", color="0.45")


def test_a_panel_on_the_page_takes_the_pages_colours():
    text = panel_svg(Panel("a < b", everything, alt_text='said "so"'), "name")
    assert text.startswith('<svg viewBox="0 0 ')
    assert 'aria-label="a &lt; b: said &quot;so&quot;"' in text
    assert not [colour for colour in COLOURS if colour.lower() in text.lower()]
    assert set(re.findall(r"#[0-9a-f]{6}\b", text)) == set()
    used = set(re.findall(r"var\((--\w+)\)", text))
    assert used >= {f"--c{index}" for index, colour in enumerate(COLOURS) if colour != "#000000"}
    assert used <= set(re.findall(r"(--\w+):", STYLESHEET))
    assert "currentColor" in text
    assert "1 &lt; 2 &amp; 3" in text
    for unwanted in ("http", "DejaVu", "<metadata", "<?xml", "xlink"):
        assert unwanted not in text


def test_a_name_that_looks_like_a_colour_or_a_reference_stays():
    text = panel_svg(Panel("#d55e00 url(#a) font: b", lambda axes: None), "name")
    assert ">#d55e00 url(#a) font: b</text>" in text


def test_ids_of_a_panel_are_its_own():
    one, two = (panel_svg(Panel("t", everything), name) for name in ("one", "two"))
    ids = re.findall(r' id="([^"]+)"', one)
    assert ids
    assert all(name.startswith("one-") for name in ids)
    assert {link[1:] for link in re.findall(r'href="(#[^"]+)"', one)} <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", one)) <= set(ids)
    assert one.replace("one-", "two-") == two


def test_a_swatch_shows_line_and_marker():
    first, ninth = (swatch(method_styles("abcdefghi")[name]) for name in "ai")
    assert "var(--c0)" in first
    assert "polygon" in first
    assert "dasharray" not in first
    assert "dasharray" in ninth


def test_every_variable_is_there_in_light_dark_and_print():
    light, dark, paper = (set(re.findall(r"(--\w+):", part)) for part in STYLESHEET.split(":root {")[1:4])
    assert light - dark == {"--font"}
    assert dark == paper
    assert set(re.findall(r"var\((--\w+)\)", STYLESHEET)) <= light | {"--much"}


# As files ---------------------------------------------------------------------------------------------


def test_files_hold_all_panels_and_the_legend(tmp_path: Path):
    styles = method_styles(["full", "lora, r=8"])
    panels = [Panel(f"panel {number}", lambda axes: None) for number in range(5)]
    save_figure(FigureBlock("name", "caption", panels, styles), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["name.png", "name.svg"]
    assert (tmp_path / "name.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "name.svg").read_text(encoding="utf-8")
    assert all(f">panel {number}<" in text for number in range(5))
    assert ">lora, r=8<" in text
