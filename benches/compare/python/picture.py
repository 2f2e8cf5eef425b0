"""The picture of a report, which reads on light pages and dark ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from report import REFERENCE, Report, Spread, cpu_us, wall_us
from works import Work

INK = "#7d8590"
COLOURS = {
    "hedgerow": "#2da44e",
    "baseten": "#d4843e",
    "openai": "#7086c8",
    "floor": INK,
}
LABELS = {
    "hedgerow": "hedgerow",
    "baseten": "baseten-performance-client",
    "openai": "openai (AsyncOpenAI)",
    "floor": "bare sockets",
}
COLUMNS = ["elapsed time", "CPU time", "peak memory"]
LONGEST = 8
"""A bar of a larger ratio is drawn broken: one of 200 would leave the others no width."""
WIDTH = 10
ROW_HEIGHT = 1.3

STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.spines.bottom": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "savefig.transparent": True,
    "svg.hashsalt": "the same report gives the same bytes",
    "text.color": INK,
}


def draw(report: Report, directory: Path) -> None:
    """Writes `results.svg` and `results.png`: bars of ratios, a row a work."""
    with matplotlib.rc_context(STYLE):
        save(_figure(report), directory)


def save(figure: Figure, directory: Path) -> None:
    """Writes a figure as `results.svg` and `results.png`, and forgets it."""
    figure.savefig(directory / "results.svg", metadata={"Date": None})
    figure.savefig(directory / "results.png", dpi=160)
    pyplot.close(figure)


def _figure(report: Report) -> Figure:
    rows = len(report.works)
    figure = pyplot.figure(figsize=(WIDTH, ROW_HEIGHT * rows + 1), layout="constrained")
    for place, work in zip(
        figure.subfigures(rows, squeeze=False).flat, report.works, strict=True
    ):
        place.suptitle(work.title, x=0.005, ha="left", size="medium", weight="bold")
        _draw_work(report, work, list(place.subplots(1, len(COLUMNS))))
    names = report.contenders
    patches = [Patch(color=COLOURS[name], label=LABELS[name]) for name in names]
    figure.legend(handles=patches, loc="outside upper left", ncols=4, frameon=False)
    figure.supxlabel(
        f"Ratios to {REFERENCE}, less is better: median, least and most of"
        f" {report.setting.rounds} rounds. Broken bars go on. n/a: see the table.",
        size="small",
    )
    return figure


def _draw_work(report: Report, work: Work, axes: list[Axes]) -> None:
    wall = _time(report.spread(work, REFERENCE, wall_us))
    cpu = _time(report.spread(work, REFERENCE, cpu_us))
    memory = report.memory_text(work, REFERENCE)
    names = report.taking_part(work)
    _draw_bars(
        axes[0], {name: report.ratio(work, name, wall_us) for name in names}, wall
    )
    _draw_bars(axes[1], {name: report.ratio(work, name, cpu_us) for name in names}, cpu)
    _draw_bars(
        axes[2], {name: report.memory_ratio(work, name) for name in names}, memory
    )
    for place, title in zip(axes, COLUMNS, strict=True):
        place.set_title(title, loc="left", size="small")


def _draw_bars(axes: Axes, ratios: dict[str, Spread | None], own: str) -> None:
    """A bar a contender; `own` says in absolute terms what the reference's is."""
    for place, (name, ratio) in enumerate(ratios.items()):
        if ratio is None:
            axes.text(0, place, " n/a", va="center", size="small")
            continue
        end = _draw_bar(axes, place, ratio, COLOURS[name])
        text = own if name == REFERENCE else _times(ratio.median)
        axes.text(end, place, f"  {text}", va="center", size="small")
    axes.set_ylim(len(ratios) - 0.5, -0.5)
    axes.set_xlim(0, 1.4 * LONGEST)
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_bar(axes: Axes, place: int, ratio: Spread, colour: str) -> float:
    """Draws a bar, broken where it is too long, and says where it ends."""
    if ratio.median > LONGEST:
        pieces = [(0, 0.9 * LONGEST), (0.92 * LONGEST, 0.08 * LONGEST)]
        axes.broken_barh(pieces, (place - 0.4, 0.8), color=colour)
        return LONGEST
    most = min(ratio.most, LONGEST)
    errors = [[ratio.median - ratio.least], [most - ratio.median]]
    axes.barh(place, ratio.median, color=colour, xerr=errors, ecolor=INK)
    return most


def _times(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.1f}x"


def _time(spread: Spread | None) -> str:
    if spread is None:
        return "n/a"
    if spread.median < 1000:
        return f"{spread.median:.0f} µs a request"
    return f"{spread.median / 1000:.1f} ms a request"
