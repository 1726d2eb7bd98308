"""What all figures share: colours, an empty figure, and the way to a file."""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from t5mix.errors import T5MixError
from t5mix.files import atomic_path, check_writable_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")

# Okabe and Ito's colours, told apart by colour-blind people too; their yellow, faint on white, is grey here.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_SHORT = 4.0  # an axis from a number to less than so many times it would have a tick or two at 1, 2 and 5
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">")
_LINES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (7, 1.2, 1, 1.2, 1, 1.2)))


def task_styles(tasks: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns the colour and the line style of each task, in the order of the run: 40 of them are distinct."""
    count = len(_COLOURS)
    return {
        task: {
            "color": _COLOURS[i % count],
            "linestyle": _LINES[i // count % len(_LINES)],
            "linewidth": 1.6,
            "zorder": 2 + i // count / 10,  # dashes over solid lines, so that both are seen where they coincide
        }
        for i, task in enumerate(tasks)
    }


def task_markers(tasks: Iterable[str]) -> dict[str, str]:
    """Returns the marker of each task, in the order of the run: 40 are distinct together with their colours."""
    return {task: _MARKERS[i % len(_MARKERS)] for i, task in enumerate(tasks)}


def shades(count: int) -> list[Any]:
    """Returns colours of strategies, from dark to light: a scale made for colour-blind people too."""
    from matplotlib import colormaps

    return [colormaps["viridis"](0.95 * i / max(count - 1, 1)) for i in range(count)]


def new_figure(width: float, height: float) -> "Figure":
    """Returns an empty figure, in inches, that lays itself out.

    Raises:
        T5MixError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise T5MixError("Pictures need matplotlib, which is not installed: pip install matplotlib.") from error
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def tidy(axes: "Axes", title: str) -> None:
    """Gives a panel its title, a light grid, and no frame on the right and above."""
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def step_axis(axes: "Axes") -> None:
    """Makes the horizontal axis one of steps: whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("step", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))


def log_axis(axes: "Axes", which: Literal["x", "y"]) -> None:
    """Makes an axis logarithmic, with ticks at 1, 2 and 5, written out; evenly spaced ones where it is short."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    class Locator(LogLocator):
        def tick_values(self, vmin: float, vmax: float) -> Any:
            if vmin > 0 and vmax < _SHORT * vmin:
                return MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(vmin, vmax)
            return super().tick_values(vmin, vmax)

    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(Locator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())


def legend(
    figure: "Figure", axes: "Axes", side: Literal["upper", "lower"], *, columns: int, title: str | None = None
) -> None:
    """Explains what a panel shows, above or below all panels."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc=f"outside {side} center",  # type: ignore[arg-type]
        ncols=columns,
        title=title,
        title_fontsize=11,
        fontsize=8,
        frameon=False,
        handlelength=3,
    )


def legend_columns(labels: Iterable[str], width: float) -> int:
    """Returns how many columns of these labels fit into so many inches."""
    return max(int(width / (0.07 * max(map(len, labels)) + 0.7)), 1)


def check_output(path: Path, option: str) -> None:
    """Refuses a file that no picture can be written to, before any work.

    Args:
        path: the file.
        option: what it was given with.

    Raises:
        T5MixError: its name ends in no format known, or its folder is missing or may not be written to.
    """
    if path.suffix.lower() not in FORMATS:
        raise T5MixError(f"{option} {path}: the name must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")
    if not path.absolute().parent.is_dir():
        raise T5MixError(f"{option} {path}: there is no folder {path.absolute().parent}. Make it first.")
    check_writable_file(path, option)


def free_path(path: Path) -> Path:
    """Returns a path, or where there is a file already the first of NAME-2, NAME-3 and so on that is free."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([path], numbered) if not candidate.exists())


def lay_out(figure: "Figure") -> None:
    """Gives everything its place, once for all files that are written: matplotlib would do it anew for each."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def save(figure: "Figure", path: Path) -> None:
    """Writes a figure, the same one as the same bytes; the file appears under its name once it is whole."""
    from matplotlib import rc_context

    file_format = path.suffix[1:].lower()
    dates = {"svg": "Date", "pdf": "CreationDate"}
    metadata = {dates[file_format]: None} if file_format in dates else None
    # Without the salt, ids are random.
    with atomic_path(path) as draft, rc_context({"svg.hashsalt": "t5mix"}):
        figure.savefig(draft, format=file_format, metadata=metadata)
