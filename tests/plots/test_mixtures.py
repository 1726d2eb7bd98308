"""The picture of a mixture shows what the forecast says."""

import struct
from pathlib import Path

import numpy as np
import pytest

from t5mix.mixing import Proportional, Temperature
from t5mix.mixing.base import normalized
from t5mix.mixing.forecast import Curve, Forecast, StrategyComparison, TaskForecast
from t5mix.plots.mixtures import mixture_figure
from t5mix.plots.style import save, task_styles


def make_forecast(sizes: dict[str, int], rates: dict[str, float], last: dict[str, float] | None = None) -> Forecast:
    shares, ends = normalized(rates), normalized(last or rates)
    tasks = [
        TaskForecast(name, size, rates[name], shares[name], shares[name], ends[name], 100.0, 1e3, 100.0 / size, 0.0)
        for name, size in sizes.items()
    ]
    return Forecast(tuple(tasks), 1000, 100, 10.0, 0.9, 0.5, changes=last is not None, adaptive=False)


def make_comparison(sizes: dict[str, int], strategies: int, *, changing: bool = False) -> StrategyComparison:
    last = dict.fromkeys(sizes, 1.0) if changing else None
    forecasts = {
        f"temperature:temperature={t}": make_forecast(sizes, Temperature(temperature=t).rates(sizes), last)
        for t in range(1, strategies + 1)
    }
    temperatures, limits = np.asarray([1.0, 10.0, 100.0, np.inf]), np.unique(list(sizes.values()))
    by_temperature = [list(normalized(Temperature(temperature=t).rates(sizes)).values()) for t in temperatures]
    by_max_examples = [list(normalized(Proportional(max_examples=int(k)).rates(sizes)).values()) for k in limits]
    return StrategyComparison(
        forecasts, Curve(temperatures, np.asarray(by_temperature)), Curve(limits, np.asarray(by_max_examples))
    )


SIZES = {"middle": 200, "small": 20, "large": 4000}


def test_bars_are_the_forecast():
    comparison = make_comparison(SIZES, 2)
    proportions, epochs, _, _ = mixture_figure(comparison, "title").axes
    assert [label.get_text() for label in proportions.get_yticklabels()] == ["small  20", "middle  200", "large  4,000"]
    for container, forecast in zip(proportions.containers, comparison.forecasts.values(), strict=True):
        shares = {task.name: task.proportion for task in forecast.tasks}
        assert [bar.get_width() for bar in container] == [shares[name] for name in ("small", "middle", "large")]
    for container in epochs.containers:
        ends_of_bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in container]
        assert ends_of_bars == [pytest.approx(ends) for ends in ((1, 5), (0.5, 1), (0.025, 1))]
    assert epochs.get_xscale() == "log"
    assert any(list(line.get_xdata()) == [1, 1] for line in epochs.lines)


def test_the_curves_are_the_strategies():
    comparison = make_comparison(SIZES, 1)
    *_, by_temperature, by_max_examples = mixture_figure(comparison, "title").axes
    styles = task_styles(SIZES)
    for axes, curve, count in (
        (by_temperature, comparison.by_temperature, 3),
        (by_max_examples, comparison.by_max_examples, 3),
    ):
        lines = {line.get_label(): line for line in axes.lines}
        for i, name in enumerate(SIZES):
            assert list(lines[name].get_xdata()) == curve.setting[:count].tolist()
            assert list(lines[name].get_ydata()) == curve.proportions[:count, i].tolist()
            assert lines[name].get_color() == styles[name]["color"]
    assert by_temperature.get_xlim() == (1, 100)
    assert by_max_examples.get_xlim() == (20, 4000)
    dotted = [line.get_ydata()[0] for line in by_temperature.lines if line.get_linestyle() == ":"]
    assert dotted == [pytest.approx(1 / 3)]


def test_a_change_over_the_run_is_drawn():
    still, moving = (mixture_figure(make_comparison(SIZES, 1, changing=c), "t").axes[0] for c in (False, True))
    assert still.get_title(loc="left") == "Proportions"
    assert moving.get_title(loc="left") == "Proportions; orange: from the first step to the last (dot)"
    assert (len(still.collections), len(moving.collections)) == (0, 1)


@pytest.mark.parametrize(
    ("sizes", "strategies"),
    [
        (SIZES, 1),
        ({"only": 7}, 1),
        ({"a": 5, "b": 5}, 3),
        ({f"a_long_name_of_a_task_v00{i}": 3 + i**3 for i in range(40)}, 8),
    ],
)
def test_pictures_of_all_sizes(tmp_path: Path, sizes: dict[str, int], strategies: int):
    figure = mixture_figure(make_comparison(sizes, strategies), "title")
    assert len(figure.axes) == 4
    upper, lower = figure.legends
    assert (len(upper.get_texts()), len(lower.get_texts())) == (strategies, len(sizes))
    save(figure, tmp_path / "a.png")
    width, height = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
    assert width == 1650
    assert 1000 < height < 4000
    frame = figure.bbox
    panels = [axes.get_tightbbox() for axes in figure.axes]
    for box in (*panels, *(legend.get_window_extent() for legend in figure.legends)):
        assert box is not None
        assert frame.x0 - 1 <= box.x0
        assert box.x1 <= frame.x1 + 1


def test_a_task_that_is_never_drawn_has_no_epochs(tmp_path: Path):
    forecast = make_forecast(SIZES, {"small": 1.0, "middle": 1.0, "large": 0.0})
    tasks = [
        task if task.name != "large" else TaskForecast("large", 4000, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        for task in forecast.tasks
    ]
    comparison = make_comparison(SIZES, 1)
    none = Forecast(tuple(tasks), 1000, 100, 10.0, 0.9, 0.5, changes=False, adaptive=False)
    figure = mixture_figure(
        StrategyComparison({"fixed": none}, comparison.by_temperature, comparison.by_max_examples), "title"
    )
    save(figure, tmp_path / "a.png")
    assert figure.axes[1].containers[0][2].get_x() == pytest.approx(1e-3)


def test_tasks_of_one_size_have_a_share_at_every_limit():
    comparison = make_comparison({"a": 30, "b": 30}, 1)
    axes = mixture_figure(comparison, "m").axes[3]
    assert axes.get_title(loc="left") == "Proportions by limit; all tasks are of one size"
    for line in axes.lines:
        assert line.get_xydata().tolist() == [[15, 0.5], [60, 0.5]]
