"""The chart of a report: goodput over time, a panel a case; it reads on light pages and dark ones."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cases import Case
from outcome import Lap, Report

# Where it is, `outcome` has said: not before that.
from picture import COLOURS, INK, LABELS, STYLE, save

SMOOTHED_S = 0.5
"""A point of a curve is the mean of so long a span."""
STEP_S = 0.1
COLUMNS = 2
WIDTH = 10
ROW_HEIGHT = 2.1
WIDEST = 2.6
"""In ideal times: what goes on after that is told in words."""


def draw(report: Report, directory: Path) -> None:
    """Writes `results.svg` and `results.png`."""
    shown = [case for case in report.cases if case.plotted]
    if shown:
        with matplotlib.rc_context(STYLE | {"axes.spines.bottom": True}):
            save(_figure(report, shown), directory)


def median_lap(laps: list[Lap]) -> Lap | None:
    """The one whose time is the median: of two in the middle, the shorter."""
    return (
        sorted(laps, key=lambda lap: lap.wall_s)[(len(laps) - 1) // 2] if laps else None
    )


def goodput(lap: Lap) -> tuple[np.ndarray, np.ndarray]:
    """Points in time from the beginning of the call to its end, and what share of the server's
    capacity the good answers around each are."""
    at, good = (np.array(column, float) for column in zip(*lap.looks, strict=True))
    times = np.arange(0, lap.wall_s + STEP_S, STEP_S).clip(max=lap.wall_s)
    # No span reaches beyond the call, where nothing could come.
    first = (times - SMOOTHED_S / 2).clip(min=0)
    last = (times + SMOOTHED_S / 2).clip(max=lap.wall_s)
    counts = np.interp(last, at, good) - np.interp(first, at, good)
    return times, counts / (last - first) / lap.share().answers_a_second()


def _figure(report: Report, shown: list[Case]) -> Figure:
    rows = math.ceil(len(shown) / COLUMNS)
    figure, places = pyplot.subplots(
        rows,
        COLUMNS,
        figsize=(WIDTH, ROW_HEIGHT * rows + 0.8),
        layout="constrained",
        squeeze=False,
    )
    for axes, case in zip(places.flat, shown, strict=False):
        _draw(report, case, axes)
    for axes in places.flat[len(shown) :]:
        axes.set_axis_off()
    handles = [
        Line2D([], [], color=COLOURS[name], label=LABELS[name])
        for name in report.contenders
    ]
    handles += [
        Line2D([], [], color=INK, linestyle=":", label="all that the server can do"),
        Line2D([], [], color=INK, marker="o", linestyle="", label="every row there"),
        Line2D(
            [], [], color=INK, marker="x", linestyle="", label="failed, or rows lost"
        ),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False)
    rounds = report.setting.rounds
    figure.supxlabel(
        "Seconds; share of the server's capacity that became good answers, as the server counted"
        f" them, over {SMOOTHED_S} s.\n"
        + (
            f"Of {rounds} rounds the one of median time."
            if rounds > 1
            else "One round."
        ),
        size="small",
    )
    return figure


def _draw(report: Report, case: Case, axes: Axes) -> None:
    laps = [median_lap(report.of(case, name)) for name in report.contenders]
    present = [lap for lap in laps if lap is not None]
    widest = WIDEST * case.ideal_s(0)
    end = min(max(lap.wall_s for lap in present), widest) * 1.04
    beyond = []
    for lap in reversed(present):
        colour = COLOURS[lap.contender]
        times, shares = goodput(lap)
        axes.plot(times, 100 * shares, color=colour, linewidth=1.4)
        if lap.wall_s <= end:
            marker = "o" if lap.is_whole() else "x"
            height = 100 * shares[-1]
            axes.plot(lap.wall_s, height, marker, color=colour, clip_on=False, zorder=3)
        else:
            beyond.append((colour, f"{lap.ended()} at {lap.wall_s:.0f} s →"))
    for line, (colour, text) in enumerate(beyond):
        place = (0.99, 0.97 - 0.13 * line)
        axes.text(
            *place,
            text,
            color=colour,
            size="small",
            ha="right",
            va="top",
            transform=axes.transAxes,
        )
    if case.outage:
        back = case.outage.after_s + case.outage.span_s(0)
        axes.axvspan(case.outage.after_s, back, color=INK, alpha=0.15, linewidth=0)
    axes.axhline(100, color=INK, linestyle=":", linewidth=1)
    axes.set_title(case.title.split(";")[0], loc="left", size="small", color=INK)
    axes.set_xlim(0, end)
    axes.set_ylim(0, 135)
    axes.set_yticks([0, 50, 100], ["0", "50 %", "100 %"])
    axes.tick_params(colors=INK, labelsize="small")
