"""What the runs say: who got all rows, how soon, and at what price to the server."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cases
import clients
from cases import Case

sys.path.append(str(Path(__file__).resolve().parents[1] / "python"))

from report import FEWEST_ROUNDS, Spread, cell, table

HEADER = [
    "contender",
    "rows",
    "wall s",
    "x ideal",
    "attempts",
    "refused",
    "connects while down",
    "ended",
]


@dataclass(frozen=True)
class Setting:
    """What a reader must know to judge the figures."""

    date: str
    rounds: int
    versions: dict[str, str]
    python: str
    system: str
    load: float

    def text(self) -> str:
        """As two lines."""
        versions = ", ".join(
            f"{name} {version}" for name, version in self.versions.items()
        )
        few = "" if self.rounds >= FEWEST_ROUNDS else " (too few to quote)"
        return (
            f"{self.date}: {versions}; Python {self.python}.\n"
            f"{self.system}, load {self.load:.1f} at the start; interleaved rounds:"
            f" {self.rounds}{few}."
        )


@dataclass(frozen=True)
class Lap:
    """One contender at one case in one round."""

    case: str
    contender: str
    round: int
    wall_s: float
    rows: int | None = None
    """Those that the caller had in the end; nobody knows where it was stopped."""
    failure: str | None = None
    """The exception that ended the call."""
    attempts: int = 0
    """Requests, as the server counted them."""
    good: int = 0
    """Answers of status 200, likewise."""
    refused: int = 0
    """Answers of any other."""
    connects_while_down: int | None = None
    looks: list[tuple[float, int]] = field(default_factory=list)
    """Seconds from the beginning of the call, and good answers until then."""

    def share(self) -> Case:
        """What of the case this contender did."""
        return clients.ALL[self.contender].share(cases.named(self.case))

    def ideal_s(self) -> float:
        """Seconds of a client that knows all limits."""
        return self.share().ideal_s(self.round)

    def is_whole(self) -> bool:
        """Whether every row that the server gives came back."""
        return self.rows is not None and self.rows >= self.share().good

    def ended(self) -> str:
        """How, in a word or two."""
        if self.rows is None:
            return "stopped"
        if self.failure:
            return "failed"
        return "well" if self.is_whole() else "rows lost"

    def summary(self) -> str:
        """As a line of the progress."""
        where = f"round {self.round + 1}, {self.case}, {self.contender}"
        rows = "?" if self.rows is None else f"{self.rows:,}"
        return (
            f"{where}: {self.ended()}, {rows} rows after {self.wall_s:.2f} s"
            f" (ideal {self.ideal_s():.2f} s), {self.refused:,} of {self.attempts:,} attempts refused"
        )


Metric = Callable[[Lap], float]


def times_ideal(lap: Lap) -> float:
    """How often the ideal time goes into the elapsed one."""
    return lap.wall_s / lap.ideal_s()


def refused_share(lap: Lap) -> float:
    """Of all attempts, in percent."""
    return 100 * lap.refused / max(lap.attempts, 1)


class Report:
    """All runs of a comparison."""

    def __init__(self, setting: Setting, laps: list[Lap]) -> None:
        self.setting = setting
        self.laps = laps
        self.cases = [
            case for case in cases.ALL if case.name in {lap.case for lap in laps}
        ]
        taking_part = {lap.contender for lap in laps}
        self.contenders = [name for name in clients.ALL if name in taking_part]

    def of(self, case: Case, contender: str) -> list[Lap]:
        """The runs of a contender at a case."""
        return [
            lap
            for lap in self.laps
            if (lap.case, lap.contender) == (case.name, contender)
        ]

    def text(self) -> str:
        """As tables in Markdown, aligned to be read as they are."""
        parts = [self.setting.text()]
        for case in self.cases:
            names = [name for name in self.contenders if self.of(case, name)]
            rows = [HEADER, *(self._row(case, name) for name in names)]
            parts += [
                f"**{case.name}**: {case.title}; ideal {_ideal(case)}",
                table(rows),
            ]
            notes = [note for name in names for note in self._notes(case, name)]
            parts += ["\n".join(notes)] if notes else []
        return "\n\n".join(parts) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """The setting and every run."""
        return {
            "setting": asdict(self.setting),
            "runs": [asdict(lap) | {"ideal_s": lap.ideal_s()} for lap in self.laps],
        }

    def _row(self, case: Case, name: str) -> list[str]:
        laps = self.of(case, name)
        whole = [lap for lap in laps if lap.is_whole()]
        rows = [lap.rows for lap in laps if lap.rows is not None]
        down = [float(n) for lap in laps if (n := lap.connects_while_down) is not None]
        return [
            name,
            f"{_range(rows)} of {laps[0].share().inputs:,}",
            _cell(laps, lambda lap: lap.wall_s, ".2f"),
            _cell(whole, times_ideal, ".2f"),
            _cell(laps, lambda lap: lap.attempts, ",.0f"),
            f"{_cell(laps, refused_share, '.1f')} %",
            _spread(down, ",.0f") if case.outage else "",
            _ends(laps),
        ]

    def _notes(self, case: Case, name: str) -> list[str]:
        failures = (lap.failure for lap in self.of(case, name) if lap.failure)
        notes = [next(failures, None), clients.ALL[name].notes.get(case.name)]
        return [f"- {name}: {note}" for note in notes if note]


def _cell(laps: list[Lap], metric: Metric, form: str) -> str:
    return _spread([metric(lap) for lap in laps], form)


def _spread(values: list[float], form: str) -> str:
    """Of one value there is no spread to tell."""
    return f"{values[0]:{form}}" if len(values) == 1 else cell(Spread.of(values), form)


def _range(values: list[int]) -> str:
    if not values:
        return "?"
    least, most = min(values), max(values)
    return f"{least:,}" if least == most else f"{least:,}-{most:,}"


def _ends(laps: list[Lap]) -> str:
    ends = Counter(lap.ended() for lap in laps)
    if len(ends) == 1:
        return next(iter(ends))
    return ", ".join(f"{count} {end}" for end, count in ends.items())


def _ideal(case: Case) -> str:
    spans = case.outage.spans_s if case.outage else (0,)
    ideals = [case.ideal_s(round) for round in range(len(spans))]
    if len(ideals) == 1:
        return f"{ideals[0]:.2f} s"
    return f"{min(ideals):.2f} to {max(ideals):.2f} s"
