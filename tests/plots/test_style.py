import builtins
from pathlib import Path
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.plots.style import check_output, free_path, log_axis, new_figure, save, step_axis, task_markers, task_styles


def test_forty_tasks_are_told_apart():
    names = [f"task{i}" for i in range(40)]
    styles, markers = task_styles(names), task_markers(names)
    assert len({(style["color"], str(style["linestyle"])) for style in styles.values()}) == 40
    assert len({(styles[name]["color"], markers[name]) for name in names}) == 40


def test_a_free_path_has_a_number_where_the_name_is_taken(tmp_path: Path):
    assert free_path(tmp_path / "a.png") == tmp_path / "a.png"
    for name in ("a.png", "a-2.png"):
        (tmp_path / name).touch()
    assert free_path(tmp_path / "a.png") == tmp_path / "a-3.png"


def test_a_tasks_look_depends_on_its_place_alone():
    few, many = task_styles("abc"), task_styles("abcdefghijklmnop")
    assert few == {name: many[name] for name in "abc"}


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [((1.5, 60.0), [2, 5, 10, 20, 50]), ((0.96, 1.03), [0.96, 0.98, 1.0, 1.02]), ((1.8, 6.0), [2, 3, 4, 5, 6])],
)
def test_a_logarithmic_axis_has_ticks_that_can_be_read(ends: tuple[float, float], ticks: list[float]):
    axes = new_figure(2, 2).add_subplot()
    log_axis(axes, "y")
    axes.set_ylim(*ends)
    shown = [tick for tick in axes.yaxis.get_majorticklocs() if ends[0] <= tick <= ends[1]]
    assert shown == pytest.approx(ticks)


@pytest.mark.parametrize("last", [3, 30, 150, 20_000])
def test_steps_are_whole_numbers(last: int):
    axes = new_figure(5, 2).add_subplot()
    axes.plot([last / 3, last], [1, 2])
    step_axis(axes)
    ticks = axes.get_xticks()
    assert 3 <= len(ticks) <= 12
    assert all(tick == int(tick) for tick in ticks)


@pytest.mark.parametrize("name", ["a.jpg", "a", "png", "a.png.gz"])
def test_unknown_formats_are_refused(tmp_path: Path, name: str):
    with pytest.raises(T5MixError, match=rf"--plot .*{name}: the name must end in \.png, \.svg or \.pdf\."):
        check_output(tmp_path / name, "--plot")


def test_a_missing_folder_is_refused(tmp_path: Path):
    with pytest.raises(T5MixError, match=r"--out .*: there is no folder .*missing\. Make it first\."):
        check_output(tmp_path / "missing" / "a.png", "--out")


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")])
def test_the_name_says_the_format(tmp_path: Path, name: str, start: bytes):
    check_output(tmp_path / name, "--plot")
    save(new_figure(2, 1), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.png", "a.pdf", "a.svg"])
def test_the_same_figure_is_the_same_bytes(tmp_path: Path, name: str):
    files = [tmp_path / folder / name for folder in ("one", "two")]
    for file in files:
        figure = new_figure(2, 1)
        figure.add_subplot().plot([1, 2, 1])
        file.parent.mkdir()
        save(figure, file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_without_matplotlib_the_user_is_told(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(T5MixError, match="pip install matplotlib"):
        new_figure(2, 1)
