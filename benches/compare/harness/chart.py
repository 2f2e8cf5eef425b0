"""The picture of a report, which reads on light pages and dark ones."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import picture
import tools
from picture import INK, STYLE
from tables import REFERENCE, Metric, Report, counted_per_s, cpu_us

COLOURS = {
    "batchbench": "#2da44e",
    "batchbench-exports": "#7fc894",
    "oha": "#d4843e",
    "wrk": "#7086c8",
    "pypi": "#b46fb0",
}
COLUMNS = [
    ("requests/s, more is better", counted_per_s, ",.0f", "/s"),
    ("CPU time a request, less is better", cpu_us, ".1f", " µs"),
]
WIDTH = 10
BAR_HEIGHT = 0.36


def draw(report: Report, directory: Path) -> None:
    """Writes `results.svg` and `results.png`: bars of ratios, a row a tool."""
    with matplotlib.rc_context(STYLE):
        picture.save(_figure(report), directory)


def _figure(report: Report) -> Figure:
    height = BAR_HEIGHT * len(report.tools) + 1
    figure, places = pyplot.subplots(
        1, len(COLUMNS), figsize=(WIDTH, height), layout="constrained"
    )
    for axes, (title, metric, form, unit) in zip(places, COLUMNS, strict=True):
        _draw(report, axes, metric, form, unit)
        axes.set_title(title, loc="left", size="small", color=INK)
    names = [tools.ALL[name].title for name in report.tools]
    places[0].set_yticks(range(len(names)), names, color=INK)
    places[0].tick_params(left=False)
    setting = report.setting
    figure.supxlabel(
        f"{setting.users} connections, {setting.seconds} s a run. Ratios to {REFERENCE} in the"
        f" same round: median, least and most of {setting.rounds} rounds."
        " Broken bars go on.",
        size="small",
    )
    return figure


def _draw(report: Report, axes: Axes, metric: Metric, form: str, unit: str) -> None:
    ends = [0.0]
    for place, name in enumerate(report.tools):
        ratio, own = report.ratio(name, metric), report.spread(name, metric)
        if ratio is None or own is None:
            axes.text(0, place, " n/a", va="center", size="small")
            continue
        end = picture._draw_bar(axes, place, ratio, COLOURS[name])
        text = f"  {own.median:{form}}{unit}"
        if name != REFERENCE:
            text += f" = {ratio.median:.2f}x"
        axes.text(end, place, text, va="center", size="small")
        ends.append(end)
    axes.set_ylim(len(report.tools) - 0.5, -0.5)
    axes.set_xlim(0, 1.6 * max(ends))
    axes.set_xticks([])
    axes.set_yticks([])
