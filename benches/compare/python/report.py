"""What the runs say: ratios within rounds, with their spread, as tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import contenders
import works
from span import Cost
from works import Work

REFERENCE = "hedgerow"
"""Ratios are to this contender."""

FLOOR = "floor"
"""No client can be below this one by much."""

FEWEST_ROUNDS = 5
"""With fewer, a ratio is not to be quoted."""

MIB = 1 << 20

HEADER = [
    "contender",
    "requests",
    "wall us/request",
    "ratio",
    "CPU us/request",
    "ratio",
    "memory",
    "ratio",
    "nginx busy",
]

Metric = Callable[[Cost], float]


@dataclass(frozen=True)
class Setting:
    """What a reader must know to judge the figures."""

    date: str
    rounds: int
    quick: bool
    versions: dict[str, str]
    python: str
    server: str
    system: str
    load: float
    seed: int

    def text(self) -> str:
        """As two lines."""
        versions = ", ".join(
            f"{name} {version}" for name, version in self.versions.items()
        )
        few = "" if self.rounds >= FEWEST_ROUNDS else " (too few to quote)"
        return (
            f"{self.date}: {versions}; Python {self.python}, {self.server}.\n"
            f"{self.system}, load {self.load:.1f} at the start; interleaved rounds:"
            f" {self.rounds}{few}."
        )


@dataclass(frozen=True)
class Lap:
    """One contender at one work in one round: what it cost, or why it failed."""

    work: str
    contender: str
    round: int
    cost: Cost | None = None
    failure: str | None = None

    def summary(self) -> str:
        """As a line of the progress."""
        where = f"round {self.round + 1}, {self.work}, {self.contender}"
        if self.cost is None:
            return f"{where}: {self.failure}"
        return (
            f"{where}: {self.cost.requests} requests in {self.cost.wall_s:.2f} s,"
            f" {self.cost.cpu_s:.2f} s of CPU, {memory(self.cost) / MIB:.0f} MiB"
        )


@dataclass(frozen=True)
class Spread:
    """A median, and what it lies between."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread | None:
        """The spread of the values, if there are any."""
        return cls(median(values), min(values), max(values)) if values else None


def wall_us(cost: Cost) -> float:
    """Elapsed time a request."""
    return cost.wall_s / cost.requests * 1e6


def cpu_us(cost: Cost) -> float:
    """CPU time of the client a request."""
    return cost.cpu_s / cost.requests * 1e6


def memory(cost: Cost) -> float:
    """The peak of resident memory over what was resident before the first request."""
    return cost.peak_bytes - cost.baseline_bytes


def server_share(cost: Cost) -> float:
    """Of the server's one core, how much was in use."""
    return cost.server_cpu_s / cost.wall_s


class Report:
    """All runs of a comparison."""

    def __init__(self, setting: Setting, laps: list[Lap]) -> None:
        self.setting = setting
        self.laps = laps
        self.works = [
            work for work in works.ALL if work.name in {lap.work for lap in laps}
        ]
        taking_part = {lap.contender for lap in laps}
        self.contenders = [name for name in contenders.ALL if name in taking_part]

    def taking_part(self, work: Work) -> list[str]:
        """The contenders that ran at a work."""
        return [name for name in self.contenders if self._laps(work, name)]

    def spread(self, work: Work, contender: str, metric: Metric) -> Spread | None:
        """Of a metric, over the rounds."""
        return Spread.of(list(self._by_round(work, contender, metric).values()))

    def ratio(
        self, work: Work, contender: str, metric: Metric, to: str = REFERENCE
    ) -> Spread | None:
        """To another's metric in the same round."""
        reference = self._by_round(work, to, metric)
        own = self._by_round(work, contender, metric)
        rounds = own.keys() & reference.keys()
        return Spread.of([own[round] / reference[round] for round in rounds])

    def memory_ratio(self, work: Work, contender: str) -> Spread | None:
        """As `ratio`, where both made as many requests."""
        if self.requests(work, contender) != self.requests(work, REFERENCE):
            return None
        return self.ratio(work, contender, memory)

    def memory_text(self, work: Work, contender: str) -> str:
        """In MiB, and in matrices where the matrix is what weighs."""
        peak = self.spread(work, contender, memory)
        if peak is None:
            return "n/a"
        text = f"{peak.median / MIB:,.0f} MiB"
        matrix = work.matrix_bytes(self.requests(work, contender) or 0)
        return (
            f"{text} = {peak.median / matrix:.2f} matrices"
            if matrix > 10 * MIB
            else text
        )

    def requests(self, work: Work, contender: str) -> int | None:
        """How many were measured."""
        return next(
            (cost.requests for cost in self._costs(work, contender).values()), None
        )

    def failure(self, work: Work, contender: str) -> str | None:
        """Why it cannot do the work."""
        laps = self._laps(work, contender)
        return next((lap.failure for lap in laps if lap.failure), None)

    def text(self) -> str:
        """As tables in Markdown, aligned to be read as they are."""
        parts = [self.setting.text()]
        for work in self.works:
            parts += [f"**{work.name}**: {work.title}; {work.window} in flight"]
            rows = [self._row(work, name) for name in self.taking_part(work)]
            parts += [table([HEADER, *rows])]
            parts += self._notes(work)
        return "\n\n".join(parts) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """The setting and every run."""
        return {
            "setting": asdict(self.setting),
            "runs": [asdict(lap) for lap in self.laps],
        }

    def _row(self, work: Work, name: str) -> list[str]:
        requests = self.requests(work, name)
        if requests is None or self.failure(work, name):
            return [name, "failed", *["n/a"] * (len(HEADER) - 2)]
        busy = self.spread(work, name, server_share)
        return [
            name,
            f"{requests:,}",
            _absolute(self.spread(work, name, wall_us)),
            _relative(self.ratio(work, name, wall_us)),
            _absolute(self.spread(work, name, cpu_us)),
            _relative(self.ratio(work, name, cpu_us)),
            self.memory_text(work, name),
            _relative(self.memory_ratio(work, name)),
            f"{busy.median:.0%}" if busy else "n/a",
        ]

    def _notes(self, work: Work) -> list[str]:
        notes = []
        for name in self.contenders:
            if failure := self.failure(work, name):
                notes.append(f"- {name}: {failure}")
            if note := contenders.ALL[name].notes.get(work.name):
                notes.append(f"- {name}: {note}")
        for name in self.taking_part(work):
            wall = self.ratio(work, name, wall_us, FLOOR)
            cpu = self.ratio(work, name, cpu_us, FLOOR)
            if wall and cpu and name != FLOOR:
                times = f"wall {_relative(wall)}, CPU {_relative(cpu)}"
                notes.append(f"- {name} to the floor: {times}")
        return ["\n".join(notes)] if notes else []

    def _by_round(self, work: Work, contender: str, metric: Metric) -> dict[int, float]:
        costs = self._costs(work, contender)
        return {round: metric(cost) for round, cost in costs.items()}

    def _costs(self, work: Work, contender: str) -> dict[int, Cost]:
        laps = self._laps(work, contender)
        return {lap.round: lap.cost for lap in laps if lap.cost}

    def _laps(self, work: Work, contender: str) -> list[Lap]:
        return [
            lap
            for lap in self.laps
            if (lap.work, lap.contender) == (work.name, contender)
        ]


def _absolute(spread: Spread | None) -> str:
    return cell(spread, ".1f" if spread and spread.most < 100 else ",.0f")


def _relative(spread: Spread | None) -> str:
    return cell(spread, ".2f" if spread and spread.most < 10 else ".0f")


def cell(spread: Spread | None, form: str) -> str:
    """A spread as a cell of a table."""
    if spread is None:
        return "n/a"
    return f"{spread.median:{form}} ({spread.least:{form}}-{spread.most:{form}})"


def table(rows: list[list[str]]) -> str:
    """Rows as a table of Markdown; the first is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * width for width in widths]
    lines = [rows[0], rule, *rows[1:]]
    return "\n".join(
        f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines
    )
