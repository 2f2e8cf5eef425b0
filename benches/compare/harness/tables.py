"""What the runs say: ratios within rounds, with their spread, as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import tools
from report import FEWEST_ROUNDS, MIB, Spread, cell, table

REFERENCE = "batchbench"
"""Ratios are to this tool."""

HEADER = [
    "tool",
    "requests/s",
    "ratio",
    "requests/s, as it says",
    "CPU us/request",
    "ratio",
    "peak RSS",
    "nginx busy",
]


@dataclass(frozen=True)
class Setting:
    """What a reader must know to judge the figures."""

    date: str
    rounds: int
    seconds: int
    users: int
    versions: list[str]
    server: str
    system: str
    load: float

    def text(self) -> str:
        """As two lines."""
        few = "" if self.rounds >= FEWEST_ROUNDS else " (too few to quote)"
        return (
            f"{self.date}: {', '.join(self.versions)}; {self.server}.\n"
            f"{self.system}, load {self.load:.1f} at the start; {self.users} connections,"
            f" {self.seconds} s a run; interleaved rounds: {self.rounds}{few}."
        )


@dataclass(frozen=True)
class Lap:
    """One run of one tool: what it did and cost, or why it failed."""

    tool: str
    round: int
    told_per_s: float = 0
    """Requests a second, as the tool says."""
    requests: int = 0
    """As nginx counted them."""
    span_s: float = 0
    """How long the load lasted."""
    wall_s: float = 0
    """From the start of the process to its end."""
    cpu_s: float = 0
    """User and system time of the process."""
    peak_bytes: int = 0
    server_cpu_s: float = 0
    failure: str | None = None

    def summary(self) -> str:
        """As a line of the progress."""
        where = f"round {self.round + 1}, {self.tool}"
        if self.failure:
            return f"{where}: {self.failure}"
        return (
            f"{where}: {self.requests:,} requests in {self.span_s:.2f} s"
            f" (it says {self.told_per_s:,.0f}/s), {self.cpu_s:.2f} s of CPU,"
            f" {self.peak_bytes / MIB:.0f} MiB"
        )


Metric = Callable[[Lap], float]


def counted_per_s(lap: Lap) -> float:
    """Requests a second, as nginx counted them, while the load lasted."""
    return lap.requests / lap.span_s


def told_per_s(lap: Lap) -> float:
    """Requests a second, as the tool says."""
    return lap.told_per_s


def cpu_us(lap: Lap) -> float:
    """CPU time of the tool a request."""
    return lap.cpu_s / max(lap.requests, 1) * 1e6


def peak(lap: Lap) -> float:
    """The most memory that was resident at once."""
    return lap.peak_bytes


def server_share(lap: Lap) -> float:
    """Of the server's one core, how much was in use."""
    return lap.server_cpu_s / lap.wall_s


class Report:
    """All runs of a comparison."""

    def __init__(self, setting: Setting, laps: list[Lap]) -> None:
        self.setting = setting
        self.laps = laps
        taking_part = {lap.tool for lap in laps}
        self.tools = [name for name in tools.ALL if name in taking_part]

    def spread(self, name: str, metric: Metric) -> Spread | None:
        """Of a metric, over the rounds."""
        return Spread.of(list(self._by_round(name, metric).values()))

    def ratio(self, name: str, metric: Metric) -> Spread | None:
        """To the reference's metric in the same round."""
        reference = self._by_round(REFERENCE, metric)
        own = self._by_round(name, metric)
        rounds = own.keys() & reference.keys()
        return Spread.of([own[round] / reference[round] for round in rounds])

    def text(self) -> str:
        """As a table in Markdown, aligned to be read as it is."""
        rows = [HEADER, *(self._row(name) for name in self.tools)]
        failures = {lap.tool: lap.failure for lap in self.laps if lap.failure}
        notes = [f"- {name}: {reason}" for name, reason in failures.items()]
        parts = [self.setting.text(), table(rows), "\n".join(notes)]
        return "\n\n".join(part for part in parts if part) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """The setting and every run."""
        return {
            "setting": asdict(self.setting),
            "runs": [asdict(lap) for lap in self.laps],
        }

    def _row(self, name: str) -> list[str]:
        memory = self.spread(name, peak)
        busy = self.spread(name, server_share)
        return [
            name,
            cell(self.spread(name, counted_per_s), ",.0f"),
            cell(self.ratio(name, counted_per_s), ".2f"),
            cell(self.spread(name, told_per_s), ",.0f"),
            cell(self.spread(name, cpu_us), ".1f"),
            cell(self.ratio(name, cpu_us), ".2f"),
            f"{memory.median / MIB:,.0f} MiB" if memory else "n/a",
            f"{busy.median:.0%}" if busy else "n/a",
        ]

    def _by_round(self, name: str, metric: Metric) -> dict[int, float]:
        laps = [lap for lap in self.laps if lap.tool == name and not lap.failure]
        return {lap.round: metric(lap) for lap in laps}
