"""What a run told, its totals, and the picture of it."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from t5mix.errors import T5MixError
from t5mix.plots.curves import curves_figure, draw_run
from t5mix.tracking.history import TaskProgress, read_history, summarise

Make = Callable[..., Path]


def lines_of(axes) -> list[tuple[list[float], list[float]]]:
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines if len(line.get_xdata())]


def test_a_history_is_what_the_lines_say(make_run: Make):
    history = read_history(make_run())
    assert history.steps.tolist() == [10, 20, 25]
    assert history.evaluated.tolist() == [10, 25]
    assert list(history.tasks) == ["a", "b"]
    a, b = history.tasks.values()
    np.testing.assert_equal(a.share, [1.0, 0.6, 1.0])
    np.testing.assert_equal(b.loss, [np.nan, 5.0, np.nan])
    np.testing.assert_equal(b.validation, [np.nan, 4.0])


def test_totals_and_last_figures(make_run: Make):
    history = read_history(make_run())
    assert summarise(history.tasks["a"]) == TaskProgress(100.0, 22.5 + 50 + 4, 1000.0, 1.0, 1.5, 1.25)
    assert summarise(history.tasks["b"]) == TaskProgress(40.0, 7.5 + 50 + 6, 400.0, 4.0, 5.0, 4.0)


def test_what_is_not_known_is_none(make_run: Make):
    line = {"kind": "train", "step": 1, "tasks": {"a": {"loss": None, "examples": 2, "epochs": 0.5, "proportion": 1.0}}}
    summary = summarise(read_history(make_run([line])).tasks["a"])
    assert summary == TaskProgress(2.0, None, None, 0.5, None, None)


@pytest.mark.parametrize("lines", [[], [{"kind": "evaluation", "step": 0, "tasks": {}}]])
def test_a_run_that_has_logged_nothing_is_refused(make_run: Make, lines: list):
    with pytest.raises(T5MixError, match=r"has logged nothing yet in metrics\.jsonl: .*training\.log_every"):
        read_history(make_run(lines))


def test_a_folder_without_metrics_and_no_folder_are_refused(tmp_path: Path):
    with pytest.raises(T5MixError, match="has logged nothing yet"):
        read_history(tmp_path)
    with pytest.raises(T5MixError, match="nowhere is no run of t5mix: there is no such folder"):
        read_history(tmp_path / "nowhere")


def test_a_last_line_cut_short_is_left_out(make_run: Make):
    whole, cut = read_history(make_run()), read_history(make_run(name="cut", end='{"kind": "train", "st'))
    np.testing.assert_equal(cut.steps, whole.steps)


def test_the_picture_holds_the_figures(make_run: Make):
    history = read_history(make_run())
    figure = curves_figure({"run": history})
    losses, validation, mixing, epochs = figure.axes
    assert "run" in losses.get_title(loc="left")
    assert lines_of(losses) == [([10, 20, 25], [3.0, 2.0, 1.5]), ([20], [5.0])]
    assert lines_of(validation) == [([10, 25], [2.5, 1.25]), ([25], [4.0])]
    asked_a, asked_b, drawn_a, drawn_b = lines_of(mixing)
    assert asked_a[1] == [0.75, 0.5, 0.4]
    assert asked_b[1] == [0.25, 0.5, 0.6]
    assert drawn_a[1] == [1.0, 0.6, 1.0]
    assert drawn_b[1] == [0.0, 0.4, 0.0]
    assert mixing.get_ylim()[1] > 1.05  # no mark is cut
    assert lines_of(epochs)[:2] == [([10, 20, 25], [0.3, 0.9, 1.0]), ([20, 25], [4.0, 4.0])]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert losses.get_yscale() == epochs.get_yscale() == "log"


def test_a_loss_of_zero_is_on_a_linear_scale(make_run: Make):
    lines = [
        {"kind": "train", "step": 1, "tasks": {"a": {"loss": 0.0, "examples": 2, "epochs": 0.5, "proportion": 1.0}}}
    ]
    assert curves_figure({"run": read_history(make_run(lines))}).axes[0].get_yscale() == "linear"


def test_one_line_without_an_evaluation_is_drawn(make_run: Make):
    run = make_run(count=1)
    figure = curves_figure({"run": read_history(run)})
    assert [text.get_text() for text in figure.axes[1].texts] == ["no evaluation yet"]
    assert figure.axes[0].lines[0].get_marker() == "o"
    assert draw_run(run) == run / "curves.png"


def test_ten_tasks_are_told_apart_by_their_marks_alone(make_run: Make):
    names = [f"task{i}" for i in range(10)]
    task = {"loss": 1.0, "examples": 2, "epochs": 0.5, "proportion": 0.1}
    lines = [
        {"kind": "train", "step": 5, "tasks": dict.fromkeys(names, task)},
        {"kind": "evaluation", "step": 5, "tasks": {name: {"loss": 1.0} for name in names}},
    ]
    figure = curves_figure({"run": read_history(make_run(lines))})
    validation = figure.axes[1].lines
    assert len({str(line.get_marker()) for line in validation}) == 10
    explained = figure.legends[0].legend_handles
    for line, handle in zip(validation, explained, strict=True):
        assert (line.get_marker(), line.get_color()) == (handle.get_marker(), handle.get_color())  # type: ignore[union-attr]


def test_runs_stand_side_by_side(make_run: Make):
    few = [{"kind": "train", "step": 5, "tasks": {"c": {"loss": 1.0, "examples": 2, "epochs": 0.5, "proportion": 1.0}}}]
    runs = {"first": read_history(make_run()), "x" * 70: read_history(make_run(few, name="second"))}
    figure = curves_figure(runs)
    assert len(figure.axes) == 8
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[1].get_title(loc="left").startswith("…xxx")


def test_a_run_is_drawn_into_its_folder(make_run: Make):
    run = make_run()
    path = draw_run(run)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert 1000 < width < 3000
    assert 1000 < height < 3000
    assert sorted(file.name for file in run.iterdir()) == ["curves.png", "metrics.jsonl"]
